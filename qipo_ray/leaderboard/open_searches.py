"""Searches that have not ended: how many of the planned trials a table rests on."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from pathlib import Path

from qipo_ray.leaderboard.rows import Record
from qipo_ray.study.saved_spec import FILE, read_spec
from qipo_ray.study.search_spec import SearchSpec


def open_searches(roots: Iterable[Path], records: Sequence[Record]) -> tuple[str, ...]:
    """Return a line for each task of a sweep below ``roots`` whose search has not ended.

    ``records`` are those of the sweeps. A specification that cannot be read says nothing here:
    ``verify`` names it.
    """
    lines = []
    for path in sorted(path for root in roots for path in (root / FILE, *root.glob(f"*/{FILE}"))):
        try:
            spec = read_spec(path).spec
        except (ValueError, OSError):
            continue
        for task in spec.tasks:
            ended = _ended(spec, task, records)
            if len(ended) < spec.trials and not spec.exhausted_by(ended):
                lines.append(
                    f"{spec.name}: {len(ended)} of {spec.trials} planned trials of {task} have "
                    "ended; what is selected may still change."
                )
    return tuple(lines)


def _ended(spec: SearchSpec, task: str, records: Sequence[Record]) -> set[str]:
    """Return the configurations, by hash, that have a record for each search seed."""
    seeds: defaultdict[str, set[int]] = defaultdict(set)
    for record in records:
        if (record["sweep"], record["purpose"], record["task"]) == (spec.name, "search", task):
            seeds[record["config_hash"]].add(record["seed"])
    return {name for name, recorded in seeds.items() if recorded >= set(spec.search_seeds)}
