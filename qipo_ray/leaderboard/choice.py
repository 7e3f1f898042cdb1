"""Which configurations a sweep confirms: a pure function of its trials and its rung log."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from qipo_ray.config import PATHS, Config
from qipo_ray.leaderboard.rows import PAPER
from qipo_ray.leaderboard.trials import PAPER_ORIGIN

Entry = Mapping[str, Any]


class Tried(Protocol):
    """What is asked of a trial here."""

    @property
    def id(self) -> str:
        """Its id."""

    @property
    def origin(self) -> str:
        """Where its configuration came from: ``paper``, ``search`` or ``grid``."""

    @property
    def config(self) -> Config:
        """Its configuration."""

    @property
    def seeds(self) -> Sequence[int]:
        """The search seeds."""


@dataclass(frozen=True)
class Standing:
    """How far a trial came: its last rung with a value, and that value."""

    rung: int
    value: float
    trial: str


@dataclass(frozen=True)
class Choice:
    """A configuration to confirm, and how it was chosen."""

    task: str
    config: Config
    name: str
    trial: str | None
    selection_episodes: int


def standings(entries: Iterable[Entry], ended: Collection[str]) -> list[Standing]:
    """Return the trials of ``ended`` that have a value, best first: rungs reached, then value."""
    last = {
        entry["trial"]: Standing(entry["rung"], entry["value"], entry["trial"])
        for entry in entries
        if entry["value"] is not None and entry["trial"] in ended
    }
    return sorted(last.values(), key=lambda s: (s.rung, s.value), reverse=True)


def choices(
    task: str,
    paper: Config | None,
    top: int,
    trials: Iterable[Tried],
    entries: Iterable[Entry],
    broken: Collection[str],
) -> Iterator[Choice]:
    """Yield the paper's configuration, then the ``top`` others of each path.

    ``trials`` are all of the task, ``entries`` the rung log; ``broken`` trials diverged or failed.
    Behaviour cloning needs no run of its own: every run scores the behaviour model that it builds
    on. A path without a trial at the last rung is represented by the one that came furthest.
    """
    known = {trial.id: trial for trial in trials}
    own = [entry for entry in entries if entry["trial"] in known]
    if paper is not None:
        its_trial = next((trial.id for trial in known.values() if trial.config == paper), None)
        yield Choice(task, paper, PAPER, its_trial, 0)
    tried = (known[entry["trial"]] for entry in own)
    episodes = sum(len(trial.seeds) * trial.config.evaluation.episodes for trial in tried)
    ranking = [known[one.trial] for one in standings(own, known.keys() - broken)]
    for path in PATHS:
        best = [
            trial
            for trial in ranking
            if trial.config.behaviour.path == path and trial.origin != PAPER_ORIGIN
        ]
        for rank, trial in enumerate(best[:top], start=1):
            name = f"search, best {rank}" if top > 1 else "search, best"
            yield Choice(task, trial.config, name, trial.id, episodes)
