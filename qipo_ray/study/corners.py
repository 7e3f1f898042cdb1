"""The extreme values of a space, which loading tries before anything is trained."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import chain, islice
from typing import Any

from qipo_ray.config.values import Range
from qipo_ray.study.parameter import Parameter, points

MOST_CORNERS = 2000  # combinations of extreme values


def corners(parameters: Sequence[Parameter]) -> Iterator[dict[str, Any]]:
    """Yield each option and bound beside the first ones of all others, then combinations.

    Each is a table of values by dotted key; at most `MOST_CORNERS` combinations.
    """
    extremes = [
        replace(parameter, kind="choice", values=_ends(parameter, parameters), step=None)
        for parameter in parameters
    ]

    def lines() -> Iterator[dict[str, Any]]:
        for chosen in extremes:
            needed = {chosen.key}
            for parameter in reversed(extremes):
                if parameter.key in needed:
                    needed.update(key for key, _ in parameter.when)
            yield from points(
                [
                    parameter
                    if parameter.key in needed
                    else replace(parameter, values=parameter.values[:1])
                    for parameter in extremes
                ]
            )

    return chain(lines(), islice(points(extremes), MOST_CORNERS))


def _ends(parameter: Parameter, parameters: Sequence[Parameter]) -> tuple[Any, ...]:
    """Return the extreme values of a parameter, also within the ranges that others wait for."""
    ends = list(parameter.values)
    asked = [values for other in parameters for key, values in other.when if key == parameter.key]
    for span in (values for values in asked if isinstance(values, Range)):
        options = parameter.options or (max(span.low, ends[0]), min(span.high, ends[1]))
        inside = [option for option in options if option in span]
        ends += [inside[0], inside[-1]]
    return tuple(dict.fromkeys(ends))
