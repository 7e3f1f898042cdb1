from __future__ import annotations

import contextlib
import os
import resource
import select
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import h5py
import numpy as np
import pytest

from qipo_ray.data import inspector
from qipo_ray.data.contents import Facts
from qipo_ray.data.faults import Damaged, TookTooLong
from qipo_ray.data.inspector import inspected
from qipo_ray.data.load import read
from qipo_ray.data.tasks import get_task
from qipo_ray.errors import UserError


@pytest.fixture
def path(columns, write) -> Iterator[Path]:
    inspector.close_idle()
    yield write(columns("point"))
    inspector.close_idle()


def idle() -> list[int]:
    """Return the numbers of the processes that serve no file."""
    return [process._process.pid for process in inspector._idle.get(os.getpid(), [])]


def facts(path: Path) -> Facts:
    with inspected(path) as (facts, _):
        return facts


@pytest.mark.slow
def test_one_process_answers_many_times(path: Path) -> None:
    first = facts(path)
    assert first["names"] == ["actions", "observations", "rewards", "terminals", "timeouts"]
    assert first["arrays"]["actions"]["shape"] == [40, 2]
    (before,) = idle()
    assert facts(path) == first and idle() == [before]
    with inspected(path) as outer, inspected(path) as inner:
        assert outer[0] == inner[0] == first
        assert b"".join(outer[1]("actions")) == b"".join(inner[1]("actions"))
    assert len(idle()) == 2 and before in idle()


@pytest.mark.slow
def test_a_lost_process_is_replaced(path: Path) -> None:
    first = facts(path)
    (before,) = idle()
    os.kill(before, signal.SIGKILL)
    assert facts(path) == first and before not in idle()


@pytest.mark.slow
def test_a_file_that_kills_or_holds_the_process_is_damaged(path: Path, monkeypatch) -> None:
    monkeypatch.setattr(inspector, "_START", "import os, sys; os.read(int(sys.argv[1]), 9)")
    with pytest.raises(Damaged, match="HDF5's library died on it"):
        facts(path)
    monkeypatch.setattr(inspector, "_START", "import signal; signal.pause()")
    monkeypatch.setattr(inspector, "PATIENCE_S", 0.2)
    with pytest.raises(TookTooLong, match="took too long"):
        facts(path)
    assert idle() == []
    monkeypatch.undo()
    assert "arrays" in facts(path)


@pytest.mark.slow
def test_a_process_lost_in_the_middle_of_an_array(path: Path) -> None:
    facts(path)
    (pid,) = idle()
    with pytest.raises(Damaged, match="died"), inspected(path) as (_, blocks):
        os.kill(pid, signal.SIGKILL)
        list(blocks("actions"))
    assert idle() == []


@pytest.mark.slow
def test_an_array_that_was_not_read_to_its_end(path: Path) -> None:
    """The process that still sends it serves no other file."""
    with inspected(path) as (_, blocks):
        next(blocks("actions"))
    assert idle() == []


def test_an_endless_answer_is_not_kept(path: Path, monkeypatch) -> None:
    noise = "import os, sys\nwhile True: os.write(int(sys.argv[1]), b'x' * 1000)"
    monkeypatch.setattr(inspector, "_START", noise)
    with pytest.raises(Damaged, match="died"):
        facts(path)


def test_close_leaves_no_process(path: Path) -> None:
    facts(path)
    (pid,) = idle()
    inspector.close_idle()
    assert not Path(f"/proc/{pid}").exists()


KILLED = """
import os, signal, sys
from pathlib import Path
from qipo_ray.data import inspector
for kill in (False, True):
    with inspector.inspected(Path(sys.argv[1])) as (_, blocks):
        if kill:
            next(blocks("actions"))
            os.kill(os.getpid(), signal.SIGKILL)
    print(inspector._idle[os.getpid()][0]._process.pid, flush=True)
"""


@pytest.mark.slow
def test_nothing_is_left_of_a_killed_program(path: Path) -> None:
    """Its reading process ends with it: the pipe that both hold comes to its end."""
    command = [sys.executable, "-c", KILLED, str(path)]
    before = set(path.parent.iterdir())
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        pid = int(process.stdout.readline())
        assert process.wait() == -signal.SIGKILL
    with contextlib.suppress(ProcessLookupError):  # it is gone already
        reader = os.pidfd_open(pid)
        ended, _, _ = select.select([reader], [], [], 60)
        os.close(reader)
        assert ended, "the reading process is still there"
    assert set(path.parent.iterdir()) == before


ENDLESS = """
import sys
from qipo_ray.data import inspector
def contents(path):
    while True: pass
inspector.contents = contents
inspector.serve(int(sys.argv[1]))
"""


@pytest.mark.slow
def test_the_processor_time_of_a_process_is_limited(path: Path, monkeypatch) -> None:
    """By itself, as it must be where nobody waits for it any more; it is no damage of the file."""
    monkeypatch.setattr(inspector, "_START", ENDLESS)
    monkeypatch.setattr(inspector, "LIMIT_S", 0.05)
    with pytest.raises(UserError, match="point took too long: 0 s of CPU time were not enough"):
        read(path, get_task("point"))
    assert idle() == []


BUSY = """
import subprocess, sys
from qipo_ray.data import inspector
OTHER = "import time\\nwhile time.process_time() < 0.5: pass"
sound = inspector.contents
def contents(path):
    subprocess.run([sys.executable, "-c", OTHER], check=True)
    return sound(path)
inspector.contents = contents
inspector.serve(int(sys.argv[1]))
"""


@pytest.mark.slow
def test_time_that_others_take_does_not_count(path: Path, monkeypatch) -> None:
    """On a busy machine the process waits for the processor longer than it may use it."""
    monkeypatch.setattr(inspector, "_START", BUSY)
    monkeypatch.setattr(inspector, "LIMIT_S", 0.4)
    assert "arrays" in facts(path)


def test_a_larger_file_may_take_longer(path: Path) -> None:
    few = inspector.limit_s(path)
    with path.open("ab") as file:
        file.truncate(200_000_000)
    assert few < 31 and inspector.limit_s(path) == pytest.approx(inspector.LIMIT_S + 200)


@pytest.mark.slow
@pytest.mark.parametrize("libver", ["earliest", "latest"])
def test_changed_bytes_never_harm(libver: str, tmp_path: Path, columns) -> None:
    """A fault in HDF5's library ends its own process, not this one."""
    path = tmp_path / "data.hdf5"
    with h5py.File(path, "w", libver=libver) as file:
        for key, values in columns("point").items():
            file[key] = values
    content, rng = path.read_bytes(), np.random.default_rng(4)
    before, refused = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, 0
    for _ in range(150):
        changed = bytearray(content)
        for start in rng.integers(len(content), size=rng.integers(1, 5)):
            word = int(rng.choice([0, 1, 2**31, 2**32 - 1, 2**40, 2**63])).to_bytes(8, "little")
            changed[start : start + 8] = word[: len(changed) - start]
        path.write_bytes(changed)
        try:
            read(path, get_task("point"))
        except UserError as error:
            refused += 1
            assert "\n" not in str(error)
    assert refused > 15
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 100 * 1024
