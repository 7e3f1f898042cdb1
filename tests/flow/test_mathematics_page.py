"""docs/mathematics.md says what the code does: tables, names and the worked example."""

from __future__ import annotations

import pathlib
import re
from typing import get_args

import pytest

import qipo_ray.flow
from qipo_ray.flow import Field, Prediction, path_named
from qipo_ray.flow.field import MARGIN
from qipo_ray.flow.paths import PATHS
from qipo_ray.flow.solvers import SOLVERS
from qipo_ray.flow.weighting import SCARCE

ROOT = pathlib.Path(__file__).parents[2]


@pytest.fixture(scope="module")
def page() -> str:
    return (ROOT / "docs" / "mathematics.md").read_text(encoding="utf-8")


def test_the_worked_example_is_one_class_of_about_thirty_lines(page: str) -> None:
    """The fixture `path` of this folder runs it, and every test of a path with it."""
    blocks = re.findall(r"```python\n(.*?)```", page, re.DOTALL)
    assert len(blocks) == 1
    assert 20 <= len(blocks[0].splitlines()) <= 32
    assert max(map(len, blocks[0].splitlines())) <= 99


def rows(page: str, heading: str) -> list[list[str]]:
    """Return the cells of the first table below a heading, without its two head lines."""
    below = page.split(f"## {heading}\n", 1)[1]
    table = re.search(r"(?:^\|.*\|\n)+", below, re.MULTILINE)
    assert table is not None
    lines = table.group().splitlines()[2:]
    return [[cell.strip(" `") for cell in line.strip("|").split("|")] for line in lines]


def test_the_table_of_conversions_is_complete(page: str) -> None:
    assert [row[0] for row in rows(page, "Conversions")] == list(get_args(Prediction))


def test_the_table_of_paths_is_complete(page: str) -> None:
    assert [row[0] for row in rows(page, "Paths")] == list(PATHS)


def test_the_table_of_solvers_is_complete(page: str) -> None:
    """Orders are measured in test_solvers.py."""
    costs = {row[0]: int(row[2]) for row in rows(page, "Solvers")}
    assert costs == {name: cost for name, (_, cost) in SOLVERS.items()}


def test_the_files_of_the_first_table_are_all_there_are(page: str) -> None:
    named = set(re.findall(r"`(\w+\.py)`", page.split("## Time")[0]))
    files = {file.name for file in pathlib.Path(qipo_ray.flow.__file__).parent.glob("*.py")}
    assert named == files - {"__init__.py"}


def test_functions_and_numbers_of_the_text_are_those_of_the_code(page: str) -> None:
    for name in ("batch_weights", "support_weights", "draw_by_weight", "batch_loss"):
        assert f"`{name}`" in page and hasattr(qipo_ray.flow, name)
    assert "$10^{-3}$ before" in page and MARGIN == 1e-3
    assert f"Below {SCARCE} effective samples" in page
    assert Field(path_named("vp"), "velocity", lambda x, t: x).span == (1.0, MARGIN)
