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


def arrivals(
    entries: Iterable[Mapping[str, Any]], task: str, rung: int
) -> list[tuple[str, float | None]]:
    """Return (trial, value) of a study's log entries at one rung, in order of arrival."""
    return [(e["trial"], e["value"]) for e in entries if e["task"] == task and e["rung"] == rung]


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
