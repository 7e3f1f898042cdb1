"""``qipo-ray trials``: what a search has tried so far, and how far each trial came."""

from __future__ import annotations

from pathlib import Path

from qipo_ray.cli import output as out
from qipo_ray.errors import UserError, nearest
from qipo_ray.leaderboard.tables import counted
from qipo_ray.leaderboard.trial_list import ListedTrial, listed_trials
from qipo_ray.study.objective import SCORE, merit_text
from qipo_ray.study.task_file import task_id_of

NUMBERS = (False, False, False, True, True, False, False)


def trials(sweep: Path, task: str | None, json: bool) -> None:
    """Print the trials of a sweep's folder, those with the best scores first."""
    listed = listed_trials(sweep)
    tasks = list(dict.fromkeys(trial.task for trial in listed))
    if task is not None:
        named = task_id_of(task)
        asked = [name for name in tasks if named in (name, name.partition("@")[0])]
        if not asked:
            has = f"it has {', '.join(tasks)}" if tasks else "it has no trial yet"
            raise UserError(
                f"--task {task}: no trial of it in {sweep}{nearest(task, tasks)}; {has}"
            )
        listed = [trial for trial in listed if trial.task in asked]
    if json:
        out.print_json([trial.document() for trial in listed])
        return
    compared = "score" if all(trial.objective == SCORE for trial in listed) else "value"
    out.print_rows(
        ("task", "trial", "state", "rung", compared, "settings", "why"),
        [_cells(trial) for trial in sorted(listed, key=lambda trial: (trial.task, trial.rank))],
        NUMBERS,
    )
    running = sum(not trial.state.ended for trial in listed)
    out.remark(f"{counted(len(listed), 'trial')}, {running} running")


def _cells(trial: ListedTrial) -> list[str]:
    return [
        trial.task,
        trial.id,
        str(trial.state),
        f"{len(trial.values)}/{len(trial.rungs)}",
        value_text(trial, trial.score),
        settings_text(trial),
        trial.reason or "",
    ]


def settings_text(trial: ListedTrial) -> str:
    """Return the searched settings of a trial on one line."""
    settings = ", ".join(f"{key}={value}" for key, value in trial.params.items())
    return settings or ("paper form" if trial.origin == "paper" else "–")


def value_text(trial: ListedTrial, value: float | None) -> str:
    """Return a value of a trial's search as people read it: a score, or its objective's number."""
    return "–" if value is None else merit_text(trial.objective, value).removeprefix("score ")
