"""``qipo-ray verify`` as a user runs it: its lines and its exit codes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from qipo_ray.cli.main import main
from qipo_ray.store.lease import Lease
from qipo_ray.store.records import write_record


@pytest.fixture
def results(tmp_path: Path, make_record: Any) -> Path:
    record = make_record(1.0)
    record["scores"] = [record["final"]["last"]]
    record["final"]["best"] = record["final"]["last"]
    write_record(tmp_path, record)
    return tmp_path


def test_sound_results_are_exit_code_0(results: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["verify", str(results)]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "artefacts: 0 files, 0.0 MB hashed"
    assert lines[-1] == "nothing is wrong"
    assert lines[-2] == "note artefacts: no weights: nothing to hash"


def test_a_fault_is_exit_code_1(results: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = next((results / "records").glob("*.json"))
    path.write_text("{}")
    assert main(["verify", str(results)]) == 1
    out = capsys.readouterr().out
    assert f"WRONG records/{path.name}: no check sum\n" in out and "nothing is wrong" not in out
    assert main(["verify", str(results), "--json"]) == 1
    (fault,) = json.loads(capsys.readouterr().out)["faults"]
    assert fault == {"place": f"records/{path.name}", "what": "no check sum"}


@pytest.mark.parametrize("name", ["nothing", "empty", "file", "loop"])
def test_what_is_no_sweep_is_exit_code_2(
    tmp_path: Path, name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "file").write_text("x")
    (tmp_path / "loop").symlink_to("loop")
    assert main(["verify", str(tmp_path / name)]) == 2
    printed = capsys.readouterr()
    assert printed.out == "" and printed.err.startswith(f"error: {tmp_path / name}: no sweep")
    assert printed.err.count("\n") == 1


def test_who_is_at_work_is_said_first(results: Path, capsys: pytest.CaptureFixture[str]) -> None:
    lease = Lease.take(results)
    assert main(["verify", str(results)]) == 0
    first = capsys.readouterr().out.splitlines()[0]
    assert first == f"running: {lease.holder}; only what has ended is checked"
    lease.release()
