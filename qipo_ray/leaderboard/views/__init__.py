"""How rows are laid out: by task, family, configuration, or as in papers; comparisons."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Literal

from qipo_ray.leaderboard.aggregate import family_of
from qipo_ray.leaderboard.rows import EvalSetting, Row
from qipo_ray.leaderboard.tables import Table
from qipo_ray.leaderboard.views.config import by_config
from qipo_ray.leaderboard.views.family import by_family
from qipo_ray.leaderboard.views.paper import by_paper
from qipo_ray.leaderboard.views.task import by_task

By = Literal["task", "family", "config", "paper"]

VIEWS: Mapping[By, Callable[[EvalSetting, Sequence[Row]], Table]] = {
    "task": by_task,
    "family": by_family,
    "config": by_config,
    "paper": by_paper,
}


def views(setting: EvalSetting, rows: Sequence[Row], by: By | None) -> list[Table]:
    """Return the tables of one data source and protocol.

    Without ``by`` that is every task, and the families if one of them has several tasks.
    """
    if by is not None:
        return [VIEWS[by](setting, rows)]
    tables = [by_task(setting, rows)]
    tasks = {row.method.task for row in rows}
    if len({family_of(task) for task in tasks}) < len(tasks):
        tables.append(by_family(setting, rows))
    return tables
