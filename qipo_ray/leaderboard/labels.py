"""What people call a row: the one place that decides it, for tables, pictures and the report."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable

from qipo_ray.leaderboard.rows import Method

# What tells two methods of one name apart on a task, the first that does; rarely more than that.
TELLS: tuple[Callable[[Method], str], ...] = (
    lambda method: (method.config or "")[:8],
    lambda method: f"file {method.dataset[:8]}",
    lambda method: f"{method.sampler} {method.steps}",
    lambda method: f"{method.selection_episodes} selection episodes",
    lambda method: f"{method.episodes} episodes",
)


def labels(methods: Iterable[Method]) -> dict[Method, str | None]:
    """Return what each method's configuration is called: no two on a task are called the same.

    That is its name, or the start of its hash if it has none. Where a task has several of one
    name, the start of the hash stands behind it, and then on all tasks: a label is one thing in
    a whole table. The data themselves have no configuration.
    """
    found = {method: method.preset or (method.config or "")[:8] for method in methods}
    for tell in TELLS:
        called = defaultdict(list)
        for method, label in found.items():
            called[method.task, _name(method), label].append(method)
        if len(called) == len(found):
            break
        shared = {
            (name, label)
            for (_, name, label), some in called.items()
            if len(some) > 1 and len({tell(method) for method in some}) > 1
        }
        for method, label in found.items():
            if (_name(method), label) in shared:
                found[method] = f"{label} {tell(method)}".strip()
    return {method: label or None for method, label in found.items()}


def words(methods: Iterable[Method]) -> dict[Method, str]:
    """Return method and configuration of each as one phrase: ``QIPO-OT, search, best``."""
    return {
        method: f"{method.name}, {label}" if label else method.name
        for method, label in labels(methods).items()
    }


def _name(method: Method) -> tuple[object, ...]:
    return method.setting, method.kind, method.name
