"""All pictures of some results: a room for each data source and protocol, and for each search."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from qipo_ray.leaderboard.aggregate import generator
from qipo_ray.leaderboard.figures.budget import budget
from qipo_ray.leaderboard.figures.curves import curves
from qipo_ray.leaderboard.figures.drawing import Picture, looks
from qipo_ray.leaderboard.figures.intervals import intervals
from qipo_ray.leaderboard.figures.parallel import parallel
from qipo_ray.leaderboard.figures.pareto import pareto
from qipo_ray.leaderboard.figures.profile import profile
from qipo_ray.leaderboard.figures.series import series_of
from qipo_ray.leaderboard.figures.slices import importance, slices
from qipo_ray.leaderboard.rows import Record, Row, by_setting
from qipo_ray.leaderboard.trial_results import TrialResult, trial_results

MOST_SEARCHES = 6  # tasks whose search gets pictures


@dataclass(frozen=True)
class FigureGroup:
    """Pictures that may hang side by side: of one source and protocol, or of one search."""

    title: str
    pictures: tuple[Picture, ...]
    note: str = ""  # what the room leaves out, and where to find it


def gallery(
    records: Sequence[Record], rows: Sequence[Row], space: Mapping[str, Any]
) -> list[FigureGroup]:
    """Return the pictures of unique records; data sources never share one.

    ``rows`` are those of the leaderboard, ``space`` the searched parameters of ``sweep.yaml``.
    """
    trials = trial_results(records, space)
    rooms = _reported(records, rows, trials)
    searches: dict[tuple[str, str], list[TrialResult]] = {}
    for trial in trials:
        searches.setdefault((trial.task, trial.source), []).append(trial)
    for number, ((task, source), some) in enumerate(searches.items(), start=1):
        if number <= MOST_SEARCHES:
            rooms.append(_search(f"Search: {task} ({source})", some, number))
    more = [f"{task} ({source})" for task, source in [*searches][MOST_SEARCHES:]]
    if more:
        rooms.append(FigureGroup("Further searches", (), _without_pictures(more)))
    return [room for room in rooms if room.pictures or room.note]


def _without_pictures(searches: Sequence[str]) -> str:
    """Return the sentence about the searches beyond the first ones."""
    return (
        f"Only the first {MOST_SEARCHES} searches have pictures. Without: {', '.join(searches)}."
        " Their trials stand in the folder 'records', one file a run, with purpose 'search'."
    )


def _reported(
    records: Sequence[Record], rows: Sequence[Row], trials: Sequence[TrialResult]
) -> list[FigureGroup]:
    rooms: list[FigureGroup] = []
    every = series_of(records)
    for setting, some in by_setting(rows):
        series = [one for one in every if one.setting == setting]
        look = looks([one.name for one in series])
        searched = [trial for trial in trials if trial.source == setting.source]
        found = (
            intervals(some, look),
            profile(series, look, generator()),
            curves(series, look),
            pareto(series, look),
            budget(searched, series),
        )
        title = f"Data source {setting.source}, {setting.episodes} episodes per run"
        rooms.append(FigureGroup(title, _named(found, f"source{len(rooms) + 1}")))
    return rooms


def _search(title: str, trials: Sequence[TrialResult], number: int) -> FigureGroup:
    found = (importance(trials, generator()), slices(trials), parallel(trials))
    return FigureGroup(title, _named(found, f"search{number}"))


def _named(found: Sequence[Picture | None], room: str) -> tuple[Picture, ...]:
    """Return the pictures there are, each under a name of its own."""
    pictures = (picture for picture in found if picture is not None)
    return tuple(picture.renamed(f"{room}-{picture.name}") for picture in pictures)
