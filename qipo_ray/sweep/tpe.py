"""Optuna, behind two small classes; no other module imports it."""

from __future__ import annotations

import hashlib
import logging
import warnings
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from qipo_ray.store.files import make_folder
from qipo_ray.study.parameter import Parameter
from qipo_ray.study.search_spec import SearchSpec
from qipo_ray.study.trial import TrialState

if TYPE_CHECKING:
    import optuna

logger = logging.getLogger(__name__)

MOST_RANDOM = 10  # first trials that are drawn at random, as in Optuna; fewer in a short search


@dataclass
class TrialFacts:
    """A trial that was asked for, and how it stands."""

    params: dict[str, Any] | None  # None: outside the space, so unknown to Optuna
    state: TrialState = TrialState.RUNNING
    value: float | None = None
    at_rungs: dict[int, float] = field(default_factory=dict)


class TPESampler:
    """Suggests configurations in the light of earlier trials; each question has its own seed."""

    def __init__(
        self,
        spec: SearchSpec,
        task: str,
        trials: Iterable[TrialFacts],
        before: Iterable[TrialFacts] = (),
    ) -> None:
        """Build a study in memory from the facts inside the space; ``before`` are another's."""
        self._spec, self._task = spec, task
        self._study = _empty(spec.name, None)
        self._count = self._asked = 0
        for facts in before:
            self._study.add_trial(_frozen(spec, facts, {}))
        for facts in trials:
            self._count += 1
            if facts.params is not None:
                self._study.add_trial(_frozen(spec, facts, {}))

    def ask(self, fixed: Mapping[str, Any]) -> tuple[dict[str, Any], Callable[[TrialFacts], None]]:
        """Return a suggestion around ``fixed``, and what to call with what is known of it."""
        self._study.sampler = _sampler(self._spec, self._task, self._count, self._asked)
        self._asked += 1
        if fixed:
            self._study.enqueue_trial(dict(fixed))
        trial = self._study.ask()

        def tell(facts: TrialFacts) -> None:
            _update(trial, facts, facts.at_rungs)

        return _draw(trial, self._spec.parameters), tell


class DashboardJournal:
    """The facts as a journal for optuna-dashboard; nobody reads it back.

    Where it cannot be written, a warning in the log says so and the search goes on without it.
    """

    def __init__(self, journal: Path, spec: SearchSpec, task: str) -> None:
        """Put an empty study of the task's name at ``journal``, whatever was there."""
        self._journal, self._spec = journal, spec
        self._name = f"{spec.name} {task}"
        self._study: optuna.Study | None = None
        self._numbers: dict[str, int] = {}
        self._shown: dict[str, set[int]] = {}
        self._broken = False
        self._try(self._open)

    def show(self, trial: str, facts: TrialFacts, mark: str = "trial") -> None:
        """Bring the journal's picture of a trial up to date, which has its name under a mark."""
        if facts.params is not None:
            self._try(lambda: self._show(trial, facts, mark))

    def _try(self, act: Callable[[], None]) -> None:
        if self._broken:
            return
        try:
            act()
        except OSError as problem:
            self._broken = True
            logger.warning("%s is written no further: %s", self._journal, problem)

    def _open(self) -> None:
        from optuna.storages import JournalStorage
        from optuna.storages.journal import JournalFileBackend

        make_folder(self._journal.parent)
        for old in (self._journal, self._journal.with_name(f"{self._journal.name}.lock")):
            old.unlink(missing_ok=True)
        self._study = _empty(self._name, JournalStorage(JournalFileBackend(str(self._journal))))

    def _show(self, trial: str, facts: TrialFacts, mark: str) -> None:
        import optuna

        assert self._study is not None
        if trial not in self._numbers:
            self._numbers[trial] = len(self._numbers)
            self._shown[trial] = set()
            self._study.add_trial(_frozen(self._spec, TrialFacts(facts.params), {mark: trial}))
        stored = self._study.get_trials(deepcopy=False)[self._numbers[trial]]
        new = {rung: v for rung, v in facts.at_rungs.items() if rung not in self._shown[trial]}
        _update(optuna.Trial(self._study, stored._trial_id), facts, new)
        self._shown[trial].update(new)


