"""The number of workers that fit on the machines of a cluster."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from qipo_ray.errors import UserError
from qipo_ray.study.search_spec import Resources

TRIALS_CPU = 0.1  # of each worker's CPUs, left to the trials, which need little


def count_workers(resources: Resources, nodes: Sequence[Mapping[str, float]], label: str) -> int:
    """Return the number of workers; ``UserError`` with the arithmetic if they can never fit.

    ``nodes`` are the resources of each machine, ``{"CPU": 2.0, "GPU": 1.0}``; a worker does not
    span machines. ``label`` names the machines in the error.
    """
    cpus, gpus = resources.cpus, resources.gpus
    room = sum(_room(node, cpus, gpus) for node in nodes)
    workers = 1 if resources.workers == "auto" else resources.workers
    if workers <= room:
        return room if resources.workers == "auto" else workers

    def named(cpus: float, accelerators: float) -> str:
        units = [(cpus, "CPU"), (accelerators, "GPU")] if gpus else [(cpus, "CPU")]
        return " and ".join(f"{n:g} {unit}{'' if n == 1 else 's'}" for n, unit in units)

    has = "; ".join(named(node.get("CPU", 0), node.get("GPU", 0)) for node in nodes)
    need = f"{named(cpus, gpus)} = {named(workers * cpus, workers * gpus)}"
    raise UserError(
        f"resources: {workers} worker{'' if workers == 1 else 's'} x {need}, but {label} has "
        f"{has}: room for {room}; ask for fewer or smaller workers"
    )


def _room(node: Mapping[str, float], cpus: float, gpus: float) -> int:
    """Return the number of workers that fit on one machine."""
    room = int(node.get("CPU", 0.0) / cpus)
    return min(room, int(node.get("GPU", 0.0) / gpus)) if gpus else room
