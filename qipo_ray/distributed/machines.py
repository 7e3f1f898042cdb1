"""The machines of the cluster as Ray knows them: what they have, and which are to go."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any, NamedTuple


class Machines(NamedTuple):
    """Machines by their ids: those that there are, and those among them that are to be taken."""

    alive: Collection[str]
    leaving: Collection[str]


def machine_resources() -> list[dict[str, float]]:
    """Return the CPUs, GPUs and so on of each machine."""
    return [node["Resources"] for node in _alive()]


def machines() -> Machines:
    """Return the machines of the cluster.

    What ``ray.train.get_preemption_info`` says comes from the same place, but by a process more
    for every worker.
    """
    import ray._private.state

    leaving: Any = ray._private.state.state.get_draining_nodes
    return Machines({node["NodeID"] for node in _alive()}, set(leaving()))


def _alive() -> list[dict[str, Any]]:
    import ray

    nodes: Any = ray.nodes  # has no types
    return [node for node in nodes() if node["Alive"]]
