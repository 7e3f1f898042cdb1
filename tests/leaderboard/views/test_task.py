from __future__ import annotations

from collections.abc import Callable
from typing import Any

from qipo_ray.leaderboard import from_records
from qipo_ray.leaderboard.tables import Score, Table

Build = Callable[..., dict[str, Any]]
Bold = Callable[..., set[object]]
Cells = Callable[[Table, str], list[Any]]
HOPPER, WALKER = "hopper-medium-v2", "walker2d-medium-v2"


def test_intervals_do_not_depend_on_what_else_is_in_the_table(
    make_records: Callable[..., list[dict[str, Any]]], cells: Cells
) -> None:
    few, many = make_records([HOPPER], 2, 5), make_records([HOPPER, WALKER], 2, 5)

    def scores(records: list[dict[str, Any]]) -> dict[str, Score]:
        (table, *_) = from_records(records, "task").tables
        keys = ("task", "config", "last")
        rows = zip(*(cells(table, key) for key in keys), strict=True)
        return {config: last for task, config, last in rows if task == HOPPER and config}

    alone, both = scores(few), scores(many)
    assert alone
    assert all(both[key].interval == score.interval for key, score in alone.items())


def test_a_configuration_that_the_search_stopped_says_so_in_its_row(
    make_record: Build, cells: Cells
) -> None:
    def run(trial: str, purpose: str, state: str, rung: int | None) -> dict[str, Any]:
        beta = {"a": 3.0, "b": 9.0}[trial]
        record = make_record(40.0, task=HOPPER, beta=beta, purpose=purpose, state=state)
        record |= {"trial": trial, "reached": {"updates": 10, "rung": rung}}
        record["label"]["name"] = f"search, best {trial}"
        return record

    records = [
        run("a", "search", "finished", 2), run("a", "confirm", "finished", None),
        run("b", "search", "pruned", 0), run("b", "confirm", "finished", None),
    ]  # fmt: skip
    (table, *_) = from_records(records, "task").tables
    names = {"search, best a", "search, best b, stopped at rung 1"}
    assert {*cells(table, "name")} >= names
    (older, *_) = from_records(records, "task", schema=3).tables
    assert {*cells(older, "name")} >= {"search, best a", "search, best b"}
