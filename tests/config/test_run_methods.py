"""Which stages and settings a method has, and how its rows are called."""

from __future__ import annotations

import pytest

from qipo_ray.config import (
    config_hash,
    departures,
    load_config,
    method_title,
    override,
    stage_keys,
    stage_updates,
)
from qipo_ray.config.evaluations import (
    action_sampling,
    protocol_settings,
    report_name,
    score_name,
    scored_at,
)
from qipo_ray.config.run_methods import reported_stages
from qipo_ray.errors import UserError

AUTO = load_config("auto")


@pytest.mark.parametrize(
    ("changes", "title"),
    [
        ([], "QIPO-OT"),
        (["behaviour.path=vp"], "QIPO-Diff"),
        (["policy.method=cloning"], "cloning (OT)"),
        (
            ["policy.method=cloning", "behaviour.path=vp", "behaviour.best_episodes=0.1"],
            "cloning of the best 0.1 (Diff)",
        ),
        (["policy.method=iql", "behaviour.path=vp"], "IQL"),
        (["policy.method=td3bc"], "TD3+BC"),
        (["policy.method=fql"], "FQL (OT)"),
        (["policy.method=bestofn"], "best of 32 (OT)"),
        (
            ["policy.method=bestofn", "bestofn.temperature=0.01", "behaviour.path=vp"],
            "SfBC (Diff)",
        ),
        (["policy.method=bestofn", "critic.target=expectile"], "best of 32 (OT)"),
        (
            ["policy.method=bestofn", "critic.target=expectile", "bestofn.temperature=1"],
            "softmax of 32 (OT)",
        ),
        (["policy.method=bestofn", "critic.target=value"], "IDQL (OT)"),
        (["policy.method=qgpo", "behaviour.path=vp"], "QGPO (Diff)"),
    ],
)
def test_rows_are_called_by_their_method(changes: list[str], title: str) -> None:
    assert method_title(load_config("auto", changes)) == title


def test_cloning_shares_the_clone_and_trains_no_critic() -> None:
    config = load_config("auto", ["policy.method=cloning"])
    keys, shared = (stage_keys(c, "point", "d" * 64, 0) for c in (config, AUTO))
    assert keys.keys() == stage_updates(config).keys() == {"behaviour", "policy"}
    assert keys["behaviour"] == shared["behaviour"] and keys["policy"] != shared["policy"]
    assert reported_stages(config) == () and scored_at(config)["behaviour"] == ()
    assert scored_at(config)["policy"] == ((AUTO.policy.updates, 100),)


def test_fql_builds_on_the_shared_clone_and_acts_in_one_pass() -> None:
    config = load_config("auto", ["policy.method=fql", "fql.updates=700"])
    keys, shared = (stage_keys(c, "point", "d" * 64, 0) for c in (config, AUTO))
    assert keys.keys() == {"behaviour", "policy"} and keys["behaviour"] == shared["behaviour"]
    assert stage_updates(config) == {"behaviour": AUTO.behaviour.updates, "policy": 700}
    for change, same in (
        ("policy.rounds=9", True), ("critic.layers=1", True), ("data.reward=raw", False),
        ("behaviour.weights=online", False), ("sampler.evaluations=4", False),
        ("fql.alpha=1", False),
    ):  # fmt: skip
        other = load_config("auto", ["policy.method=fql", "fql.updates=700", change])
        assert (stage_keys(other, "point", "d" * 64, 0)["policy"] == keys["policy"]) == same
        assert (config_hash(other) == config_hash(config)) == same
    assert score_name(config, 700, 5) == "score-000000700-5ep-online-none-1-clip-n0"
    assert "noise=0" in departures(config) and "evidence=0.7" not in departures(config)
    assert reported_stages(config) == () and scored_at(config)["behaviour"] == ()


