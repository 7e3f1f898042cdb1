"""``qipo-ray train --explain``: every setting, where its value comes from, what it means."""

from __future__ import annotations

import json as json_format
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from qipo_ray.cli import output as out

if TYPE_CHECKING:
    from qipo_ray.config import ExplainedSetting, Plain


def explain(preset: str, changes: Sequence[str], json: bool) -> None:
    """Print all settings that a run would have; nothing is read but the configuration."""
    from qipo_ray.config import config_hash, departures, load_config
    from qipo_ray.config import explain as explained

    config, settings = load_config(preset, changes), explained(preset, changes)
    left = departures(config)
    if json:
        content = {
            "preset": preset,
            "config_hash": config_hash(config),
            "departures": list(left),
            "settings": [_entry(setting) for setting in settings],
        }
        out.write(json_format.dumps(content, indent=2, allow_nan=False))
        return
    titles = ["setting", "value", "from", "the paper has", "meaning"]
    out.print_rows(titles, [_cells(setting) for setting in settings], [False, True, *[False] * 3])
    out.write(f"departures from the paper's algorithm: {', '.join(left) or 'none'}")
    out.write("why, and what no switch changes: docs/departures.md")


def _entry(setting: ExplainedSetting) -> dict[str, Any]:
    said = {"value": setting.paper, "source": setting.note.source}
    return {
        "key": setting.key,
        "value": setting.value,
        "from": setting.origin,
        "paper": None if setting.paper is None else said,
        "meaning": setting.note.text,
    }


def _cells(setting: ExplainedSetting) -> list[str]:
    other = setting.paper is not None and setting.paper != setting.value
    said = f"{_word(setting.paper)} ({setting.note.source})" if other else ""
    return [setting.key, _word(setting.value), setting.origin, said, setting.note.text]


def _word(value: Plain | None) -> str:
    """Return a value as a file has it: ``true``, ``600,000``, ``1e-4``."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, int):
        return f"{value:,}"
    return f"{value:g}" if isinstance(value, float) else str(value)
