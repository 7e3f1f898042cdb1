"""What a search goes by: the online score, or a signal that needs no simulator."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from statistics import fmean
from typing import Any, Literal, get_args

Objective = Literal["score", "fqe", "td_error", "behaviour_loss"]
OBJECTIVES: tuple[Objective, ...] = get_args(Objective)
SCORE: Objective = "score"
SIGNALS: dict[str, str] = {  # by objective, as tables call it
    "fqe": "FQE",
    "td_error": "TD error",
    "behaviour_loss": "behaviour loss",
}
LESS_IS_BETTER = ("td_error", "behaviour_loss")


def measured(objective: str, numbers: Mapping[str, Any]) -> float | None:
    """Return an objective's number in a score, or in signals; None where it is not known."""
    if objective == "fqe":
        return None if numbers["fqe"] is None else float(numbers["fqe"]["mean"])
    value = numbers["normalised" if objective == SCORE else objective]
    return None if value is None else float(value)


def sign(objective: str) -> int:
    """Return 1 where more is better, -1 where less is; a search compares numbers turned so."""
    return -1 if objective in LESS_IS_BETTER else 1


def plain(objective: str, value: float | None) -> float | None:
    """Return what a search compares as it was measured."""
    return None if value is None else sign(objective) * value


def merit(objective: str, values: Iterable[float | None]) -> float | None:
    """Return the mean over seeds as a search compares it; None where a seed has no number."""
    numbers = list(values)
    finite = [value for value in numbers if value is not None and math.isfinite(value)]
    if len(finite) < len(numbers):
        return None
    return sign(objective) * fmean(finite)


def merit_text(objective: str, value: float) -> str:
    """Return what a search compares as people read it: ``score 12.3``, ``TD error 0.0421``."""
    if objective == SCORE:
        return f"score {value:.1f}"
    return f"{SIGNALS[objective]} {plain(objective, value):.4g}"


def signals_text(signals: Mapping[str, Any]) -> str:
    """Return signals as people read them, those that are known."""
    values = {title: measured(name, signals) for name, title in SIGNALS.items()}
    return ", ".join(f"{title} {v:.4g}" for title, v in values.items() if v is not None)
