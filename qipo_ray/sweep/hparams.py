"""TensorBoard's HParams page: a line per configuration, with what it scored."""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from tensorboard.plugins.hparams import summary_v2

from qipo_ray.study.trial import ENDED, Trial, TrialOutcome
from qipo_ray.sweep.search_state import SearchState
from qipo_ray.sweep.task_study import searched
from qipo_ray.tracking.tensorboard_logger import EventFile, Page, scalars

CONFIRMED, LAST_RUNG = "hparam/confirmed", "hparam/last_rung"
# What is no parameter: the page shows five columns unasked, the first by name.
TASK, ORIGIN, STATE = "task", "trial.origin", "trial.state"
METRICS = {
    CONFIRMED: ("confirmed", "mean score over the report seeds"),
    LAST_RUNG: ("last rung", "mean of the objective over the search seeds, where it ended"),
}


class HParams(Page):
    """Writes a trial's line when it ends, and again, with the confirmed mean, at the very end.

    One description of all parameters stands above the lines; a line holds those that its
    configuration has, and the page leaves the others empty.
    """

    def __init__(self, search: SearchState, folder: Path) -> None:
        super().__init__(folder)
        self.search, self.folder = search, folder
        self.written: set[str] = set()
        self.events.add((0, _description(search)))

    def sync(self) -> None:
        """Write the lines of the trials that ended since the last call."""
        for trial, outcome in list(self.search.outcomes.items()):
            if trial not in self.written:
                self._write(self.search.trials[trial], outcome, None)

    def close(self) -> None:
        """Write the lines that are missing, and those of confirmed configurations again."""
        self.sync()
        for trial, mean in _confirmed(self.search.records.values()).items():
            if trial in self.search.outcomes:
                self._write(self.search.trials[trial], self.search.outcomes[trial], mean)

    def _write(self, trial: Trial, outcome: TrialOutcome, confirmed: float | None) -> None:
        labels = {TASK: trial.task, ORIGIN: trial.origin, STATE: outcome.state.value}
        values = {CONFIRMED: confirmed, LAST_RUNG: self.search.value(trial, outcome.rung)}
        scores = {tag: value for tag, value in values.items() if value is not None}
        events = EventFile(self.folder / trial.task / trial.id)
        session = summary_v2.hparams_pb({**trial.params, **labels}, trial_id=trial.id)
        events.add((0, session), (0, scalars(scores)))
        self.written.add(trial.id)


def _description(search: SearchState) -> Any:
    """Return the parameters of the space with all their values, and the two scores.

    The paper's configuration may lie outside of the space, as may the trials of a space that was
    changed since; the page would leave out a line with a value that is not described.
    """
    spec = search.spec
    values: dict[str, list[Any]] = {p.key: list(p.values) for p in spec.parameters}
    searched_params = [trial.params for trial in search.trials.values()]
    if spec.paper is not None:
        searched_params.append(searched(spec, spec.paper))
    for params in searched_params:
        for key, value in params.items():
            values.setdefault(key, []).append(value)
    values[TASK] = list(search.spec.tasks)
    values[ORIGIN] = ["paper", "search", "grid"]
    values[STATE] = [state.value for state in ENDED]
    return summary_v2.hparams_config_pb(
        hparams=[summary_v2.HParam(key, _domain(options)) for key, options in values.items()],
        metrics=[
            summary_v2.Metric(tag, display_name=name, description=text)
            for tag, (name, text) in METRICS.items()
        ],
    )


def _domain(values: Sequence[Any]) -> summary_v2.Domain:
    """Return what the page offers to filter by: a slider for numbers, boxes for the rest."""
    if any(isinstance(value, str | bool) for value in values):
        return summary_v2.Discrete(set(values))
    return summary_v2.RealInterval(float(min(values)), float(max(values)))


def _confirmed(records: Iterable[Mapping[str, Any]]) -> dict[str, float]:
    """Return the mean confirmed score by trial, of the runs that have one."""
    scores: dict[str, list[float]] = {}
    for record in records:
        last = (record["final"]["last"] or {}).get("normalised")
        if record["purpose"] == "confirm" and record["trial"] and last is not None:
            scores.setdefault(record["trial"], []).append(last)
    return {trial: statistics.fmean(values) for trial, values in scores.items()}
