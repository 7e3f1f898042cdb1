"""``qipo-ray status``, ``stop`` and ``explain``: a sweep from another shell, a trial of it."""

from __future__ import annotations

from pathlib import Path

from qipo_ray.cli import output as out
from qipo_ray.cli.trials import settings_text, value_text
from qipo_ray.leaderboard.statistics.spread import Spread
from qipo_ray.leaderboard.sweep_status import SweepStatus, TaskStatus, sweep_status
from qipo_ray.leaderboard.tables import counted
from qipo_ray.leaderboard.trial_list import sweep_spec
from qipo_ray.leaderboard.trial_reasons import trial_reasons
from qipo_ray.store.lease import BEAT_EVERY_S, ask_to_stop


def status(sweep: Path, json: bool) -> None:
    """Print who drives a sweep, how far it is, and its best so far."""
    standing = sweep_status(sweep)
    if json:
        out.print_json(standing.document())
        return
    out.write(f"{standing.name}: {_driver(standing)}")
    now = standing.news
    for job in now.jobs if now is not None else ():
        out.write(f"  {job['stage']} {job['key']}: {job['updates']:,}/{job['length']:,} updates")
    for task in standing.tasks:
        for line in _task_lines(task, running=standing.driver is not None):
            out.write(line)


def stop(sweep: Path) -> None:
    """Ask the driver of a sweep to stop in order; its command goes on later."""
    sweep_spec(sweep)
    asked = ask_to_stop(sweep)
    out.write(
        f"asked {asked} to stop: it saves its jobs and ends within {BEAT_EVERY_S:.0f} seconds or "
        "so; its command goes on where it stopped"
    )


def _driver(standing: SweepStatus) -> str:
    if standing.driver is None:
        return "nobody drives it; `qipo-ray sweep` with its file does what is missing"
    text = f"driven by {standing.driver}"
    if (now := standing.news) is None:
        return text
    left = "no ETA yet" if now.seconds_left is None else f"ETA {out.minutes(now.seconds_left)}"
    jobs = counted(len(now.jobs), "job")
    return f"{text}; {now.step}, {100 * now.share:.0f} % done, {left}, {jobs} running"


def _task_lines(task: TaskStatus, *, running: bool) -> list[str]:
    """Return the lines of a task: trials by state, the best of them, the best confirmed row."""
    names = {} if running else {"running": "broken off"}
    states = ", ".join(f"{count} {names.get(s, s)}" for s, count in sorted(task.states.items()))
    begun = sum(task.states.values())
    lines = [f"{task.task}: {begun} of {task.planned} trials begun{states and f': {states}'}"]
    if (best := task.best) is not None and best.trial.score is not None:
        trial = best.trial
        score = value_text(trial, trial.score) if best.score is None else _score(best.score)
        rung = f"rung {len(trial.values)} of {len(trial.rungs)}"
        lines.append(f"  best: {score} at {rung}, trial {trial.id}: {settings_text(trial)}")
    if (row := task.confirmed) is not None:
        name = f"{row.method.name} ({row.method.preset})"
        lines.append(f"  confirmed, {counted(task.runs, 'run')}: {name} {_score(row.last)}")
    elif task.runs:
        lines.append(f"  confirmed, {counted(task.runs, 'run')}: none has a score")
    return lines


def _score(spread: Spread) -> str:
    deviation = "" if spread.std is None else f" ± {spread.std:.1f}"
    return f"{spread.mean:.1f}{deviation} ({counted(spread.count, 'seed')})"


def explain(sweep: Path, trial: str, json: bool) -> None:
    """Print what decided on a trial at each rung that it reached."""
    listed, reasons = trial_reasons(sweep, trial)
    if json:
        rungs = [reason.document(listed.objective) for reason in reasons]
        out.print_json({"trial": listed.document(), "rungs": rungs})
        return
    out.write(f"trial {listed.id} of {listed.task}: {listed.state}; {settings_text(listed)}")
    for reason in reasons:
        verb = "went on" if reason.went_on else "stopped"
        out.write(f"rung {reason.rung}, {reason.updates:,} updates: {verb}; {reason.reason}")
        rows = [
            [
                "ahead" if rival.ahead else "behind",
                value_text(rival.trial, rival.value),
                rival.trial.id,
                settings_text(rival.trial),
            ]
            for rival in reason.rivals
        ]
        if rows:
            titles = ("", "score", "came before it", "settings")
            out.print_rows(titles, rows, (False, True, False, False))
    if listed.reason and not (reasons and reasons[-1].reason == listed.reason):
        out.write(f"ended: {listed.reason}")
    elif not reasons:
        out.write("it has reached no rung yet")
