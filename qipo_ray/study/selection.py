"""Which configurations a sweep confirms: a pure function of its trials and its rung log."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from qipo_ray.config import METHODS, PATHS, Config, config_hash, stage_keys
from qipo_ray.config.evaluations import score_name, scored_at
from qipo_ray.data.tasks import physics
from qipo_ray.study.objective import SCORE
from qipo_ray.study.search_spec import SearchSpec
from qipo_ray.study.trial import Trial

PAPER = "paper form"  # name of the configuration that a sweep takes from the paper
SEARCHED = "search, best"  # of what it has found
PAPER_ORIGIN = "paper"  # origin of the trial that the paper's form got
Entry = Mapping[str, Any]
Contender = tuple[str | None, ...]  # the name, the method, and the path where it has one


@dataclass(frozen=True)
class Standing:
    """How far a trial came: its last rung with a value, and that value."""

    rung: int
    value: float
    trial: str


@dataclass(frozen=True)
class SelectedConfig:
    """A configuration to confirm, and how it was chosen."""

    task: str
    config: Config
    name: str
    trial: str | None
    selection_episodes: int  # at the rungs in the log: those that decided
    acting: str | None = None  # the way to act, of one that is scored once more; None: trained
    # What it stands for on every task, whatever its settings there; in all its ways to act.
    contender: Contender = ()

    @property
    def purpose(self) -> str:
        """The purpose of its runs."""
        return "confirm" if self.acting is None else "acting"


def standings(entries: Iterable[Entry], ended: Collection[str]) -> list[Standing]:
    """Return the trials of ``ended`` that have a value, best first: rungs reached, then value."""
    last = {
        entry["trial"]: Standing(entry["rung"], entry["value"], entry["trial"])
        for entry in entries
        if entry["value"] is not None and entry["trial"] in ended
    }
    return sorted(last.values(), key=lambda s: (s.rung, s.value), reverse=True)


def select_configs(
    task: str,
    spec: SearchSpec,
    trials: Iterable[Trial],
    entries: Iterable[Entry],
    broken: Collection[str],
) -> Iterator[SelectedConfig]:
    """Yield the paper's configuration, the baselines, then the ``top`` of each method and path.

    Each of the ``top`` is followed by itself in other ways to act, where its method can.
    ``trials`` are all of the task, ``entries`` the rung log; ``broken`` trials diverged or failed.
    Behaviour cloning needs no run of its own: every run scores the behaviour model that it builds
    on. A path without a trial at the last rung is represented by the one that came furthest.
    """
    trials_by_id = {trial.id: trial for trial in trials}
    task_entries = [entry for entry in entries if entry["trial"] in trials_by_id]
    if spec.paper is not None:
        its_trial = next(
            (trial.id for trial in trials_by_id.values() if trial.config == spec.paper), None
        )
        yield _chosen(task, spec.paper, PAPER, its_trial, 0)
    for baseline in spec.baselines:
        yield _chosen(task, baseline.config, baseline.name, None, 0)
    at_rungs = (trials_by_id[entry["trial"]] for entry in task_entries)
    episodes = sum(
        len(trial.seeds) * trial.config.evaluation.episodes
        for trial in at_rungs
        if trial.objective == SCORE
    )
    ranking = [
        trials_by_id[standing.trial]
        for standing in standings(task_entries, trials_by_id.keys() - broken)
    ]
    searched = [trial for trial in ranking if trial.origin != PAPER_ORIGIN]
    for kind in dict.fromkeys(_kind(method, path) for method in METHODS for path in PATHS):
        best = [
            trial
            for trial in searched
            if _kind(trial.config.policy.method, trial.config.behaviour.path) == kind
        ]
        for rank, trial in enumerate(best[: spec.top], start=1):
            name = f"{SEARCHED} {rank}" if spec.top > 1 else SEARCHED
            chosen = _chosen(task, trial.config, name, trial.id, episodes)
            yield chosen
            ways: set[str] = set()  # of equal ones only the first has a row
            for way in spec.acting:
                other = way.of(trial.config)
                if other is not None and (digest := config_hash(other)) not in ways:
                    ways.add(digest)
                    title = f"{name}; {way.name}"
                    yield replace(chosen, config=other, name=title, acting=way.name)


def _chosen(
    task: str, config: Config, name: str, trial: str | None, episodes: int
) -> SelectedConfig:
    kind = _kind(config.policy.method, config.behaviour.path)
    return SelectedConfig(task, config, name, trial, episodes, contender=(name, *kind))


def _kind(method: str, path: str) -> tuple[str, str | None]:
    """Return what is confirmed apart from all others: a method, on a path where it has one."""
    return method, path if "behaviour" in METHODS[method].stages else None


def spent_episodes(
    task: str,
    sha256: str,
    trials: Iterable[Trial],
    entries: Iterable[Entry],
    has_sidecar: Callable[[str, str], bool],
) -> int:
    """Return the online evaluation episodes that the search of a task has spent.

    A search by a signal spends none. Beside those that decided these are the episodes of seeds
    that ran ahead of a trial that was stopped, and of trials that broke. ``has_sidecar(key,
    name)`` says whether a policy job has it.
    """
    logged = {(entry["trial"], entry["rung"]) for entry in entries}
    spent = 0
    for trial in (trial for trial in trials if trial.objective == SCORE):
        points = scored_at(trial.config, trial.rungs)["policy"]
        for seed in trial.seeds:
            key = stage_keys(trial.config, task, sha256, seed)["policy"]
            for rung, (updates, episodes) in enumerate(points):
                names = (  # of today's simulator, and of one before it
                    f"{start}{score_name(trial.config, updates, episodes, number)}"
                    for number in {physics(task), 1}
                    for start in ("", "diverged-")  # broken off
                )
                if (trial.id, rung) in logged or any(has_sidecar(key, name) for name in names):
                    spent += episodes
    return spent
