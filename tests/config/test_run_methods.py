"""Which stages and settings a method has, and how its rows are called."""

from __future__ import annotations

import pytest

from qipo_ray.config import (
    config_hash,
    departures,
    load_config,
    method_title,
    stage_keys,
    stage_updates,
)
from qipo_ray.config.evaluations import protocol_settings, score_name, scored_at
from qipo_ray.config.run_methods import reported_stages

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
