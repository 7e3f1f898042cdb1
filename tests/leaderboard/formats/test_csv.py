from __future__ import annotations

import csv
import io
from collections.abc import Callable, Sequence

import pytest

from qipo_ray.leaderboard.formats.csv import csv_text, guard
from qipo_ray.leaderboard.formats.document import BoardDocument
from qipo_ray.leaderboard.tables import Cell, Score, Table

MakeTable = Callable[..., Table]
Line = tuple[Cell, ...]


def csv_of(tables: Sequence[Table], notes: tuple[str, ...] = ()) -> list[dict[str, str]]:
    """The rows of some tables as CSV reads back."""
    document = BoardDocument("m", tuple(tables), notes, {}, ())
    return list(csv.DictReader(io.StringIO(csv_text(document))))


def test_csv_reads_back_with_all_digits_and_a_column_per_source(
    make_table: MakeTable, leader_row: Line
) -> None:
    other = ("other", Score(1 / 3, 0.1, None, 2), None, 2, False)
    first, second = (
        row
        for row in csv_of([make_table(leader_row), make_table(other, source="generated")])
        if row["method"]
    )
    assert float(first["d4rl_last_mean"]) == 51.04
    assert (first["d4rl_last_low"], first["d4rl_last_high"]) == ("49.0", "53.0")
    assert (first["generated_last_mean"], first["d4rl_gain_std"]) == ("", "")
    assert (first["method"], first["table"]) == ("QIPO", "task")
    assert float(second["generated_last_mean"]) == 1 / 3
    assert (second["d4rl_last_mean"], second["clip"], second["seeds"]) == ("", "no", "2")
    assert float(first["d4rl_gain_mean"]) == -3.0


def test_csv_holds_captions_and_notes_in_rows_of_their_own(
    make_table: MakeTable, leader_row: Line
) -> None:
    _, *notes = csv_of([make_table(leader_row)], notes=("Left out: =1",))
    assert {row["table"] for row in notes} == {"note"}
    assert [row["note"] for row in notes] == [
        "A *title*: What it says.",
        "A *title*: A note.",
        "A *title*: 1. Foot.",
        "Left out: =1",
    ]
    assert not any(row["method"] or row["d4rl_last_mean"] for row in notes)


@pytest.mark.parametrize(
    "value", ["=1+1", "+cmd", "-cmd|x", "@SUM(A1)", "-", "--1", "+inf", "＝1"]
)
def test_csv_disarms_formulas(value: str, make_table: MakeTable) -> None:
    assert guard(value) == "'" + value
    row, *_ = csv_of([make_table((value, None, None, None, None))])
    assert row["method"] == "'" + value


@pytest.mark.parametrize("value", ["\t=1", "\r=1", " \n =1"])
def test_csv_disarms_formulas_behind_white_space(value: str, make_table: MakeTable) -> None:
    row, *_ = csv_of([make_table((value, None, None, None, None))])
    assert row["method"] == "'=1"


def test_csv_disarms_what_a_semicolon_would_split_off() -> None:
    assert guard("a;=1+1; -2") == "a;'=1+1; '-2"


@pytest.mark.parametrize("value", ["-3.5", "+2", "-1e-3", "QIPO-OT", "a=b", "a, -b", ""])
def test_csv_leaves_numbers_and_plain_text_alone(value: str) -> None:
    assert guard(value) == value


def test_a_row_of_the_wrong_width_is_a_bug_that_shows(make_table: MakeTable) -> None:
    with pytest.raises(ValueError, match="zip"):
        csv_of([make_table(("short",))])
