"""Data that a verb makes on first use, where another process makes them at the same time."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from qipo_ray.cli import prepare
from qipo_ray.data.locate import generated_path
from qipo_ray.data.tasks import get_task
from qipo_ray.evaluation.generate import generate


def test_of_two_that_make_data_the_first_keeps_its_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It may be reading it: replaced, its data would have changed under its hands."""
    monkeypatch.setenv("QIPO_DATA", str(tmp_path / "data"))
    task = get_task("point")
    target, first = generated_path(task), []

    def slow(name: str, path: Path, progress: Any) -> Path:
        generate(name, target, rows=300)  # another process meanwhile
        first.append(target.stat())
        return generate(name, path, rows=400)

    monkeypatch.setattr(prepare, "generate", slow)
    assert len(prepare.dataset_of(task, None).rewards) == 300
    assert [target.stat()] == first and list(target.parent.iterdir()) == [target]
