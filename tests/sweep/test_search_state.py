"""What a search does for a rung does not grow with the log."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from qipo_ray.data.transitions import Dataset
from qipo_ray.study.search_file import load_search_file
from qipo_ray.study.trial import Trial
from qipo_ray.sweep.search_state import SearchState
from qipo_ray.train.run_record import RunContext

TINY = Path(__file__).with_name("tiny.yaml")
CONTEXT = RunContext("tiny", None, "search", None, "qipo-ray sweep", "2026-01-01T00:00:00+00:00")


class Counted(list[Any]):
    """A list that counts how many of its entries were looked at."""

    looks = 0

    def __iter__(self) -> Iterator[Any]:
        for item in super().__iter__():
            type(self).looks += 1
            yield item


@pytest.mark.slow
def test_a_rung_is_decided_without_a_look_at_all_entries(point: Dataset, tmp_path: Path) -> None:
    """As many looks at the first as at the last; a value that is none is logged once, too."""
    spec = replace(load_search_file(TINY), trials=8, search_seeds=(0,))
    search = SearchState(spec, tmp_path, 1, {"point": point}, CONTEXT, lambda line: None)
    search.entries, trials = Counted(search.entries), list[Trial]()
    while (trial := search.next_trial()) is not None:
        trials.append(trial)
        value = None if len(trials) == 3 else float(len(trials))
        for _ in range(2):  # Tune may tell it again
            decision = search.at_rung(trial, 0, trial.rungs[0], value)
            assert decision.stop is (value is None)
    assert Counted.looks == 0
    assert [entry["trial"] for entry in search.log.read()] == [trial.id for trial in trials]
    assert len(trials) == len(search.entries) == 8
