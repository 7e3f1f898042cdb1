"""Counts of planned runs: unfinished ones, and those of a task that was dropped."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from qipo_ray.verify import verify


def test_an_unfinished_sweep_is_counted_and_not_wrong(
    tmp_path: Path, open_books: Callable[[Path], Any]
) -> None:
    """One trial has a checkpoint of one seed and then ends; three were not even intended."""
    made = open_books(tmp_path / "books")
    made.intend(20.0)
    made.train(20.0, 1, 500, "critic")
    counts = {"finished": 0, "pruned": 0, "diverged": 0, "failed": 0}
    verdict = verify(made.root)
    assert verdict.faults == () and len(verdict.remarks) == 0
    assert verdict.counts == counts | {"interrupted": 1, "never started": 1 + 3 * 2}
    made.search(3.0, [5.0, 6.0])
    verdict = verify(made.root)
    assert verdict.faults == ()  # the other run shares the behaviour of the one that ended
    assert verdict.counts == counts | {"finished": 2, "interrupted": 2, "never started": 2 * 2}


def test_open_runs_of_a_dropped_task_are_not_planned(
    tmp_path: Path, open_books: Callable[[Path], Any]
) -> None:
    """Another task in place of the first: its open runs are not planned, its records stay."""
    made = open_books(tmp_path / "books")
    made.search(3.0, [10.0, 30.0])
    made.intend(20.0)
    text = (tmp_path / "search.yaml").read_text().replace("trials: 4", "trials: 5")
    spec = made.specify(text.replace("[point]", "[maze2d-umaze]"))
    assert spec.tasks == ("maze2d-umaze",)
    path = made.root / "sweep.yaml"
    path.write_text(path.read_text().replace("  point:", "  maze2d-umaze:"))
    verdict = verify(made.root)
    assert verdict.faults == () and verdict.counts is not None
    assert verdict.counts["finished"] == 2 and verdict.counts["never started"] == 10
    assert verdict.planned == 12
