"""From records to rows: which runs enter, what is one row, and what is one number per seed.

A row averages over training seeds and over nothing else. Runs that differ in the data (source or
SHA-256), in the protocol, the simulator among it, or in the configuration make different rows.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from statistics import fmean
from typing import Any, Literal, NamedTuple

from qipo_ray.config import path_label
from qipo_ray.data.tasks import NO_ENVIRONMENT, RAW_RETURNS, SUCCESS_RATES, physics
from qipo_ray.leaderboard.statistics.spread import Spread, spread
from qipo_ray.store.records import unique
from qipo_ray.study.selection import PAPER

Record = Mapping[str, Any]
Kind = Literal["data", "cloning", "run"]

REPORTED = ("confirm", "acting", "single")  # purposes; search runs choose, they are not reported
NOT_ROLLED_OUT = "not rolled out"
APART = "in a table without scores"  # not rolled out, but measured by the data alone
KINDS: tuple[Kind, ...] = ("data", "cloning", "run")  # in the order of a table


@dataclass(frozen=True, order=True)
class EvalSetting:
    """What all numbers of one table share: the source of the data, and how was measured."""

    source: str  # of `data.transitions.Source`
    episodes: int  # per final evaluation
    env_seeds: str  # such as "1001..1100"
    clip: bool  # actions clipped to [-1, 1]
    origin: str  # the source; the physics, where they are not today's; scores of another kind

    @property
    def raw(self) -> bool:
        """Whether the numbers are raw returns, of tasks without references."""
        return self.origin.endswith(RAW_RETURNS)

    @property
    def by_success(self) -> bool:
        """Whether the numbers are success rates in per cent."""
        return self.origin.endswith(SUCCESS_RATES)


@dataclass(frozen=True)
class Method:
    """What one row is about; runs with equal methods differ in the training seed alone."""

    setting: EvalSetting
    task: str
    dataset: str  # SHA-256
    kind: Kind
    name: str  # "QIPO-OT", "behaviour cloning (OT)", "data"
    departures: tuple[str, ...]  # switches that leave the paper
    preset: str | None  # the configuration's own name, if it has one
    config: str | None  # hash of what was configured; nothing was for "data"
    sampler: str | None
    steps: int | None  # network evaluations per action
    best_of: int  # actions drawn per state, of which one is executed
    selection_episodes: int | None  # online episodes that chose the configuration
    episodes: int  # behind each seed's score


@dataclass(frozen=True)
class Row:
    """One row: a method and its D4RL-normalised scores over training seeds."""

    method: Method
    last: Spread  # the last checkpoint: the primary score
    gain: Spread | None  # over behaviour cloning of the same run, paired by seed
    best: Spread | None  # the best evaluation of each run: chosen on what it reports
    best_episodes: tuple[int, ...]  # behind those, each number once
    seeds: tuple[int, ...]  # training seeds; none for the data themselves
    scores: tuple[float, ...]  # of the last checkpoint, one per seed
    notes: tuple[str, ...]  # on the data
    ended: str  # when the last of its runs did, UTC
    repeats: int  # runs beyond the first of a seed; a seed counts once, with their mean
    stopped: int | None = None  # the rung, from 1, at which the search stopped its configuration


class _RunScore(NamedTuple):
    """What one record says about one method; notes and end may be those of the whole group."""

    seed: int | None
    last: float
    notes: tuple[str, ...]
    ended: str
    gain: float | None = None
    best: float | None = None
    best_episodes: int | None = None
    stopped: int | None = None


def exclusion_reason(record: Record) -> str | None:
    """Return why a record may not enter a table, or None: only whole, reported runs do."""
    if record["purpose"] not in REPORTED:
        return str(record["purpose"])
    if record["state"] != "finished":
        return str(record["state"])
    if record["reason"] == NO_ENVIRONMENT:
        return APART if record.get("signals") else NOT_ROLLED_OUT
    return "unscored" if _normalised(record["final"]["last"]) is None else None


def _normalised(score: Mapping[str, Any] | None) -> float | None:
    return None if score is None else score["normalised"]


def collect(records: Iterable[Record]) -> tuple[list[Row], Counter[str]]:
    """Return the rows of a leaderboard in its order, and how many records it left out and why."""
    runs = unique(records)
    left_out = Counter({"copy": runs.copies, "differing copy": len(runs.differing)})
    groups: defaultdict[tuple[object, ...], list[Record]] = defaultdict(list)
    for record in runs.kept:
        reason = exclusion_reason(record)
        if reason:
            left_out[reason] += 1
        else:
            groups[_group_key(record)].append(record)
    scores: defaultdict[Method, list[_RunScore]] = defaultdict(list)
    stops = {
        record["trial"]: record["reached"]["rung"] + 1
        for record in runs.kept
        if record["state"] == "pruned" and None not in (record["trial"], record["reached"]["rung"])
    }
    for group in groups.values():
        _add_scores(group, scores, stops)
    rows = [_row(method, run_scores) for method, run_scores in scores.items()]
    return sorted(rows, key=_order), +left_out


def by_setting(rows: Iterable[Row]) -> Iterator[tuple[EvalSetting, list[Row]]]:
    """Yield the rows of each data source and protocol, which no table mixes."""
    for setting, group in groupby(rows, key=lambda row: row.method.setting):
        yield setting, list(group)


def _group_key(record: Record) -> tuple[object, ...]:
    """Return all that a record's methods are made of: runs that share it differ in the seed."""
    protocol, label, data = record["protocol"], record["label"], record["data"]
    scores = record["final"]["last"], record["behaviour_cloning"], data["score"]
    return (
        *(record["task"], record["config_hash"], data["source"], data["sha256"]),
        *(label["method"], label["name"], *label["departures"]),
        *map(str, protocol.values()),
        *(score and score["episodes"] for score in scores),
    )


