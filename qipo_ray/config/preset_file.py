"""A configuration as the preset that is nearest to it, and what differs."""

from __future__ import annotations

import yaml

from qipo_ray.config.loading import load_config, preset_names, to_dict
from qipo_ray.config.schema import Config


def nearest_preset(config: Config) -> tuple[str, dict[str, object]]:
    """Return the preset with the fewest other settings, and those by ``section.key``."""
    presets = {name: _differences(load_config(name), config) for name in preset_names()}
    return min(presets.items(), key=lambda preset: len(preset[1]))


def preset_file(config: Config) -> str:
    """Return the text of a file that ``load_config`` and ``--preset`` read as ``config``."""
    name, settings = nearest_preset(config)
    sections: dict[str, dict[str, object]] = {}
    for dotted, value in settings.items():
        section, key = dotted.split(".")
        sections.setdefault(section, {})[key] = value
    return yaml.safe_dump({"preset": name, **sections}, sort_keys=False)


def _differences(base: Config, config: Config) -> dict[str, object]:
    before = to_dict(base)
    return {
        f"{section}.{key}": value
        for section, settings in to_dict(config).items()
        for key, value in settings.items()
        if value != before[section][key]
    }
