"""The race of the confirm step: who gets more report seeds, by the seeds that all have so far.

A pure function of the confirmed runs: a resume and ``verify`` come to the same.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean

from qipo_ray.config import config_hash, method_title
from qipo_ray.errors import UserError
from qipo_ray.leaderboard.aggregate import generator
from qipo_ray.leaderboard.rows import Record
from qipo_ray.leaderboard.statistics.paired_tests import Runs, sign_flip_p
from qipo_ray.leaderboard.tables import counted
from qipo_ray.leaderboard.trial_list import sound_intents
from qipo_ray.store.records import new_id
from qipo_ray.store.rung_log import LOG_FILE, RungLog
from qipo_ray.study.saved_spec import EARLIER, FILE, read_spec
from qipo_ray.study.search_spec import SearchSpec
from qipo_ray.study.selection import Contender, SelectedConfig, select_configs
from qipo_ray.study.trial import BROKEN, Trial

CLEAR = 0.05  # two-sided; not corrected for the number of looks, nor of those that are compared
Scores = dict[str, dict[int, float | None]]  # task -> seed -> score; None: it broke


@dataclass(frozen=True)
class Race:
    """How far a race has come."""

    seeds: Mapping[Contender, tuple[int, ...]]  # of each, beyond the first report seeds
    still_in: tuple[Contender, ...]  # the leader first
    end: str | None  # why it is over; None: runs that it asked for have not ended

    @property
    def begun(self) -> tuple[int, ...]:
        """The further seeds that anybody has."""
        return max(self.seeds.values(), key=len, default=())


def race_of(
    spec: SearchSpec, selected: Iterable[SelectedConfig], records: Mapping[str, Record]
) -> Race:
    """Return the race of the confirmed configurations, by the sweep's records by id.

    All have the report seeds. One after another, the seeds of ``spec.race`` go to those that are
    not clearly worse than the one with the best mean, by the paired test over the tasks and seeds
    that both have. Who broke on a seed, or was not selected on every task, gets no more.
    """
    scores = _scores(spec, selected, records)
    seeds: dict[Contender, tuple[int, ...]] = dict.fromkeys(scores, ())
    racing = [name for name, tasks in scores.items() if len(tasks) == len(spec.tasks)]
    if not spec.race:
        return Race(seeds, tuple(racing), "there is none")
    for number in range(len(spec.race) + 1):
        run = (*spec.report_seeds, *spec.race[:number])
        if any(seed not in by_seed for c in racing for by_seed in scores[c].values()
               for seed in run):  # fmt: skip
            return Race(seeds, tuple(racing), None)
        racing = _still_in({name: _on(scores[name], run) for name in racing})
        if len(racing) < 2:
            return Race(seeds, tuple(racing), "no other is still in it")
        if number < len(spec.race):
            seeds |= {name: spec.race[: number + 1] for name in racing}
    return Race(seeds, tuple(racing), "its seeds are used up")


def _scores(
    spec: SearchSpec, selected: Iterable[SelectedConfig], records: Mapping[str, Record]
) -> dict[Contender, Scores]:
    """Return the scores that there are of each, by task and seed."""
    scores: dict[Contender, Scores] = {}
    for config in (config for config in selected if config.acting is None):
        by_seed = scores.setdefault(config.contender, {}).setdefault(config.task, {})
        digest = config_hash(config.config)
        for seed in (*spec.report_seeds, *spec.race):
            record = records.get(new_id(spec.name, config.purpose, config.task, digest, seed))
            if record is not None:
                last = record["final"]["last"]
                by_seed[seed] = None if last is None else last["normalised"]
    return scores


def _on(scores: Scores, seeds: Sequence[int]) -> Runs | None:
    """Return the scores on some seeds; None where one broke."""
    runs = {task: {seed: by_seed[seed] for seed in seeds} for task, by_seed in scores.items()}
    whole = {
        task: {seed: score for seed, score in by_seed.items() if score is not None}
        for task, by_seed in runs.items()
    }
    return whole if whole == runs else None


def _still_in(runs: Mapping[Contender, Runs | None]) -> list[Contender]:
    """Return those that are not clearly worse than the leader, itself first."""
    whole = {name: tasks for name, tasks in runs.items() if tasks is not None}
    means = {
        name: fmean(fmean(by_seed.values()) for by_seed in tasks.values())
        for name, tasks in whole.items()
    }
    if not means:
        return []
    leader = max(means, key=means.__getitem__)
    near = [
        name
        for name in means
        if name != leader and sign_flip_p(whole[leader], whole[name], generator()) > CLEAR
    ]
    return [leader, *near]


def race_lines(roots: Iterable[Path], records: Iterable[Record]) -> tuple[str, ...]:
    """Return how the race of each sweep below ``roots`` stands that has one: a line each.

    ``records`` are those of the sweeps. What cannot be read is named by ``verify``, not here.
    """
    by_id = {record["id"]: record for record in records}
    lines = []
    for path in sorted(path for root in roots for path in (root / FILE, *root.glob(f"*/{FILE}"))):
        try:
            spec = read_spec(path).spec
            longest = _longest(spec, path.parent)
            selected = [*_selected(spec, path.parent, by_id)] if longest else []
        except (ValueError, OSError, UserError):
            continue
        begun = any((r["sweep"], r["purpose"]) == (spec.name, "confirm") for r in by_id.values())
        if selected and begun:
            lines.append(_line(spec, race_of(spec, selected, by_id), selected, longest))
    return tuple(lines)


def _selected(
    spec: SearchSpec, root: Path, records: Mapping[str, Record]
) -> Iterator[SelectedConfig]:
    """Yield what a sweep's folder says is confirmed."""
    trials = [Trial.from_intent(intent) for intent in sound_intents(root)]
    entries = RungLog(root / LOG_FILE).read()
    runs = (record for record in records.values() if record["purpose"] == "search")
    broken = {record["trial"] for record in runs if record["state"] in BROKEN}
    for task in spec.tasks:
        own = [trial for trial in trials if trial.task == task]
        yield from select_configs(task, spec, own, entries, broken)


def _longest(spec: SearchSpec, root: Path) -> int:
    """Return how many seeds the race of a sweep had at most, before hours or a file took some."""
    earlier = (read_spec(path).spec.race for path in (root / EARLIER).glob("*.yaml"))
    return max(map(len, (spec.race, *earlier)))


def _line(spec: SearchSpec, race: Race, selected: Sequence[SelectedConfig], longest: int) -> str:
    early = race.end and len(race.still_in) > 1 and len(spec.race) < longest
    end = "its hours, or a changed file, left out the rest" if early else race.end
    names = {c.contender: f"{method_title(c.config)}, {c.name}" for c in selected if not c.acting}
    further = sum(map(bool, race.seeds.values()))
    first = len(spec.report_seeds)
    last, most = first + len(race.begun), first + longest
    return (
        f"{spec.name}: {further} of {counted(len(race.seeds), 'configuration')} raced on from "
        f"{first} report seeds, to {last} of {most}; the race "
        f"{f'ended, for {end}' if end else 'goes on'}. Not clearly worse than the best, "
        f"itself first: {'; '.join(names[name] for name in race.still_in) or 'none'}."
    )