def _add_scores(
    runs: Sequence[Record],
    scores: defaultdict[Method, list[_RunScore]],
    stops: Mapping[str, int],
) -> None:
    """Add the scores of runs of one group: of QIPO, of cloning, of the data."""
    qipo = method_of(runs[0])
    cloning, data = _cloning_method(qipo, runs[0]), _data_method(qipo, runs[0])
    paired = cloning is not None and cloning.episodes == qipo.episodes
    notes = tuple(dict.fromkeys(note for record in runs for note in record["data"]["notes"]))
    ended = max(record["provenance"]["ended"] for record in runs)
    for record in runs:
        seed, final = record["seed"], record["final"]
        last, best = final["last"]["normalised"], _normalised(final["best"])
        cloned = _normalised(record["behaviour_cloning"])
        gain = last - cloned if paired and cloned is not None else None
        episodes = None if best is None else final["best"]["episodes"]
        stopped = stops.get(record["trial"])
        scores[qipo].append(_RunScore(seed, last, notes, ended, gain, best, episodes, stopped))
        if cloning is not None and cloned is not None:
            scores[cloning].append(_RunScore(seed, cloned, notes, ended))
    for score in {_normalised(record["data"]["score"]) for record in runs}:
        if data is not None and score is not None:
            scores[data].append(_RunScore(None, score, notes, ended))


def origin_of(record: Record) -> str:
    """Return where a record's scores come from, which no table mixes.

    That is the source of its data; the simulator's physics, where they are others today; and what
    its scores are, where they are not normalised.
    """
    protocol, origin = record["protocol"], str(record["data"]["source"])
    if in_other_physics(record):
        origin += f", physics {protocol.get('physics', 1)}"
    scores = protocol.get("scores")
    return f"{origin}, {scores}" if scores else origin


def in_other_physics(record: Record) -> bool:
    """Return whether a record's simulator had other physics than today's."""
    number: int = record["protocol"].get("physics", 1)
    return number != physics(record["task"])


def method_of(record: Record) -> Method:
    """Return what the score of a whole run is about."""
    protocol, label, data = record["protocol"], record["label"], record["data"]
    seeds = protocol["env_seeds"]
    return Method(
        setting=EvalSetting(
            source=data["source"],
            episodes=protocol["episodes"],
            env_seeds=seeds if isinstance(seeds, str) else ", ".join(map(str, seeds)),
            clip=protocol["clip"],
            origin=origin_of(record),
        ),
        task=record["task"],
        dataset=data["sha256"],
        kind="run",
        name=label["method"],
        departures=tuple(label["departures"]),
        preset=label["name"],
        config=record["config_hash"],
        sampler=protocol["sampler"],
        steps=protocol["steps"],
        best_of=protocol["best_of"],
        selection_episodes=protocol["selection_episodes"],
        episodes=record["final"]["last"]["episodes"],
    )


def _cloning_method(qipo: Method, record: Record) -> Method | None:
    """Return what the score of the behaviour model that a run built on is about, if it has one."""
    score = record["behaviour_cloning"]
    return score and replace(
        qipo,
        kind="cloning",
        name=f"behaviour cloning ({path_label(lookup(record['config'], ('behaviour', 'path')))})",
        departures=(),
        best_of=1,
        preset=_cloning_label(record["config"]),
        config=_cloning_hash(record),
        selection_episodes=None,
        episodes=score["episodes"],
    )


