"""Which configurations are confirmed: worked out by hand from a few trials."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace
from typing import Any

from qipo_ray.config import Config, load_config, override, stage_keys
from qipo_ray.study.search_spec import Acting, Baseline
from qipo_ray.study.selection import select_configs, spent_episodes, standings
from qipo_ray.study.trial import Trial

BASE = override(load_config("quickstart"), ["evaluation.episodes=5"])


def make_trial(name: str, *changes: str, origin: str = "search") -> Trial:
    return Trial(
        id=name,
        task="point",
        position=0,
        origin=origin,
        params={},
        config=override(BASE, [f"policy.beta={ord(name)}", *changes]),
        config_hash="",
        seeds=(0, 1),
        rungs=(10, 20, 30),
        written="2026-01-01T00:00:00Z",
    )


def entry(trial: str, rung: int, value: float | None) -> dict[str, Any]:
    return {"trial": trial, "rung": rung, "value": value}


def spec(
    paper: Config | None, top: int, *baselines: Baseline, acting: tuple[Acting, ...] = ()
) -> Any:
    """What the selection reads of a specification."""
    return SimpleNamespace(paper=paper, top=top, baselines=baselines, acting=acting)


def test_standings_put_rungs_before_values() -> None:
    entries = [
        entry("a", 0, 90.0), entry("b", 0, 1.0), entry("b", 1, 2.0), entry("c", 1, 3.0),
        entry("d", 1, None), entry("e", 1, 99.0),
    ]  # fmt: skip
    assert [s.trial for s in standings(entries, {"a", "b", "c", "d"})] == ["c", "b", "a"]


def test_the_best_of_each_path_and_the_paper_form() -> None:
    trials = [
        make_trial("p", origin="paper"), make_trial("a"), make_trial("b"), make_trial("c"),
        make_trial("v", "behaviour.path=vp"), make_trial("t", "behaviour.path=trig"),
    ]  # fmt: skip
    entries = [
        entry("p", 1, 99.0), entry("a", 1, 10.0), entry("b", 1, 20.0), entry("c", 1, 30.0),
        entry("v", 0, 1.0), entry("t", 0, 2.0), entry("x", 1, 77.0),
    ]  # fmt: skip
    paper = trials[0].config
    selected = list(select_configs("point", spec(paper, 2), trials, entries, {"c"}))
    assert [(config.name, config.trial) for config in selected] == [
        ("paper form", "p"), ("search, best 1", "b"), ("search, best 2", "a"),
        ("search, best 1", "v"), ("search, best 1", "t"),
    ]  # fmt: skip
    assert [config.selection_episodes for config in selected] == [
        0,
        60,
        60,
        60,
        60,
    ]  # 6 rungs, not x's
    assert all(config.task == "point" for config in selected)
    assert selected[1].config == trials[2].config
    (first, best, *_) = select_configs("point", spec(paper, 1), trials[1:], entries, set())
    assert (first.trial, best.name, best.trial) == (None, "search, best", "c")
    assert not list(select_configs("point", spec(None, 0), trials, entries, set()))


def test_baselines_stand_beside_and_a_searched_method_is_chosen_apart() -> None:
    """A method without a clone has no path: its trials on both are of one kind."""
    trials = [
        make_trial("a"), make_trial("i", "policy.method=iql"),
        make_trial("j", "policy.method=iql", "behaviour.path=vp"),
        make_trial("c", "policy.method=cloning"), make_trial("d", "behaviour.path=vp"),
        make_trial("f", "policy.method=fql"),
        make_trial("g", "policy.method=fql", "behaviour.path=vp"),
    ]  # fmt: skip
    entries = [entry(trial.id, 2, float(i)) for i, trial in enumerate(trials)]
    tenth = Baseline("best tenth", override(BASE, ["behaviour.best_episodes=0.1"]))
    selected = list(select_configs("point", spec(None, 1, tenth), trials, entries, set()))
    assert [(config.name, config.trial, config.selection_episodes) for config in selected] == [
        ("best tenth", None, 0), ("search, best", "a", 70), ("search, best", "d", 70),
        ("search, best", "c", 70), ("search, best", "j", 70), ("search, best", "f", 70),
        ("search, best", "g", 70),
    ]  # fmt: skip
    assert selected[0].config == tenth.config


def test_what_is_found_is_followed_by_its_other_ways_to_act() -> None:
    """Where its method can; neither the paper's form nor a baseline is."""
    ways = (
        Acting("mode", (("sampler.noise", 0.0),)),
        Acting("best", (("sampler.best_of", 4),)),
    )
    trials = [make_trial("a"), make_trial("i", "policy.method=iql"), make_trial("b")]
    entries = [entry("a", 1, 3.0), entry("i", 1, 2.0), entry("b", 1, 1.0)]
    beside = Baseline("beside", override(BASE, ["policy.beta=9"]))
    wanted = spec(BASE, 1, beside, acting=ways)
    selected = list(select_configs("point", wanted, trials, entries, set()))
    assert [(one.name, one.trial, one.purpose) for one in selected[1:]] == [
        ("beside", None, "confirm"), ("search, best", "a", "confirm"),
        ("search, best; mode", "a", "acting"), ("search, best; best", "a", "acting"),
        ("search, best", "i", "confirm"),
    ]  # fmt: skip
    assert selected[3].config == override(trials[0].config, ["sampler.noise=0"])
    assert selected[3].selection_episodes == selected[2].selection_episodes


