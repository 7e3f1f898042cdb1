"""The memory of support sets: planned from the settings, checked before it is taken."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import torch

from qipo_ray.agent.support import CHUNK, support_dtype
from qipo_ray.config import Config, method_of

_WORKING = 9  # arrays (P, M) of single precision while the policy's weights are made, as measured
_LAYERS = 12  # of the full width, while a batch of support actions is made, as measured


@dataclass(frozen=True)
class Need:
    """What the support set of one member of a stage takes."""

    stage: str
    states: int  # P
    actions: int  # M, with the data's action
    action_dim: int  # A
    size: int  # bytes of a coordinate
    batch: int  # bytes of one batch on its way through the network

    @property
    def set(self) -> int:
        """The most bytes of the set at once, row numbers and weights among them."""
        per_action = self.action_dim * self.size
        if self.stage == "policy":
            per_action += 4 * _WORKING
        return self.states * (8 + self.actions * per_action)

    def bytes(self, sets: int = 1) -> int:
        """Return the most bytes at once of ``sets`` that are made one after another."""
        return self.set * sets + self.batch

    def __str__(self) -> str:
        """Return the arithmetic in words."""
        weights = f" + {4 * _WORKING} bytes for weights" if self.stage == "policy" else ""
        return (
            f"{self.stage} support {in_words(self.bytes())}: {self.states:,} states x "
            f"{self.actions} actions x ({self.action_dim} x {self.size} bytes{weights}) + "
            f"{in_words(self.batch)} for a batch"
        )


def support_needs(
    config: Config, rows: int, action_dim: int, device: str = "cpu"
) -> dict[str, Need]:
    """Return what each stage with support actions needs for data of ``rows`` on a device."""
    c, method, size = config.critic, method_of(config), support_dtype(config).itemsize
    if "behaviour" not in method.stages:
        return {}
    sizes = {}
    if (support := method.support(config)) is not None:
        sizes["policy"] = _states(support[0], rows), support[1]
    if "critic" in method.stages and c.returns_updates < c.updates and c.target != "value":
        sizes["critic"] = (_states(c.pool, rows), c.support_size)
    chunk, row = CHUNK[torch.device(device).type], 4 * _LAYERS * config.behaviour.width
    needs = {
        stage: Need(stage, states, actions, action_dim, size, row * min(chunk, states * actions))
        for stage, (states, actions) in sizes.items()
    }
    if (
        config.policy.data_updates and "policy" in method.sections()
    ):  # first the data's action alone, at every row
        on_data = Need("policy", rows, 1, action_dim, 4, row * min(chunk, rows))
        needs["policy"] = max(needs["policy"], on_data, key=Need.bytes)
    return needs


def planned(needs: Iterable[dict[str, Need]], jobs: int) -> str:
    """Return in words the most that ``jobs`` at once take, each with one of the ``needs``."""
    largest: dict[str, Need] = {}
    for stage, need in (item for stages in needs for item in stages.items()):
        if stage not in largest or need.bytes() > largest[stage].bytes():
            largest[stage] = need
    if not largest:
        return "no support sets"
    total = in_words(jobs * max(need.bytes() for need in largest.values()))
    users = f"{jobs} jobs at once" if jobs > 1 else "a job"
    return f"{total} for {users}; {', '.join(map(str, largest.values()))}"


def shortage(need: Need, sets: int, device: torch.device) -> str | None:
    """Return the arithmetic and what to do if ``sets`` more of them do not fit; else None."""
    free = _free(device)
    if free is None or need.bytes(sets) <= free:
        return None
    fitting = max(0, int(need.states * (free - need.batch) / (need.set * sets)))
    half = ", compute.support=float16" if need.size == 4 else ""
    times = f", {sets} times" if sets > 1 else ""
    return (
        f"{need}{times}, and {in_words(free)} are free on {device}: set {need.stage}.pool to at "
        f"most {fitting:,}{half} or a smaller {need.stage}.support_size"
    )


def in_words(count: int) -> str:
    """Return bytes as ``12.3 MB``."""
    value, units = float(count), ["bytes", "kB", "MB", "GB", "TB"]
    while value >= 1000 and len(units) > 1:
        value, units = value / 1000, units[1:]
    return f"{value:.3g} {units[0]}"


def _states(pool: int, rows: int) -> int:
    return min(pool, rows) if pool else rows


def _free(device: torch.device) -> int | None:
    """Return the bytes that are free; None where the system does not say."""
    if device.type == "cuda":
        held = torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device)
        return int(torch.cuda.mem_get_info(device)[0]) + held
    try:
        lines = Path("/proc/meminfo").read_text().splitlines()
    except OSError:
        return None
    entries = dict(line.split(":", 1) for line in lines)
    available = entries.get("MemAvailable", "").split()
    return int(available[0]) * 1024 if available else None
