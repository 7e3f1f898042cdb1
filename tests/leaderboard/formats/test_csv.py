from __future__ import annotations

import csv
import io
from collections.abc import Callable, Sequence

import pytest

from qipo_ray.leaderboard.formats.csv import csv_text, guard, notes_text
from qipo_ray.leaderboard.formats.document import SCHEMA, BoardDocument
from qipo_ray.leaderboard.tables import Cell, Score, Table

MakeTable = Callable[..., Table]
Line = tuple[Cell, ...]


def csv_of(tables: Sequence[Table], schema: int = SCHEMA) -> list[dict[str, str]]:
    """The rows of some tables as CSV reads back."""
    document = BoardDocument("m", tuple(tables), (), {}, (), schema)
    return list(csv.DictReader(io.StringIO(csv_text(document))))


def test_csv_reads_back_with_all_digits_in_the_same_columns(
    make_table: MakeTable, leader_row: Line
) -> None:
    other = ("other", Score(1 / 3, 0.1, None, 2), None, 2, False)
    tables = make_table(leader_row), make_table(other, source="generated")
    first, second = csv_of(tables)
    assert [list(row) for table in tables for row in csv_of([table])] == [list(first)] * 2
    assert (first["data"], second["data"]) == ("d4rl", "generated")
    assert (float(first["last_mean"]), float(second["last_mean"])) == (51.04, 1 / 3)
    assert (first["last_low"], first["last_high"], first["gain_std"]) == ("49.0", "53.0", "")
    assert (second["clip"], second["seeds"]) == ("no", "2") and float(first["gain_mean"]) == -3.0


def test_an_old_csv_has_a_column_per_source(make_table: MakeTable, leader_row: Line) -> None:
    other = ("other", Score(1 / 3, 0.1, None, 2), None, 2, False)
    tables = [make_table(leader_row), make_table(other, source="generated")]
    first, second = (row for row in csv_of(tables, 3) if row["method"])
    assert float(first["d4rl_last_mean"]) == 51.04
    assert (first["d4rl_last_low"], first["d4rl_last_high"]) == ("49.0", "53.0")
    assert (first["generated_last_mean"], first["d4rl_gain_std"]) == ("", "")
    assert (first["method"], first["table"]) == ("QIPO", "task")
    assert float(second["generated_last_mean"]) == 1 / 3
    assert (second["d4rl_last_mean"], second["clip"], second["seeds"]) == ("", "no", "2")
    assert float(first["d4rl_gain_mean"]) == -3.0


def test_captions_and_notes_are_a_file_of_their_own(
    make_table: MakeTable, leader_row: Line
) -> None:
    tables = (make_table(leader_row),)
    notes = notes_text(BoardDocument("m", tables, ("Left out: =1",), {}, ())).splitlines()
    assert notes == [
        "A *title*: What it says.",
        "A *title*: A note.",
        "A *title*: 1. Foot.",
        "Left out: =1",
    ]
    (row,) = csv_of(tables)
    assert "note" not in row
    assert [row["note"] for row in csv_of(tables, 3)[1:]] == notes[:3]


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
