from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from qipo_ray.config import (
    METHODS,
    PATHS,
    Config,
    config_hash,
    departures,
    field_names,
    from_dict,
    load_config,
    path_label,
    stage_keys,
    stage_updates,
    to_dict,
)
from qipo_ray.config.facts import later_settings

ALL = {"behaviour", "critic", "policy"}
LATER = {"critic", "policy"}
LAST = {"policy"}
NONE: set[str] = set()

# field: (another value, the stages whose key must change). A new field needs a line here.
DECISIONS: dict[str, tuple[Any, set[str]]] = {
    "data.reward": ("raw", LATER),
    "data.observations": ("raw", ALL),
    "behaviour.path": ("vp", ALL),
    "behaviour.predicts": ("v", ALL),
    "behaviour.network": ("unet", ALL),
    "behaviour.width": (256, ALL),
    "behaviour.blocks": (5, ALL),
    "behaviour.learning_rate": (0.5, ALL),
    "behaviour.batch_size": (17, ALL),
    "behaviour.updates": (6000, LATER),
    "behaviour.ema_rate": (0.5, ALL),
    "behaviour.weights": ("ema", LATER),
    "behaviour.best_episodes": (0.1, ALL),
    "sampler.solver": ("heun", LATER),
    "sampler.evaluations": (20, LATER),
    "sampler.clip": (False, LATER),
    "sampler.noise": (0.0, NONE),
    "sampler.best_of": (4, NONE),
    "sampler.one_step": (True, NONE),
    "critic.width": (64, LATER),
    "critic.layers": (2, LATER),
    "critic.layer_norm": (False, LATER),
    "critic.learning_rate": (0.5, LATER),
    "critic.batch_size": (17, LATER),
    "critic.updates": (6000, LAST),
    "critic.returns_updates": (0, LATER),
    "critic.discount": (0.9, LATER),
    "critic.temperature": (20.0, LATER),
    "critic.polyak": (0.5, LATER),
    "critic.support_size": (3, LATER),
    "critic.refresh_every": (77, LATER),
    "critic.pool": (0, LATER),
    "critic.target": ("expectile", LATER),
    "critic.expectile": (0.9, LATER),
    "critic.n_step": (3, LATER),
    "critic.held_out": (0.2, LATER),
    "critic.pairs": (3, LATER),
    "critic.judge": ("mean", LATER),
    "critic.kappa": (2.0, LATER),
    "policy.beta": (1.5, LAST),
    "policy.support_size": (17, LAST),
    "policy.data_action": (False, LAST),
    "policy.rounds": (30, NONE),
    "policy.renew_every": (500, LAST),
    "policy.learning_rate": (0.5, LAST),
    "policy.batch_size": (17, LAST),
    "policy.loss_actions": (0, LAST),
    "policy.sampler": ("ema", LAST),
    "policy.ema_rate": (0.5, LAST),
    "policy.pool": (0, LAST),
    "policy.beta_growth": (2.0, LAST),
    "policy.target_ess": (0.3, LAST),
    "policy.trust": (16, LAST),
    "policy.evidence": (1.0, LAST),
    "policy.data_updates": (50, LAST),
    "policy.data_weight": ("advantage", LAST),
    "policy.data_ess": (0.1, LAST),
    "policy.data_uniform": (0.2, LAST),
    "policy.data_common": (0.9, LAST),
    "policy.data_learning_rate": (0.5, LAST),
    "policy.data_alone": (True, LAST),
    "policy.refit_updates": (9, LAST),
    "policy.method": ("cloning", LATER),
    "compute.precision": ("bfloat16", ALL),
    "compute.support": ("float16", LATER),
    "compute.graphs": (True, ALL),
    "evaluation.episodes": (7, NONE),
    "evaluation.every": (7, NONE),
    "evaluation.final_episodes": (7, NONE),
    "evaluation.weights": ("ema", NONE),
    "evaluation.signals": ("fqe", NONE),
    "evaluation.fqe_updates": (7, NONE),
    "evaluation.timeout": (7, NONE),
    "iql.width": (64, LAST),
    "iql.layers": (3, LAST),
    "iql.learning_rate": (0.5, LAST),
    "iql.batch_size": (17, LAST),
    "iql.updates": (6000, NONE),
    "iql.discount": (0.9, LAST),
    "iql.polyak": (0.5, LAST),
    "iql.expectile": (0.9, LAST),
    "iql.beta": (10.0, LAST),
    "td3bc.width": (64, LAST),
    "td3bc.layers": (3, LAST),
    "td3bc.learning_rate": (0.5, LAST),
    "td3bc.batch_size": (17, LAST),
    "td3bc.updates": (6000, NONE),
    "td3bc.discount": (0.9, LAST),
    "td3bc.polyak": (0.5, LAST),
    "td3bc.alpha": (4.0, LAST),
    "td3bc.noise": (0.1, LAST),
    "td3bc.noise_clip": (0.1, LAST),
    "fql.width": (64, LAST),
    "fql.layers": (3, LAST),
    "fql.learning_rate": (0.5, LAST),
    "fql.batch_size": (17, LAST),
    "fql.updates": (6000, NONE),
    "fql.discount": (0.9, LAST),
    "fql.polyak": (0.5, LAST),
    "fql.critic_norm": (False, LAST),
    "fql.alpha": (4.0, LAST),
    "fql.normalise": (True, LAST),
    "fql.target": ("minimum", LAST),
    "bestofn.actions": (64, LAST),
    "bestofn.temperature": (0.01, LAST),
    "qgpo.beta": (10.0, LAST),
    "qgpo.support_size": (17, LAST),
    "qgpo.pool": (7, LAST),
    "qgpo.width": (64, LAST),
    "qgpo.layers": (3, LAST),
    "qgpo.learning_rate": (0.5, LAST),
    "qgpo.batch_size": (17, LAST),
    "qgpo.updates": (6000, NONE),
    "qgpo.guidance": (3.0, NONE),
    "distil.updates": (70, NONE),
    "distil.width": (64, NONE),
    "distil.layers": (2, NONE),
    "distil.learning_rate": (0.5, NONE),
    "distil.batch_size": (17, NONE),
}
BASE = load_config("quickstart")
BASELINES = [key for key in DECISIONS if key.split(".")[0] in METHODS]


