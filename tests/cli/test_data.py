from __future__ import annotations

import json
from pathlib import Path

import pytest

from qipo_ray.cli.main import main
from qipo_ray.data.tasks import task_ids


def run(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    code = main(["data", *arguments])
    captured = capsys.readouterr()
    return code, captured.out, captured.err


@pytest.fixture
def point_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Path:
    path = tmp_path / "point-small.hdf5"
    code, out, err = run(capsys, "make", "point", "--rows", "100", "--output", str(path))
    assert (code, out, err) == (0, "", f"wrote {path}\n")
    return path


def test_list_names_every_task(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = run(capsys, "list", "--json")
    rows = json.loads(out)
    assert code == 0
    assert tuple(row["id"] for row in rows) == task_ids()
    assert all(row["path"] is None for row in rows)  # the session's home is empty


def test_list_by_family(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = run(capsys, "list", "--family", "maze2d")
    assert code == 0
    assert "maze2d-umaze-v1" in out and "hopper" not in out
    code, _, err = run(capsys, "list", "--family", "maze2")
    assert (code, "did you mean 'maze2d'" in err) == (2, True)


def test_the_page_of_all_tasks(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = run(capsys, "list", "--markdown")
    assert code == 0 and out.startswith("# Tasks\n") and "| kitchen-mixed-v0 |" in out


def test_show_draws_returns(
    point_file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    svg = tmp_path / "picture.svg"
    code, out, err = run(capsys, "show", str(point_file), "--picture", str(svg))
    assert (code, err) == (0, f"wrote {svg}\n")
    assert "episodes by return" in out and out.count("█") > 4
    assert svg.read_text().startswith("<svg")
    code, _, err = run(capsys, "show", str(point_file), "--picture", str(svg))
    assert (code, "exists" in err) == (2, True)
    facts = json.loads(run(capsys, "show", str(point_file), "--json")[1])
    assert sum(facts["histogram"]["counts"]) == 4


def test_show_a_file(point_file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = run(capsys, "show", str(point_file), "--json")
    facts = json.loads(out)
    assert code == 0
    assert (facts["task"], facts["source"], facts["rows"]) == ("point", "generated", 100)
    assert (facts["episodes"], facts["observation_size"], facts["action_size"]) == (4, 2, 2)
    assert facts["return_min"] <= facts["return_mean"] <= facts["return_max"]
    code, out, _ = run(capsys, "show", str(point_file))
    assert code == 0 and "generated" in out


def test_show_needs_a_task(
    point_file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = point_file.rename(tmp_path / "mine.hdf5")
    code, _, err = run(capsys, "show", str(path))
    assert (code, "add --task" in err) == (2, True)
    code, out, _ = run(capsys, "show", str(path), "--task", "point", "--json")
    assert (code, json.loads(out)["rows"]) == (0, 100)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["show", "hopper-medum-v2"], "did you mean 'hopper-medium-v2'?"),
        (["show", "hopper-medium-v2"], "does not exist"),
        (["show", "missing-point.hdf5", "--task", "point"], "does not exist"),
        (["show", "point", "--task", "point"], "is no file"),
        (["list", "--markdown", "--json"], "whole page"),
        (["make", "hopper-medium-v2"], "no data generator"),
        (["make", "point", "--rows", "0"], "'--rows'"),
        (["make", "point", "--seed", "3"], "--output"),
    ],
)
def test_mistakes(arguments: list[str], words: str, capsys: pytest.CaptureFixture[str]) -> None:
    code, out, err = run(capsys, *arguments)
    assert (code, out) == (2, "")
    assert words in err and err.count("\n") == 1


def test_make_never_replaces_a_file(point_file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = point_file.read_bytes()
    code, _, err = run(capsys, "make", "point", "--output", str(point_file))
    assert (code, "exists" in err) == (2, True)
    assert point_file.read_bytes() == before


def test_make_into_the_cache_and_find_it_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("QIPO_DATA", str(tmp_path))
    assert run(capsys, "make", "point")[0] == 0
    code, out, _ = run(capsys, "show", "point", "--json")
    facts = json.loads(out)
    assert (code, facts["source"], Path(facts["file"]).parent) == (0, "generated", tmp_path)
