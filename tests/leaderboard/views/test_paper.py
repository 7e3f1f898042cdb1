from __future__ import annotations

from collections.abc import Callable
from typing import Any

from qipo_ray.leaderboard import from_records
from qipo_ray.leaderboard.tables import Table

Build = Callable[..., dict[str, Any]]
Bold = Callable[..., set[object]]
Cells = Callable[[Table, str], list[Any]]
HOPPER, WALKER = "hopper-medium-v2", "walker2d-medium-v2"


def records(make_record: Build) -> list[dict[str, Any]]:
    """Two tasks; QIPO-OT in two configurations, QIPO-Diff in one that was not run on Walker."""
    runs = [
        (HOPPER, "ot", "best", (60.0, 64.0)), (WALKER, "ot", "best", (80.0, 84.0)),
        (HOPPER, "ot", "paper form", (10.0, 14.0)), (WALKER, "ot", "paper form", (20.0, 24.0)),
        (HOPPER, "vp", "best", (61.0, 62.0)),
    ]  # fmt: skip
    return [
        make_record(
            score, seed=seed, task=task, path=path, name=name, cloning=None, data=None,
            beta=3.0 + (name == "best"), departures=("layer-norm",) if name == "best" else (),
        )
        for task, path, name, scores in runs
        for seed, score in enumerate(scores)
    ]  # fmt: skip


def test_methods_are_columns_and_the_mean_is_of_whole_ones(
    make_record: Build, cells: Cells
) -> None:
    (table,) = from_records(records(make_record), "paper").tables
    titles = [column.title for column in table.columns]
    assert titles == ["task", "QIPO-OT, paper form", "QIPO-OT, best", "QIPO-Diff"]
    assert cells(table, "task") == [HOPPER, WALKER, "mean"]
    means = [[cell and cell.value for cell in cells(table, title)] for title in titles[1:]]
    assert means == [[12.0, 22.0, 17.0], [62.0, 82.0, 72.0], [61.5, None, None]]
    assert [cells(table, title)[0].bold for title in titles[1:]] == [False, True, True]
    assert table.notes[-1] == "Departures from the paper, QIPO-OT, best; QIPO-Diff: layer-norm."


def test_in_latex_it_has_a_label(make_record: Build) -> None:
    compact = from_records(records(make_record), "paper").document("latex")
    assert compact.count(r"\begin{tabular}{lrrr}") == compact.count(r"\label{tab:qipo-1}") == 1
    assert rf"{HOPPER} & 12.0 $\pm$ 2.8 & \textbf{{62.0 $\pm$ 2.8}} & " in compact
