"""The tables that were written: edited, stale, missing, and of another version."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from synthetic_sweep import SEARCH

from qipo_ray.leaderboard import from_records, rows
from qipo_ray.leaderboard.formats.document import SCHEMA
from qipo_ray.store.records import read_records
from qipo_ray.verify import verify
from qipo_ray.verify.audit import Audit
from qipo_ray.verify.table_checks import check_tables, first_difference

Faults = Callable[[Path], list[tuple[str, str]]]
EXTENDED = SEARCH.replace("[100, 101]", "[100, 101, 102]")
SUFFIXES = ["csv", "json", "md", "html", "tex"]


def table(root: Path, suffix: str) -> Path:
    return root / "leaderboard" / f"leaderboard.{suffix}"


def rewrite(path: Path, **changes: Any) -> None:
    """Change the top of the JSON table; None takes a key away."""
    document = json.loads(path.read_text()) | changes
    kept = {key: value for key, value in document.items() if value is not None}
    path.write_text(json.dumps(kept, indent=2, ensure_ascii=False) + "\n")


def write_as_before(root: Path, **changes: Any) -> None:
    """Write the tables in an earlier schema, with changes to the top of the JSON one."""
    for suffix, text in from_records(read_records(root), schema=3).documents().items():
        table(root, suffix).write_text(text)
    table(root, "notes.txt").unlink()
    rewrite(table(root, "json"), **changes)


@pytest.mark.slow_after(2)
@pytest.mark.parametrize("suffix", SUFFIXES)
def test_an_edited_number_is_found(root: Path, faults: Faults, suffix: str) -> None:
    path = table(root, suffix)
    text = path.read_text()
    assert "135." in text
    path.write_text(text.replace("135.", "139.", 1))
    ((place, what),) = faults(root)
    assert place == f"leaderboard/leaderboard.{suffix}" and "not what the records give" in what


@pytest.mark.slow_after(2)
@pytest.mark.parametrize("suffix", SUFFIXES)
def test_an_edited_word_is_found(root: Path, faults: Faults, suffix: str) -> None:
    path = table(root, suffix)
    path.write_text(path.read_text().replace("search, best", "paper form", 1))
    ((place, _),) = faults(root)
    assert place == f"leaderboard/leaderboard.{suffix}"


def test_a_table_that_was_not_written_yet_is_a_remark(root: Path) -> None:
    """A sweep may be killed between its last record and its tables."""
    for suffix in ("md", "json"):
        table(root, suffix).unlink()
        verdict = verify(root)
        assert verdict.faults == () and "not written yet" in verdict.remarks[-1].what


@pytest.mark.slow
def test_a_record_that_the_tables_name_and_that_is_gone(root: Path, faults: Faults) -> None:
    for record in read_records(root):
        path = root / "records" / f"{record['id']}.json"
        whole = path.read_bytes()
        path.unlink()
        said = dict(faults(root))["leaderboard/leaderboard.json"]
        assert said == f"made of 12 records; missing: 1, such as {record['id']}"
        path.write_bytes(whole)


def test_tables_older_than_some_records_are_held_to_the_others(books: Any) -> None:
    """As after an extension that was broken off."""
    for record in read_records(books.root):
        if record["purpose"] == "confirm" and record["seed"] == 101:
            (books.root / "records" / f"{record['id']}.json").unlink()
    books.tabulate()
    books.confirm(20.0, 101)
    verdict = verify(books.root)
    assert verdict.faults == ()
    assert "older than 1 record;" in verdict.remarks[0].what
    text = table(books.root, "md").read_text()
    table(books.root, "md").write_text(text.replace("135.0", "139.0"))
    assert [one.place for one in verify(books.root).faults] == ["leaderboard/leaderboard.md"]


def test_tables_whose_writing_was_broken_off_are_not_wrong(books: Any) -> None:
    """The JSON table comes last; those before it are of all records already."""
    before = table(books.root, "json").read_bytes()
    books.specify(EXTENDED)
    books.confirm(20.0, 102)
    books.tabulate()
    table(books.root, "json").write_bytes(before)
    verdict = verify(books.root)
    assert verdict.faults == () and "older than 1 record;" in verdict.remarks[0].what
    text = table(books.root, "csv").read_text()
    table(books.root, "csv").write_text(text.replace("135.0", "139.0").replace("135.5", "139.5"))
    assert [one.place for one in verify(books.root).faults] == ["leaderboard/leaderboard.csv"]


@pytest.mark.parametrize(
    ("changes", "by"),
    [
        ({"version": "0.0.9"}, "written by qipo_ray 0.0.9: the scores"),
        ({"version": None, "records": None}, "written by another version of qipo_ray: the scores"),
        ({"schema": 1}, "written by another version of qipo_ray: the scores"),
    ],
)
def test_tables_in_the_words_of_another_version_are_not_wrong(
    root: Path, changes: dict[str, Any], by: str
) -> None:
    """Their scores are compared all the same, and how to write them anew is said."""
    write_as_before(root, **changes)
    for suffix in ("md", "html", "tex"):
        text = table(root, suffix).read_text()
        assert "Last checkpoint" in text
        table(root, suffix).write_text(text.replace("Last checkpoint", "The last one"))
    verdict = verify(root)
    assert verdict.faults == ()
    (remark,) = verdict.remarks
    assert remark.place == "leaderboard" and remark.what.startswith(by)
    counts = re.findall(r"(\d+) in leaderboard\.(\w+)", remark.what)
    assert {suffix for _, suffix in counts} == set(SUFFIXES)
    assert all(int(count) >= 4 for count, _ in counts)
    assert f"qipo-ray leaderboard {root} --output {root / 'leaderboard'}" in remark.what


def test_tables_of_a_simulator_that_has_changed_since_are_not_wrong(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rows, "physics", lambda task: 2)
    verdict = verify(root)
    assert verdict.faults == ()
    (remark,) = verdict.remarks
    assert "nothing else was compared; qipo-ray leaderboard" in remark.what


@pytest.mark.slow_after(2)
@pytest.mark.parametrize("suffix", SUFFIXES)
def test_a_score_that_was_edited_is_found_in_tables_of_any_version(
    root: Path, faults: Faults, suffix: str
) -> None:
    write_as_before(root, schema=1)
    path = table(root, suffix)
    path.write_text(path.read_text().replace("135.5", "139.5"))
    ((place, what),) = faults(root)
    assert place == f"leaderboard/leaderboard.{suffix}"
    assert "not what the records give: 139.5 ± 0.7" in what


@pytest.mark.slow_after(2)
@pytest.mark.parametrize("text", ["", "[1]", "{", "null", '{"records": [1]}', "[" * 99_999])
def test_a_json_table_that_is_none(root: Path, faults: Faults, text: str) -> None:
    table(root, "json").write_text(text)
    assert [place for place, _ in faults(root)] == ["leaderboard/leaderboard.json"]


def test_texts_may_differ_in_the_last_digits_only() -> None:
    assert first_difference("a 1.25 b\n", "a 1.25000000000001 b\n") is None
    assert first_difference("a 1.25 b\n", "a 1.26 b\n") == "line 1: 'a 1.25 b', not 'a 1.26 b'"
    assert first_difference("a\n", "a\nb\n") == "line 2: 'nothing', not 'b'"
    assert first_difference("-1.5e-3", "1.5e-3") is not None


@pytest.mark.parametrize("schema", [1, 2])
def test_tables_of_an_earlier_schema_are_read(tmp_path: Path, schema: int) -> None:
    """Real ones, written from the records of schema 1: their scores are compared, and no more."""
    old = Path(__file__).parent / "fixtures" / f"leaderboard-{schema}.json"
    records = Path(__file__).parents[1] / "store" / "fixtures" / "schema-1" / "records"
    assert json.loads(old.read_bytes())["schema"] == schema < SCHEMA
    shutil.copytree(records, tmp_path / "records")
    path = table(tmp_path, "json")
    path.parent.mkdir()
    shutil.copy(old, path)
    found = Audit(tmp_path, records=read_records(tmp_path))
    check_tables(found, complete=False)
    assert found.faults == []
    (remark,) = found.remarks
    assert re.search(r"the scores \(\d+ in leaderboard.json\) are in the records", remark.what)
    path.write_text(path.read_text().replace("35.4974", "36.4974"))
    check_tables(found, complete=False)
    assert [one.place for one in found.faults] == ["leaderboard/leaderboard.json"]