def _empty(name: str, storage: optuna.storages.BaseStorage | None) -> optuna.Study:
    import optuna

    optuna.logging.set_verbosity(optuna.logging.WARNING)  # it reports every study that it makes
    return optuna.create_study(study_name=name, storage=storage, direction="maximize")


def random_trials(spec: SearchSpec) -> int:
    """Return how many trials of a task must have ended before a suggestion learns from them."""
    return max(2, min(MOST_RANDOM, spec.trials // 3))


def _sampler(spec: SearchSpec, task: str, count: int, attempt: int) -> optuna.samplers.BaseSampler:
    """Return a TPE sampler with a seed of its own for every question."""
    import optuna

    identity = f"{spec.hash} {task} {count} {attempt}"
    seed = int.from_bytes(hashlib.sha256(identity.encode()).digest()[:4], "big")
    with warnings.catch_warnings():
        warnings.filterwarnings(
            "ignore", "Argument ``group``", optuna.exceptions.ExperimentalWarning
        )
        return optuna.samplers.TPESampler(
            seed=seed,
            n_startup_trials=random_trials(spec),
            multivariate=True,
            group=any(parameter.when for parameter in spec.parameters),
            constant_liar=True,
        )


def _distribution(parameter: Parameter) -> optuna.distributions.BaseDistribution:
    from optuna import distributions

    if parameter.kind in ("choice", "grid"):
        return distributions.CategoricalDistribution(parameter.values)
    low, high = parameter.values
    if parameter.kind == "int":
        return distributions.IntDistribution(
            low, high, log=parameter.log, step=int(parameter.step or 1)
        )
    log = parameter.kind == "loguniform"
    return distributions.FloatDistribution(low, high, log=log, step=parameter.step)


def _draw(trial: optuna.Trial, parameters: Sequence[Parameter]) -> dict[str, Any]:
    """Return a value for every active parameter; floats are short, to be read and typed."""
    params: dict[str, Any] = {}
    for parameter in parameters:
        if not parameter.active(params):
            continue
        if parameter.kind in ("choice", "grid"):
            params[parameter.key] = trial.suggest_categorical(parameter.key, parameter.values)
            continue
        low, high = parameter.values
        if parameter.kind == "int":
            params[parameter.key] = trial.suggest_int(
                parameter.key, low, high, log=parameter.log, step=int(parameter.step or 1)
            )
        else:
            log = parameter.kind == "loguniform"
            value = trial.suggest_float(parameter.key, low, high, log=log, step=parameter.step)
            params[parameter.key] = parameter.at(value)
    return params


def _frozen(
    spec: SearchSpec, facts: TrialFacts, notes: dict[str, Any]
) -> optuna.trial.FrozenTrial:
    """Return a trial as Optuna stores it: stopped ones PRUNED with their value at each rung."""
    import optuna

    params = facts.params or {}
    return optuna.trial.create_trial(
        state=_state(facts),
        value=facts.value,
        params=params,
        distributions={p.key: _distribution(p) for p in spec.parameters if p.key in params},
        intermediate_values=dict(facts.at_rungs),
        user_attrs=notes,
    )


def _state(facts: TrialFacts) -> optuna.trial.TrialState:
    import optuna

    states = optuna.trial.TrialState
    return {
        TrialState.RUNNING: states.RUNNING,
        TrialState.FINISHED: states.COMPLETE,
        TrialState.PRUNED: states.PRUNED,
        TrialState.FAILED: states.FAIL,
    }[facts.state]


def _update(trial: optuna.Trial, facts: TrialFacts, new: Mapping[int, float]) -> None:
    """Tell Optuna's running trial new values at rungs, and its end if it came."""
    for rung, value in sorted(new.items()):
        trial.report(value, rung)
    if facts.state != TrialState.RUNNING:
        finished = facts.state == TrialState.FINISHED
        trial.study.tell(trial.number, facts.value if finished else None, _state(facts))
