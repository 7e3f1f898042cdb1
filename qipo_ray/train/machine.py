"""What a record says of where it was made: source and packages, and the hardware it trained on."""

from __future__ import annotations

import functools
import os
import platform
import subprocess
import time
from collections.abc import Mapping
from importlib import metadata
from pathlib import Path
from typing import Any

import torch

from qipo_ray.version import __version__

PACKAGES = ("torch", "numpy", "gymnasium", "mujoco", "h5py", "ray", "optuna")


def software() -> dict[str, Any]:
    """Return the version, the commit and the packages of this process."""
    commit, dirty = _commit()
    return {
        "version": __version__,
        "commit": commit,
        "dirty": dirty,
        "packages": {name: metadata.version(name) for name in PACKAGES},
        "python": platform.python_version(),
    }


def hardware(device: str) -> dict[str, Any]:
    """Return what training on a device of this machine depends on beside our own code.

    ``threads`` are torch's of this process. A number is the same to the last bit where all of it
    is the same, and the device is a CPU.
    """
    kind = torch.device(device).type
    return {
        "machine": platform.machine(),
        "cpu": _cpu(),
        "device": kind,
        "accelerator": torch.cuda.get_device_name(device) if kind == "cuda" else None,
        "threads": torch.get_num_threads(),
        "torch": str(torch.__version__),
    }


def cpu_seconds() -> float:
    """Return the CPU seconds of this process, and of the processes that it has waited for."""
    times = os.times()
    return time.process_time() + times.children_user + times.children_system


def load_per_core() -> float:
    """Return the machine's load average of the last minute for each of its cores."""
    return os.getloadavg()[0] / (os.cpu_count() or 1)


def moved(before: Mapping[str, Any], now: Mapping[str, Any]) -> str:
    """Return in words what is other ``now``; an empty string where nothing is."""
    changes = (
        f"{name} {before.get(name, 'unknown')} then, {value} now"
        for name, value in now.items()
        if name not in before or before[name] != value
    )
    return "; ".join(changes)


@functools.cache
def _cpu() -> str:
    """Return the processor's name, as Linux tells it and Python does not."""
    try:
        lines = Path("/proc/cpuinfo").read_text(errors="replace").splitlines()
    except OSError:
        lines = []
    names = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(names, platform.processor()) or "unknown"


@functools.cache
def _commit() -> tuple[str | None, bool | None]:
    """Return the commit of the working tree that this package runs from, if it is one."""
    folder = Path(__file__).parent

    def git(*args: str) -> str | None:
        try:
            done = subprocess.run(
                ["git", *args], cwd=folder, capture_output=True, text=True, timeout=10, check=True
            )
        except (OSError, subprocess.SubprocessError):
            return None
        return done.stdout.strip()

    tracked = git("ls-files", "--error-unmatch", Path(__file__).name)
    commit = git("rev-parse", "HEAD") if tracked else None
    return commit, None if commit is None else bool(git("status", "--porcelain", "-uno"))
