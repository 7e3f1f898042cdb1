from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from qipo_ray.leaderboard.costs import costs_of
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
