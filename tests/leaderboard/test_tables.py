from __future__ import annotations

import csv
import io

import pytest

from qipo_ray.leaderboard.statistics import Spread
from qipo_ray.leaderboard.tables import (
    Cell,
    Column,
    Table,
    csv_text,
    escape_markdown,
    guard,
    json_rows,
    markdown,
)

COLUMNS = (
    Column("method", "method"),
    Column("last", "score", scores=True),
    Column("gain", "gain", scores=True, signed=True),
    Column("seeds", "seeds", "document"),
    Column("clip", "clipped", "file"),
)


def table(*rows: tuple[Cell, ...], source: str = "d4rl") -> Table:
    return Table("A *title*", "What it says.", source, COLUMNS, rows, ("A note.",))


ROW = ("QIPO", Spread(51.04, 2.26, 3), Spread(-3.0, None, 1), 3, True)


def test_markdown() -> None:
    assert markdown(table(ROW, ("data", None, None, None, None))) == (
        "## A \\*title\\*\n"
        "\n"
        "What it says.\n"
        "\n"
        "| method | score | gain | seeds |\n"
        "| --- | ---: | ---: | --- |\n"
        "| QIPO | 51.0 ± 2.3 | -3.0 | 3 |\n"
        "| data | – | – | – |\n"
        "\n"
        "- A note.\n"
    )


def test_markdown_escapes_what_would_be_markup() -> None:
    assert escape_markdown("a|b `c` *d* _e_ [f](g) <h> \\") == (
        r"a\|b \`c\` \*d\* \_e\_ \[f\](g) \<h\> \\"
    )


def test_markdown_keeps_a_row_on_one_line() -> None:
    assert escape_markdown("a\nb\r\n c") == "a b c"


def test_csv_reads_back_with_all_digits_and_a_column_per_source() -> None:
    other = ("other", Spread(1 / 3, 0.1, 2), None, 2, False)
    text = csv_text([table(ROW), table(other, source="generated")])
    first, second = csv.DictReader(io.StringIO(text))
    assert float(first["d4rl_last_mean"]) == 51.04
    assert (first["generated_last_mean"], first["d4rl_gain_std"]) == ("", "")
    assert float(second["generated_last_mean"]) == 1 / 3
    assert (second["d4rl_last_mean"], second["clip"], second["seeds"]) == ("", "no", "2")
    assert float(first["d4rl_gain_mean"]) == -3.0


@pytest.mark.parametrize(
    "text", ["=1+1", "+cmd", "-cmd|x", "@SUM(A1)", "\t=1", "\r=1", "-", "--1"]
)
def test_csv_disarms_formulas(text: str) -> None:
    assert guard(text) == "'" + text
    cells = csv_text([table((text, None, None, None, None))])
    (row,) = csv.DictReader(io.StringIO(cells))
    assert row["method"].startswith("'")


@pytest.mark.parametrize("text", ["-3.5", "+2", "-1e-3", "QIPO-OT", "a=b", ""])
def test_csv_leaves_numbers_and_plain_text_alone(text: str) -> None:
    assert guard(text) == text


def test_json_rows_are_plain() -> None:
    (row,) = json_rows(table(ROW))
    assert row["last"] == {"mean": 51.04, "std": 2.26, "seeds": 3}
    assert row["gain"] == {"mean": -3.0, "std": None, "seeds": 1}
    assert row["clip"] is True


def test_a_row_of_the_wrong_width_is_a_bug_that_shows() -> None:
    with pytest.raises(ValueError, match="zip"):
        csv_text([table(("short",))])
