"""Signals held against scores: ranks, regret, and the bandit beside them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from qipo_ray.leaderboard.signal_table import signal_tables, spearman

Record = dict[str, Any]
SCORES = (10.0, 20.0, 50.0, 40.0)
VALUES = (1.0, 2.0, 3.0, 9.0)  # of fqe: the second best is believed most
ERRORS = (4.0, 3.0, 1.0, 2.0)  # of the critic: ranks as the score does


@pytest.fixture
def record(make_record: Callable[..., Record]) -> Callable[..., Record]:
    """Make the record of a policy with a score and signals."""

    def make(i: int, **changes: Any) -> Record:
        record = make_record(SCORES[i], beta=float(i + 1), **changes)
        record["final"]["last"]["each"] = [SCORES[i] - 1, SCORES[i] + 1]
        record["scores"] = [record["final"]["last"]]
        record["signals"] = [
            {
                "updates": record["scores"][-1]["updates"],
                "fqe": {"mean": VALUES[i], "std": 1.0, "episodes": 9},
                "td_error": ERRORS[i],
                "behaviour_loss": 0.5,
            }
        ]
        record["policy_report"] = None
        return record

    return make


def test_each_signal_is_held_against_the_score_and_a_bandit(
    record: Callable[..., Record],
) -> None:
    records = [record(i, **{"purpose": p}) for i in range(4) for p in ("confirm", "search")]
    (table,) = signal_tables(records)
    lines = {(row[1], row[2]): row[3:] for row in table.rows}
    places = sorted({place for place, _ in lines})
    assert places == ["confirmed, 4 policies", "rung 1, 4 configurations"]
    for place in places:
        assert lines[place, "FQE"] == ("+0.80", "10.0", "20.0")
        assert lines[place, "TD error"] == ("+1.00", "0.0", "20.0")
        assert lines[place, "behaviour loss"] == (None, "40.0", "20.0")  # all alike
    assert lines["confirmed, 4 policies", "UCB, 4 episodes"] == (None, "0.0", "20.0")
    assert not any("mean Q" in name for _, name in lines)
    assert signal_tables(records[:4]) == []  # two say nothing


def test_spearman_is_the_correlation_of_ranks() -> None:
    assert spearman([1, 2, 3], [10, 100, 1000]) == pytest.approx(1)
    assert spearman([1, 2, 2, 5], [4, 3, 3, 0]) == pytest.approx(-1)
    assert spearman([1, 1], [1, 2]) is None
