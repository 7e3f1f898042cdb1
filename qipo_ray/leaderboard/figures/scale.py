"""A hyper-parameter's values laid out from 0 to 1: in order, linearly, or by their logarithm."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from qipo_ray.leaderboard.figures.drawing import short_label
from qipo_ray.leaderboard.trial_results import TrialResult, Value, is_number

FEW = 6  # values that stand side by side at equal distances, numbers too
DECADE = 10.0  # numbers that span this ratio are laid out by their logarithm
LONGEST_TICK = 14


@dataclass(frozen=True)
class Scale:
    """One parameter's axis."""

    key: str
    values: tuple[Value, ...]  # distinct, in order

    @staticmethod
    def of_all(trials: Sequence[TrialResult]) -> list[Scale]:
        """Return the axis of every parameter that has two values or more, by name."""
        distinct: dict[str, set[Value]] = {}
        for trial in trials:
            for key, value in trial.params.items():
                distinct.setdefault(key, set()).add(value)
        return [
            Scale(key, tuple(sorted(values, key=_order)))
            for key, values in sorted(distinct.items())
            if len(values) > 1
        ]

    @property
    def log(self) -> bool:
        """Whether positions go by the logarithm."""
        if self._side_by_side:
            return False
        low, high = float(self.values[0]), float(self.values[-1])
        return low > 0 and high / low >= DECADE

    @property
    def _side_by_side(self) -> bool:
        return len(self.values) <= FEW or not all(map(is_number, self.values))

    def position(self, value: Value) -> float:
        """Return where a value lies, from 0 to 1."""
        if self._side_by_side:
            return self.values.index(value) / (len(self.values) - 1)
        low, number, high = (self._number(v) for v in (self.values[0], value, self.values[-1]))
        return (number - low) / (high - low)

    def ticks(self) -> tuple[list[float], list[str]]:
        """Return positions and labels of the ticks: every value, or five between the extremes."""
        if self._side_by_side:
            values = self.values[:: max(1, -(-len(self.values) // FEW))]
            labels = [f"{v:.3g}" if isinstance(v, float) else str(v) for v in values]
            return (
                [self.position(value) for value in values],
                [short_label(label, LONGEST_TICK) for label in labels],
            )
        low, high = self._number(self.values[0]), self._number(self.values[-1])
        positions = [i / 4 for i in range(5)]
        numbers = [low + position * (high - low) for position in positions]
        return positions, [f"{math.exp(n) if self.log else n:.3g}" for n in numbers]

    def _number(self, value: Value) -> float:
        return math.log(float(value)) if self.log else float(value)


def _order(value: Value) -> tuple[bool, float, str]:
    return (not is_number(value), float(value) if is_number(value) else 0.0, str(value))
