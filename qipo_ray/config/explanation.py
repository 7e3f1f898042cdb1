"""Every setting of a configuration: its value, where that comes from, and what the paper has."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from qipo_ray.config.facts import field_notes
from qipo_ray.config.loading import build, document_of, preset_names, to_dict
from qipo_ray.config.notes import Note, Ours, Plain


@dataclass(frozen=True)
class ExplainedSetting:
    """One setting, explained; ``origin`` says who chose its value."""

    key: str
    value: Plain
    origin: str
    note: Note

    @property
    def paper(self) -> Plain | None:
        """The value of the paper's run; None where the paper has no such setting."""
        return None if isinstance(self.note, Ours) else self.note.value


def explain(source: str | Path, overrides: Sequence[str] = ()) -> tuple[ExplainedSetting, ...]:
    """Return all settings of what ``load_config`` would load, in the order of the sections.

    The origin is ``--set``, or a line of the user's file; for what a preset gives it is who the
    note names where the value is the paper's, else ``ours``.
    """
    document = document_of(source, overrides)
    values = to_dict(build(document))
    settings = []
    for key, note in field_notes().items():
        section, name = key.split(".")
        value: Plain = values[section][name]
        location = document.locations.get((section, name), "")
        if location.startswith("--set "):
            origin = "your --set"
        elif location and source not in preset_names():
            origin = Path(location).name
        else:
            origin = note.source if value == note.value else Ours.source
        settings.append(ExplainedSetting(key, value, origin, note))
    return tuple(settings)
