"""Which trials a sweep still plans: none once its space is used up."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from qipo_ray.verify import verify

SMALL = """\
name: books
tasks: [point]
preset: quickstart
space: {policy.beta: {choice: [10, 20, 30]}}
trials: 40
paper: {policy.beta: 3}
seeds: {search: [0, 1], report: [100, 101]}
rungs: {shares: [1/3, 1], reduction: 3}
confirm: {top: 1}
"""


@pytest.mark.slow
def test_a_space_that_is_used_up_asks_for_no_more(
    tmp_path: Path, open_books: Callable[[Path], Any]
) -> None:
    made = open_books(tmp_path / "books")
    (made.root / "sweep.yaml").unlink()
    made.specify(SMALL)
    searched = {3.0: [10.0, 30.0], 10.0: [11.0, 29.0], 20.0: [12.0, 40.0], 30.0: [5.0]}
    left = []
    for beta, values in searched.items():
        made.search(beta, values)
        verdict = verify(made.root)
        assert verdict.faults == () and verdict.counts is not None
        left.append(verdict.counts["never started"])
    assert left == [39 * 2, 38 * 2, 37 * 2, 2 * 2]  # then none but the confirm step
    for beta in (3.0, 20.0):
        for seed in (100, 101):
            made.confirm(beta, seed)
    verdict = verify(made.root)
    assert verdict.faults == () and verdict.planned == 12
    assert verdict.counts is not None and verdict.counts["never started"] == 0

    for path in (made.root / "trials").glob("*.json"):
        if made.trial(30.0) == path.stem:
            path.unlink()
    words = [one.what for one in verify(made.root).faults if one.place == "trials"]
    assert words == [
        "3 of 40 trials of point are there, though the confirm step, which comes after the "
        "search, has begun"
    ]


@pytest.mark.slow
def test_a_continuum_that_is_used_up_asks_for_no_more(
    tmp_path: Path, open_books: Callable[[Path], Any]
) -> None:
    """Floats are drawn with four digits: between close bounds there are few."""
    made = open_books(tmp_path / "books")
    (made.root / "sweep.yaml").unlink()
    made.specify(SMALL.replace("choice: [10, 20, 30]", "uniform: [19.99, 20.0]"))
    made.search(3.0, [10.0, 30.0])
    made.search(19.99, [11.0, 29.0])
    made.search(20.0, [12.0, 40.0])
    counts = verify(made.root).counts
    assert counts is not None and counts["never started"] == 37 * 2
    for beta in (3.0, 20.0):
        for seed in (100, 101):
            made.confirm(beta, seed, selection=6 * 2 * 20)
    verdict = verify(made.root)
    assert verdict.faults == () and verdict.planned == 10
