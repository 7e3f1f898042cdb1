"""The number of workers that fit on the machines of a cluster."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from qipo_ray.errors import UserError
from qipo_ray.study.search_spec import Resources

TRIALS_CPU = 0.1  # of each worker's CPUs, left to the trials, which need little
NOISE = 1e-9  # 0.3 / 0.1 is less than 3


def count_workers(resources: Resources, nodes: Sequence[Mapping[str, float]], label: str) -> int:
    """Return the number of workers; ``UserError`` with the arithmetic if they can never fit.

    ``nodes`` are the resources of each machine, ``{"CPU": 2.0, "GPU": 1.0}``; a worker does not
    span machines. ``label`` names the machines in the error. Workers that may wait always fit.
    """
    room = sum(_room(node, resources.cpus, resources.gpus) for node in nodes)
    share = max(min(room, 1), int(room * resources.max_share + NOISE))
    workers = share if resources.workers == "auto" else resources.workers
    least = max(1, workers)
    if least <= share or resources.wait:
        return least
    raise UserError(_refusal(resources, least, nodes, room, share, label))


def _refusal(
    resources: Resources,
    workers: int,
    nodes: Sequence[Mapping[str, float]],
    room: int,
    share: int,
    label: str,
) -> str:
    cpus, gpus = resources.cpus, resources.gpus

    def named(cpus: float, accelerators: float) -> str:
        units = [(cpus, "CPU"), (accelerators, "GPU")] if gpus else [(cpus, "CPU")]
        return " and ".join(f"{n:g} {unit}{'' if n == 1 else 's'}" for n, unit in units)

    has = "; ".join(named(node.get("CPU", 0), node.get("GPU", 0)) for node in nodes)
    need = f"{named(cpus, gpus)} = {named(workers * cpus, workers * gpus)}"
    own = "" if share == room else f", of which max_share {resources.max_share:g} leaves {share}"
    return (
        f"resources: {workers} worker{'' if workers == 1 else 's'} x {need}, but {label} has "
        f"{has or 'no machine'}: room for {room}{own}; ask for fewer or smaller workers, or let "
        "them wait for machines that are still to come (wait: true)"
    )


def _room(node: Mapping[str, float], cpus: float, gpus: float) -> int:
    """Return the number of workers that fit on one machine; parts of a GPU are of one GPU."""
    room = int(node.get("CPU", 0.0) / cpus + NOISE)
    if not gpus:
        return room
    count = node.get("GPU", 0.0)
    whole = int(count) * int(1 / gpus + NOISE) if gpus < 1 else int(count / gpus)
    return min(room, whole)
