"""Runs that nothing was rolled out of: ranked by what the data say, with no score to be seen."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from qipo_ray.config import load_config, to_document
from qipo_ray.data.tasks import NO_ENVIRONMENT
from qipo_ray.errors import UserError
from qipo_ray.leaderboard.best import best_file, best_records
from qipo_ray.leaderboard.board import from_records
from qipo_ray.leaderboard.tables import Score, cell_text

Record = dict[str, Any]
Build = Callable[..., Record]


@pytest.fixture
def measured(make_record: Build) -> Build:
    """Make the record of a run on a task without a simulator."""

    def make(
        fqe: float | None, loss: float, objective: str | None = "fqe", **changes: Any
    ) -> Record:
        record = make_record(1.0, **changes) | {"reason": NO_ENVIRONMENT, "scores": []}
        record["final"] = dict.fromkeys(record["final"])
        record["behaviour_cloning"] = None
        if objective is not None:
            record["protocol"]["objective"] = objective
        worth = fqe and {"mean": fqe, "std": 1.0, "episodes": 9}
        record["signals"] = [
            {"updates": 9, "fqe": worth, "td_error": 0.0123456, "behaviour_loss": loss}
        ]
        return record

    return make


def test_configurations_are_ranked_with_their_uncertainty(measured: Build) -> None:
    values = {20.0: (10.0, 12.0), 5.0: (30.0, 34.0), 1.0: (31.0, 33.5)}  # by beta
    records = [
        measured(value, 0.5, beta=beta, seed=seed)
        for beta, both in values.items()
        for seed, value in enumerate(both)
    ]
    records.append(measured(None, 0.4, beta=2.0))
    board = from_records(records)
    (table,) = board.tables
    assert board.rows == () and board.notes == () and "Ranked by FQE" in table.caption
    assert "nothing was rolled out" in table.caption.lower()
    lines = [dict(zip([c.key for c in table.columns], row, strict=True)) for row in table.rows]
    assert [line["rank"] for line in lines] == [1, 2, 3, 4]
    assert {line["rolled_out"] for line in lines} == {"nothing"}
    scores = [line["fqe"] for line in lines]
    assert [score and score.value for score in scores] == [32.25, 32.0, 11.0, None]
    first = scores[0]
    assert isinstance(first, Score) and first.interval is not None and first.seeds == 2
    assert (first.interval.low, first.interval.high) == (31.0, 33.5)
    assert [bool(score and score.bold) for score in scores] == [True, True, False, False]
    column = next(column for column in table.columns if column.key == "td_error")
    assert cell_text(column, lines[0]["td_error"]).startswith("0.01235 ± 0")
    for text in board.documents().values():
        assert "D4RL-normalised" not in text


def test_less_of_an_error_is_better_and_objectives_do_not_mix(measured: Build) -> None:
    good, bad = (measured(None, x, "behaviour_loss", beta=b) for x, b in ((0.1, 1.0), (0.9, 2.0)))
    (table,) = from_records([bad, good]).tables
    assert [row[-2] for row in table.rows] == [good["config_hash"], bad["config_hash"]]
    assert best_records([bad, good], "R") == [good]
    good["config"] = to_document(load_config("quickstart"))
    text = best_file([good])
    assert "behaviour loss 0.1 on" in text.splitlines()[0]
    assert "; nothing was rolled out; record" in text.splitlines()[0]
    chosen = measured(5.0, 0.5, beta=3.0)
    with pytest.raises(
        UserError, match="runs chosen by behaviour_loss and fqe, which do not comp"
    ):
        best_records([bad, good, chosen], "R")
    unchosen = measured(5.0, 0.5, None, beta=4.0)  # by nobody: `train` made it
    assert best_records([unchosen, chosen], "R") in ([unchosen], [chosen])
