"""docs/algorithm.md: settings, constants and names of its table are those of the code."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from qipo_ray import agent, flow, nets
from qipo_ray.agent import support
from qipo_ray.config import field_names, load_config, to_dict

PAGE = (Path(__file__).parents[2] / "docs" / "algorithm.md").read_text(encoding="utf-8")
ROWS = [
    [cell.strip() for cell in line.strip("|").split(" | ")]
    for line in PAGE.split("## Names")[1].splitlines()
    if line.startswith("| ") and "symbol" not in line
]


def test_settings_of_the_page_exist() -> None:
    named = re.findall(r"`([a-z]+\.[a-z_]+)`", PAGE)
    files = {name for name in named if name.endswith(".py")}
    assert len(named) > 15 and set(named) - files <= set(field_names())


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row[1])
def test_names_of_the_code_exist(row: list[str]) -> None:
    for name in re.findall(r"`([\w.]+)`", row[3]):
        head, *rest = name.split(".")
        found = next(getattr(m, head) for m in (agent, flow, nets, support) if hasattr(m, head))
        for part in rest:
            found = getattr(found, part)
        assert callable(found)


def test_constants_are_those_of_the_paper_preset() -> None:
    paper = to_dict(load_config("paper"))
    held = 0
    for _, settings, value, _ in ROWS:
        number = re.fullmatch(r"([\d.,]+)(;.*)?", value)
        for dotted in re.findall(r"`(\w+)\.(\w+)`", settings) if number else ():
            assert paper[dotted[0]][dotted[1]] == float(number[1].replace(",", ""))  # type: ignore
            held += 1
    assert held >= 8


def test_its_pages_and_picture_exist() -> None:
    docs = Path(__file__).parents[2] / "docs"
    for target in re.findall(r"\]\(([^)#]+)", PAGE):
        assert (docs / target).exists(), target
