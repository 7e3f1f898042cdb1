"""What rows are called: no two of a task alike, and the same in tables, pictures and exports."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from qipo_ray.leaderboard import from_records
from qipo_ray.leaderboard.aggregate import family_of
from qipo_ray.leaderboard.figures.series import series_of
from qipo_ray.leaderboard.formats.huggingface import results_files
from qipo_ray.leaderboard.labels import config_labels, row_labels
from qipo_ray.leaderboard.rows import Method, collect, method_of
from qipo_ray.leaderboard.views import By

Build = Callable[..., dict[str, Any]]
HOPPER, WALKER = "hopper-medium-v2", "walker2d-medium-v2"


def called(records: list[dict[str, Any]], kind: str = "run") -> dict[Method, str | None]:
    rows, _ = collect(records)
    return {
        m: label for m, label in config_labels(r.method for r in rows).items() if m.kind == kind
    }


def test_a_name_that_stands_for_one_configuration_is_enough(make_record: Build) -> None:
    tuned = [make_record(1.0, task=task, beta=len(task), name="best") for task in (HOPPER, WALKER)]
    assert list(called(tuned).values()) == ["best", "best"]


def test_two_configurations_of_one_name_get_their_hash_on_every_task(make_record: Build) -> None:
    records = [
        make_record(1.0, task=task, beta=beta, name="best", cloning=None)
        for task, beta in ((HOPPER, 1.0), (HOPPER, 2.0), (WALKER, 1.0))
    ]
    found = called(records)
    assert len(found) == 3
    for method, label in found.items():
        assert label == f"best {(method.config or '')[:8]}"


def test_the_name_of_another_method_or_protocol_is_another_name(make_record: Build) -> None:
    records = [
        make_record(1.0, name="best"),
        make_record(1.0, name="best", path="vp", beta=2.0),
        make_record(1.0, name="best", beta=4.0, episodes=10),
    ]
    assert list(called(records).values()) == ["best", "best", "best"]


def test_a_configuration_without_a_name_is_its_hash(make_record: Build) -> None:
    one = make_record(1.0)
    assert list(called([one, make_record(2.0, beta=7.0)]).values())[0] == one["config_hash"][:8]
    assert list(called([one], "data").values()) == [None]


@pytest.mark.parametrize(
    ("other", "ending"),
    [
        ({"sha256": "b" * 64}, ("file aaaaaaaa", "file bbbbbbbb")),
        ({"sampler": "heun"}, ("heun 10", "midpoint 10")),
        ({"steps": 12}, ("midpoint 10", "midpoint 12")),
        ({"selection_episodes": 9}, ("0 selection episodes", "9 selection episodes")),
    ],
    ids=lambda value: str(value)[:20],
)
def test_rows_of_one_configuration_say_what_else_differs(
    make_record: Build, other: dict[str, Any], ending: tuple[str, str]
) -> None:
    found = called([make_record(1.0, name="x"), make_record(2.0, name="x", seed=1, **other)])
    assert sorted(str(label) for label in found.values()) == [f"x {end}" for end in ending]


def test_the_data_of_two_files_are_told_apart(make_record: Build) -> None:
    found = called([make_record(1.0), make_record(2.0, sha256="b" * 64)], "data")
    assert sorted(map(str, found.values())) == ["file aaaaaaaa", "file bbbbbbbb"]


def test_phrases(make_record: Build) -> None:
    methods = [method_of(make_record(1.0, name="paper form")), method_of(make_record(1.0))]
    assert list(row_labels(methods).values())[0] == "QIPO-OT, paper form"
    (data,) = (row.method for row in collect([make_record(1.0)])[0] if row.method.kind == "data")
    assert row_labels([data]) == {data: "data"}


@pytest.mark.parametrize("by", [None, "task", "family", "config"])
def test_every_table_picture_and_export_uses_the_label(make_record: Build, by: By | None) -> None:
    records = [
        make_record(last + seed, seed=seed, task=task, beta=last, name="search, best")
        for task in (HOPPER, WALKER)
        for last in (10.0, 90.0)
        for seed in (0, 1)
    ]
    expected = {f"search, best {one['config_hash'][:8]}" for one in records}
    assert len(expected) == 2
    board = from_records(records, by)
    for table in board.tables:
        place = [column.key for column in table.columns].index("name")
        assert expected <= {row[place] for row in table.rows}
        assert "search, best" not in {row[place] for row in table.rows}
    for name, text in board.documents().items():
        assert name == "notes.txt" or all(label in text for label in expected)
    assert {one.name for one in series_of(records)} == {f"QIPO-OT, {one}" for one in expected}
    models = [json.loads(text)["config"] for text in results_files(board.rows).values()]
    assert expected <= {model["configuration"] for model in models}
    assert family_of(HOPPER) == family_of(WALKER)
