from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from qipo_ray.leaderboard.costs import costs_of, latency_notes
from qipo_ray.leaderboard.figures.drawing import line_styles
from qipo_ray.leaderboard.figures.pareto import pareto
from qipo_ray.leaderboard.figures.series import series_of
from qipo_ray.store.artefacts import ArtefactStore

Build = Callable[..., dict[str, Any]]


def test_costs_count_a_shared_job_once(tmp_path: Path, make_record: Build) -> None:
    records = [make_record(10.0), make_record(20.0, seed=1)]
    records[1]["jobs"]["policy"] = "e" * 16
    for record in records:
        record["cost"]["device_s"] = 10.0
    assert costs_of(records, tmp_path).trained_s is None
    for stage, key in (("behaviour", "b"), ("critic", "c"), ("policy", "d"), ("policy", "e")):
        store = ArtefactStore(tmp_path)
        attempt = store.claim(stage, key * 16)
        for updates, seconds in ((5, 1.0), (10, 4.0)):
            store.write(stage, key * 16, updates, b"x", attempt=attempt, seconds=seconds)
    costs = costs_of(records, tmp_path)
    assert (costs.alone_s, costs.trained_s) == (20.0, 16.0)
    assert costs.jobs == {"behaviour": (2, 1), "critic": (2, 1), "policy": (2, 2)}


def test_latencies_of_a_busy_machine_are_told(make_record: Build) -> None:
    records = [make_record(10.0, seed=seed) for seed in range(3)]
    records[1]["cost"]["latency_load"] = 0.9
    assert latency_notes(records) == []  # the first and the last are older
    records[2]["cost"]["latency_load"] = 2.54
    (note,) = latency_notes(records)
    assert note.startswith("The latency of 1 of 3 runs was measured on a busy machine (load aver")
    assert "up to 2.5 for each core" in note
    series = series_of(records)
    for record in records:
        record["final"]["action_latency_ms"] = 1.0
    figure = pareto(series, line_styles([one.name for one in series]))
    assert figure is not None and note in figure.caption
