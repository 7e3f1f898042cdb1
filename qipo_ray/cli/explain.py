"""``qipo-ray train --explain``: every setting, where its value comes from, what it means."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

from qipo_ray.cli import output as out
from qipo_ray.config import ExplainedSetting, Plain, config_hash, departures, load_config
from qipo_ray.config import explain as explained
from qipo_ray.config.loading import unless_named
from qipo_ray.study.task_file import find_task

TITLES = ("setting", "value", "from", "the paper has", "meaning")


def explain(
    preset: str, changes: list[str] | None, json: bool, task: str | None, **_: object
) -> None:
    """Print all settings that a run would have; no data are read, and no environment is made."""
    wishes = unless_named(preset, find_task(task).settings) if task else []
    overrides = [*wishes, *(changes or [])]
    config, settings = load_config(preset, overrides), list(explained(preset, overrides))
    wished = {key.partition("=")[0] for key in wishes}
    yours = {change.partition("=")[0] for change in changes or []}
    for i, setting in enumerate(settings):
        if setting.key in wished - yours:
            settings[i] = replace(setting, origin=f"the task, {Path(str(task)).name}")
    left = departures(config)
    if json:
        content = {
            "preset": preset,
            "config_hash": config_hash(config),
            "departures": list(left),
            "settings": [entry(setting) for setting in settings],
        }
        out.print_json(content)
        return
    out.print_rows(TITLES, [cells(setting) for setting in settings], [False, True, *[False] * 3])
    out.write(f"departures from the paper's algorithm: {', '.join(left) or 'none'}")
    out.write("why, and what no switch changes: docs/departures.md")


def entry(setting: ExplainedSetting) -> dict[str, Any]:
    """Return a setting as JSON has it."""
    paper = {"value": setting.paper, "source": setting.note.source}
    return {
        "key": setting.key,
        "value": setting.value,
        "from": setting.origin,
        "paper": None if setting.paper is None else paper,
        "meaning": setting.note.text,
    }


def cells(setting: ExplainedSetting) -> list[str]:
    """Return a setting's row of the table; the paper's value where it is another."""
    differs = setting.paper is not None and setting.paper != setting.value
    paper = f"{_text(setting.paper)} ({setting.note.source})" if differs else ""
    return [setting.key, _text(setting.value), setting.origin, paper, setting.note.text]


def _text(value: Plain | None) -> str:
    """Return a value as a file has it: ``true``, ``600,000``, ``1e-4``."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, int):
        return f"{value:,}"
    return f"{value:g}" if isinstance(value, float) else str(value)
