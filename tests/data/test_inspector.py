from __future__ import annotations

import os
import resource
import signal
from pathlib import Path

import h5py
import numpy as np
import pytest

from qipo_ray.data import inspector as module
from qipo_ray.data.d4rl_hdf5 import read
from qipo_ray.data.inspector import Inspector
from qipo_ray.data.tasks import get_task
from qipo_ray.errors import UserError


@pytest.fixture
def asked(columns, write):
    inspector = Inspector()
    yield inspector, write(columns("point"))
    inspector.close()


def child(inspector: Inspector) -> int:
    process = inspector._process
    assert process is not None
    return process.pid


def test_one_process_answers_many_times(asked) -> None:
    inspector, path = asked
    first = inspector.ask(path)
    assert first["names"] == ["actions", "observations", "rewards", "terminals", "timeouts"]
    assert first["columns"]["actions"]["shape"] == [40, 2]
    before = child(inspector)
    assert inspector.ask(path) == first and child(inspector) == before


def test_a_lost_process_is_replaced(asked) -> None:
    inspector, path = asked
    first = inspector.ask(path)
    before = child(inspector)
    os.kill(before, signal.SIGKILL)
    assert inspector.ask(path) == first and child(inspector) != before


def test_a_file_that_kills_or_holds_the_process_is_damaged(asked, monkeypatch) -> None:
    inspector, path = asked
    monkeypatch.setattr(module, "_START", "import os; os.read(0, 9); os._exit(9)")
    assert inspector.ask(path) == {"damage": "HDF5's library died on it"}
    monkeypatch.setattr(module, "_START", "import sys; sys.stdin.read()")
    monkeypatch.setattr(module, "LIMIT_S", 0.2)
    assert "did not come to an end" in inspector.ask(path)["damage"]
    monkeypatch.undo()
    assert "columns" in inspector.ask(path)


def test_an_endless_answer_is_not_kept(asked, monkeypatch) -> None:
    inspector, path = asked
    monkeypatch.setattr(module, "_START", "while True: print(end='x' * 1000)")
    monkeypatch.setattr(module, "_LONGEST", 10_000)
    assert inspector.ask(path) == {"damage": "its parts are too many to list"}


def test_close_leaves_no_process(asked) -> None:
    inspector, path = asked
    inspector.ask(path)
    pid = child(inspector)
    inspector.close()
    assert not Path(f"/proc/{pid}").exists()


@pytest.mark.slow
@pytest.mark.parametrize("libver", ["earliest", "latest"])
def test_changed_bytes_never_harm(libver: str, tmp_path: Path, columns) -> None:
    """A fault in HDF5's library ends its own process, not this one."""
    path = tmp_path / "data.hdf5"
    with h5py.File(path, "w", libver=libver) as file:
        for key, values in columns("point").items():
            file[key] = values
    whole, rng = path.read_bytes(), np.random.default_rng(4)
    before, refused = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, 0
    for _ in range(300):
        content = bytearray(whole)
        for place in rng.integers(len(whole), size=rng.integers(1, 5)):
            word = int(rng.choice([0, 1, 2**31, 2**32 - 1, 2**40, 2**63])).to_bytes(8, "little")
            content[place : place + 8] = word[: len(content) - place]
        path.write_bytes(content)
        try:
            read(path, get_task("point"))
        except UserError as error:
            refused += 1
            assert "\n" not in str(error)
    assert refused > 30
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 100 * 1024