def _data_method(qipo: Method, record: Record) -> Method | None:
    """Return what the score of the data themselves is about, if they have one."""
    score = record["data"]["score"]
    return score and Method(
        qipo.setting,
        qipo.task,
        qipo.dataset,
        kind="data",
        name="data",
        departures=(),
        preset=None,
        config=None,
        sampler=None,
        steps=None,
        best_of=1,
        selection_episodes=None,
        episodes=score["episodes"],
    )


def lookup(tree: Any, keys: Sequence[str]) -> Any:
    """Return what lies under nested keys, or None."""
    for key in keys:
        tree = tree.get(key) if isinstance(tree, Mapping) else None
    return tree


def _cloning_label(config: Mapping[str, Any]) -> str | None:
    """Return what tells one cloning row from another: length, what it sees, if it is averaged."""
    updates = lookup(config, ("behaviour", "updates"))
    if not isinstance(updates, int):
        return None
    label = f"{updates:,} updates, {lookup(config, ('data', 'observations'))} observations"
    return label if _average(config) is None else f"{label}, averaged"


def _average(config: Mapping[str, Any]) -> float | None:
    """Return the rate of the average that was scored as cloning; None: the network itself was.

    Records from before ``behaviour.ema_rate`` have only that.
    """
    averaged = lookup(config, ("evaluation", "weights")) == "ema"
    rate: float | None = lookup(config, ("behaviour", "ema_rate")) if averaged else None
    return rate


def _cloning_hash(record: Record) -> str:
    """Return a hash of what cloning depends on: runs that differ only beyond it share a row."""
    config = record["config"]
    settings = config.get("behaviour")
    if isinstance(settings, Mapping):
        used = {"ema_rate", "weights"}  # by averages and by later stages, not by cloning
        settings = {key: value for key, value in settings.items() if key not in used}
    sampler = config.get("sampler")
    if isinstance(sampler, Mapping):  # the clone's score is of one action, of its flow
        of_policy = ("best_of", "one_step")
        sampler = {key: value for key, value in sampler.items() if key not in of_policy}
    parts = [settings, lookup(config, ("data", "observations")), sampler]
    parts += [] if _average(config) is None else [_average(config)]
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()[:16]


def _row(method: Method, scores: list[_RunScore]) -> Row:
    """Return the row of one method: one number per seed, then mean and spread over seeds."""
    runs: defaultdict[int | None, list[_RunScore]] = defaultdict(list)
    for score in scores:
        runs[score.seed].append(score)
    seeds = tuple(sorted(seed for seed in runs if seed is not None))
    by_seed = [runs[seed] for seed in seeds] or [scores]
    lasts = _per_seed([score.last for score in group] for group in by_seed)
    gains = _per_seed([score.gain for score in group] for group in by_seed)
    bests = _per_seed([score.best for score in group] for group in by_seed)
    return Row(
        method=method,
        last=spread(lasts),
        gain=spread(gains) if gains else None,
        best=spread(bests) if bests else None,
        best_episodes=tuple(sorted({s.best_episodes for s in scores if s.best_episodes})),
        seeds=seeds,
        scores=tuple(lasts),
        notes=tuple(dict.fromkeys(note for score in scores for note in score.notes)),
        ended=max(score.ended for score in scores),
        repeats=len(scores) - len(runs) if method.kind == "run" else 0,
        stopped=next((score.stopped for score in scores if score.stopped), None),
    )


def _per_seed(runs: Iterable[Iterable[float | None]]) -> list[float]:
    """Return one number per seed that has any: the mean of its distinct values."""
    distinct = ({value for value in values if value is not None} for values in runs)
    return [fmean(values) for values in distinct if values]


def _order(row: Row) -> tuple[object, ...]:
    """Sort by table, task, data; then data, cloning, the paper's form, QIPO-OT, QIPO-Diff."""
    method = row.method
    return (
        method.setting,
        method.task,
        method.dataset,
        KINDS.index(method.kind),
        method.preset != PAPER,
        bool(method.departures),
        "Diff" in method.name,
        method.departures,
        method.preset or "",
        method.config or "",
        method.sampler or "",
        method.steps or 0,
        method.best_of,
        method.selection_episodes or 0,
        method.episodes,
    )
