from __future__ import annotations

import copy
import functools
from pathlib import Path
from typing import Any

import pytest
import yaml

from qipo_ray.config import (
    METHODS,
    field_names,
    from_dict,
    load_config,
    preset_names,
    stage_updates,
    to_dict,
)
from qipo_ray.config.facts import later_settings
from qipo_ray.errors import UserError


def save(folder: Path, text: str) -> Path:
    path = folder / "run.yaml"
    path.write_text(text)
    return path


def fault(path: Path | str, *overrides: str) -> str:
    with pytest.raises(UserError) as caught:
        load_config(path, overrides)
    text = str(caught.value)
    assert "\n" not in text and len(text) < 500
    return text


def test_presets_hold_the_numbers_of_the_paper() -> None:
    assert {"paper", "quickstart"} <= {*preset_names()}
    paper = load_config("paper")
    assert stage_updates(paper) == {"behaviour": 600_000, "critic": 500_000, "policy": 100_000}
    assert (paper.policy.beta, paper.policy.support_size, paper.critic.polyak) == (3, 64, 0.005)
    assert (paper.behaviour.learning_rate, paper.critic.learning_rate) == (1e-4, 3e-4)
    assert load_config("quickstart") != paper


def test_a_full_file_and_a_dump_of_it_are_the_preset(tmp_path: Path) -> None:
    dumped = yaml.safe_dump(to_dict(load_config("paper")))
    assert load_config(save(tmp_path, dumped)) == load_config("paper")


def test_a_file_lays_its_settings_over_a_preset(tmp_path: Path) -> None:
    path = save(tmp_path, "preset: quickstart\npolicy:\n  beta: 1e1\n  rounds: 4e0\n")
    config = load_config(path)
    assert config.policy.beta == 10.0 and config.policy.rounds == 4
    expected = load_config("quickstart", ["policy.beta=10", "policy.rounds=4"])
    assert config == expected == load_config(str(path))


@pytest.mark.parametrize(
    ("text", "line", "message"),
    [
        (
            "policy:\n  betta: 3\n",
            3,
            "unknown key 'policy.betta' (did you mean 'policy.beta'?)",
        ),
        ("polici:\n  beta: 3\n", 2, "unknown key 'polici' (did you mean 'policy'?)"),
        ("policy:\n  layer_norm: true\n", 3, "(did you mean 'critic.layer_norm'?)"),
        ("policy:\n  beta: 3\n  beta: 4\n", 4, "key 'policy.beta' is given twice (first on line"),
        ("policy: {}\npolicy: {}\n", 3, "key 'policy' is given twice"),
        (
            "policy:\n  beta: yes\n",
            3,
            "policy.beta must be a finite number at least 0 and at most 1e+09; got 'yes'",
        ),
        ("policy:\n  beta: true\n", 3, "got True"),
        ("policy:\n  beta: .nan\n", 3, "got nan"),
        ("policy:\n  beta: .inf\n", 3, "got inf"),
        ("policy:\n  beta: 1e999\n", 3, "got inf"),
        ("policy:\n  beta: '3'\n", 3, "got '3'"),
        ("policy:\n  beta:\n", 3, "got nothing"),
        ("policy:\n  beta: [3]\n", 3, "got a list"),
        ("policy:\n  beta: -1\n", 3, "at least 0 and at most 1e+09; got -1"),
        ("policy:\n  rounds: 0\n", 3, "must be from 1 to 999999999; got 0"),
        ("policy:\n  rounds: 2.5\n", 3, "must be a whole number"),
        ("policy:\n  rounds: 1:30\n", 3, "got '1:30'"),
        ("policy:\n  data_action: no\n", 3, "must be true or false; got 'no'"),
        ("policy:\n  sampler: emma\n", 3, "must be one of ema, online; got 'emma' (did you mean"),
        (
            "policy:\n\n  support_size: 1\n  data_action: false\n",
            4,
            "policy.loss_actions must be at most 1 (support_size, plus one with data_action)",
        ),
        ("sampler:\n  evaluations: 1\n", 3, "must be at least 2 for the solver midpoint"),
        ("policy.beta: -1\n", 2, "policy.beta must be a finite number at least 0"),
        (
            "policy:\n  beta: 3\npolicy.beta: 3\n",
            4,
            "policy.beta is given twice; also under 'poli",
        ),
        ("policy: 3\npolicy.beta: 3\n", 2, "policy must be a mapping"),
        ("policy.bta: 3\n", 2, "unknown key 'policy.bta' (did you mean 'policy.beta'?)"),
        ("policy:\n", 2, "policy must be a mapping with the keys beta, "),
        ("policy: 3\n", 2, "policy must be a mapping"),
        ("policy:\n  <<: {beta: 3}\n", 3, "unknown key 'policy.<<'"),
        ("policy:\n  rounds: " + "9" * 90 + "\n", 3, "got a huge number"),
    ],
)
def test_a_fault_is_one_line_with_file_line_and_key(
    tmp_path: Path, text: str, line: int, message: str
) -> None:
    path = save(tmp_path, "preset: quickstart\n" + text)
    received = fault(path)
    assert received.startswith(f"{path}:{line}: ")
    assert message in received


