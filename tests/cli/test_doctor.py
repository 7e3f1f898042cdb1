"""The verb: lines and JSON, its exit code, and what a sweep needs of this machine."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from unittest.mock import create_autospec

import pytest

from qipo_ray.cli import doctor
from qipo_ray.cli.main import main
from qipo_ray.distributed.doctor import Check
from qipo_ray.distributed.job_server import JobServer, JobState
from qipo_ray.errors import Failure


def test_lines_and_json_say_the_same_and_a_failed_check_is_exit_code_1(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    checks = [Check("ray", "ok", "2.60.0"), Check("rendering", "note", "not with egl", "install")]
    monkeypatch.setattr(doctor, "check_machine", lambda results: checks)
    assert main(["doctor", "--results", str(tmp_path)]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines == ["ok    ray            2.60.0", "note  rendering      not with egl: install"]
    checks.append(Check("storage", "fail", "no", "give another"))
    assert main(["doctor", "--json"]) == 1
    last = json.loads(capsys.readouterr().out)[-1]
    assert last == {"name": "storage", "state": "fail", "message": "no", "fix": "give another"}


def test_a_sweep_is_checked_for_its_data_and_resources(
    write_file: Callable[[str], Path],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(doctor, "check_machine", lambda results: [])
    monkeypatch.setattr(doctor, "this_machine", lambda: {"CPU": 2.0})
    space = "space: {policy.beta: {loguniform: [5, 60]}}\nresources: {workers: 3}\n"
    write_file(space)
    monkeypatch.setenv("QIPO_DATA", str(tmp_path))  # nothing is made yet
    monkeypatch.setenv("QIPO_RESULTS", "relative")  # that of the line counts
    line = "search.yaml --results /r --task point --task hopper-medium-v2"
    assert main(["doctor", "--sweep", line, "--json"]) == 1
    room, point, hopper = json.loads(capsys.readouterr().out)
    assert room["state"] == "fail" and "3 workers x 1 CPU" in room["message"]
    assert point == {
        "name": "data point",
        "state": "ok",
        "message": "made at first use",
        "fix": "",
    }
    assert hopper["state"] == "fail" and "qipo-ray data get hopper-medium-v2" in hopper["fix"]
    monkeypatch.delenv("QIPO_RESULTS")
    looked: list[Path | None] = []
    monkeypatch.setattr(doctor, "check_machine", lambda results: looked.append(results) or [])
    monkeypatch.setattr(doctor, "this_machine", lambda: {"CPU": 3.0})
    assert main(["doctor", "--sweep", "search.yaml --task point"]) == 0
    assert main(["doctor", "--sweep", "search.yaml --task point --results=here"]) == 0
    assert looked == [None, Path("here")]
    capsys.readouterr()
    assert main(["doctor", "--cluster", "http://127.0.0.1:1", "--results", "here"]) == 2
    assert "a folder that vanishes with it" in capsys.readouterr().err
    assert main(["doctor", "--sweep", "search.yaml 'open"]) == 2
    assert "No closing quotation" in capsys.readouterr().err


def test_a_check_that_never_began_says_why(tmp_path: Path) -> None:
    ended = JobState("check-1", "FAILED", "", "", None, None, "runtime_env setup failed: no space")
    server = create_autospec(JobServer, instance=True, address="http://h", ray_version="2")
    server.end.return_value, server.log.return_value = ended, ""
    with pytest.raises(Failure, match="on the cluster failed: runtime_env setup failed: no space"):
        doctor.check_cluster(server, tmp_path, None, None)
