"""Who chose a value: the paper, its code, this project, the user's file or ``--set``."""

from __future__ import annotations

from pathlib import Path

import pytest

from qipo_ray.config import explain, field_names, load_config, preset_names, to_dict


def origins(source: str | Path, *overrides: str) -> dict[str, str]:
    return {setting.key: setting.origin for setting in explain(source, overrides)}


@pytest.mark.parametrize("preset", preset_names())
def test_every_setting_is_explained_with_its_value(preset: str) -> None:
    settings, values = explain(preset), to_dict(load_config(preset))
    assert tuple(setting.key for setting in settings) == field_names()
    for setting in settings:
        section, key = setting.key.split(".")
        assert setting.value == values[section][key]
        assert setting.origin in ("paper", "paper's code", "ours")
        same = setting.paper in (None, setting.value)
        assert same or setting.origin == "ours"


def test_what_a_preset_changes_is_ours_and_the_papers_value_stands_beside_it() -> None:
    found = {setting.key: setting for setting in explain("quickstart")}
    assert found["behaviour.width"].origin == "ours" and found["behaviour.width"].paper == 512
    assert found["policy.batch_size"].origin == "paper's code"
    assert found["policy.trust"].origin == "ours" and found["policy.trust"].paper is None
    assert origins("paper")["policy.data_action"] == "paper"


def test_set_and_the_users_file_come_before_the_preset(tmp_path: Path) -> None:
    path = tmp_path / "run.yaml"
    path.write_text("preset: paper\npolicy:\n  beta: 3\n  rounds: 4\n")
    found = origins(path, "policy.rounds=10", "critic.updates=500_000")
    assert found["policy.beta"] == "run.yaml:3"
    assert found["policy.rounds"] == found["critic.updates"] == "your --set"
    assert found["policy.ema_rate"] == "paper's code" and found["sampler.clip"] == "ours"
