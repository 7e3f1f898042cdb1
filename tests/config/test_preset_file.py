"""A configuration as a file: the nearest preset, and what differs."""

from __future__ import annotations

from pathlib import Path

import pytest

from qipo_ray.config import load_config, preset_names
from qipo_ray.config.preset_file import nearest_preset, preset_file

CHANGES = ("policy.beta=7", "behaviour.path=vp", "sampler.clip=false", "critic.discount=0.5")


@pytest.mark.parametrize("name", preset_names())
def test_a_file_is_read_as_what_it_was_written_of(name: str, tmp_path: Path) -> None:
    config = load_config(name, CHANGES)
    preset, settings = nearest_preset(config)
    assert load_config(preset, [f"{key}={value}" for key, value in settings.items()]) == config
    (tmp_path / "best.yaml").write_text(preset_file(config))
    assert load_config(tmp_path / "best.yaml") == config
    assert nearest_preset(load_config(name)) == (name, {})
