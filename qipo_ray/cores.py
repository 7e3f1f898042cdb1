"""How many CPU cores this process may use, which can be fewer than the machine has."""

from __future__ import annotations

import math
import os
from pathlib import Path

# "MAX PERIOD" in microseconds, or "max PERIOD" without a limit (Linux, control groups version 2).
QUOTA = Path("/sys/fs/cgroup/cpu.max")


def usable_cores() -> int:
    """Return the cores of the process's affinity, at most those of its control group's quota."""
    affinity = getattr(os, "sched_getaffinity", None)
    cores = len(affinity(0)) if affinity else os.cpu_count() or 1
    return max(1, min(cores, _quota(cores)))


def _quota(otherwise: int) -> int:
    """Return the cores of the quota, begun ones whole; ``otherwise`` where there is none."""
    try:
        limit, period = QUOTA.read_text().split()
        return math.ceil(int(limit) / int(period))
    except (OSError, ValueError):
        return otherwise