def changed(config: Config, dotted: str, value: Any) -> Config:
    section, key = dotted.split(".")
    return dataclasses.replace(
        config, **{section: dataclasses.replace(getattr(config, section), **{key: value})}
    )


def keys(config: Config, task: str = "point", data: str = "d" * 64, seed: int = 0) -> Any:
    return stage_keys(config, task, data, seed)


def test_every_field_has_a_decision() -> None:
    assert set(DECISIONS) == set(field_names())


@pytest.mark.parametrize("dotted", sorted(DECISIONS))
def test_a_field_changes_exactly_the_keys_that_depend_on_it(dotted: str) -> None:
    value, stages = DECISIONS[dotted]
    needed = {
        "critic.expectile": ("critic.target", "expectile"),
        "critic.kappa": ("critic.judge", "lower"),
        "policy.evidence": ("critic.held_out", 0.2),
        "policy.data_weight": ("policy.data_updates", 50),
        "policy.data_ess": ("policy.data_updates", 50),
        "policy.data_uniform": ("policy.data_updates", 50),
        "policy.data_common": ("policy.data_updates", 50),
        "policy.data_learning_rate": ("policy.data_updates", 50),
        "policy.data_alone": ("policy.data_updates", 50),
    }
    made = ("sampler.one_step", *(key for key in DECISIONS if key.startswith("distil.")))
    needed |= dict.fromkeys(made, ("distil.updates", 50))
    needed["evaluation.fqe_updates"] = ("evaluation.signals", "fqe")
    needed |= {key: ("policy.method", key.split(".")[0]) for key in BASELINES}
    base = changed(BASE, *needed[dotted]) if dotted in needed else BASE
    if dotted in ("critic.judge", "critic.kappa"):
        base = changed(base, "critic.pairs", 3)
    other = changed(base, dotted, value)
    assert other != base
    before, after = keys(base), keys(other)
    assert {stage for stage in ALL if before.get(stage) != after.get(stage)} == stages
    assert config_hash(other) != config_hash(base)


