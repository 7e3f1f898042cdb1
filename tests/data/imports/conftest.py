"""Sources in other formats, and what an import makes of them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from qipo_ray.data import inspector
from qipo_ray.data.imports.writer import import_data
from qipo_ray.data.tasks import get_task

Arrays = dict[str, Any]
STATES, ACTIONS = 3, 2


@pytest.fixture
def imported(tmp_path: Path) -> Callable[..., Arrays]:
    """A function that imports a source: the file's arrays, ``origin``, ``notes`` and ``path``.

    A refusal must leave nothing behind.
    """

    def progress(done: int, total: int) -> None:
        assert done <= total

    def run(source: Path | str, task: str | None = None, *parts: str, goal: Any = None) -> Arrays:
        folder = tmp_path / "to"
        folder.mkdir(exist_ok=True)
        path = folder / f"{len(list(folder.iterdir()))}.hdf5"
        before = set(folder.iterdir())
        try:
            held = get_task(task) if task else None
            _, notes = import_data(str(source), path, held, parts, goal, progress)
        except BaseException:
            assert set(folder.iterdir()) == before
            raise
        with h5py.File(path) as file:
            arrays = {name: file[name][...] for name in file}
            return {**arrays, "origin": file.attrs["source"], "notes": notes, "path": path}

    return run


@pytest.fixture(scope="session", autouse=True)
def no_reader_left() -> Iterator[None]:
    yield
    inspector.close_idle()


def episode(steps: int, extra: int = 1, seed: int = 0, ends: bool = True) -> Arrays:
    """Columns of an episode under Minari's names, ``extra`` observations more than actions."""
    rng = np.random.default_rng(seed)
    last = np.arange(steps) == steps - 1
    return {
        "observations": rng.normal(size=(steps + extra, STATES)).astype(np.float32),
        "actions": rng.uniform(-1, 1, (steps, ACTIONS)).astype(np.float32),
        "rewards": rng.normal(size=steps),
        "terminations": last & ends,
        "truncations": last & (not ends),
    }
