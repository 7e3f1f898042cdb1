from __future__ import annotations

import pytest

from qipo_ray.study.seeds import read_seeds


@pytest.mark.parametrize(
    ("text", "seeds"),
    [
        ("7", [7]), ("0,1,2", [0, 1, 2]), ("100-104", [100, 101, 102, 103, 104]),
        ("3-3", [3]), ("5, 0-2", [5, 0, 1, 2]),
    ],
)  # fmt: skip
def test_numbers_and_ranges_in_their_order(text: str, seeds: list[int]) -> None:
    assert read_seeds(text) == seeds


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "expected whole numbers"), ("-1", "expected"), ("1,", "expected"),
        ("0,x", "expected"), ("1.5", "expected"), ("1--2", "expected"),
        ("4-0", "the range 4-0 must rise"),
        ("0-4000000000", "at most 10,000 seeds"), ("0-2,1", "1 comes twice"),
    ],
)  # fmt: skip
def test_anything_else_is_refused(text: str, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        read_seeds(text)
