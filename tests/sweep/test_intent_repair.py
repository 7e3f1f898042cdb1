"""A finished sweep whose files are damaged: mended or refused, never searched a second time."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from unittest.mock import Mock

import pytest

from qipo_ray.data.transitions import Dataset
from qipo_ray.errors import UserError
from qipo_ray.store.intents import read_intents
from qipo_ray.store.records import read_records
from qipo_ray.study.search_file import load_search_file
from qipo_ray.sweep.run import Options, run_sweep
from qipo_ray.train.run_record import RunContext
from qipo_ray.verify import verify

pytestmark = pytest.mark.faults

CONTEXT = RunContext("tiny", None, "search", None, "qipo-ray sweep", "2026-01-01T00:00:00+00:00")
Sweep = Callable[[Path], list[str]]


@pytest.fixture(scope="module")
def sweep(point: Dataset, without_report: None) -> Sweep:
    """A function that runs the sweep at a folder, and returns what it said."""

    def run(root: Path) -> list[str]:
        spec, screen = load_search_file(Path(__file__).with_name("tiny.yaml")), Mock()
        options = Options("local", False, None, None)
        run_sweep(spec, root, {"point": point}, CONTEXT, options, screen)
        return [call.args[0] for call in screen.line.call_args_list]

    return run


@pytest.fixture(scope="module")
def ended(sweep: Sweep, tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("ended") / "R"
    sweep(root)
    return root


@pytest.fixture
def root(ended: Path, tmp_path: Path) -> Path:
    shutil.copytree(ended, tmp_path / "R")
    return tmp_path / "R"


def flip(path: Path, at: int) -> None:
    data = bytearray(path.read_bytes())
    data[at] ^= 1
    path.write_bytes(data)


def identities(root: Path) -> list[str]:
    return [record["id"] for record in read_records(root)]


@pytest.mark.parametrize("position", range(6))
def test_a_damaged_intent_is_made_anew(
    root: Path, ended: Path, sweep: Sweep, position: int
) -> None:
    before = [{k: v for k, v in one.items() if k != "written"} for one in read_intents(ended)]
    path = root / "trials" / f"{before[position]['id']}.json"
    if position % 2:
        path.unlink()
    else:
        flip(path, 200)
    mended, nothing_to_do = sweep(root)
    assert mended == f"{path} was damaged or gone: made anew from the records of its trial"
    assert nothing_to_do.startswith("nothing to do: ")
    after = [{k: v for k, v in one.items() if k != "written"} for one in read_intents(root)]
    assert after == before and identities(root) == identities(ended)
    assert verify(root).faults == ()


def test_an_intent_that_nothing_gives_back_is_refused(root: Path, sweep: Sweep) -> None:
    first = read_intents(root)[0]["id"]
    for record in read_records(root):
        if record["trial"] == first and record["purpose"] == "search":
            (root / "records" / f"{record['id']}.json").unlink()
    flip(root / "trials" / f"{first}.json", 200)
    for _ in range(2):
        with pytest.raises(UserError, match=f"trial {first} has values in the rung log and no"):
            sweep(root)
    (root / "rungs.jsonl").unlink()
    with pytest.raises(UserError, match="trial 1 of point has no intent, and later ones have"):
        sweep(root)
    assert len(read_intents(root)) == 5


@pytest.mark.parametrize("lines", [0, 3, -1])
def test_a_log_that_lost_lines_is_refused(root: Path, sweep: Sweep, lines: int) -> None:
    log, before = root / "rungs.jsonl", identities(root)
    kept = log.read_bytes().splitlines(keepends=True)[:lines]
    if kept:
        log.write_bytes(b"".join(kept))
    else:
        log.unlink()
    for _ in range(2):
        with pytest.raises(UserError, match=r"rungs\.jsonl: rung \d of trial .* is missing"):
            sweep(root)
    assert identities(root) == before


def test_a_lost_folder_of_drivers_makes_no_line_of_the_log_old(root: Path, sweep: Sweep) -> None:
    sweep(root)
    shutil.rmtree(root / "driver")
    assert sweep(root)[0].startswith("nothing to do: ")
    assert [path.name for path in (root / "driver").iterdir()] == ["000003.json"]
    assert verify(root).faults == ()
