from __future__ import annotations

from typing import Any

import pytest

from qipo_ray.leaderboard.provenance import hardware_of, hardware_text

MACHINE = {"machine": "x86_64", "cpu": "Xeon", "device": "cuda", "accelerator": "H100"}


@pytest.mark.parametrize(
    ("hardware", "text"),
    [
        ("unknown", "unknown"),
        ("Xeon", "Xeon"),  # an older record holds one word
        ({}, "unknown"),
        (MACHINE, "x86_64, Xeon, cuda, H100"),
        ({"cpu": "Xeon", "threads": 1, "torch": "2.4"}, "Xeon, 1 thread, torch 2.4"),
        ({"cpu": "Xeon", "threads": 8, "accelerator": None}, "Xeon, 8 threads"),
        ({"cpu": "Xeon", "also": [{"cpu": "EPYC"}, "Atom"]}, "Xeon; also EPYC; also Atom"),
    ],
    ids=str,
)
def test_hardware_as_text(hardware: Any, text: str) -> None:
    assert hardware_text(hardware) == text


def test_one_word_of_an_older_record_is_the_machine() -> None:
    assert hardware_of({"hardware": "Xeon"}) == {"machine": "Xeon"}
    assert hardware_of({"hardware": "unknown"}) == {}
    assert hardware_of({"hardware": MACHINE}) == MACHINE
