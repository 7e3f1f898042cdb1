"""How many workers fit on the machines that there are."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal, Protocol

from qipo_ray.errors import UserError

TRIALS_CPU = 0.1  # of each worker's CPUs, not asked of Ray: the thin trials live on it


class Resources(Protocol):
    """What the service asks for; ``workers`` "auto" is as many as there is room for."""

    @property
    def workers(self) -> int | Literal["auto"]:
        """Number of workers."""

    @property
    def cpus(self) -> float:
        """CPUs of each."""

    @property
    def gpus(self) -> float:
        """GPUs of each."""

    @property
    def slots(self) -> int:
        """Jobs that one worker trains at once."""


def count_workers(resources: Resources, nodes: Sequence[Mapping[str, float]], where: str) -> int:
    """Return the number of workers; ``UserError`` with the arithmetic if they can never fit.

    ``nodes`` are the resources of each machine, ``{"CPU": 2.0, "GPU": 1.0}``; a worker does not
    span machines. ``where`` names them all.
    """
    cpus, gpus = resources.cpus, resources.gpus
    room = sum(_room(node, cpus, gpus) for node in nodes)
    asked = 1 if resources.workers == "auto" else resources.workers
    if asked <= room:
        return room if resources.workers == "auto" else asked
    each = f"{cpus:g} CPUs" + (f" and {gpus:g} GPUs" if gpus else "")
    need = f"{asked * cpus:g} CPUs" + (f" and {asked * gpus:g} GPUs" if gpus else "")
    has = "; ".join(
        f"{node.get('CPU', 0):g} CPUs" + (f" and {node.get('GPU', 0):g} GPUs" if gpus else "")
        for node in nodes
    )
    raise UserError(
        f"resources: {asked} workers x {each} = {need}, but {where} has {has}: "
        f"room for {room}; ask for fewer or smaller workers"
    )


def _room(node: Mapping[str, float], cpus: float, gpus: float) -> int:
    """Return how many workers fit on one machine."""
    room = int(node.get("CPU", 0.0) / cpus)
    return min(room, int(node.get("GPU", 0.0) / gpus)) if gpus else room
