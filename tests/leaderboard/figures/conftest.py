from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from qipo_ray.leaderboard import from_records
from qipo_ray.leaderboard.figures.drawing import ReportFigure
from qipo_ray.leaderboard.figures.gallery import gallery

Record = dict[str, Any]
SPACE: dict[str, Any] = {"policy.beta": {}, "behaviour.path": {}}


@pytest.fixture(scope="session")
def sweep_records(make_record: Callable[..., Record]) -> list[Record]:
    """The records of a small sweep: nine trials of one seed, then two confirmed on three."""
    records = []
    for number in range(9):
        value = 10.0 * number
        state = "pruned" if number < 3 else "finished"
        record = make_record(
            None if state == "pruned" else value,
            purpose="search",
            state=state,
            name="search",
            beta=2.0**number,
            path=("ot", "vp")[number % 2],
            sweep="s",
        )
        record["scores"] = [
            {"updates": u, "episodes": 20, "mean": 1.0, "std": 1.0, "normalised": v,
             "success": None}
            for u, v in ((1000, value / 2), (3000, value))
        ]  # fmt: skip
        record["reached"]["rung"] = 0 if state == "pruned" else 2
        records.append(record)
    for path, level in (("ot", 60.0), ("vp", 40.0)):
        for seed in range(100, 103):
            last = level + seed - 101
            record = make_record(
                last, seed=seed, path=path, purpose="confirm", name="search, best", sweep="s",
                selection_episodes=360,
            )  # fmt: skip
            record["scores"] = [
                {"updates": u, "episodes": 20, "mean": 1.0, "std": 1.0, "normalised": v,
                 "success": None}
                for u, v in ((1000, last - 5), (3000, last))
            ]  # fmt: skip
            record["final"]["action_latency_ms"] = 1.0 if path == "ot" else 2.0
            record["cost"]["device_s"] = 60.0
            records.append(record)
    return records


@pytest.fixture(scope="session")
def figures(sweep_records: list[Record]) -> dict[str, ReportFigure]:
    """Every figure of that sweep, by its kind."""
    groups = gallery(sweep_records, from_records(sweep_records).rows, SPACE)
    return {figure.name.split("-")[1]: figure for group in groups for figure in group.figures}
