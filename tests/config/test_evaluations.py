"""Where a run is scored; a run itself asks the same function, so here it is worked out by hand."""

from __future__ import annotations

import random

import pytest

from qipo_ray.config import load_config, override
from qipo_ray.config.evaluations import (
    distil_key,
    protocol_settings,
    report_name,
    rung_updates,
    score_name,
    scored_at,
    signals_name,
)
from qipo_ray.errors import UserError
from qipo_ray.store.files import check_name

CONFIG = override(
    load_config("quickstart"),
    [
        "behaviour.updates=700", "policy.rounds=3", "policy.renew_every=100",
        "evaluation.every=120", "evaluation.episodes=5", "evaluation.final_episodes=50",
    ],
)  # fmt: skip


def test_a_search_is_scored_at_its_rungs_alone() -> None:
    scored = scored_at(CONFIG, (34, 100, 300))
    assert scored == {"behaviour": (), "critic": (), "policy": ((34, 5), (100, 5), (300, 5))}


def test_any_other_run_is_scored_between_and_at_its_end() -> None:
    assert scored_at(CONFIG) == {
        "behaviour": ((700, 50),),
        "critic": ((3500, 5),),
        "policy": ((120, 5), (240, 5), (300, 50)),
    }
    assert scored_at(override(CONFIG, ["evaluation.every=150"]))["policy"] == ((150, 5), (300, 50))
    assert scored_at(override(CONFIG, ["evaluation.every=300"]))["policy"] == ((300, 50),)


def test_a_score_is_kept_under_all_that_it_depends_on() -> None:
    name = score_name(CONFIG, 300, 50)
    assert name == "score-000000300-50ep-online-midpoint-10-clip"
    others = {
        "evaluation.weights=ema", "sampler.solver=heun", "sampler.evaluations=8",
        "sampler.clip=false", "sampler.noise=0", "sampler.noise=0.5", "sampler.best_of=4",
    }  # fmt: skip
    names = {score_name(override(CONFIG, [other]), 300, 50) for other in others}
    names |= {score_name(CONFIG, 301, 50), score_name(CONFIG, 300, 51)}
    assert name not in names and len(names) == 9
    for same in ("policy.beta=9", "sampler.noise=1"):
        assert score_name(override(CONFIG, [same]), 300, 50) == name
    silent = override(CONFIG, ["sampler.noise=0"])
    assert score_name(silent, 300, 50) == f"{name}-n0"
    choosing = override(CONFIG, ["sampler.best_of=16", "sampler.noise=0.5"])
    assert score_name(choosing, 300, 50) == f"{name}-b9e249"
    assert score_name(choosing, 300, 50, stage="behaviour") == f"{name}-n0.5"
    assert protocol_settings(choosing, search=False)["best_of"] == 16
    assert score_name(CONFIG, 300, 50, physics=2) == name.replace("score", "score2")
    longest = override(CONFIG, ["sampler.evaluations=100", "sampler.noise=0.25"])
    check_name(f"diverged-{score_name(longest, 300, 1000, physics=2)}")
    more = ["policy.method=qgpo", "qgpo.guidance=1.23456789", "sampler.solver=dpmpp_2m"]
    check_name(f"diverged-{score_name(override(longest, more), 300, 1000, physics=2)}")
    check_name(report_name(override(longest, more), "policy", 300))
    most = override(longest, ["sampler.best_of=1024", "sampler.one_step=true", "distil.updates=9"])
    check_name(f"diverged-{score_name(most, 300, 1000, physics=2)}")
    odd = override(longest, ["sampler.noise=0.123457"])
    check_name(f"diverged-{score_name(odd, 300, 1000, physics=2)}")
    for way in (silent, longest, override(longest, more), most, odd):
        for signals in ("errors", "fqe"):
            measured = override(way, [f"evaluation.signals={signals}"])
            check_name(f"diverged-{signals_name(measured, 300)}")
    named = {
        signals_name(override(way, ["evaluation.signals=fqe"]), 300)
        for way in (CONFIG, silent, longest, most, odd)
    }
    assert len(named) == 5


def test_a_score_in_one_step_is_kept_under_what_was_distilled() -> None:
    """Whatever the network is made from is in its key, and with its length in a score's name."""
    one = override(CONFIG, ["distil.updates=9", "sampler.one_step=true"])
    others = {
        "evaluation.weights=ema", "sampler.solver=heun", "sampler.evaluations=8",
        "sampler.clip=false", "sampler.noise=0", "distil.width=8", "distil.batch_size=8",
    }  # fmt: skip
    ways = [one, *(override(one, [other]) for other in others)]
    assert len({distil_key(way, "k", 300) for way in ways} | {distil_key(one, "k", 9)}) == 9
    names = {score_name(way, 300, 50) for way in [*ways, override(one, ["distil.updates=8"])]}
    assert len(names | {score_name(override(one, ["sampler.best_of=4"]), 300, 50)}) == 10
    flow = override(one, ["sampler.one_step=false"])
    assert score_name(flow, 300, 50) == score_name(CONFIG, 300, 50)
    assert distil_key(one, "k", 300) == distil_key(flow, "k", 300)
    assert score_name(one, 300, 50, stage="behaviour") == score_name(CONFIG, 300, 50)
    settings = protocol_settings(one, search=False)
    assert (settings["sampler"], settings["steps"], settings["clip"]) == ("one-step", 1, True)
    assert scored_at(one)["policy"] == ((300, 50),)


@pytest.mark.parametrize("seed", range(3))
def test_rungs_rise_to_the_whole_stage(seed: int) -> None:
    generator = random.Random(seed)
    base = load_config("quickstart")
    for _ in range(100):
        config = override(base, [f"policy.renew_every={generator.randrange(10, 9999)}"])
        whole = config.policy.updates
        first, second, last = rung_updates(config, (1 / 9, 1 / 3, 1.0))
        assert (first, second, last) == (-(-whole // 9), -(-whole // 3), whole)


def test_rungs_are_exact_where_floats_are_not() -> None:
    config = override(CONFIG, ["policy.rounds=1"])
    assert 0.07 * 100 > 7
    assert rung_updates(config, (0.07, 1.0)) == (7, 100)
    with pytest.raises(
        UserError, match="100 updates is too short for 3 rungs at 1/1000, 1/500, 1"
    ):
        rung_updates(config, (0.001, 0.002, 1.0))