def test_evidence_of_the_returns_has_keys_of_its_own() -> None:
    """Where Q goes on from the returns; else the keys are those of before it was kept."""
    keys = {}
    for share in (0, 0.2):
        for returns in (0, 5, 8):
            config = load_config(
                "quickstart",
                [
                    f"critic.held_out={share}",
                    f"critic.returns_updates={returns}",
                    "critic.updates=8",
                ],
            )
            keys[share, returns] = stage_keys(config, "point", "0" * 64, 0)["critic"]
    assert len(set(keys.values())) == 6
    assert keys[0.2, 8] == "0ba89f723a0e53bb" and keys[0, 5] == "1687e69171d9300e"


def test_own_length_is_not_in_a_key_but_in_those_downstream() -> None:
    for dotted, stage in (
        ("behaviour.updates", "behaviour"),
        ("critic.updates", "critic"),
        ("policy.rounds", "policy"),
    ):
        other = changed(BASE, dotted, DECISIONS[dotted][0])
        assert keys(other)[stage] == keys(BASE)[stage]
        assert stage_updates(other)[stage] != stage_updates(BASE)[stage]


@pytest.mark.parametrize("change", [{"task": "other"}, {"data": "e" * 64}, {"seed": 1}])
def test_task_data_and_seed_are_in_every_key(change: dict[str, Any]) -> None:
    before, after = keys(BASE), keys(BASE, **change)
    assert all(before[stage] != after[stage] for stage in ALL)
    assert len(set(before.values()) | set(after.values())) == 6


def test_settings_without_effect_change_nothing() -> None:
    named = changed(BASE, "sampler.solver", "midpoint")
    assert (keys(named), config_hash(named)) == (keys(BASE), config_hash(BASE))
    paper = load_config("paper")
    blocks = changed(paper, "behaviour.blocks", 9)
    assert (keys(blocks), config_hash(blocks)) == (keys(paper), config_hash(paper))
    soft = changed(BASE, "critic.expectile", 0.9)
    assert (keys(soft), config_hash(soft)) == (keys(BASE), config_hash(BASE))
    expectile = changed(BASE, "critic.target", "expectile")
    value = changed(changed(BASE, "critic.returns_updates", 0), "critic.target", "value")
    for dotted in ("critic.temperature", "critic.support_size", "critic.pool"):
        idle = changed(value, dotted, 7)
        assert (keys(idle), config_hash(idle)) == (keys(value), config_hash(value))
        assert departures(idle) == departures(value)
    assert keys(changed(value, "critic.expectile", 0.9))["critic"] != keys(value)["critic"]
    hot = changed(expectile, "critic.temperature", 9.0)
    assert (keys(hot), config_hash(hot)) == (keys(expectile), config_hash(expectile))
    none = changed(BASE, "distil.width", 9)
    iql = changed(changed(BASE, "policy.method", "iql"), "distil.updates", 9)
    same = ((none, BASE), (iql, changed(BASE, "policy.method", "iql")))
    assert all(config_hash(one) == config_hash(other) for one, other in same)
    alone = changed(changed(BASE, "critic.judge", "lower"), "critic.kappa", 2.0)
    assert (keys(alone), config_hash(alone)) == (keys(BASE), config_hash(BASE))
    assert departures(alone) == departures(BASE)
    sized = changed(BASE, "policy.target_ess", 0.3)
    stronger = changed(changed(sized, "policy.beta", 1.0), "policy.beta_growth", 2.0)
    assert (keys(stronger), config_hash(stronger)) == (keys(sized), config_hash(sized))
    whole = changed(BASE, "policy.beta", 30)
    assert (keys(whole), config_hash(whole)) == (keys(BASE), config_hash(BASE))


def test_a_configuration_from_before_a_setting_keeps_its_keys() -> None:
    """The keys of the first release; a record of it has no section ``compute``."""
    old: dict[str, dict[str, Any]] = to_dict(BASE)
    for section, settings in later_settings().items():
        old[section] = {k: v for k, v in old[section].items() if k not in settings}
    del old["compute"]
    before = from_dict(old, "record")
    assert keys(before) == {
        "behaviour": "f001e1eb9c430251",
        "critic": "27bb17f4c7dbfc27",
        "policy": "eaecac8ef4dac644",
    }
    # It had the cloning network alone: its average would be that network.
    assert before == changed(BASE, "behaviour.ema_rate", 1.0)


