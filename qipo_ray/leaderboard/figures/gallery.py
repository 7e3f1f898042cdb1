"""All figures of some results: a group for each data source and protocol, and for each search."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from qipo_ray.leaderboard.aggregate import generator
from qipo_ray.leaderboard.figures.budget import budget
from qipo_ray.leaderboard.figures.curves import curves
from qipo_ray.leaderboard.figures.drawing import ReportFigure, line_styles
from qipo_ray.leaderboard.figures.intervals import intervals
from qipo_ray.leaderboard.figures.parallel import parallel
from qipo_ray.leaderboard.figures.pareto import pareto
from qipo_ray.leaderboard.figures.profile import profile
from qipo_ray.leaderboard.figures.series import series_of
from qipo_ray.leaderboard.figures.slices import importance, slices
from qipo_ray.leaderboard.rows import Record, Row, by_setting
from qipo_ray.leaderboard.trial_results import TrialResult, trial_results
from qipo_ray.study.objective import SCORE

MAX_SEARCHES = 6  # tasks whose search gets figures


@dataclass(frozen=True)
class FigureGroup:
    """Figures that may stand side by side: of one source and protocol, or of one search."""

    title: str
    figures: tuple[ReportFigure, ...]
    note: str = ""  # what the group leaves out, and where to find it


def gallery(
    records: Sequence[Record], rows: Sequence[Row], space: Mapping[str, Any]
) -> list[FigureGroup]:
    """Return the figures of unique records; data sources never share one.

    ``rows`` are those of the leaderboard, ``space`` the searched parameters of ``sweep.yaml``.
    """
    trials = trial_results(records, space)
    searches: dict[tuple[str, str], list[TrialResult]] = {}
    for trial in trials:
        searches.setdefault((trial.task, trial.source), []).append(trial)
    groups = [*_source_groups(records, rows, trials), *_search_groups(searches)]
    return [group for group in groups if group.figures or group.note]


def _source_groups(
    records: Sequence[Record], rows: Sequence[Row], trials: Sequence[TrialResult]
) -> list[FigureGroup]:
    groups: list[FigureGroup] = []
    all_series = series_of(records)
    for setting, setting_rows in by_setting(rows):
        series = [config for config in all_series if config.setting == setting]
        styles = line_styles([config.name for config in series])
        scored = (trial for trial in trials if trial.objective == SCORE)
        searched = [trial for trial in scored if trial.source == setting.origin]
        figures = (
            intervals(setting_rows, styles),
            profile(series, styles, generator()),
            curves(series, styles),
            pareto(series, styles),
            budget(searched, series),
        )
        title = f"Data source {setting.origin}, {setting.episodes} episodes per run"
        groups.append(FigureGroup(title, _renamed(figures, f"source{len(groups) + 1}")))
    return groups


def _search_groups(searches: Mapping[tuple[str, str], Sequence[TrialResult]]) -> list[FigureGroup]:
    groups: list[FigureGroup] = []
    names = [f"{task} ({source})" for task, source in searches]
    for name, trials in [*zip(names, searches.values(), strict=True)][:MAX_SEARCHES]:
        figures = (importance(trials, generator()), slices(trials), parallel(trials))
        prefix = f"search{len(groups) + 1}"
        groups.append(FigureGroup(f"Search: {name}", _renamed(figures, prefix)))
    if names[MAX_SEARCHES:]:
        note = (
            f"Only the first {MAX_SEARCHES} searches have pictures. Without:"
            f" {', '.join(names[MAX_SEARCHES:])}."
            " Their trials stand in the folder 'records', one file a run, with purpose 'search'."
        )
        groups.append(FigureGroup("Further searches", (), note))
    return groups


def _renamed(figures: Sequence[ReportFigure | None], prefix: str) -> tuple[ReportFigure, ...]:
    """Return the figures there are, each under a name of its own."""
    return tuple(f.renamed(f"{prefix}-{f.name}") for f in figures if f is not None)
