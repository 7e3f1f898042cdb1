from __future__ import annotations

import csv
import io
from collections.abc import Sequence

import pytest

from qipo_ray.leaderboard.formats.csv import csv_text, guard
from qipo_ray.leaderboard.formats.document import BoardDocument
from qipo_ray.leaderboard.formats.html import table_data
from qipo_ray.leaderboard.formats.json import json_rows
from qipo_ray.leaderboard.formats.latex import escape as escape_latex
from qipo_ray.leaderboard.formats.markdown import escape, section
from qipo_ray.leaderboard.statistics.bootstrap import Interval
from qipo_ray.leaderboard.tables import (
    MEAN,
    Cell,
    Column,
    Footnoted,
    Score,
    Table,
    cell_text,
    clean,
)

COLUMNS = (
    Column("method", "method"),
    Column("last", "score", parts=MEAN),
    Column("gain", "gain", parts=MEAN, signed=True, muted=True),
    Column("seeds", "seeds", "document"),
    Column("clip", "clipped", "file"),
)


def table(*rows: tuple[Cell, ...], source: str = "d4rl") -> Table:
    return Table("A *title*", "What it says.", source, COLUMNS, rows, ("A note.",), ("1. Foot.",))


def csv_of(tables: Sequence[Table], notes: tuple[str, ...] = ()) -> list[dict[str, str]]:
    """The rows of some tables as CSV reads back."""
    document = BoardDocument("m", tuple(tables), notes, {}, ())
    return list(csv.DictReader(io.StringIO(csv_text(document))))


LEADER = Score(51.04, 2.26, Interval(49.0, 53.0), 3, bold=True)
ROW = (Footnoted("QIPO", 1), LEADER, Score(-3.0, None, None, 1), 3, True)


def test_markdown() -> None:
    assert section(table(ROW, ("data", None, None, None, None))) == (
        "## A \\*title\\*\n"
        "\n"
        "What it says.\n"
        "\n"
        "| method | score | gain | seeds |\n"
        "| --- | ---: | ---: | --- |\n"
        "| QIPO \\[1\\] | **51.0 ± 2.3 \\[49.0, 53.0\\]** | -3.0 | 3 |\n"
        "| data | – | – | – |\n"
        "\n"
        "- A note.\n"
        "\n"
        "\\[1\\] 1. Foot.\n"
    )


def test_a_terminal_leaves_the_interval_out_beside_a_deviation() -> None:
    column = COLUMNS[1]
    assert cell_text(column, LEADER, narrow=True) == "51.0 ± 2.3"
    alone = Score(1.0, interval=Interval(0.0, 2.0))
    assert cell_text(column, alone, narrow=True) == cell_text(column, alone) == "1.0 [0.0, 2.0]"


def test_markdown_escapes_what_would_be_markup() -> None:
    assert escape("a|b `c` *d* _e_ [f](g) <h> \\") == (r"a\|b \`c\` \*d\* \_e\_ \[f\](g) \<h\> \\")
    assert escape("a & ~b~ $c$ #d") == r"a \& \~b\~ \$c\$ \#d"


def test_a_cell_stays_on_one_line_without_control_signs() -> None:
    assert clean("a\nb\r\n c\u2028d") == "a b c d"
    assert clean("a\x1b[31mb\x9bc\u202ed\u200b") == "a[31mbcd"


def test_latex_shows_its_own_signs() -> None:
    assert escape_latex("\\{}$&#^_~%") == (
        r"\textbackslash{}\{\}\$\&\#\textasciicircum{}\_\textasciitilde{}\%"
    )
    assert escape_latex("a -- b, ''c'' <d>|\"`") == (
        r"a -{-} b, '{'}c'{'} \textless{}d\textgreater{}\textbar{}{\char34}\textasciigrave{}"
    )


def test_csv_reads_back_with_all_digits_and_a_column_per_source() -> None:
    other = ("other", Score(1 / 3, 0.1, None, 2), None, 2, False)
    first, second = (
        row for row in csv_of([table(ROW), table(other, source="generated")]) if row["method"]
    )
    assert float(first["d4rl_last_mean"]) == 51.04
    assert (first["d4rl_last_low"], first["d4rl_last_high"]) == ("49.0", "53.0")
    assert (first["generated_last_mean"], first["d4rl_gain_std"]) == ("", "")
    assert (first["method"], first["table"]) == ("QIPO", "task")
    assert float(second["generated_last_mean"]) == 1 / 3
    assert (second["d4rl_last_mean"], second["clip"], second["seeds"]) == ("", "no", "2")
    assert float(first["d4rl_gain_mean"]) == -3.0


def test_csv_holds_captions_and_notes_in_rows_of_their_own() -> None:
    _, *notes = csv_of([table(ROW)], notes=("Left out: =1",))
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
def test_csv_disarms_formulas(value: str) -> None:
    assert guard(value) == "'" + value
    row, *_ = csv_of([table((value, None, None, None, None))])
    assert row["method"] == "'" + value


@pytest.mark.parametrize("value", ["\t=1", "\r=1", " \n =1"])
def test_csv_disarms_formulas_behind_white_space(value: str) -> None:
    row, *_ = csv_of([table((value, None, None, None, None))])
    assert row["method"] == "'=1"


def test_csv_disarms_what_a_semicolon_would_split_off() -> None:
    assert guard("a;=1+1; -2") == "a;'=1+1; '-2"


@pytest.mark.parametrize("value", ["-3.5", "+2", "-1e-3", "QIPO-OT", "a=b", "a, -b", ""])
def test_csv_leaves_numbers_and_plain_text_alone(value: str) -> None:
    assert guard(value) == value


def test_json_rows_are_plain() -> None:
    (row,) = json_rows(table(ROW))
    assert row["method"] == "QIPO"
    assert row["last"] == {
        "mean": 51.04,
        "std": 2.26,
        "low": 49.0,
        "high": 53.0,
        "seeds": 3,
        "bold": True,
    }
    assert row["clip"] is True


def test_html_cells_say_what_they_are() -> None:
    drawn = table_data(table(ROW))
    assert drawn["rows"] == [
        [
            ("QIPO [1]", "", ""),
            ("51.0 ± 2.3 [49.0, 53.0]", "number best", "51.04"),
            ("-3.0", "number muted", "-3.0"),
            ("3", "", "3"),
        ]
    ]


def test_a_row_of_the_wrong_width_is_a_bug_that_shows() -> None:
    with pytest.raises(ValueError, match="zip"):
        csv_of([table(("short",))])
