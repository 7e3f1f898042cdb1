"""Figures with one panel for each task: the panels, their titles, and one legend for all."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Protocol, TypeVar

from qipo_ray.leaderboard.figures.drawing import MAX_PANELS, panels, short_label

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


class OnTask(Protocol):
    """What belongs to one task and to data of one source."""

    @property
    def task(self) -> str: ...  # noqa: D102
    @property
    def source(self) -> str: ...  # noqa: D102


Item = TypeVar("Item", bound=OnTask)


def group_by_task(items: Iterable[Item]) -> dict[str, list[Item]]:
    """Return the items of each task, tasks and items in order."""
    groups: dict[str, list[Item]] = {}
    for item in items:
        groups.setdefault(item.task, []).append(item)
    return groups


def panel_per_task(
    groups: Mapping[str, Sequence[Item]],
    draw: Callable[[Axes, Sequence[Item]], None],
    xlabel: str,
    height: float = 2.9,
) -> Figure:
    """Return a figure of the first ``MAX_PANELS`` tasks; ``draw`` fills a panel with a group."""
    with panels(len([*groups][:MAX_PANELS]), height=height) as (figure, axes):
        for panel, group in zip(axes, groups.values(), strict=False):
            draw(panel, group)
            panel.set_title(short_label(f"{group[0].task} ({group[0].source})"))
            panel.set_xlabel(xlabel)
            panel.set_ylabel("normalised score")
        handles = {h.get_label(): h for p in axes for h in p.get_legend_handles_labels()[0]}
        figure.legend(handles=list(handles.values()), loc="outside lower center", ncols=2)
    return figure
