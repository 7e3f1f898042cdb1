from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from qipo_ray.cli.main import main
from qipo_ray.leaderboard import Leaderboard, from_records, leaderboard
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
    assert "Intervals, which its files hold (--output FOLDER)" in " ".join(shown.split())


def test_a_note_on_brackets_stands_where_there_are_some(
    results: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["leaderboard", str(results), "--by", "family"]) == 0
    shown = " ".join(capsys.readouterr().out.split())
    assert "Intervals, in brackets, are bootstraps" in shown and "50.0 [" in shown


def test_long_lists_of_departures_are_letters_below_the_table(
    results: Path, make_record: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    many = ("raw-reward", "residual-network", "layer-norm", "online-sampler")
    for seed, departures in enumerate([many, many[:3], many, ("layer-norm",)]):
        write_record(results, make_record(30.0, seed=seed, departures=departures, name="other"))
    assert main(["leaderboard", str(results)]) == 0
    table, below = capsys.readouterr().out.split("Bold: ")[0].split("[a] ")
    assert max(map(len, table.splitlines()[4:])) <= 100
    assert all(f" {cell} " in table for cell in ("a", "b", "layer-norm"))
    assert below.splitlines() == [
        f"departures: {', '.join(many[:3])}",
        f"[b] departures: {', '.join(many)}",
    ]


def test_no_document_is_made_that_nobody_asked_for(
    results: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Leaderboard, "documents", None)
    assert main(["leaderboard", str(results)]) == 0
    assert "QIPO-OT" in capsys.readouterr().out


def test_json_is_the_only_thing_on_stdout(
    results: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["leaderboard", str(results), "--json", "--output", str(tmp_path / "out")]) == 0
    captured = capsys.readouterr()
    assert json.loads(captured.out) == json.loads(leaderboard([results]).document("json"))
    assert captured.err.count("wrote ") == 6


def test_output_holds_the_documents_and_nothing_else(results: Path, tmp_path: Path) -> None:
    folder = tmp_path / "deep" / "out"
    assert main(["leaderboard", str(results), "--output", str(folder)]) == 0
    assert sorted(path.name for path in folder.iterdir()) == [
        "leaderboard.csv",
        "leaderboard.html",
        "leaderboard.json",
        "leaderboard.md",
        "leaderboard.notes.txt",
        "leaderboard.tex",
    ]
    board = leaderboard([results])
    assert (folder / "leaderboard.md").read_text() == board.document("md")
    assert (folder / "leaderboard.csv").read_text() == board.document("csv")


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


@pytest.mark.parametrize("by", ["task", "family", "config"])
def test_by(results: Path, by: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["leaderboard", str(results), "--by", by, "--json"]) == 0
    tables = json.loads(capsys.readouterr().out)["tables"]
    assert [table["kind"] for table in tables] == [by]


def test_columns_are_those_asked_for(results: Path, capsys: pytest.CaptureFixture[str]) -> None:
    line = ["leaderboard", str(results), "--columns", "method, seed_list,last"]
    assert main(line) == 0
    (titles,) = (line for line in capsys.readouterr().out.splitlines() if line[:6] == "method")
    assert re.split(r"\s{2,}", titles.strip()) == ["method", "training seeds", "score (last)"]
    assert main([*line, "--format", "latex"]) == 0
    assert r"method & training seeds & score (last) \\" in capsys.readouterr().out
    assert main([*line, "--format", "csv"]) == 0
    assert capsys.readouterr().out.startswith("table,data,method,seed_list,last_mean,")
    assert main(["leaderboard", str(results), "--columns", "methd"]) == 2
    error = capsys.readouterr().err
    assert "no column 'methd' (did you mean 'method'?); there are task, method, name" in error


@pytest.mark.parametrize("columns", ["", "method\nlast", "method\r\nlast"])
def test_columns_on_no_line_or_on_two(
    results: Path, columns: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["leaderboard", str(results), "--columns", columns]) == 2
    error = capsys.readouterr().err
    assert f"--columns: expected names on one line, with commas between; got {columns!r}" in error
    assert error.count("\n") == 1


def test_an_old_sweep_keeps_its_files_and_shows_todays(
    results: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = results / "leaderboard"
    folder.mkdir()
    (folder / "leaderboard.json").write_text('{"schema": 3}')
    line = ["leaderboard", str(results)]
    assert main([*line, "--output", str(folder)]) == 0
    assert not (folder / "leaderboard.notes.txt").exists()
    assert (folder / "leaderboard.csv").read_text().startswith("table,task,")
    capsys.readouterr()
    assert main([*line, "--format", "csv"]) == 0
    assert capsys.readouterr().out.startswith("table,data,task,")


@pytest.mark.parametrize(
    ("word", "start"),
    [("md", "# Lead"), ("csv", "table,"), ("html", "<!DOCTYPE"), ("latex", "% "), ("json", "{")],
)
def test_one_format_is_printed(
    results: Path, word: str, start: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["leaderboard", str(results), "--format", word]) == 0
    assert capsys.readouterr().out.startswith(start)


def test_formats_asked_for_are_written(results: Path, tmp_path: Path) -> None:
    folder = tmp_path / "out"
    command = ["leaderboard", str(results), "--format", "latex, hf,csv", "--output", str(folder)]
    assert main(command) == 0
    assert {path.name for path in folder.iterdir()} == {
        "leaderboard.tex",
        "leaderboard.csv",
        "leaderboard.notes.txt",
        "huggingface",
    }
    assert len(list(folder.rglob("results_*.json"))) == 2  # QIPO and its cloning


@pytest.mark.parametrize(
    ("formats", "message"),
    [
        ("md,csv", "--format md,csv: add --output DIR"),
        ("hf", "--format hf: add --output DIR"),
        ("htm", "got 'htm' (did you mean 'html'?)"),
        ("", "--format: expected some of md, csv"),
    ],
)
def test_formats_that_cannot_be_had(
    results: Path, formats: str, message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["leaderboard", str(results), "--format", formats]) == 2
    assert message in capsys.readouterr().err


def test_literature_stands_apart_and_never_beside_generated_data(
    tmp_path: Path, make_record: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    task = "hopper-medium-v2"
    write_record(tmp_path / "real", make_record(50.0, task=task, source="d4rl"))
    write_record(tmp_path / "made", make_record(50.0, task=task))
    for folder, kinds in (("real", ["task", "literature"]), ("made", ["task"])):
        assert main(["leaderboard", str(tmp_path / folder), "--literature", "--json"]) == 0
        tables = json.loads(capsys.readouterr().out)["tables"]
        assert [table["kind"] for table in tables] == kinds
    assert main(["leaderboard", str(tmp_path / "real"), "--json"]) == 0
    assert len(json.loads(capsys.readouterr().out)["tables"]) == 1


def test_literature_changes_no_number(make_record: Any) -> None:
    one = make_record(50.0, task="hopper-medium-v2", source="d4rl")
    alone, beside = from_records([one]), from_records([one], literature=True)
    assert beside.tables[: len(alone.tables)] == alone.tables
    (published,) = beside.tables[len(alone.tables) :]
    assert published.source == "literature"
    assert {str(row[0]) for row in published.rows} == {"hopper-medium-v2"}
    header = beside.document("csv").partition("\n")[0]
    assert "published_value" in header and "published" not in alone.document("csv")