def test_a_search_by_a_signal_spends_no_episode() -> None:
    trials = [replace(make_trial(name), objective="fqe") for name in "ab"]
    entries = [entry("a", 2, -90.0), entry("b", 2, -80.0)]
    (chosen,) = select_configs("point", spec(None, 1), trials, entries, set())
    assert (chosen.trial, chosen.selection_episodes) == ("b", 0)
    assert spent_episodes("point", "d" * 64, trials, entries, lambda key, name: True) == 0


def test_the_paper_form_of_an_extension_is_its_own_trial() -> None:
    trials = [make_trial("p", origin="paper"), make_trial("q", origin="paper")]
    (paper,) = select_configs("point", spec(trials[1].config, 1), trials, [], set())
    assert paper.trial == "q"


def test_all_that_was_spent_counts_not_only_what_decided() -> None:
    """Rungs in the log, seeds that ran ahead, and evaluations that were broken off."""
    trials = [make_trial("a"), make_trial("b"), make_trial("c")]
    entries = [entry("a", 0, 1.0), entry("a", 1, 2.0), entry("b", 0, None), entry("x", 0, 3.0)]

    def key(index: int, seed: int) -> str:
        return stage_keys(trials[index].config, "point", "e" * 64, seed)["policy"]

    ahead = (key(0, 1), "score-000000030-5ep-online-midpoint-10-clip")
    known = (key(1, 0), "score-000000010-5ep-online-midpoint-10-clip")  # in the log as well
    broken = (key(2, 1), "diverged-score-000000010-5ep-online-midpoint-10-clip")
    others = {(key(2, 0), "diverged"), ("f" * 16, known[1]), (key(2, 0), ahead[1] + "x")}

    def spent(sidecars: set[tuple[str, str]]) -> int:
        has_sidecar = lambda *sidecar: sidecar in sidecars  # noqa: E731
        return spent_episodes("point", "e" * 64, trials, entries, has_sidecar)

    assert spent(set()) == spent(others) == spent({known}) == 3 * 2 * 5
    assert spent({ahead}) == spent({broken}) == 35
    assert spent({ahead, known, broken, *others}) == 40


def test_what_was_spent_in_an_earlier_simulator_counts_once() -> None:
    trial, task = make_trial("a"), "hopper-medium"
    key = stage_keys(trial.config, task, "e" * 64, 0)["policy"]
    name = "score-000000010-5ep-online-midpoint-10-clip"
    new = name.replace("score", "score2")
    for names in ({name}, {new}, {name, f"diverged-{new}"}):
        has_sidecar = lambda k, n, names=names: k == key and n in names  # noqa: E731
        assert spent_episodes(task, "e" * 64, [trial], [], has_sidecar) == 5
