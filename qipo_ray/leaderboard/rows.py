"""From records to rows: which runs enter, what is one row, and what is one number per seed.

A row averages over training seeds and over nothing else. Runs that differ in the data (source or
SHA-256), in the protocol, or in the configuration make different rows.
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

from qipo_ray.leaderboard.statistics import Spread, spread
from qipo_ray.store.records import unique
from qipo_ray.study.selection import PAPER

Record = Mapping[str, Any]
Kind = Literal["data", "cloning", "qipo"]

REPORTED = ("confirm", "single")  # purposes; search runs choose, they are not reported
KINDS: tuple[Kind, ...] = ("data", "cloning", "qipo")  # in the order of a table


@dataclass(frozen=True, order=True)
class EvalSetting:
    """What all numbers of one table share: where the data came from and how was measured."""

    source: str  # d4rl, minari, generated, other
    episodes: int  # per final evaluation
    env_seeds: str  # such as "1001..1100"
    best_of: int  # actions drawn per state
    clip: bool  # actions clipped to [-1, 1]


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


class _Value(NamedTuple):
    """What one record says about one method; notes and end may be those of its like."""

    seed: int | None
    last: float
    notes: tuple[str, ...]
    ended: str
    gain: float | None = None
    best: float | None = None
    best_episodes: int | None = None


def left_out_because(record: Record) -> str | None:
    """Return why a record may not enter a table, or None: only whole, reported runs do."""
    if record["purpose"] not in REPORTED:
        return str(record["purpose"])
    if record["state"] != "finished":
        return str(record["state"])
    return "unscored" if _normalised(record["final"]["last"]) is None else None


def _normalised(score: Mapping[str, Any] | None) -> float | None:
    return None if score is None else score["normalised"]


def collect(records: Iterable[Record]) -> tuple[list[Row], Counter[str]]:
    """Return the rows of a leaderboard in its order, and how many records it left out and why."""
    found = unique(records)
    left_out = Counter({"copy": found.copies, "differing copy": len(found.differing)})
    runs: defaultdict[tuple[object, ...], list[Record]] = defaultdict(list)
    for record in found.kept:
        reason = left_out_because(record)
        if reason:
            left_out[reason] += 1
        else:
            runs[_likeness(record)].append(record)
    values: defaultdict[Method, list[_Value]] = defaultdict(list)
    for some in runs.values():
        _add(some, values)
    rows = [_row(method, some) for method, some in values.items() if some]
    return sorted(rows, key=_order), +left_out


def by_setting(rows: Iterable[Row]) -> Iterator[tuple[EvalSetting, list[Row]]]:
    """Yield the rows of each data source and protocol, which no table mixes."""
    for setting, some in groupby(rows, key=lambda row: row.method.setting):
        yield setting, list(some)


def _likeness(record: Record) -> tuple[object, ...]:
    """Return all that a record's methods are made of: runs that share it differ in the seed."""
    protocol, label, data = record["protocol"], record["label"], record["data"]
    scores = record["final"]["last"], record["behaviour_cloning"], data["score"]
    return (
        *(record["task"], record["config_hash"], data["source"], data["sha256"]),
        *(label["method"], label["name"], *label["departures"]),
        *map(str, protocol.values()),
        *(score and score["episodes"] for score in scores),
    )


def _add(runs: Sequence[Record], values: defaultdict[Method, list[_Value]]) -> None:
    """Add what like runs say: about QIPO, about cloning, about the data."""
    qipo = method_of(runs[0])
    cloning, own = _cloning(qipo, runs[0]), _own(qipo, runs[0])
    paired = cloning is not None and cloning.episodes == qipo.episodes
    of_qipo, of_cloning, of_data = (values[one] if one else [] for one in (qipo, cloning, own))
    notes = tuple(dict.fromkeys(note for record in runs for note in record["data"]["notes"]))
    ended = max(record["provenance"]["ended"] for record in runs)
    for record in runs:
        seed, final = record["seed"], record["final"]
        last, best = final["last"]["normalised"], _normalised(final["best"])
        cloned = _normalised(record["behaviour_cloning"])
        gain = last - cloned if paired and cloned is not None else None
        episodes = None if best is None else final["best"]["episodes"]
        of_qipo.append(_Value(seed, last, notes, ended, gain, best, episodes))
        if cloned is not None:
            of_cloning.append(_Value(seed, cloned, notes, ended))
    behaved = {_normalised(record["data"]["score"]) for record in runs}
    of_data += [_Value(None, score, notes, ended) for score in behaved if score is not None]


