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
    unit = f"{cpus:g} CPUs" + (f" and {gpus:g} GPUs" if gpus else "")
    need = f"{workers * cpus:g} CPUs" + (f" and {workers * gpus:g} GPUs" if gpus else "")
    has = "; ".join(
        f"{node.get('CPU', 0):g} CPUs" + (f" and {node.get('GPU', 0):g} GPUs" if gpus else "")
        for node in nodes
    )
    raise UserError(
        f"resources: {workers} workers x {unit} = {need}, but {label} has {has}: "
        f"room for {room}; ask for fewer or smaller workers"
    )


def _room(node: Mapping[str, float], cpus: float, gpus: float) -> int:
    """Return the number of workers that fit on one machine."""
    room = int(node.get("CPU", 0.0) / cpus)
    return min(room, int(node.get("GPU", 0.0) / gpus)) if gpus else room
