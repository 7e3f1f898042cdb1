"""How a number was measured stands beside it, whatever the view and whatever the format."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable
from typing import Any

import pytest

from qipo_ray.leaderboard import Leaderboard, from_records
from qipo_ray.leaderboard.tables import Table
from qipo_ray.leaderboard.views import By

Build = Callable[..., dict[str, Any]]
HOPPER, WALKER = "hopper-medium-v2", "walker2d-medium-v2"
VIEWS: tuple[By, ...] = ("task", "family", "config")
NOTE = "rewards were shifted by hand"


@pytest.fixture
def records(make_record: Build) -> list[dict[str, Any]]:
    found = [
        make_record(
            40.0, seed=seed, task=task, source="other", name="mine", cloning=None, data=None,
            departures=("layer-norm",), episodes=73, env_seeds="5001..5073", sampler="heun",
            steps=19, best_of=6, clip=False, selection_episodes=4100 + len(task),
        )
        for task in (HOPPER, WALKER)
        for seed in (811, 812)
    ]  # fmt: skip
    for record in found:
        record["data"]["notes"] = [NOTE]
    return found


def spent(by: By, task: str = HOPPER) -> int:
    """Selection episodes of a line: of one task, or of both together."""
    return 4100 + len(task) if by == "task" else 8200 + len(HOPPER) + len(WALKER)


@pytest.mark.parametrize("by", VIEWS)
def test_documents(records: list[dict[str, Any]], by: By) -> None:
    board = from_records(records, by)
    for text in (board.document("md"), board.document("html"), board.document("latex")):
        plain = text.replace("\\", "").replace("{-}", "-")
        for words in (
            "Data source: other", "layer-norm", "73 episodes per run",
            "environment seeds 5001..5073", "the best of 6 actions per state", "not clipped",
            "heun", "19", str(spent(by)), "training seeds (811, 812)", NOTE,
        ):  # fmt: skip
            assert words in plain, words


@pytest.mark.parametrize("by", VIEWS)
def test_files(records: list[dict[str, Any]], by: By) -> None:
    board = from_records(records, by)
    expected = {
        "departures": "layer-norm", "episodes": 100, "sampler": "heun", "steps": 19,
        "selection_episodes": spent(by), "source": "other", "seed_list": "811 812",
        "env_seeds": "5001..5073", "best_of": 6, "clip": False, "data_notes": NOTE,
    }  # fmt: skip
    (table,) = json.loads(board.document("json"))["tables"]
    row = table["rows"][0]
    assert {key: row[key] for key in expected} == expected
    assert set(row["dataset"].split()) == {"a" * 64}
    assert set(row["config"].split()) == {records[0]["config_hash"]}
    (line, *_) = csv.DictReader(io.StringIO(board.document("csv")))
    for key, value in expected.items():
        assert line[key] == ("no" if value is False else str(value)), key
    if by != "task":
        assert row["task_list"] == line["task_list"] == f"{HOPPER} {WALKER}"


@pytest.mark.parametrize("by", VIEWS)
def test_captions_and_notes_are_in_every_format(
    records: list[dict[str, Any]], make_record: Build, by: By
) -> None:
    board = from_records([*records, make_record(None, seed=9, state="failed")], by)
    (table,) = board.tables
    document = json.loads(board.document("json"))
    (found,) = document["tables"]
    assert (found["caption"], found["notes"]) == (table.caption, list(table.notes))
    assert found["footnotes"] == list(table.footnotes)
    assert document["notes"] == list(board.notes) and len(board.notes) == 1
    assert board.documents(["csv"])["notes.txt"].splitlines() == [
        f"{table.title}: {words}" for words in (table.caption, *table.notes, *table.footnotes)
    ] + [*board.notes]
    assert any(NOTE in note for note in (*table.notes, *table.footnotes))


def lines(board: Leaderboard) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = json.loads(board.document("json"))["tables"][0]["rows"]
    return rows


@pytest.mark.parametrize("by", ["family", "config"])
@pytest.mark.parametrize("other", [{"sampler": "heun"}, {"steps": 20}])
def test_samplers_and_steps_are_never_averaged(
    make_record: Build, by: By, other: dict[str, Any]
) -> None:
    records = [
        make_record(10.0, task=HOPPER, name="x", cloning=None, data=None),
        make_record(90.0, task=WALKER, name="x", cloning=None, data=None, **other),
    ]
    found = lines(from_records(records, by))
    assert sorted(row["mean"]["value"] for row in found) == [10.0, 90.0]
    assert len({(row["sampler"], row["steps"]) for row in found}) == 2


@pytest.mark.parametrize("by", ["family", "config"])
def test_departures_that_hold_for_some_tasks_are_counted(make_record: Build, by: By) -> None:
    records = [
        make_record(10.0, task=HOPPER, name="x", cloning=None, data=None, departures=("a", "b")),
        make_record(90.0, task=WALKER, name="x", cloning=None, data=None, departures=("a",)),
    ]
    (row,) = lines(from_records(records, by))
    assert row["departures"] == "a, b (on 1 of 2 tasks)"


def bold_cells(table: Table) -> list[bool]:
    return [getattr(cell, "bold", False) for row in table.rows for cell in row]


@pytest.mark.parametrize("by", VIEWS)
def test_nothing_is_bold_where_the_best_has_a_single_seed(make_record: Build, by: By) -> None:
    """And a single run inside the interval of a best with several is."""
    best = [make_record(last, seed=s, name="best") for s, last in enumerate((40.0, 60.0))]
    single = make_record(45.0, name="single", beta=9.0)
    (table,) = from_records([*best, single], by).tables
    assert any(bold_cells(table))
    names = [column.key for column in table.columns].index("name")
    assert {row[names] for row in table.rows if any(bold_cells(one_row(table, row)))} >= {"single"}
    lucky = make_record(61.0, name="lucky", beta=7.0)
    (table,) = from_records([*best, single, lucky], by).tables
    assert not any(bold_cells(table))
    assert any("nothing is, where the best has a single seed" in note for note in table.notes)


def one_row(table: Table, row: tuple[Any, ...]) -> Table:
    return Table(table.title, table.caption, table.source, table.columns, (row,))


def test_the_data_are_a_line_and_no_competitor(
    make_record: Build, bold: Callable[..., set[object]]
) -> None:
    records = [make_record(10.0, data=80.0, seed=seed) for seed in range(2)]
    for by in ("task", "family", "config"):
        (table,) = from_records(records, by).tables  # type: ignore[arg-type]
        key = {"task": "last", "family": "mean", "config": "mean"}[by]
        assert bold(table, key, by="method") == {"behaviour cloning (OT)", "QIPO-OT"}


def test_families_follow_the_tasks_where_one_has_several(make_record: Build) -> None:
    def kinds(*tasks: str) -> list[str]:
        records = [make_record(1.0, task=task) for task in tasks]
        return [table.kind for table in from_records(records).tables]

    assert kinds(HOPPER, "maze2d-umaze-v1") == ["task"]
    assert kinds(HOPPER, WALKER, "maze2d-umaze-v1") == ["task", "family"]
