from __future__ import annotations

import pytest

from qipo_ray.leaderboard.figures.drawing import line_styles, omitted, short_label


def test_line_styles_differ_in_more_than_colour() -> None:
    styles = line_styles([str(i) for i in range(30)])
    assert len(set(styles.values())) == 30
    assert len({style.colour for style in line_styles(list("abcdef")).values()}) == 6


def test_labels_are_one_line_and_short() -> None:
    assert short_label("a\n b\x00") == "a b\ufffd"
    assert len(short_label("x" * 300)) == 48


@pytest.mark.parametrize("code", [*range(0x20), *range(0x7F, 0xA0), 0xD800, 0xFFFE, 0xFFFF])
def test_what_xml_cannot_carry_is_replaced(code: int) -> None:
    label = short_label(f"a{chr(code)}b")
    assert label == ("a b" if code in (9, 10, 13) else "a\ufffdb")


@pytest.mark.parametrize("code", [0x20, 0x7E, 0xA1, 0xD7FF, 0xE000, 0xFFFD, 0x10000, 0x10FFFF])
def test_what_xml_can_carry_stays(code: int) -> None:
    assert short_label(f"a{chr(code)}b") == f"a{chr(code)}b"


def test_what_is_omitted_is_counted() -> None:
    assert omitted(0, "row") == ""
    assert omitted(1, "row") == " 1 further row has no room and stands in the tables."
    assert omitted(2, "trial", "the records").endswith(
        "trials have no room and stand in the records."
    )
