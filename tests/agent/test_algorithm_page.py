"""docs/algorithm.md: settings, constants and names of its table are those of the code."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import torch
from torch import Tensor

from qipo_ray import agent, flow, nets
from qipo_ray.agent import support
from qipo_ray.agent.sampling import ActionSampler
from qipo_ray.config import field_names, load_config, to_dict
from qipo_ray.flow.solvers import SOLVERS

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


def drawn(path: str, monkeypatch: pytest.MonkeyPatch) -> tuple[int, int, str]:
    """Return how the paper's run draws an action: steps, network evaluations, last time."""
    sampler = ActionSampler(load_config("paper", [f"behaviour.path={path}"]), 3, 2)
    solve, cost = SOLVERS[sampler.solver]
    asked, walked = [], []

    def network(params: object, states: Tensor, x: Tensor, t: Tensor) -> Tensor:
        asked.append(t)
        return torch.zeros_like(x)

    def watch(field: flow.Field, x: Tensor, times: Tensor) -> Tensor:
        walked.append(times)
        return solve(field, x, times)

    monkeypatch.setattr(sampler, "network", network)
    monkeypatch.setitem(SOLVERS, sampler.solver, (watch, cost))
    sampler({}, torch.zeros(1, 1, 3), torch.zeros(1, 1, 2))
    (times,) = walked
    return len(times) - 1, len(asked), {0.0: "$0$", 1e-3: "$10^{-3}$"}[float(times[-1])]


def test_actions_are_drawn_as_the_page_says(monkeypatch: pytest.MonkeyPatch) -> None:
    (cell,) = (value for symbol, _, value, _ in ROWS if symbol == "ODE")
    (ot, two, end), (vp, one, late) = (drawn(path, monkeypatch) for path in ("ot", "vp"))
    assert cell == f"`ot`: {two} evaluations to {end}; `vp`: {one} to {late}"
    assert (two, one) == (2 * ot, vp)
    words = f"on `ot` {ot} midpoint steps of two network evaluations each down to $t = {end[1:]}, "
    words += f"on `vp` {vp} steps of one down to $t = {late[1:]}."
    assert words in " ".join(PAGE.split())


def test_its_pages_and_picture_exist() -> None:
    docs = Path(__file__).parents[2] / "docs"
    for target in re.findall(r"\]\(([^)#]+)", PAGE):
        assert (docs / target).exists(), target
