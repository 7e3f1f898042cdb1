from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from qipo_ray.leaderboard.figures.drawing import MAX_PANELS
from qipo_ray.leaderboard.figures.task_panels import group_by_task, panel_per_task

if TYPE_CHECKING:
    from matplotlib.axes import Axes


@dataclass(frozen=True)
class Point:
    task: str
    source: str
    value: float


def test_tasks_and_items_stay_in_order() -> None:
    points = [Point(task, "d4rl", value) for value, task in enumerate("baba")]
    groups = group_by_task(points)
    assert [*groups] == ["b", "a"] and groups["b"] == [points[0], points[2]]


def test_each_of_the_first_tasks_has_a_panel_and_a_label_stands_once() -> None:
    groups = group_by_task(Point(f"task-{i}", "d4rl", i) for i in range(MAX_PANELS + 2))

    def draw(panel: Axes, group: Sequence[Point]) -> None:
        panel.plot([0], [group[0].value], label="value")

    figure = panel_per_task(groups, draw, "updates")
    titles = [panel.get_title(loc="left") for panel in figure.axes]
    assert titles == [f"task-{i} (d4rl)" for i in range(MAX_PANELS)]
    assert {panel.get_xlabel() for panel in figure.axes} == {"updates"}
    (legend,) = figure.legends
    assert [text.get_text() for text in legend.get_texts()] == ["value"]
