"""The names that a method may have in the settings: they grow as users bring theirs."""

from __future__ import annotations

from typing import Any

from qipo_ray.config.values import Names

METHODS: dict[str, type[Any]] = {}  # subclasses of RunMethod, by the value of policy.method


class MethodNames(Names):
    """The names of the methods that are known by now."""

    def hint(self, value: str) -> str:
        """Return how a method of somebody's own becomes known, or the nearest name."""
        if ":" not in value:
            return super().hint(value)
        return (
            f", which is not imported unasked: if you trust it, qipo-ray --use {value} ..., or in "
            f"Python use={value!r}"
        )
