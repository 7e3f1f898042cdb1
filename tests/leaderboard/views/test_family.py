from __future__ import annotations

from collections.abc import Callable
from typing import Any

from qipo_ray.leaderboard import from_records
from qipo_ray.leaderboard.tables import Table

Build = Callable[..., dict[str, Any]]
Bold = Callable[..., set[object]]
Cells = Callable[[Table, str], list[Any]]
HOPPER, WALKER = "hopper-medium-v2", "walker2d-medium-v2"


def test_what_misses_a_task_is_shown_and_never_leads(
    make_record: Build, bold: Bold, cells: Cells
) -> None:
    records = [
        make_record(last + seed, task=task, name=name, beta=beta, seed=seed)
        for last, task, name, beta in (
            (10.0, HOPPER, "whole", 3.0), (20.0, WALKER, "whole", 3.0), (99.0, WALKER, "half", 1.0)
        )
        for seed in (0, 1)
    ]  # fmt: skip
    (table,) = from_records(records, "family").tables
    assert bold(table, "mean") == {"whole"}
    tasks = dict(zip(cells(table, "name"), cells(table, "tasks"), strict=True))
    assert (tasks["half"], tasks["whole"]) == ("1 of 2", "2")
    assert any("misses tasks" in note for note in table.notes)


def test_less_is_better_for_the_gap(make_record: Build, bold: Bold) -> None:
    records = [
        make_record(last + seed, task=task, name=name, beta=last, cloning=None, seed=seed)
        for task in (HOPPER, WALKER)
        for name, last in (("good", 90.0), ("bad", 10.0))
        for seed in (0, 1)
    ]
    (table,) = from_records(records, "family").tables
    assert bold(table, "gap") == bold(table, "mean") == {"good"}


def test_seeds_may_differ_between_tasks(make_record: Build, cells: Cells) -> None:
    records = [
        make_record(10.0, task=task, seed=seed, name="x")
        for task, seeds in ((HOPPER, 2), (WALKER, 4))
        for seed in range(seeds)
    ]
    (table,) = from_records(records, "family").tables
    assert cells(table, "seeds")[cells(table, "name").index("x")] == "2–4"
