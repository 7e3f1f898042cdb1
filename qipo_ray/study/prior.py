"""What a search begins with: trials of another sweep over the same space."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from typing_extensions import TypedDict

from qipo_ray.config.json_types import Count, Name, Number, PlainMapping


class PriorTrial(TypedDict):
    """One of them, in plain data."""

    task: Name
    params: PlainMapping  # the searched settings, by dotted key
    state: Literal["finished", "pruned"]
    value: Number  # at the last rung that it reached; more is better
    rung: Count


class PriorDocument(TypedDict):
    """All of them, as they stand in a sweep's specification."""

    sweep: Name
    trials: list[PriorTrial]


@dataclass(frozen=True)
class Prior:
    """Trials of another sweep."""

    sweep: str  # the name of its folder
    trials: tuple[PriorTrial, ...] = ()

    @classmethod
    def from_document(cls, document: Mapping[str, Any] | None) -> Prior | None:
        """Return the one of a specification; None where there is none."""
        return None if document is None else cls(document["sweep"], tuple(document["trials"]))

    def document(self) -> dict[str, Any]:
        """Return it as plain data."""
        return {"sweep": self.sweep, "trials": [*self.trials]}

    def of(self, task: str) -> tuple[PriorTrial, ...]:
        """Return the trials that the search of a task begins with: of the same, else of all."""
        same = tuple(trial for trial in self.trials if trial["task"] == task)
        return same or self.trials
