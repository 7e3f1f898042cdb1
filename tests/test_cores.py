"""How many cores a process may use: its affinity, and its control group's quota."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from qipo_ray import cores


@pytest.mark.parametrize(
    ("text", "expected"),
    [("max 100000", 6), ("200000 100000", 2), ("150000 100000", 2), ("5000 100000", 1),
     ("900000 100000", 6), ("nonsense", 6), ("", 6)],
)  # fmt: skip
def test_a_quota_bounds_the_affinity(
    text: str, expected: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: set(range(6)))
    monkeypatch.setattr(cores, "QUOTA", tmp_path / "cpu.max")
    cores.QUOTA.write_text(text)
    assert cores.usable_cores() == expected


def test_without_either_the_machine_s_cores_count(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delattr(os, "sched_getaffinity")
    monkeypatch.setattr(os, "cpu_count", lambda: None)
    monkeypatch.setattr(cores, "QUOTA", tmp_path / "none")
    assert cores.usable_cores() == 1
