from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from textwrap import dedent
from typing import Any

import pytest

from qipo_ray.sweep.space import load_spec
from qipo_ray.sweep.spec import Spec

BODY = """\
name: little
tasks: [point]
preset: quickstart
trials: 12
seeds: {search: [0], report: [100, 101]}
"""
SPACE = """\
space:
  behaviour.path: {choice: [ot, vp]}
  policy.beta: {loguniform: [5, 60]}
  policy.rounds: {int: [1, 3]}
"""


@pytest.fixture
def write_file(tmp_path: Path) -> Callable[[str], Path]:
    """Write a search file: the lines that each needs, then the given ones."""

    def write(lines: str = SPACE) -> Path:
        path = tmp_path / "search.yaml"
        path.write_text(BODY + dedent(lines))
        return path

    return write


@pytest.fixture
def make_spec(write_file: Callable[[str], Path]) -> Callable[..., Spec]:
    """Load the specification of such a file."""

    def make(lines: str = SPACE, **options: Any) -> Spec:
        return load_spec(write_file(lines), **options)

    return make