def test_the_best_of_n_trains_nothing_beyond_the_critic() -> None:
    """How many there are, and how one is chosen, is a job of the last stage, which is free."""
    config = load_config("auto", ["policy.method=bestofn"])
    keys, shared = (stage_keys(c, "point", "d" * 64, 0) for c in (config, AUTO))
    assert [keys[stage] == shared[stage] for stage in keys] == [True, True, False]
    assert reported_stages(config) == ("critic",)
    assert scored_at(config)["policy"] == ((AUTO.policy.updates, 100),)
    drawn = load_config(
        "auto", ["policy.method=bestofn", "bestofn.actions=8", "bestofn.temperature=0.01"]
    )
    again = stage_keys(drawn, "point", "d" * 64, 0)
    assert [again[stage] == keys[stage] for stage in keys] == [True, True, False]
    start, clone = "score-000000900-5ep-ema-midpoint-10-clip", score_name(AUTO, 900, 5)
    assert clone == f"{start}-n0"
    assert score_name(config, 900, 5) == score_name(drawn, 900, 5) == start
    assert {score_name(config, 900, 5, stage=stage) for stage in ("behaviour", "critic")} == {
        clone
    }
    assert protocol_settings(drawn, search=False)["best_of"] == 8


def test_qgpo_shares_clone_and_critic_and_its_guidance_trains_nothing() -> None:
    config = load_config("auto", ["policy.method=qgpo", "qgpo.updates=700"])
    strong = load_config("auto", ["policy.method=qgpo", "qgpo.updates=700", "qgpo.guidance=3"])
    keys, shared = (stage_keys(c, "point", "d" * 64, 0) for c in (config, AUTO))
    assert [keys[stage] == shared[stage] for stage in keys] == [True, True, False]
    assert stage_keys(strong, "point", "d" * 64, 0) == keys
    assert stage_updates(config)["policy"] == 700 and reported_stages(config) == (
        "critic", "policy",
    )  # fmt: skip
    idle = load_config("auto", ["policy.method=qgpo", "qgpo.updates=700", "policy.beta=1"])
    assert config_hash(idle) == config_hash(config) != config_hash(strong)
    silent, loud = (override(strong, [f"sampler.noise={noise}"]) for noise in (0, 1))
    names = {score_name(c, 700, 5) for c in (config, strong, silent, loud)}
    assert score_name(config, 700, 5) == "score-000000700-5ep-ema-midpoint-10-clip-n0"
    assert score_name(strong, 700, 5) == score_name(silent, 700, 5) and len(names) == 3
    report = "policy-report-000000700-ema"
    assert [report_name(c, "policy", 700) for c in (config, strong)] == [report, f"{report}-g3"]
    assert report_name(strong, "critic", 700) == "critic-report-000000700"


def test_its_proposals_are_drawn_from_whole_noise_whatever_the_setting() -> None:
    silent, loud = (
        load_config("auto", ["policy.method=bestofn", f"sampler.noise={noise}"])
        for noise in (0, 1)
    )
    assert config_hash(silent) == config_hash(loud) and departures(silent) == departures(loud)
    assert action_sampling(silent).noise == 1 and action_sampling(silent, "behaviour").noise == 0


@pytest.mark.parametrize("method", ["iql", "td3bc"])
def test_a_direct_method_is_one_stage_and_reads_its_own_settings(method: str) -> None:
    config = load_config("auto", [f"policy.method={method}", f"{method}.updates=700"])
    assert stage_updates(config) == {"policy": 700}
    assert scored_at(config, (350, 700)) == {"policy": ((350, 20), (700, 20))}
    assert stage_keys(config, "point", "d" * 64, 0).keys() == {"policy"}
    idle = ["behaviour.width=16", "critic.layers=1", "policy.beta=1", "sampler.noise=1"]
    other = load_config("auto", [f"policy.method={method}", f"{method}.updates=700", *idle])
    assert config_hash(other) == config_hash(config)
    assert stage_keys(other, "point", "d" * 64, 0) == stage_keys(config, "point", "d" * 64, 0)
    assert departures(config) == ("standard-observations",)
    protocol = protocol_settings(config, search=False)
    assert (protocol["sampler"], protocol["steps"]) == ("none", 1)
    assert score_name(config, 700, 5) == "score-000000700-5ep-online-none-1-clip"


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ([], "sampler.one_step needs distil.updates above 0 in training: nothing was distilled"),
        (
            ["distil.updates=9", "policy.method=iql"],
            r"sampler.one_step needs a method that acts by a flow, from noise \(.*qipo.*with iql",
        ),
    ],
)
def test_nothing_acts_by_a_network_that_is_not_made(changes: list[str], text: str) -> None:
    with pytest.raises(UserError, match=text):
        load_config("quickstart", [*changes, "sampler.one_step=true"])
