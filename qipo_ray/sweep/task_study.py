"""The study of one task: which configuration comes next, in the light of those before.

A study is its facts: what was asked, in which order, and how each trial ended. For every question
an Optuna study is built anew from them, in memory, so that a sweep that was broken off asks on
exactly as it would have.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from qipo_ray.config import Config, config_hash
from qipo_ray.store.intents import trial_id
from qipo_ray.study.parameter import points
from qipo_ray.study.search_spec import SearchSpec, flat
from qipo_ray.study.trial import Trial, TrialState
from qipo_ray.sweep.tpe import DashboardJournal, TPESampler, TrialFacts
from qipo_ray.sweep.warm_start import prior_facts

End = tuple[TrialState, float | None, int | None]  # state, value, rung
TRIES = 20  # times that the sampler may repeat itself before the points left are walked


@dataclass(frozen=True)
class Suggestion:
    """A configuration to try; ``params`` holds the searched settings that are active in it."""

    params: dict[str, Any]
    config: Config
    origin: Literal["paper", "grid", "search"]


class Study:
    """Suggests configurations of one task, and takes in how they ended."""

    def __init__(self, spec: SearchSpec, task: str, journal: Path | None = None) -> None:
        """Begin without facts; ``journal`` is written anew with the first one."""
        self.spec, self.task = spec, task
        self._facts: dict[str, TrialFacts] = {}  # by trial id, in the order they were asked for
        self._journal = None if journal is None else DashboardJournal(journal, spec, task)
        if self._journal is not None and spec.prior is not None:
            for number, facts in enumerate(prior_facts(spec, task, ())):
                self._journal.show(f"{spec.prior.sweep} {number}", facts, "warm_start")

    def restore(
        self,
        trials: Iterable[Trial],
        entries: Iterable[Mapping[str, Any]],
        ended: Mapping[str, End],
    ) -> list[Trial]:
        """Take in what the store holds; return the trials without an end, to be started again.

        ``entries`` are the rung log's; ``ended`` says per trial how it ended, as ``tell`` takes
        it. What belongs to other tasks is left aside.
        """
        running = []
        for trial in sorted(trials, key=lambda trial: trial.position):
            if trial.task == self.task:
                self._add(trial.id, self.spec.params_of(trial.config))
                if trial.id not in ended:
                    running.append(trial)
        for entry in entries:
            if entry["trial"] in self._facts:
                self.report(entry["trial"], entry["rung"], entry["value"])
        for name in self._facts:
            if name in ended:
                self.tell(name, *ended[name])
        return running

    def ask(self) -> Suggestion | None:
        """Return the next configuration, or None: the trials or the space are used up.

        The paper's comes first, then every point of the grids, then what Optuna suggests. None
        comes twice: Optuna is told the result of a repeated one, and asked again.
        """
        if len(self._facts) >= self.spec.trials:
            return None
        suggestion = self._next()
        if suggestion is not None:
            params = self.spec.params_of(suggestion.config)
            self._add(self._id(suggestion.config), params)
        return suggestion

    def report(self, trial: str, rung: int, value: float | None) -> None:
        """Note a trial's value at a rung, the first of which counts; not finite: no value."""
        if value is not None and math.isfinite(value) and rung not in self._facts[trial].at_rungs:
            self._facts[trial].at_rungs[rung] = value
            self._copy(trial)

    def tell(
        self,
        trial: str,
        state: TrialState,
        value: float | None = None,
        rung: int | None = None,
    ) -> None:
        """Note how a trial ended, pruned ones at a rung; the first end counts.

        One that diverged, or ended without a finite value, failed as far as Optuna is concerned.
        """
        facts = self._facts[trial]
        if facts.state != TrialState.RUNNING:
            return
        if state.broken or value is None or not math.isfinite(value):
            facts.state = TrialState.FAILED
        else:
            facts.state, facts.value = state, value
            if rung is not None:
                facts.at_rungs.setdefault(rung, value)
        self._copy(trial)

    def _id(self, config: Config) -> str:
        return trial_id(self.spec.name, self.task, config_hash(config))

    def _add(self, trial: str, params: dict[str, Any] | None) -> None:
        self._facts[trial] = TrialFacts(params)
        self._copy(trial)

    def _copy(self, trial: str) -> None:
        if self._journal is not None:
            self._journal.show(trial, self._facts[trial])

    def _next(self) -> Suggestion | None:
        """Return an untried configuration; it is not yet a fact."""
        paper = self.spec.paper
        if paper is not None and self._id(paper) not in self._facts:
            return Suggestion(searched(self.spec, paper), paper, "paper")
        for point in self._uncovered():
            suggestion = self._suggest(point, "grid")
            if suggestion is not None:
                return suggestion
        return self._suggest({}, "search") or self._left_over()

    def _uncovered(self) -> list[dict[str, Any]]:
        """Return the points of the grids that no trial has, in the order of the file."""
        grids = [parameter for parameter in self.spec.parameters if parameter.kind == "grid"]
        keys = {parameter.key for parameter in grids}
        tried = [
            {key: value for key, value in facts.params.items() if key in keys}
            for facts in self._facts.values()
            if facts.params is not None
        ]
        return [point for point in points(grids) if point not in tried] if grids else []

    def _suggest(
        self, fixed: Mapping[str, Any], origin: Literal["grid", "search"]
    ) -> Suggestion | None:
        """Return Optuna's suggestion around ``fixed``; None if it knows only tried ones."""
        own = self._facts.values()
        before = prior_facts(self.spec, self.task, own)
        sampler = TPESampler(self.spec, self.task, own, before)
        for _ in range(TRIES):
            params, tell = sampler.ask(fixed)
            config = self.spec.configuration(params)
            facts = self._facts.get(self._id(config))
            if facts is None:
                return Suggestion(params, config, origin)
            tell(facts)
        return None

    def _left_over(self) -> Suggestion | None:
        """Return the first untried configuration of a finite space."""
        if not self.spec.finite:
            return None
        for params in points(self.spec.parameters):
            config = self.spec.configuration(params)
            if self._id(config) not in self._facts:
                return Suggestion(params, config, "search")
        return None


def searched(spec: SearchSpec, config: Config) -> dict[str, Any]:
    """Return the active searched settings of a configuration, also where they lie outside."""
    settings = flat(config)
    values: dict[str, Any] = {}
    for parameter in spec.parameters:
        if parameter.active(values):
            values[parameter.key] = settings[parameter.key]
    return values
