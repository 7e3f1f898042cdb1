"""``qipo-ray reproduce`` and ``verify`` as a user runs them, on the `point` task."""

from __future__ import annotations

import json
import platform
import shlex
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from qipo_ray.cli.main import main
from qipo_ray.store.files import sealed, unsealed
from qipo_ray.store.records import read_records
from qipo_ray.sweep.run_recorder import RunRecorder


@pytest.fixture(scope="module")
def trained(train_point: Callable[..., Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The results of one tiny run of another seed than 0."""
    return train_point(tmp_path_factory.mktemp("reproduce") / "R", seeds="3")


def the_record(results: Path) -> Path:
    (path,) = (results / "records").glob("*.json")
    return path


def changed(path: Path, **fields: Any) -> None:
    """Seal a record with other fields, as a forger would."""
    path.write_bytes(sealed(unsealed(path.read_bytes()) | fields))


@pytest.mark.slow
def test_the_printed_command_gives_the_number_to_the_last_bit(
    trained: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    again = tmp_path / "again"
    assert main(["reproduce", str(the_record(trained)), "--results", str(again)]) == 0
    printed = capsys.readouterr()
    program, *arguments = shlex.split(printed.out)
    told = [line for line in printed.err.splitlines() if "the source had changes" not in line]
    assert program == "qipo-ray" and told == []
    assert main(arguments) == 0
    (old,), (new,) = read_records(trained), read_records(again)
    assert new["final"]["last"] == old["final"]["last"] and new["scores"] == old["scores"]


@pytest.mark.slow
def test_a_run_trains_anew_and_compares(
    trained: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    again = tmp_path / "again"
    line = ["reproduce", str(the_record(trained)), "--run", "--results", str(again)]
    assert main(line) == 0
    printed = capsys.readouterr()
    assert "1 run, 3 jobs (0 done before)" in printed.err
    assert printed.out.strip().endswith("equal to the last bit; so are, beside it, cloning")
    assert main(line) == 2  # the run is there now
    assert f"--results {again}: it is not empty" in capsys.readouterr().err

    forged = shutil.copytree(trained, tmp_path / "forged")
    final = unsealed(the_record(forged).read_bytes())["final"]
    final["last"]["mean"] += 1e-9
    changed(the_record(forged), final=final)
    line = ["reproduce", str(the_record(forged)), "--run", "--results", str(tmp_path / "more")]
    assert main(line) == 1
    assert "the mean return differs by -1e-09" in capsys.readouterr().out


@pytest.mark.slow
@pytest.mark.parametrize("what", ["records", "artefacts", "another file"])
def test_a_record_is_never_held_against_itself(
    what: str, point_run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The folder of the record, and folders that hold a part of it, are refused."""
    folder = tmp_path / "folder"
    if what == "another file":
        folder.mkdir()
        (folder / "mine.txt").touch()
    else:
        shutil.copytree(point_run / what, folder / what)
    before = sorted(folder.rglob("*"))
    for refused in (point_run, folder):
        line = ["reproduce", str(the_record(point_run)), "--run", "--results", str(refused)]
        assert main(line) == 2
        told = capsys.readouterr()
        assert told.out == "" and "what is found there is not trained anew" in told.err
    assert sorted(folder.rglob("*")) == before


@pytest.mark.slow
def test_a_comparison_that_was_broken_off_goes_on(
    point_run: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    again = tmp_path / "again"
    line = ["reproduce", str(the_record(point_run)), "--run", "--results", str(again)]

    def interrupt(*args: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(RunRecorder, "write", interrupt)
        assert main(line) == 130
    capsys.readouterr()
    assert not (again / "records").exists() and (again / "artefacts").exists()
    assert main(line) == 0
    assert "1 run, 3 jobs (3 done before)" in capsys.readouterr().err


@pytest.mark.parametrize("state", ["failed", "pruned"])
def test_a_record_without_a_score_is_no_number_to_compare(
    state: str, point_run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    other = shutil.copytree(point_run, tmp_path / "other")
    final = dict.fromkeys(unsealed(the_record(other).read_bytes())["final"])
    changed(the_record(other), state=state, reason="the node died", final=final, scores=[])
    line = ["reproduce", str(the_record(other)), "--results", str(tmp_path / "x")]
    assert main(line) == 0
    assert capsys.readouterr().out.startswith("qipo-ray train")
    assert main([*line, "--run"]) == 2
    assert f"the run {state} without a score" in capsys.readouterr().err
    assert not (tmp_path / "x").exists()


def test_a_device_that_is_not_here_is_refused(
    point_run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    line = ["reproduce", str(the_record(point_run)), "--device", "cuda:99"]
    for more in ([], ["--run", "--results", str(tmp_path / "x")]):
        assert main([*line, *more]) == 2
        assert "--device 'cuda:99' cannot be used here" in capsys.readouterr().err
    assert not (tmp_path / "x").exists()


def test_where_it_was_trained_is_recorded_and_told(
    point_run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    record = unsealed(the_record(point_run).read_bytes())
    found = record["provenance"]["hardware"]
    assert (found["device"], found["threads"], found["accelerator"]) == ("cpu", 1, None)
    assert found["cpu"] and found["machine"] == platform.machine()
    other = shutil.copytree(point_run, tmp_path / "other")
    there = found | {"device": "cuda", "accelerator": "NVIDIA H100", "threads": 4}
    changed(the_record(other), provenance=record["provenance"] | {"hardware": there})
    assert main(["reproduce", str(the_record(other)), "--device", "cpu"]) == 0
    told = capsys.readouterr()
    lines = [line for line in told.err.splitlines() if "the source had changes" not in line]
    assert lines == [
        "differs: device: cuda there, cpu here",
        "differs: accelerator: NVIDIA H100 there, unknown here",
        "differs: threads: 4 there, 1 here",
    ]
    assert "--device" not in told.out
    assert main(["reproduce", str(the_record(other))]) == 0
    assert "--device cuda" in capsys.readouterr().out


def test_what_differs_here_is_said(
    point_run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    other = shutil.copytree(point_run, tmp_path / "other")
    path = the_record(other)
    record = unsealed(path.read_bytes())
    changed(
        path,
        provenance=record["provenance"] | {"python": "2.7.18"},
        data=record["data"] | {"sha256": "f" * 64},
    )
    assert main(["reproduce", str(path)]) == 0
    printed = capsys.readouterr()
    assert "differs: Python: 2.7.18 there" in printed.err
    assert "differs: data: SHA-256 ffffffffffff... there" in printed.err
    assert main(["reproduce", str(path), "--run", "--results", str(tmp_path / "x")]) == 2
    assert "it cannot give the same number; use --data" in capsys.readouterr().err
    assert not (tmp_path / "x").exists()


def test_no_record_is_a_users_mistake(
    point_run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["reproduce", str(tmp_path / "none.json")]) == 2
    assert "expected a record's file" in capsys.readouterr().err
    assert main(["reproduce", str(point_run), "--best"]) == main(
        ["reproduce", str(the_record(point_run))]
    )
    best, named = capsys.readouterr().out.splitlines()
    assert best == named
    broken = tmp_path / the_record(point_run).name
    broken.write_bytes(the_record(point_run).read_bytes()[:-9])
    assert main(["reproduce", str(broken)]) == 2
    assert "not a valid record" in capsys.readouterr().err


def test_verify_says_what_is_wrong_and_exits_with_1(
    point_run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["verify", str(point_run)]) == 0
    assert capsys.readouterr().out.endswith("nothing is wrong\n")
    spoilt = shutil.copytree(point_run, tmp_path / "spoilt")
    path = next(spoilt.glob("artefacts/policy-*/*.pt"))
    path.write_bytes(path.read_bytes()[:-1] + b"?")
    assert main(["verify", str(spoilt)]) == 1
    lines = capsys.readouterr().out.splitlines()
    wrong = [line for line in lines if line.startswith("WRONG")]
    assert len(wrong) == 2 and path.parent.name in wrong[0] and "SHA-256" in wrong[0]
    assert main(["verify", str(spoilt), "--json"]) == 1
    document = json.loads(capsys.readouterr().out)
    assert [one["what"] for one in document["faults"]] == [w.split(": ", 1)[1] for w in wrong]
    assert main(["verify", str(tmp_path / "none")]) == 2
    assert "no sweep" in capsys.readouterr().err
