"""Which configurations are confirmed: worked out by hand from a few trials."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from qipo_ray.config import Config, load_config, override
from qipo_ray.leaderboard.choice import choices, standings

BASE = override(load_config("quickstart"), ["evaluation.episodes=5"])


@dataclass(frozen=True)
class Tried:
    id: str
    config: Config
    origin: str = "search"
    seeds: tuple[int, ...] = (0, 1)


def tried(name: str, *changes: str, origin: str = "search") -> Tried:
    return Tried(name, override(BASE, [f"policy.beta={ord(name)}", *changes]), origin)


def entry(trial: str, rung: int, value: float | None) -> dict[str, Any]:
    return {"trial": trial, "rung": rung, "value": value}


def test_standings_put_rungs_before_values() -> None:
    entries = [
        entry("a", 0, 90.0), entry("b", 0, 1.0), entry("b", 1, 2.0), entry("c", 1, 3.0),
        entry("d", 1, None), entry("e", 1, 99.0),
    ]  # fmt: skip
    assert [s.trial for s in standings(entries, {"a", "b", "c", "d"})] == ["c", "b", "a"]


def test_the_best_of_each_path_and_the_paper_form() -> None:
    trials = [
        tried("p", origin="paper"), tried("a"), tried("b"), tried("c"),
        tried("v", "behaviour.path=vp"), tried("t", "behaviour.path=trig"),
    ]  # fmt: skip
    entries = [
        entry("p", 1, 99.0), entry("a", 1, 10.0), entry("b", 1, 20.0), entry("c", 1, 30.0),
        entry("v", 0, 1.0), entry("t", 0, 2.0), entry("x", 1, 77.0),
    ]  # fmt: skip
    paper = trials[0].config
    found = list(choices("point", paper, 2, trials, entries, {"c"}))
    assert [(one.name, one.trial) for one in found] == [
        ("paper form", "p"), ("search, best 1", "b"), ("search, best 2", "a"),
        ("search, best 1", "v"), ("search, best 1", "t"),
    ]  # fmt: skip
    assert [one.selection_episodes for one in found] == [0, 60, 60, 60, 60]  # 6 rungs, not x's
    assert all(one.task == "point" for one in found)
    assert found[1].config == trials[2].config
    (first, best, *_) = choices("point", paper, 1, trials[1:], entries, set())
    assert (first.trial, best.name, best.trial) == (None, "search, best", "c")
    assert not list(choices("point", None, 0, trials, entries, set()))


def test_the_paper_form_of_an_extension_is_its_own_trial() -> None:
    trials = [tried("p", origin="paper"), tried("q", origin="paper")]
    (paper,) = choices("point", trials[1].config, 1, trials, [], set())
    assert paper.trial == "q"
