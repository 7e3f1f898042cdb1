"""Small files in D4RL's layout."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from qipo_ray.data.tasks import get_task


def d4rl_columns(task_id: str, rows: int = 40, seed: int = 0) -> dict[str, Any]:
    """The required columns with random content, without any episode end."""
    state, action = get_task(task_id).sizes
    rng = np.random.default_rng(seed)
    return {
        "observations": rng.normal(size=(rows, state)).astype(np.float32),
        "actions": rng.uniform(-1, 1, size=(rows, action)).astype(np.float32),
        "rewards": rng.normal(size=rows).astype(np.float32),
        "terminals": np.zeros(rows, dtype=bool),
        "timeouts": np.zeros(rows, dtype=bool),
    }


@pytest.fixture
def columns() -> Callable[..., dict[str, Any]]:
    return d4rl_columns


@pytest.fixture
def write(tmp_path: Path) -> Callable[..., Path]:
    """Write columns (a key with None is left out, one with '/' goes into a group)."""

    def writer(contents: dict[str, Any], name: str = "data.hdf5", **attributes: Any) -> Path:
        path = tmp_path / name
        with h5py.File(path, "w") as file:
            for key, values in contents.items():
                if values is not None:
                    file[key] = values
            file.attrs.update(attributes)
        return path

    return writer
