"""What a sweep planned, worked out anew: its trials, and which configurations it confirms."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import cached_property
from typing import Any

from qipo_ray.config import config_hash
from qipo_ray.errors import UserError
from qipo_ray.store import intents
from qipo_ray.store.records import new_id
from qipo_ray.study.saved_spec import SavedSpec
from qipo_ray.study.selection import SelectedConfig, select_configs, spent_episodes
from qipo_ray.study.trial import BROKEN, Trial
from qipo_ray.verify.audit import Audit
from qipo_ray.verify.config_cache import Configs

Record = Mapping[str, Any]


@dataclass(frozen=True)
class Planned:
    """A choice as its records must show it."""

    choice: SelectedConfig
    config_hash: str
    most: int  # episodes that its search has spent, if one chose it

    def differs(self, record: Record) -> list[str]:
        """Return what a record says otherwise.

        Of the selection episodes only those that decided are certain: how many more had been
        spent when it was written lies between them and all.
        """
        said = {
            "label.name": (record["label"]["name"], self.choice.name),
            "trial": (record["trial"], self.choice.trial),
        }
        found = [f"{key} {old!r}, not {new!r}" for key, (old, new) in said.items() if old != new]
        spent, least = record["protocol"]["selection_episodes"], self.choice.selection_episodes
        most = self.most if least else 0
        if not least <= spent <= most:
            words = f"{least} to {most}" if least < most else str(least)
            found.append(f"protocol.selection_episodes {spent}, not {words}")
        return found


class SweepPlan:
    """The trials of a sweep, and what follows from them under each of its specifications."""

    def __init__(
        self,
        saved: SavedSpec,
        earlier: Sequence[SavedSpec],
        found: Audit,
        configs: Configs,
    ) -> None:
        self.saved, self.spec, self.earlier = saved, saved.spec, earlier
        self.trials = {trial.id: trial for trial in _trials(found, configs)}
        self.entries, self.notes = found.entries, found.notes
        self.records = {record["id"]: record for record in found.records}
        self.broken = {
            record["trial"]
            for record in found.records
            if record["purpose"] == "search" and record["state"] in BROKEN
        }
        self.begun = False  # the confirm step, as its records show
        self._confirmed: dict[tuple[int, str, int], list[Planned]] = {}

    def data(self, task: str) -> set[str]:
        """Return the SHA-256 of a task's data, as the specifications name it."""
        return {one.data[task] for one in (self.saved, *self.earlier) if task in one.data}

    def search_id(self, trial: Trial, seed: int) -> str:
        """Return the id of a run's record."""
        return new_id(self.spec.name, "search", trial.task, trial.config_hash, seed)

    @property
    def missing(self) -> dict[str, int]:
        """Trials that are still to be intended, by task; none where the space is used up.

        A continuum of four digits may be, too: that the confirm step has begun shows it.
        """
        if self.begun and not self.spec.finite:
            return {}
        return {task: n for task, n in self._unasked.items() if n}

    @cached_property
    def _unasked(self) -> dict[str, int]:
        count = {}
        for task in self.spec.tasks:
            own = [trial.config_hash for trial in self.trials.values() if trial.task == task]
            left = max(0, self.spec.trials - len(own))
            count[task] = 0 if left and self.spec.exhausted_by(set(own)) else left
        return count

    @cached_property
    def open(self) -> dict[str, tuple[Trial, int]]:
        """Runs of trials that have no record, by its id; not of tasks that the sweep left."""
        return {
            record: (trial, seed)
            for trial in self.trials.values()
            for seed in trial.seeds
            if trial.task in self.spec.tasks
            and (record := self.search_id(trial, seed)) not in self.records
        }

    @property
    def over(self) -> bool:
        """Whether the search is: then it is known what is to be confirmed."""
        return not self.missing and not self.open

    def confirmed(self, task: str) -> list[Planned]:
        """Return what is confirmed of a task by all that is known now."""
        own = [trial for trial in self.trials.values() if trial.task == task]
        return self._chosen(self.saved, task, own)

    def confirmed_before(self, record: Record) -> list[Planned]:
        """Return what a specification that was replaced confirmed when a record was made."""
        ended = moment(record["provenance"]["ended"])
        task = record["task"]
        then = [t for t in self.trials.values() if t.task == task and moment(t.written) <= ended]
        return [
            planned
            for saved in self.earlier
            if task in saved.spec.tasks and record["seed"] in saved.spec.report_seeds
            for planned in self._chosen(saved, task, then)
        ]

    def _chosen(self, saved: SavedSpec, task: str, trials: Sequence[Trial]) -> list[Planned]:
        """Return the select_configs among the first trials of a task."""
        known = (id(saved), task, len(trials))
        spec = saved.spec
        if known not in self._confirmed:
            found = select_configs(task, spec.paper, spec.top, trials, self.entries, self.broken)
            spent = spent_episodes(task, saved.data[task], trials, self.entries, self._noted)
            self._confirmed[known] = [
                Planned(one, config_hash(one.config), spent) for one in found
            ]
        return self._confirmed[known]

    def _noted(self, key: str, name: str) -> bool:
        return name in self.notes.get(("policy", key), {})


def moment(text: str) -> datetime:
    """Return a time as the store writes it."""
    return datetime.fromisoformat(text.replace("Z", "+00:00"))


def _trials(found: Audit, configs: Configs) -> list[Trial]:
    """Return the trials whose configuration can be read; the others are faults."""
    trials = []
    for intent in found.intents:
        path = found.root / intents.FOLDER / f"{intent['id']}.json"
        try:
            known = configs.read(intent["config"])
        except UserError as problem:
            found.fault(path, str(problem))
            continue
        if known.hash != intent["config_hash"]:
            found.fault(path, "its configuration does not have the hash that it names")
        trials.append(replace(Trial.from_intent(intent), config=known.config))
    return trials
