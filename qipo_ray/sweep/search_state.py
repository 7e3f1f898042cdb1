"""The search of one sweep: what was tried, what comes next, and how each trial ended.

Everything is written before it is acted on, and rebuilt from what was written: intents, rung log
and records. The Optuna study and the stopping rule hold nothing that is not there.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from qipo_ray.config import Config, config_hash, to_dict
from qipo_ray.config.evaluations import rung_updates
from qipo_ray.data.transitions import Dataset
from qipo_ray.leaderboard.trial_results import BROKEN
from qipo_ray.store.intents import INTENT_SCHEMA, read_intents, trial_id, write_intent
from qipo_ray.store.records import read_records, write_record
from qipo_ray.store.rung_log import RungLog
from qipo_ray.study.asha import Decision, arrivals, decide
from qipo_ray.study.search_spec import SearchSpec
from qipo_ray.study.selection import SelectedConfig, select_configs, spent_episodes
from qipo_ray.study.trial import DatasetRef, Trial, TrialOutcome
from qipo_ray.sweep.task_study import Study
from qipo_ray.train.job_store import JobStore
from qipo_ray.train.run_record import RunContext, build_record, now, record_id


class SearchState:
    """The driver's book of a sweep; one driver writes it, under its lease's attempt number."""

    def __init__(
        self,
        spec: SearchSpec,
        root: Path,
        attempt: int,
        datasets: Mapping[str, Dataset],
        occasion: RunContext,
        say: Callable[[str], None],
    ) -> None:
        self.spec, self.root, self.attempt = spec, root, attempt
        self.datasets, self.occasion, self.say = datasets, occasion, say
        self.results = JobStore(root)
        self.log = RungLog(root / "rungs.jsonl")
        self.entries = self.log.fence(attempt)
        own = (one for one in read_intents(root) if one["task"] in spec.tasks)
        self.trials = {one["id"]: Trial.of(one) for one in own}
        self.records = {record["id"]: record for record in read_records(root)}
        self.outcomes = self._known_outcomes()
        self.resumed = deque(t for t in self.trials.values() if t.id not in self.outcomes)
        self.exhausted: set[str] = set()
        self.studies = {task: self._study(task) for task in spec.tasks}

    # ---- what the store knows

    def _known_outcomes(self) -> dict[str, TrialOutcome]:
        """Return how the trials ended whose records are all there."""
        outcomes = {}
        for trial in self.trials.values():
            records = [self.records.get(i) for i in self._record_ids(trial)]
            if all(record is not None for record in records):
                one: dict[str, Any] = records[0] or {}
                rung = one["reached"]["rung"]
                outcomes[trial.id] = TrialOutcome(one["state"], rung, one["reason"])
        return outcomes

    def _record_ids(self, trial: Trial) -> list[str]:
        runs = trial.runs(self.source(trial.task))
        return [record_id(run, self._occasion(trial)) for run in runs]

    def _occasion(self, trial: Trial) -> RunContext:
        return replace(self.occasion, purpose="search", trial=trial.id, name=trial.origin)

    def _study(self, task: str) -> Study:
        study = Study(self.spec, task, self.root / "study" / f"{task}.journal")
        intents = [one for one in read_intents(self.root) if one["task"] == task]
        ended = {}
        for one in intents:
            outcome = self.outcomes.get(one["id"])
            if outcome is not None:
                ended[one["id"]] = self._told(self.trials[one["id"]], outcome)
        study.restore(intents, [e for e in self.entries if e["task"] == task], ended)
        return study

    def _told(self, trial: Trial, outcome: TrialOutcome) -> tuple[str, float | None, int | None]:
        """Return what Optuna is told of an ended trial: diverged and failed ones alike FAIL."""
        if outcome.state in BROKEN:
            return "failed", None, outcome.rung
        return outcome.state, self.value(trial, outcome.rung), outcome.rung

    def value(self, trial: Trial, rung: int | None) -> float | None:
        """Return a trial's logged value at a rung."""
        found = (e["value"] for e in self.entries if (e["trial"], e["rung"]) == (trial.id, rung))
        return next(found, None)

    def reached(self, trial: Trial) -> int | None:
        """Return the last rung that a trial has a logged value at."""
        rungs = [e["rung"] for e in self.entries if e["trial"] == trial.id]
        return max(rungs) if rungs else None

    def source(self, task: str) -> DatasetRef:
        """Return the data of a task."""
        dataset = self.datasets[task]
        return DatasetRef(str(dataset.path.resolve()), dataset.sha256)

    # ---- the course of the search

    @property
    def trials_left(self) -> int:
        """Number of trials that are still to run, at most: those broken off and new ones."""
        new = (max(0, self.spec.trials - self._count(task)) for task in self.spec.tasks)
        return len(self.resumed) + sum(new)

    def next_trial(self) -> Trial | None:
        """Return the next trial: one that was broken off, else a new one; None when all are out.

        A new trial's intent is durable before it is returned.
        """
        if self.resumed:
            return self.resumed.popleft()
        for task in sorted(self.spec.tasks, key=self._count):
            if task not in self.exhausted and self._count(task) < self.spec.trials:
                suggestion = self.studies[task].ask()
                if suggestion is None:
                    self.exhausted.add(task)
                    self.say(f"{task}: the search space holds no further configuration")
                else:
                    return self._intend(
                        task, suggestion.params, suggestion.config, suggestion.origin
                    )
        return None

    def _count(self, task: str) -> int:
        return sum(trial.task == task for trial in list(self.trials.values()))

    def _intend(self, task: str, params: Mapping[str, Any], config: Config, origin: str) -> Trial:
        number = config_hash(config)
        intent = {
            "schema": INTENT_SCHEMA,
            "id": trial_id(self.spec.name, task, number),
            "sweep": self.spec.name,
            "task": task,
            "position": self._count(task),
            "params": dict(params),
            "config": to_dict(config),
            "config_hash": number,
            "seeds": list(self.spec.search_seeds),
            "rungs": list(rung_updates(config, self.spec.shares)),
            "origin": origin,
            "written": now(),
        }
        write_intent(self.root, intent)
        trial = Trial.of(intent)
        self.trials[trial.id] = trial
        return trial

    def at_rung(self, trial: Trial, rung: int, updates: int, value: float) -> Decision:
        """Log a trial's value at a rung and return what becomes of it.

        A rung that stands in the log already is judged as it was then: by the entries before it.
        """
        if self.value(trial, rung) is None:
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
            self.studies[trial.task].report(trial.id, rung, value)
        if rung == len(trial.rungs) - 1:
            return Decision(False, f"{value:.1f} at the last rung")
        then = arrivals(self.entries, trial.task, rung)
        place = [name for name, _ in then].index(trial.id)
        share = f"rung {rung + 1} of {len(trial.rungs)}"
        return decide(then[: place + 1], self.spec.reduction, share)

    def ended(self, trial: Trial, outcome: TrialOutcome) -> None:
        """Write the records of a trial that ended and tell the study; once is enough."""
        if trial.id in self.outcomes:
            return
        for run in trial.runs(self.source(trial.task)):
            occasion = self._occasion(trial)
            if record_id(run, occasion) in self.records:
                continue
            record = build_record(
                run,
                self.datasets[trial.task],
                self.results,
                occasion,
                state=outcome.state,
                reason=outcome.reason,
                reached=0 if outcome.rung is None else trial.rungs[outcome.rung],
                rung=outcome.rung,
            )
            write_record(self.root, record)
            self.records[record["id"]] = record
        self.outcomes[trial.id] = outcome
        self.studies[trial.task].tell(trial.id, *self._told(trial, outcome))
        self.say(self._line(trial, outcome))

    def _line(self, trial: Trial, outcome: TrialOutcome) -> str:
        done = sum(self.trials[i].task == trial.task for i in self.outcomes)
        value = self.value(trial, outcome.rung)
        score = "no score" if value is None else f"score {value:.1f}"
        settings = ", ".join(
            f"{key.split('.')[-1]}={_short(v)}" for key, v in trial.params.items()
        )
        reason = f" ({outcome.reason})" if outcome.reason else ""
        return (
            f"{trial.task} {done}/{self.spec.trials} {outcome.state.upper()} {score}: "
            f"{trial.origin} {settings}{reason}"
        )

    # ---- what it found

    def select_configs(self) -> list[SelectedConfig]:
        """Return what is to be confirmed of each task, by what is known now."""
        broken = {t for t, outcome in self.outcomes.items() if outcome.state in BROKEN}
        chosen: list[SelectedConfig] = []
        for task in self.spec.tasks:
            trials = [trial for trial in self.trials.values() if trial.task == task]
            paper, top = self.spec.paper, self.spec.top
            found = list(select_configs(task, paper, top, trials, self.entries, broken))
            spent = spent_episodes(
                task, self.source(task).sha256, trials, self.entries, self._noted
            )
            chosen += [self._paid(one, spent) for one in found]
        return chosen

    def _noted(self, key: str, name: str) -> bool:
        return self.results.artefacts.note("policy", key, name) is not None

    def _paid(self, choice: SelectedConfig, spent: int) -> SelectedConfig:
        """Return a choice with the episodes that were spent on the search, if it was one of it.

        Where a score came in late it keeps the number of its first record: a row has one.
        """
        least = choice.selection_episodes
        numbers = {
            record["protocol"]["selection_episodes"]
            for record in self.records.values()
            if (record["purpose"], record["task"]) == ("confirm", choice.task)
            and record["config_hash"] == config_hash(choice.config)
        }
        known = [number for number in numbers if least <= number <= spent]
        return replace(choice, selection_episodes=min(known, default=spent)) if least else choice


def _short(value: object) -> str:
    return f"{value:.3g}" if isinstance(value, float) else str(value)
