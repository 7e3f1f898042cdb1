"""Tables on a screen: whole cells, straight columns, no wider than they may be."""

from __future__ import annotations

import random

import pytest
from rich.cells import cell_len

from qipo_ray.cli.text_table import laid_out

TITLES = ["method", "notes", "score"]
NUMBERS = [False, False, True]


def drawn(rows: list[list[str]], width: int = 100) -> list[str]:
    return laid_out(TITLES, rows, NUMBERS, [], width).plain.split("\n")


def test_columns_are_straight_and_numbers_stand_right() -> None:
    assert drawn([["QIPO-OT", "-", "50.0 ± 1.2"], ["data", "long note", "-3.0"]]) == [
        "method   notes           score",
        "──────────────────────────────",
        "QIPO-OT  -          50.0 ± 1.2",
        "data     long note        -3.0",
        "",
    ]


def test_words_are_folded_where_they_must_be_and_numbers_never() -> None:
    lines = drawn([["QIPO-OT", "one two three, four", "50.0 ± 1.2"]], width=32)
    assert lines == [
        "method   notes             score",
        "────────────────────────────────",
        "QIPO-OT  one two      50.0 ± 1.2",
        "         three, four",
        "",
    ]
    assert drawn([["x", "y", "123456789012345"]], width=5)[2].split() == [
        "x",
        "y",
        "123456789012345",
    ]


def test_a_word_that_is_too_long_is_cut_and_whole() -> None:
    lines = drawn([["x" * 50, "n", "1"]], width=30)
    assert max(map(len, lines)) <= 30
    assert "".join(line.split(" ")[0] for line in lines[2:]) == "x" * 50


def test_wide_signs_count_twice() -> None:
    lines = drawn([["猫猫猫", "n", "1"], ["abcdef", "n", "2"]])
    assert {cell_len(line) for line in lines[2:4]} == {cell_len(lines[1])}


def test_no_cell_is_lost_at_any_width() -> None:
    dice = random.Random(0)
    for _ in range(200):
        rows = [
            [
                "".join(dice.choice("ab 猫") for _ in range(dice.randrange(30))).strip(),
                " ".join("w" * dice.randrange(1, 12) for _ in range(dice.randrange(6))),
                f"{dice.uniform(-99, 99):.1f}",
            ]
            for _ in range(3)
        ]
        width = dice.randrange(30, 60)
        lines = drawn(rows, width)
        assert max(map(cell_len, lines)) <= width
        signs = sorted("".join(cell for row in rows for cell in row).replace(" ", ""))
        assert sorted("".join(lines[2:]).replace(" ", "")) == signs


@pytest.mark.parametrize("styles", [[], [["", "", ""]], [["bold", "", "dim"]]])
def test_styles_change_no_letter(styles: list[list[str]]) -> None:
    found = laid_out(TITLES, [["a", "b", "1"]], NUMBERS, styles, 80)
    assert [line.rstrip() for line in found.plain.split("\n")] == [
        "method  notes  score",
        "────────────────────",
        "a       b          1",
        "",
    ]
    looks = {found.plain[span.start : span.end].strip(): span.style for span in found.spans}
    assert looks["method"] == "bold"
    assert ("a" in looks) == bool(styles and styles[0][0])


def test_no_rows() -> None:
    assert drawn([])[0] == "method  notes  score"
