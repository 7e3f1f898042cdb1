"""What people call a row: decided here alone, for tables, figures and the report."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable

from qipo_ray.leaderboard.rows import Method

# What distinguishes two methods of one name on a task, the first that does; rarely more than that.
DISTINCTIONS: tuple[Callable[[Method], str], ...] = (
    lambda method: (method.config or "")[:8],
    lambda method: f"file {method.dataset[:8]}",
    lambda method: f"{method.sampler} {method.steps}",
    lambda method: f"{method.selection_episodes} selection episodes",
    lambda method: f"{method.episodes} episodes",
)


def config_labels(methods: Iterable[Method]) -> dict[Method, str | None]:
    """Return the label of each method's configuration: no two on a task have the same.

    That is its name, or the start of its hash if it has none. Where a task has several of one
    name, the start of the hash stands behind it, and then on all tasks: a label is one thing in
    a whole table. The data themselves have no configuration.
    """
    labels = {method: method.preset or (method.config or "")[:8] for method in methods}
    for distinction in DISTINCTIONS:
        groups = defaultdict(list)
        for method, label in labels.items():
            groups[method.task, _shared_name(method), label].append(method)
        if len(groups) == len(labels):
            break
        ambiguous = {
            (name, label)
            for (_, name, label), group in groups.items()
            if len(group) > 1 and len({distinction(method) for method in group}) > 1
        }
        for method, label in labels.items():
            if (_shared_name(method), label) in ambiguous:
                labels[method] = f"{label} {distinction(method)}".strip()
    return {method: label or None for method, label in labels.items()}


def row_labels(methods: Iterable[Method]) -> dict[Method, str]:
    """Return method and configuration of each in one label: ``QIPO-OT, search, best``."""
    return {
        method: f"{method.name}, {label}" if label else method.name
        for method, label in config_labels(methods).items()
    }


def _shared_name(method: Method) -> tuple[object, ...]:
    return method.setting, method.kind, method.name
