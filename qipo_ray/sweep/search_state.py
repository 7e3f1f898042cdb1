"""The state of one sweep's search: what was tried, what comes next, and how each trial ended.

Everything is written before it is acted on, and rebuilt from what was written: intents, rung log
and records. The Optuna study and the stopping rule hold nothing that is not there.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from qipo_ray.config import config_hash, to_document
from qipo_ray.config.evaluations import rung_updates
from qipo_ray.data.transitions import Dataset
from qipo_ray.errors import Failure, UserError
from qipo_ray.store.intents import INTENT_SCHEMA, trial_id, write_intent
from qipo_ray.store.records import read_records
from qipo_ray.store.rung_log import LOG_FILE, RungLog
from qipo_ray.study.asha import Arrivals, Decision, decide
from qipo_ray.study.job_events import JobEvent
from qipo_ray.study.objective import SCORE, merit_text, sign, signals_text
from qipo_ray.study.search_spec import SearchSpec
from qipo_ray.study.selection import SelectedConfig, select_configs, spent_episodes
from qipo_ray.study.trial import DatasetRef, Trial, TrialOutcome, TrialState
from qipo_ray.sweep.hours import Budget, least_trials
from qipo_ray.sweep.intent_repair import whole_intents
from qipo_ray.sweep.run_recorder import PlannedRun, RunRecorder
from qipo_ray.sweep.spec_guard import end_early
from qipo_ray.sweep.task_study import End, Study, Suggestion
from qipo_ray.train.run_record import RunContext, now


class SearchState:
    """What the driver knows of a sweep; one driver writes it, under its lease's attempt number."""

    def __init__(
        self,
        spec: SearchSpec,
        root: Path,
        attempt: int,
        datasets: Mapping[str, Dataset],
        context: RunContext,
        message: Callable[[str], None],
        budget: Budget | None = None,
    ) -> None:
        """Rebuild the state from the folder ``root``; ``message`` gets a line for each end."""
        self.spec, self.root, self.attempt = spec, root, attempt
        self.datasets, self.message = datasets, message
        self.context = replace(context, objective=spec.objective)
        self.log = RungLog(root / LOG_FILE)
        self.entries = self.log.fence(attempt)
        self._arrivals = Arrivals(self.entries)
        records = {record["id"]: record for record in read_records(root)}
        intents = whole_intents(spec, root, records.values(), self.entries, message)
        self.trials = {intent["id"]: Trial.from_intent(intent) for intent in intents}
        self._counts = Counter(trial.task for trial in self.trials.values())
        self.recorder = RunRecorder(root, datasets, records)
        self.outcomes = self._recorded_outcomes()
        self.budget, self._ended_before = budget, len(self.outcomes)
        self._check_log()
        self.resumed = deque(t for t in self.trials.values() if t.id not in self.outcomes)
        self.exhausted: set[str] = set()  # tasks without a further configuration
        self.lost: list[str] = []  # why trials were given up that have not ended
        self.studies = {task: self._study(task) for task in spec.tasks}

    @property
    def records(self) -> dict[str, dict[str, Any]]:
        """All records of the sweep by id."""
        return self.recorder.records

    # ---- what the store holds

    def _recorded_outcomes(self) -> dict[str, TrialOutcome]:
        """Return how the trials ended whose records are all there."""
        outcomes = {}
        for trial in self.trials.values():
            records = [self.recorder.records.get(p.record_id) for p in self._planned(trial)]
            first = records[0] if records else None
            if first is not None and None not in records:
                rung, reason = first["reached"]["rung"], first["reason"]
                outcomes[trial.id] = TrialOutcome(TrialState(first["state"]), rung, reason)
        return outcomes

    def _check_log(self) -> None:
        """Raise ``UserError`` if the log lacks a rung that a trial's records say it reached.

        Without it others would be selected. The order of arrival decided, too, and no record
        has it, so that the log cannot be made anew.
        """
        logged = {(entry["trial"], entry["rung"]) for entry in self.entries}
        for name, outcome in self.outcomes.items():
            for rung in range(0 if outcome.rung is None else outcome.rung + 1):
                if (name, rung) not in logged:
                    raise UserError(
                        f"{self.log.path}: rung {rung + 1} of trial {name} is missing, which its "
                        "records say it reached: the file was damaged or removed; restore it "
                        "from a copy, or choose another name"
                    )

    def _planned(self, trial: Trial) -> list[PlannedRun]:
        """Return the runs of a trial, one per search seed."""
        context = replace(self.context, purpose="search", trial=trial.id, name=trial.origin)
        return [PlannedRun(run, context) for run in trial.runs(self.dataset_ref(trial.task))]

    def _study(self, task: str) -> Study:
        study = Study(self.spec, task, self.root / "study" / f"{task}.journal")
        trials = [trial for trial in self.trials.values() if trial.task == task]
        entries = [entry for entry in self.entries if entry["task"] == task]
        ended = {t.id: self._end(t, self.outcomes[t.id]) for t in trials if t.id in self.outcomes}
        study.restore(trials, entries, ended)
        return study

    def _end(self, trial: Trial, outcome: TrialOutcome) -> End:
        return outcome.state, self.value(trial, outcome.rung), outcome.rung

    def value(self, trial: Trial, rung: int | None) -> float | None:
        """Return a trial's logged value at a rung."""
        return self._arrivals.value(trial.task, trial.id, rung)

    def dataset_ref(self, task: str) -> DatasetRef:
        """Return the data of a task, as every machine finds it."""
        dataset = self.datasets[task]
        return DatasetRef(dataset.place, dataset.sha256, dataset.own_task)

    # ---- the course of the search

    @property
    def trials_left(self) -> int:
        """Number of trials that have not ended, at most: those begun and new ones."""
        tasks = [task for task in self.spec.tasks if task not in self.exhausted]
        new = (max(0, self.spec.trials - self._count(task)) for task in tasks)
        return len(self.trials) - len(self.outcomes) + sum(new)

    def check_ended(self) -> None:
        """Raise ``Failure`` unless all trials have ended: part of a search selects nothing."""
        if left := self.trials_left:
            planned = len(self.outcomes) + left
            reason = f" ({self.lost[0]})" if self.lost else ""
            raise Failure(
                f"{left} of {planned} trials have not ended{reason}, so nothing is confirmed; "
                "the same command goes on with them"
            )

    def next_trial(self) -> Trial | None:
        """Return the next trial: one that was broken off, else a new one; None when all are out.

        A new trial's intent is durable before it is returned.
        """
        if self.resumed:
            return self.resumed.popleft()
        if self._budget_ends():
            return None
        for task in sorted(self.spec.tasks, key=self._count):
            if task not in self.exhausted and self._count(task) < self.spec.trials:
                suggestion = self.studies[task].ask()
                if suggestion is not None:
                    return self._intend(task, suggestion)
                self.exhausted.add(task)
                self.message(f"{task}: the search space holds no further configuration")
        return None

    def _budget_ends(self) -> bool:
        """Return whether there is no time for one more trial of each task: then no more begin."""
        counts = {self._count(task) for task in self.spec.tasks if task not in self.exhausted}
        begun = max(counts, default=0)
        least = least_trials(self.spec)
        if self.budget is None or counts != {begun} or not least <= begun < self.spec.trials:
            return False
        due = len(self.trials) - len(self.outcomes) + len(self.spec.tasks)
        if self.budget.holds(due, len(self.outcomes) - self._ended_before):
            return False
        self.message(
            f"the hours end here, with {begun} of {self.spec.trials} trials for each task: the "
            "rest is for the confirm step"
        )
        self.spec = end_early(self.spec, self.root, trials=begun, race=self.spec.race)
        return True

    def _count(self, task: str) -> int:
        """Return how many trials of a task there are."""
        return self._counts[task]

    def _intend(self, task: str, suggestion: Suggestion) -> Trial:
        """Return a new trial once its intent is durable."""
        number = config_hash(suggestion.config)
        intent = {
            "schema": INTENT_SCHEMA,
            "id": trial_id(self.spec.name, task, number),
            "sweep": self.spec.name,
            "task": task,
            "position": self._count(task),
            "params": dict(suggestion.params),
            "config": to_document(suggestion.config),
            "config_hash": number,
            "seeds": list(self.spec.search_seeds),
            "rungs": list(rung_updates(suggestion.config, self.spec.shares)),
            "origin": suggestion.origin,
            **({} if self.spec.objective == SCORE else {"objective": self.spec.objective}),
            "written": now(),
        }
        write_intent(self.root, intent)
        trial = Trial.from_intent(intent)
        self.trials[trial.id] = trial
        self._counts[task] += 1
        return trial

    def at_rung(self, trial: Trial, rung: int, updates: int, value: float | None) -> Decision:
        """Log a trial's value at a rung and return what becomes of it.

        A rung that stands in the log already is judged as it was then: by the entries before it.
        """
        if not self._arrivals.until(trial.task, trial.id, rung):
            entry = {
                "trial": trial.id,
                "task": trial.task,
                "rung": rung,
                "updates": updates,
                "value": value,
                "attempt": self.attempt,
                "at": now(),
            }
            self.log.append(entry)
            self.entries.append(entry)
            self._arrivals.add(entry)
            self.studies[trial.task].report(trial.id, rung, value)
        if rung == len(trial.rungs) - 1:
            return Decision(False, f"{self._text(value)} at the last rung")
        values = self._arrivals.until(trial.task, trial.id, rung)
        label = f"rung {rung + 1} of {len(trial.rungs)}"
        turned = sign(self.spec.objective)
        return decide(values, self.spec.reduction, label, sign=turned)

    def end_trial(self, trial: Trial, outcome: TrialOutcome) -> None:
        """Write the records of a trial that ended and tell its study; once is enough.

        One that was lost has not ended, and has no records: the next driver tries it again.
        """
        if trial.id in self.outcomes:
            return
        if outcome.state is TrialState.LOST:
            self.lost.append(str(outcome.reason))
            self.message(self._summary(trial, outcome, None))
            return
        reached = 0 if outcome.rung is None else trial.rungs[outcome.rung]
        for planned in self._planned(trial):
            if planned.record_id not in self.records:
                self.recorder.write(planned, outcome.state, outcome.reason, reached, outcome.rung)
        self.outcomes[trial.id] = outcome
        state, value, rung = self._end(trial, outcome)
        self.studies[trial.task].tell(trial.id, state, value, rung)
        self.message(self._summary(trial, outcome, value))

    def _summary(self, trial: Trial, outcome: TrialOutcome, value: float | None) -> str:
        ended = sum(self.trials[name].task == trial.task for name in self.outcomes)
        score = self._text(value)
        settings = ", ".join(
            f"{key.split('.')[-1]}={_short(setting)}" for key, setting in trial.params.items()
        )
        reason = f" ({outcome.reason})" if outcome.reason else ""
        return (
            f"{trial.task} {ended}/{self.spec.trials} {outcome.state.upper()} {score}: "
            f"{trial.origin} {settings}{reason}"
        )

    def _text(self, value: float | None) -> str:
        """Return the value of a rung as people read it."""
        objective = self.spec.objective
        return f"no {objective}" if value is None else merit_text(objective, value)

    # ---- the confirm step

    def select_configs(self) -> list[SelectedConfig]:
        """Return what is to be confirmed of each task, by all that is in the store now."""
        broken = {name for name, outcome in self.outcomes.items() if outcome.state.broken}
        selected: list[SelectedConfig] = []
        for task in self.spec.tasks:
            trials = [trial for trial in self.trials.values() if trial.task == task]
            sha256 = self.dataset_ref(task).sha256
            spent = spent_episodes(task, sha256, trials, self.entries, self._scored)
            selected += [
                self._with_episodes(config, spent)
                for config in select_configs(task, self.spec, trials, self.entries, broken)
            ]
        return selected

    def _scored(self, key: str, name: str) -> bool:
        return self.recorder.job_store.artefacts.sidecar("policy", key, name) is not None

    def _with_episodes(self, selected: SelectedConfig, spent: int) -> SelectedConfig:
        """Return a selected configuration with the episodes that its search has spent.

        Where a score came in late it keeps the number of its first record: a row has one.
        """
        least = selected.selection_episodes
        if not least:
            return selected
        numbers = {
            record["protocol"]["selection_episodes"]
            for record in self.recorder.records.values()
            if (record["purpose"], record["task"]) == (selected.purpose, selected.task)
            and record["config_hash"] == config_hash(selected.config)
        }
        recorded = [number for number in numbers if least <= number <= spent]
        return replace(selected, selection_episodes=min(recorded, default=spent))

    def race_ends(self, seeds: int, share: float) -> bool:
        """Return whether there is no time for a round of the race: then it ends before it.

        ``seeds`` of it have ended; the round is that ``share`` of the confirm step before it.
        """
        if self.budget is None or self.budget.holds_runs(share):
            return False
        self.message(
            f"the hours end here, with {seeds} of {len(self.spec.race)} seeds of the race"
        )
        race = self.spec.race[:seeds]
        self.spec = end_early(self.spec, self.root, trials=self.spec.trials, race=race)
        return True

    def end_run(self, planned: PlannedRun, event: JobEvent) -> None:
        """Write the record of a confirmed run that ended."""
        state, reason = TrialState(event.kind), event.reason or None
        record = self.recorder.write(planned, state, reason, event.updates)
        last, signals = record["final"]["last"], record.get("signals")
        score = f"score {last['normalised']:.1f}" if last else event.reason
        if signals and state is TrialState.FINISHED:
            score = ", ".join(filter(None, (score, signals_text(signals[-1]))))
        self.message(
            f"{planned.run.task} confirmed {record['label']['method']} ({planned.context.name}), "
            f"seed {planned.run.seed}: {score}"
        )


def _short(value: object) -> str:
    return f"{value:.3g}" if isinstance(value, float) else str(value)
