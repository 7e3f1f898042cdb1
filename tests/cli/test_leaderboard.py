from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from qipo_ray.cli.main import main
from qipo_ray.leaderboard import from_records, leaderboard
from qipo_ray.store.records import write_record


@pytest.fixture
def results(tmp_path: Path, make_record: Any) -> Path:
    folder = tmp_path / "results"
    for seed, last in enumerate((40.0, 60.0)):
        one = make_record(last, seed=seed, best=70.0, name="quick[bold]start")
        write_record(folder, one)
    return folder


def test_the_table(results: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["leaderboard", str(results)]) == 0
    shown = capsys.readouterr().out
    for words in (
        "Data source: generated",
        "QIPO-OT",
        "50.0 ± 14.1",
        "+40.0 ± 14.1",
        "100 episodes",
    ):
        assert words in shown


def test_json_is_the_only_thing_on_stdout(
    results: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["leaderboard", str(results), "--json", "--output", str(tmp_path / "out")]) == 0
    captured = capsys.readouterr()
    assert json.loads(captured.out) == json.loads(leaderboard([results]).json())
    assert captured.err.count("wrote ") == 3


def test_output_holds_the_documents_and_nothing_else(results: Path, tmp_path: Path) -> None:
    folder = tmp_path / "deep" / "out"
    assert main(["leaderboard", str(results), "--output", str(folder)]) == 0
    assert sorted(path.name for path in folder.iterdir()) == [
        "leaderboard.csv",
        "leaderboard.json",
        "leaderboard.md",
    ]
    board = leaderboard([results])
    assert (folder / "leaderboard.md").read_text() == board.markdown()
    assert (folder / "leaderboard.csv").read_text() == board.csv()


def test_an_output_that_cannot_be_written_is_named(
    results: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").write_text("in the way")
    assert main(["leaderboard", str(results), "--output", str(tmp_path / "file")]) == 2
    assert "cannot write there (File exists)" in capsys.readouterr().err


def test_runs_that_all_failed_are_no_error(
    tmp_path: Path, make_record: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    one = make_record(None, state="failed")
    write_record(tmp_path, one)
    assert main(["leaderboard", str(tmp_path)]) == 0
    shown = capsys.readouterr().out
    assert "No finished run to report." in shown
    assert from_records([one]).notes[0] in shown
