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
    assert not any(word in " ".join(table.notes) for word in ("brackets", "interquartile", "line"))
    assert table.notes[-1] == "Departures from the paper, QIPO-OT, best; QIPO-Diff: layer-norm."


def test_latex_is_so_unless_another_view_is_asked_for(make_record: Build) -> None:
    board = from_records(records(make_record))
    compact = board.document("latex")
    assert compact.count(r"\begin{tabular}{lrrr}") == compact.count(r"\label{tab:qipo-1}") == 1
    assert rf"{HOPPER} & 12.0 $\pm$ 2.0 & \textbf{{62.0 $\pm$ 2.0}} & " in compact
    assert r"mean $\pm$ half the width of its 95 \% interval" in compact
    assert compact == from_records(records(make_record), "paper").document("latex")
    wide = from_records(records(make_record), "task").document("latex")
    assert "evaluations per action" in wide and "evaluations per action" not in compact
    old = from_records(records(make_record), schema=3).document("latex")
    assert "evaluations per action" in old and r"\label" not in old


def test_many_methods_stand_below_each_other(make_record: Build) -> None:
    one = [record for record in records(make_record) if record["task"] == HOPPER]
    lines = from_records(one).document("latex").splitlines()
    start = lines.index(r"\toprule")
    assert lines[start - 1 : start + 4] == [
        r"\begin{tabular}{lr}",
        r"\toprule",
        rf"method & {HOPPER} \\",
        r"\midrule",
        r"QIPO-OT, paper form & 12.0 $\pm$ 2.0 \\",
    ]
