"""Why a trial was stopped, or went on: from the rung log, what it was compared with."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from qipo_ray.errors import UserError, nearest
from qipo_ray.leaderboard.trial_list import ListedTrial, listed_trials, sweep_spec
from qipo_ray.store.rung_log import LOG_FILE, RungLog
from qipo_ray.study.asha import Arrivals, decide
from qipo_ray.study.objective import plain, sign


@dataclass(frozen=True)
class Rival:
    """A trial that had come to the same rung before."""

    trial: ListedTrial
    value: float | None
    ahead: bool  # of the trial that is asked about


@dataclass(frozen=True)
class RungReason:
    """What became of a trial at a rung, in the words of the rule, and against whom."""

    rung: int  # from 1
    updates: int
    value: float | None
    went_on: bool
    reason: str
    rivals: tuple[Rival, ...]  # the best first

    def document(self, objective: str) -> dict[str, Any]:
        """Return it as plain data, values of the ``objective`` as they were measured."""
        rivals = [
            {
                "trial": rival.trial.document(),
                "value": plain(objective, rival.value),
                "ahead": rival.ahead,
            }
            for rival in self.rivals
        ]
        return {**vars(self), "value": plain(objective, self.value), "rivals": rivals}


def trial_reasons(root: Path, name: str) -> tuple[ListedTrial, list[RungReason]]:
    """Return a trial, by its id or the beginning of it, and its reasons at the rungs it reached.

    ``UserError`` if no trial of the sweep has that id, or several begin so.
    """
    spec, listed = sweep_spec(root), listed_trials(root)
    trial = _named(name, listed, root)
    arrivals = Arrivals(RungLog(root / LOG_FILE).read())
    by_id = {entry.id: entry for entry in listed}
    reasons = []
    for rung, value in enumerate(trial.values):
        values = arrivals.until(trial.task, trial.id, rung)
        last = rung == len(trial.rungs) - 1
        label = f"rung {rung + 1} of {len(trial.rungs)}"
        decision = decide(values, spec.reduction, label, sign=sign(trial.objective))
        rivals = [
            Rival(by_id[rival], score, _above(score, value))
            for rival, score in values[:-1]
            if rival in by_id
        ]
        rivals.sort(key=lambda rival: (rival.value is None, -(rival.value or 0.0)))
        reason = "the last rung stops nobody" if last else decision.reason
        reasons.append(
            RungReason(
                rung + 1,
                trial.rungs[rung],
                value,
                last or not decision.stop,
                reason,
                tuple(rivals),
            )
        )
    return trial, reasons


def _above(first: float | None, second: float | None) -> bool:
    return first is not None and (second is None or first > second)


def _named(name: str, listed: Sequence[ListedTrial], root: Path) -> ListedTrial:
    matching = [trial for trial in listed if name and trial.id.startswith(name)]
    if len(matching) != 1:
        ids = [trial.id for trial in matching or listed]
        several = f"{len(ids)} trials begin so" if matching else "no trial has that id"
        raise UserError(
            f"{name!r}: {several} in {root}{nearest(name, ids)}; `qipo-ray trials {root}` "
            "lists them"
        )
    return matching[0]
