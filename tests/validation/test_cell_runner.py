"""Cells: computed once, read back, recomputed when damaged, gone on after a kill."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from qipo_ray.errors import Failure
from qipo_ray.validation.cell_runner import Cell, Result, run_cells

COUNTED: list[str] = []


@dataclass(frozen=True)
class Square(Cell):
    kind = "square"
    number: int

    @property
    def title(self) -> str:
        return f"square of {self.number}"

    def run(self) -> Result:
        return {"square": self.number**2, "process": os.getpid()}


@dataclass(frozen=True)
class Cube(Cell):
    kind = "cube"
    number: int

    @property
    def title(self) -> str:
        return f"cube of {self.number}"

    def run(self) -> Result:
        return {"cube": self.number**3}


@dataclass(frozen=True)
class Inverse(Cell):
    kind = title = "inverse"
    number: int

    def run(self) -> Result:
        return {"inverse": 1 // self.number if self.number >= 0 else os._exit(1)}


def progress(done: int, total: int, title: str) -> None:
    COUNTED.append(f"{done}/{total}")


def test_fields_and_kind_name_the_file() -> None:
    names = {Square(2).file, Square(3).file, Cube(2).file}
    assert len(names) == 3 and Square(2).file == Square(2).file


@pytest.mark.slow
def test_cells_run_elsewhere_once_and_in_order(tmp_path: Path) -> None:
    cells = [Square(3), Square(1), Square(2)]
    first = run_cells(cells, tmp_path, 2, progress)
    assert [result["square"] for result in first] == [9, 1, 4]
    assert os.getpid() not in {result["process"] for result in first}
    # The process ids are equal, too: nothing ran.
    assert run_cells(cells, tmp_path, 2, progress) == first
    (tmp_path / Square(1).file).write_bytes(b'{"square": 5, "check": "0"}')
    COUNTED.clear()
    mended = run_cells(cells, tmp_path, 1, progress)
    assert [result["square"] for result in mended] == [9, 1, 4]
    assert COUNTED == ["0/1", "1/1"]
    assert (tmp_path / f"{Square(1).file}.corrupt").exists()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("number", "line"),
    [(0, "inverse: integer division or modulo by zero"), (-1, "a process was killed, perhaps")],
)
def test_a_cell_that_fails_is_no_mistake_of_the_user(
    tmp_path: Path, number: int, line: str
) -> None:
    with pytest.raises(Failure, match=line):
        run_cells([Inverse(number)], tmp_path, 1, progress)


SCRIPT = """
import signal, sys, threading
from dataclasses import dataclass
from pathlib import Path
from qipo_ray.validation.cell_runner import Cell, run_cells

@dataclass(frozen=True)
class Endless(Cell):
    number: int
    kind = title = "endless"

    def run(self):
        print("working", flush=True)
        threading.Event().wait()

if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.default_int_handler)  # a job in the background ignores it
    run_cells([Endless(1), Endless(2)], Path(sys.argv[1]), 2, lambda *_: None)
"""


@pytest.mark.faults
@pytest.mark.parametrize("blow", [signal.SIGINT, signal.SIGKILL])
def test_no_process_outlives_the_driver(tmp_path: Path, blow: signal.Signals) -> None:
    """The workers hold the driver's stdout: it ends when the last of them is gone."""
    script = tmp_path / "endless.py"
    script.write_text(SCRIPT)
    driver = subprocess.Popen(
        [sys.executable, str(script), str(tmp_path / "cells")],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    assert driver.stdout is not None
    assert [driver.stdout.readline() for _ in range(2)] == [b"working\n"] * 2
    if blow == signal.SIGINT:
        os.killpg(driver.pid, blow)  # as a terminal does: to the workers, too
    else:
        driver.kill()
    rest, _ = driver.communicate(timeout=120)
    assert rest == b"" and driver.returncode != 0
    assert list((tmp_path / "cells").glob("*.json")) == []