def test_auto_means_another_solver_on_another_path() -> None:
    vp = changed(BASE, "behaviour.path", "vp")
    assert keys(vp) == keys(changed(vp, "behaviour.predicts", "noise"))
    assert keys(vp)["behaviour"] != keys(changed(vp, "behaviour.predicts", "v"))["behaviour"]
    assert keys(vp) == keys(changed(vp, "sampler.solver", "dpmpp_2m"))
    assert keys(vp)["critic"] != keys(changed(vp, "sampler.solver", "midpoint"))["critic"]


def test_keys_are_sixteen_hex_digits_and_the_same_in_another_process() -> None:
    for key in (*keys(BASE).values(), config_hash(BASE)):
        assert len(key) == 16 and int(key, 16) >= 0
    again = from_dict(to_dict(BASE), "record")
    assert again == BASE and keys(again) == keys(BASE)


def test_departures_name_each_switch_that_leaves_the_paper() -> None:
    paper = load_config("paper")
    assert departures(paper) == ("clipped-actions",)
    paper = changed(paper, "sampler.clip", False)
    assert departures(paper) == ()
    assert departures(changed(paper, "policy.beta", 10)) == ()
    assert departures(changed(paper, "behaviour.path", "vp")) == ()
    noisy = changed(changed(paper, "behaviour.path", "vp"), "behaviour.predicts", "noise")
    assert departures(noisy) == ()  # what auto means there
    whole = changed(paper, "critic.returns_updates", paper.critic.updates)
    assert departures(whole) == departures(changed(whole, "critic.pool", 5)) == ("returns-critic",)
    for dotted, value, label in (
        ("data.observations", "standard", "standard-observations"),
        ("data.reward", "raw", "raw-reward"),
        ("behaviour.path", "trig", "trig-path"),
        ("behaviour.predicts", "noise", "predicts=noise"),
        ("behaviour.network", "residual", "residual-network"),
        ("behaviour.weights", "ema", "averaged-behaviour"),
        ("sampler.solver", "euler", "solver=euler"),
        ("sampler.noise", 0.25, "noise=0.25"),
        ("sampler.best_of", 4, "best-of=4"),
        ("critic.layer_norm", True, "layer-norm"),
        ("critic.returns_updates", 5, "returns-init"),
        ("critic.pool", 5, "critic-pool=5"),
        ("critic.target", "expectile", "expectile=0.7"),
        ("critic.target", "value", "v-expectile=0.7"),
        ("critic.n_step", 3, "n-step=3"),
        ("critic.pairs", 3, "critic-pairs=3"),
        ("policy.beta_growth", 2.0, "beta-growth=2"),
        ("policy.target_ess", 0.3, "target-ess=0.3"),
        ("policy.trust", 16, "trust=16"),
        ("compute.precision", "bfloat16", "bfloat16"),
        ("compute.support", "float16", "half-support"),
        ("policy.data_action", False, "no-data-action"),
        ("policy.loss_actions", 2, "loss-actions=2"),
        ("policy.sampler", "online", "online-sampler"),
        ("policy.pool", 7, "policy-pool=7"),
        ("policy.refit_updates", 9, "refit=9"),
        ("evaluation.weights", "ema", "ema-evaluation"),
    ):
        assert departures(changed(paper, dotted, value)) == (label,)
    distilled = changed(paper, "distil.updates", 9)
    assert departures(changed(distilled, "sampler.one_step", True)) == ("one-step",)
    assert departures(distilled) == ()
    three = changed(paper, "critic.pairs", 3)
    for judge, label in (("mean", "mean-q"), ("lower", "lower-q=1")):
        assert departures(changed(three, "critic.judge", judge)) == ("critic-pairs=3", label)


def test_path_label() -> None:
    assert [path_label(path) for path in PATHS] == ["OT", "Diff", "Diff"]