def test_a_file_may_name_settings_by_dotted_keys(tmp_path: Path) -> None:
    path = save(
        tmp_path, "preset: quickstart\npolicy.beta: 7\npolicy: {rounds: 4}\niql.width: 64\n"
    )
    config = load_config(path)
    assert (config.policy.beta, config.policy.rounds, config.iql.width) == (7, 4, 64)
    nested = save(tmp_path, "preset: quickstart\npolicy: {beta: 7, rounds: 4}\niql: {width: 64}\n")
    assert load_config(nested) == config


def test_unknown_preset_names_the_nearest(tmp_path: Path) -> None:
    path = save(tmp_path, "preset: papr\n")
    assert fault(path) == (
        f"{path}:1: preset must be one of {', '.join(preset_names())}; "
        "got 'papr' (did you mean 'paper'?)"
    )
    assert "(did you mean 'quickstart'?); presets: auto, learning-cheetah" in fault("quickstar")


def test_a_preset_may_start_from_another_and_a_file_from_that(tmp_path: Path) -> None:
    path = save(tmp_path, "preset: learning-maze\npolicy: {rounds: 7}\n")
    config, base = load_config(path), load_config("learning-maze")
    assert config.policy.rounds == 7 and config.policy.beta == base.policy.beta
    assert config.critic == base.critic and load_config("quickstart").data == base.data


@pytest.mark.parametrize("text", ["", "- a\n", "3\n", "# only a comment\n"])
def test_a_file_that_is_no_mapping(tmp_path: Path, text: str) -> None:
    assert "a configuration must be a mapping" in fault(save(tmp_path, text))


@functools.cache
def full_paper() -> str:
    """Return a file with every setting of the paper, a line each."""
    return yaml.safe_dump(to_dict(load_config("paper")), sort_keys=False)


@pytest.mark.parametrize("dotted", field_names())
def test_a_full_file_needs_every_key_but_those_that_came_later(
    tmp_path: Path, dotted: str
) -> None:
    section, key = dotted.split(".")
    whole = full_paper()
    start = whole.index(f"\n  {key}: ", whole.index(f"{section}:\n"))
    path = save(tmp_path, whole[:start] + whole[whole.index("\n", start + 1) :])
    later = later_settings().get(section, {})
    if key in later:  # it came later: what lacks it means what was before
        assert to_dict(load_config(path))[section][key] == later[key]
        return
    line = list(path.read_text().splitlines()).index(f"{section}:") + 1
    assert fault(path).startswith(f"{path}:{line}: missing key '{dotted}' ")


def test_every_section_is_needed() -> None:
    full: Any = to_dict(load_config("paper"))
    for section in full.keys() - {"compute", "distil", *METHODS}:  # those came later
        rest = {name: copy.deepcopy(values) for name, values in full.items() if name != section}
        with pytest.raises(UserError, match=rf"^record 12: missing key '{section}'"):
            from_dict(rest, "record 12")


def test_overrides_are_typed_and_the_last_counts() -> None:
    config = load_config(
        "paper",
        [
            "policy.beta=7",
            "policy.beta=3e-4",
            "policy.data_action=false",
            "behaviour.path=vp",
            "behaviour.updates=1e6",
            "critic.pool=10_000",
        ],
    )
    assert config.policy.beta == 3e-4 and config.policy.data_action is False
    assert config.behaviour.path == "vp" and config.solver == "dpmpp_2m"
    assert type(config.behaviour.updates) is int and config.behaviour.updates == 1_000_000
    assert config.critic.pool == 10_000


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("policy.betta=3", "unknown key 'policy.betta' (did you mean 'policy.beta'?)"),
        ("beta=3", "unknown key 'beta'"),
        ("preset=paper", "unknown key 'preset'"),
        ("policy.beta", "expected section.key=value"),
        ("policy.beta=", "got nothing"),
        ("policy.beta=high", "got 'high'"),
        ("policy.beta=[1, 2]", "got a list"),
        ("policy.beta=1: 2", "got a mapping"),
        ("policy.beta={", "expected"),
        ("policy.data_action=1", "must be true or false; got 1"),
        ("policy.loss_actions=70", "must be at most 65"),
    ],
)
def test_a_wrong_override_is_named(override: str, message: str) -> None:
    received = fault("paper", override)
    assert received.startswith(f"--set {override}") and message in received


def test_an_override_mends_what_the_file_gets_wrong_together(tmp_path: Path) -> None:
    path = save(tmp_path, "preset: quickstart\npolicy:\n  loss_actions: 20\n")
    assert f"{path}:3: policy.loss_actions" in fault(path)
    assert load_config(path, ["policy.support_size=32"]).policy.loss_actions == 20


@pytest.mark.parametrize("value", [{1: {}}, {"data": 3}, {}, [], None, "x"])
def test_from_dict_refuses_anything_else(value: Any) -> None:
    with pytest.raises(UserError, match="^trial 3: "):
        from_dict(value, "trial 3")
