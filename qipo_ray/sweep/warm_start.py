"""A search that begins with the trials of another sweep, as its file's ``warm_start`` asks."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from statistics import fmean, pstdev

from qipo_ray.errors import UserError
from qipo_ray.leaderboard.trial_list import ListedTrial, listed_trials, sound_intents, sweep_spec
from qipo_ray.study.prior import Prior, PriorTrial
from qipo_ray.study.search_spec import SearchSpec, differences
from qipo_ray.study.trial import Trial, TrialState
from qipo_ray.sweep.tpe import TrialFacts

MOST = 1000  # trials, the best of them: they stand in the specification


def with_prior(spec: SearchSpec, saved: SearchSpec | None = None) -> SearchSpec:
    """Return the specification with the trials that it begins with.

    Those in ``saved``, the sweep's own specification, stay as they are, whatever became of the
    other sweep. ``UserError`` if that searched something else.
    """
    if spec.warm_start is None:
        return spec
    before = None if saved is None else saved.prior
    if before is not None and before.sweep == spec.warm_start.resolve().name:
        return replace(spec, prior=before)
    return replace(spec, prior=_read(spec))


def _read(spec: SearchSpec) -> Prior:
    root, title = spec.warm_start, f"{spec.source}: warm_start"
    assert root is not None
    try:
        other, listed = sweep_spec(root), listed_trials(root)
        trials = [Trial.from_intent(intent) for intent in sound_intents(root)]
    except UserError as problem:
        raise UserError(f"{title}: {problem}") from None
    before, after = (
        {"objective": s.objective, "space": {p.key: p.document() for p in s.parameters}}
        for s in (other, spec)
    )
    if before != after:
        raise UserError(
            f"{title}: {root} searched something else: {'; '.join(differences(before, after))}"
        )
    foreign = next((task for task in spec.tasks if task not in other.tasks), None)
    if foreign is not None and len(other.tasks) > 1:
        raise UserError(
            f"{title}: {root} has several tasks ({', '.join(other.tasks)}), and {foreign} is none "
            "of them: their values are no one scale; name a sweep of one task"
        )
    alike = other.shares == spec.shares  # else a stopped trial's rung is not one of ours
    ended = (TrialState.FINISHED, *([TrialState.PRUNED] if alike else []))
    # The paper's form may lie outside of the space, and so may what it held before `--extend`.
    inside = {trial.id for trial in trials if other.params_of(trial.config) is not None}
    usable = [t for t in listed if t.id in inside and t.state in ended and t.score is not None]
    if not usable:
        raise UserError(f"{title}: no trial of {root} has ended with a value")
    best = sorted(usable, key=lambda trial: (trial.rank, trial.id))[:MOST]
    return Prior(root.resolve().name, tuple(map(_plain, best)))


def _plain(trial: ListedTrial) -> PriorTrial:
    assert trial.score is not None
    return {
        "task": trial.task,
        "params": dict(trial.params),
        "state": "finished" if trial.state is TrialState.FINISHED else "pruned",
        "value": trial.score,
        "rung": len(trial.values) - 1,
    }


def prior_facts(spec: SearchSpec, task: str, own: Iterable[TrialFacts]) -> list[TrialFacts]:
    """Return the trials that the search of a task begins with, beside its own so far.

    Values of another task are brought to the mean and the spread of the task's own finished
    trials, as soon as there are two: Optuna compares all of them.
    """
    trials = () if spec.prior is None else spec.prior.of(task)
    factor, shift = 1.0, 0.0
    finished = TrialState.FINISHED
    before = [t["value"] for t in trials if t["task"] != task and t["state"] == finished.value]
    now = [facts.value for facts in own if facts.state is finished and facts.value is not None]
    if len(before) > 1 and len(now) > 1 and (spread := pstdev(before)):
        factor = pstdev(now) / spread or 1.0  # equal values tell where, not how far apart
        shift = fmean(now) - factor * fmean(before)
    facts = []
    for trial in trials:
        value = trial["value"] if trial["task"] == task else factor * trial["value"] + shift
        state, rung = TrialState(trial["state"]), trial["rung"]
        facts.append(TrialFacts(dict(trial["params"]), state, value, {rung: value}))
    return facts