def method_of(record: Record) -> Method:
    """Return what the score of a whole run is about."""
    protocol, label, data = record["protocol"], record["label"], record["data"]
    seeds = protocol["env_seeds"]
    return Method(
        setting=EvalSetting(
            source=data["source"],
            episodes=protocol["episodes"],
            env_seeds=seeds if isinstance(seeds, str) else ", ".join(map(str, seeds)),
            best_of=protocol["best_of"],
            clip=protocol["clip"],
        ),
        task=record["task"],
        dataset=data["sha256"],
        kind="qipo",
        name=label["method"],
        departures=tuple(label["departures"]),
        preset=label["name"],
        config=record["config_hash"],
        sampler=protocol["sampler"],
        steps=protocol["steps"],
        selection_episodes=protocol["selection_episodes"],
        episodes=record["final"]["last"]["episodes"],
    )


def _cloning(qipo: Method, record: Record) -> Method | None:
    """Return what the score of the behaviour model that a run built on is about, if it has one."""
    score = record["behaviour_cloning"]
    if score is None:
        return None
    return replace(
        qipo,
        kind="cloning",
        name=f"behaviour cloning ({qipo.name.removeprefix('QIPO-')})",
        departures=(),
        preset=_cloning_label(record["config"]),
        config=_cloning_hash(record),
        selection_episodes=None,
        episodes=score["episodes"],
    )


def _own(qipo: Method, record: Record) -> Method | None:
    """Return what the score of the data themselves is about, if they have one."""
    score = record["data"]["score"]
    if score is None:
        return None
    return replace(
        qipo,
        kind="data",
        name="data",
        departures=(),
        preset=None,
        config=None,
        sampler=None,
        steps=None,
        selection_episodes=None,
        episodes=score["episodes"],
    )


def at(tree: Any, keys: Sequence[str]) -> Any:
    """Return what lies under nested keys, or None."""
    for key in keys:
        tree = tree.get(key) if isinstance(tree, Mapping) else None
    return tree


def _cloning_label(config: Mapping[str, Any]) -> str | None:
    """Return what tells one cloning row from another: length, what it sees, if it is averaged."""
    updates, seen = at(config, ("behaviour", "updates")), at(config, ("data", "observations"))
    if not isinstance(updates, int):
        return None
    words = f"{updates:,} updates, {seen} observations"
    return words if _average(config) is None else f"{words}, averaged"


def _average(config: Mapping[str, Any]) -> float | None:
    """Return the rate of the average that was scored as cloning; None: the network itself was.

    Records from before ``behaviour.ema_rate`` have only that.
    """
    averaged = at(config, ("evaluation", "weights")) == "ema"
    rate: float | None = at(config, ("behaviour", "ema_rate")) if averaged else None
    return rate


def _cloning_hash(record: Record) -> str:
    """Return a hash of what cloning depends on: runs that differ only beyond it share a row."""
    config = record["config"]
    settings = config.get("behaviour")
    if isinstance(settings, Mapping):
        used = {"ema_rate", "weights"}  # by averages and by later stages, not by cloning
        settings = {key: value for key, value in settings.items() if key not in used}
    parts = [settings, at(config, ("data", "observations")), at(config, ("sampler",))]
    parts += [] if _average(config) is None else [_average(config)]
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()[:16]


def _row(method: Method, values: list[_Value]) -> Row:
    """Return the row of one method: one number per seed, then mean and spread over seeds."""
    runs: defaultdict[int | None, list[_Value]] = defaultdict(list)
    for value in values:
        runs[value.seed].append(value)
    seeds = tuple(sorted(seed for seed in runs if seed is not None))
    ordered = [runs[seed] for seed in seeds] or [values]
    scores = _per_seed([value.last for value in run] for run in ordered)
    gains = _per_seed([value.gain for value in run] for run in ordered)
    bests = _per_seed([value.best for value in run] for run in ordered)
    return Row(
        method=method,
        last=spread(scores),
        gain=spread(gains) if gains else None,
        best=spread(bests) if bests else None,
        best_episodes=tuple(sorted({v.best_episodes for v in values if v.best_episodes})),
        seeds=seeds,
        scores=tuple(scores),
        notes=tuple(dict.fromkeys(note for value in values for note in value.notes)),
        ended=max(value.ended for value in values),
        repeats=len(values) - len(runs) if method.kind == "qipo" else 0,
    )


def _per_seed(runs: Iterable[Iterable[float | None]]) -> list[float]:
    """Return one number per seed that has any: the mean of its distinct values."""
    distinct = ({value for value in run if value is not None} for run in runs)
    return [fmean(some) for some in distinct if some]


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
        method.selection_episodes or 0,
        method.episodes,
    )
