"""The stopping rule: asynchronous successive halving, a pure function of the rung log.

A trial that reaches a rung is compared with all trials of its study that reached it before; only
the best share of ``1 / reduction`` goes on. The last rung stops nobody: who gets there is done.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Decision:
    """Whether a trial stops at a rung, and why, in one sentence with numbers."""

    stop: bool
    reason: str


def decide(
    values: Sequence[tuple[str, float | None]],
    reduction: int,
    rung: str = "this rung",
    *,
    sign: int = 1,
) -> Decision:
    """Return what becomes of the trial that is last in ``values``, the order of arrival at a rung.

    It stops if its value is below the ``1 - 1/reduction`` quantile (linear) of all, itself among
    them. The first with a finite value goes on; one without stops (NaN, infinite or None), and
    counts for the others like the worst finite one. ``sign`` is what turned the values, which the
    reason turns back.

    >>> values = [("a", 10.0), ("b", 30.0), ("c", 20.1), ("d", 12.3)]
    >>> decide(values[:2], reduction=2).stop
    False
    >>> decide(values, reduction=2, rung="rung 1/9").reason
    '12.3 at rung 1/9 is below 16.2, the best half of 4 trials'
    """
    value = _finite(values[-1][1])
    if value is None:
        return Decision(True, f"no finite value at {rung}")
    finite = [number for _, candidate in values if (number := _finite(candidate)) is not None]
    least = min(finite)
    ranked = sorted([*finite, *[least] * (len(values) - len(finite))])
    threshold = _threshold(ranked, reduction)
    count = f"{len(ranked)} trial{'s' if len(ranked) > 1 else ''}"
    share = {2: "half", 3: "third", 4: "quarter"}.get(reduction, f"1/{reduction}")
    stop = value < threshold
    relation = ("is below" if sign > 0 else "is above") if stop else "reaches"
    numbers = f"{sign * value:.4g} at {rung} {relation} {sign * threshold:.4g}"
    return Decision(stop, f"{numbers}, the best {share} of {count}")


def expected_on(trials: int, reduction: int) -> float:
    """Return how many of so many trials go on from a rung, in the mean over all orders.

    >>> [round(expected_on(count, 3), 2) for count in (1, 3, 9, 27)]
    [1.0, 1.83, 4.2, 10.57]
    """
    return sum((i + -(reduction - 1) * (i - 1) // reduction) / i for i in range(1, trials + 1))


class Arrivals:
    """The values of the log's entries by rung, in order of arrival; each entry is read once."""

    def __init__(self, entries: Iterable[Mapping[str, Any]]) -> None:
        """Take in the log as it stands; of a trial at a rung it has one entry."""
        self._values: dict[tuple[str, int], list[tuple[str, float | None]]] = {}
        self._places: dict[tuple[str, int], int] = {}
        for entry in entries:
            self.add(entry)

    def add(self, entry: Mapping[str, Any]) -> None:
        """Take in an entry that was appended to the log."""
        values = self._values.setdefault((entry["task"], entry["rung"]), [])
        # Logs of earlier versions may hold a rung without a value twice: the first counts.
        self._places.setdefault((entry["trial"], entry["rung"]), len(values))
        values.append((entry["trial"], entry["value"]))

    def until(self, task: str, trial: str, rung: int) -> list[tuple[str, float | None]]:
        """Return (trial, value) of a study at a rung, down to a trial's own; [] without one."""
        place = self._places.get((trial, rung))
        return [] if place is None else self._values[task, rung][: place + 1]

    def value(self, task: str, trial: str, rung: int | None) -> float | None:
        """Return a trial's value at a rung."""
        place = None if rung is None else self._places.get((trial, rung))
        return None if rung is None or place is None else self._values[task, rung][place][1]


def replay(
    entries: Iterable[Mapping[str, Any]], reduction: int
) -> dict[tuple[str, int], Decision]:
    """Return what the rule says of every log entry, by trial and rung, from those before it.

    That is what it said when the entry arrived. The last rung of a trial stops nobody: which one
    that is, its intent tells.
    """
    decisions = {}
    rungs: dict[tuple[str, int], list[tuple[str, float | None]]] = {}
    for entry in entries:
        values = rungs.setdefault((entry["task"], entry["rung"]), [])
        values.append((entry["trial"], entry["value"]))
        decisions[entry["trial"], entry["rung"]] = decide(values, reduction)
    return decisions


def _finite(value: float | None) -> float | None:
    return value if value is not None and math.isfinite(value) else None


def _threshold(ranked: Sequence[float], reduction: int) -> float:
    """Return the ``1 - 1/reduction`` quantile of ascending numbers, linear between neighbours.

    The place is reckoned in whole numbers: rounding must not put a value below itself.
    """
    below, part = divmod((reduction - 1) * (len(ranked) - 1), reduction)
    if part == 0:
        return ranked[below]
    return ranked[below] + part / reduction * (ranked[below + 1] - ranked[below])
