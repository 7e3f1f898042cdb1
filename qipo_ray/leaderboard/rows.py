"""From records to rows: which runs enter, what is one row, and what is one number per seed.

A row averages over training seeds and over nothing else. Runs that differ in the data (source or
SHA-256), in the protocol, or in the configuration make different rows.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from statistics import fmean
from typing import Any, Literal

from qipo_ray.leaderboard.statistics import Spread, spread

Record = Mapping[str, Any]
Kind = Literal["data", "cloning", "qipo"]

REPORTED = ("confirm", "single")  # purposes; search runs choose, they are not reported
PAPER = "paper form"  # name of the configuration that a sweep takes from the paper
KINDS: tuple[Kind, ...] = ("data", "cloning", "qipo")  # in the order of a table


@dataclass(frozen=True, order=True)
class Setting:
    """What all numbers of one table share: where the data came from and how was measured."""

    source: str  # d4rl, minari, generated, other
    episodes: int  # per final evaluation
    env_seeds: str  # such as "1001..1100"
    best_of: int  # actions drawn per state
    clip: bool  # actions clipped to [-1, 1]


@dataclass(frozen=True)
class Method:
    """What one row is about; runs with equal methods differ in the training seed alone."""

    setting: Setting
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


@dataclass(frozen=True)
class _Value:
    """What one record says about one method."""

    seed: int | None
    last: float
    notes: tuple[str, ...]
    ended: str
    gain: float | None = None
    best: float | None = None
    best_episodes: int | None = None


def unique(records: Iterable[Record]) -> tuple[list[Record], int]:
    """Return one record per id, by id, and how many copies were left out.

    Of several with one id the highest attempt stays, then the one that ended last.
    """
    kept: dict[str, Record] = {}
    copies = 0
    for record in records:
        other = kept.get(record["id"])
        copies += other is not None
        if other is None or _recency(record) > _recency(other):
            kept[record["id"]] = record
    return [kept[key] for key in sorted(kept)], copies


def _recency(record: Record) -> tuple[int, str]:
    return record["attempt"], record["provenance"]["ended"] or ""


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
    kept, copies = unique(records)
    left_out: Counter[str] = Counter({"copy": copies} if copies else {})
    groups: defaultdict[Method, list[_Value]] = defaultdict(list)
    for record in kept:
        reason = left_out_because(record)
        if reason:
            left_out[reason] += 1
            continue
        for method, value in _entries(record):
            groups[method].append(value)
    rows = [_row(method, values) for method, values in groups.items()]
    return sorted(rows, key=_order), left_out


def _entries(record: Record) -> Iterator[tuple[Method, _Value]]:
    """Yield what one record says: about QIPO, about cloning, about the data."""
    protocol, label = record["protocol"], record["label"]
    final, cloning, data = record["final"], record["behaviour_cloning"], record["data"]["score"]
    last, best = final["last"], final["best"]
    cloned, highest, own = map(_normalised, (cloning, best, data))
    common = tuple(record["data"]["notes"]), record["provenance"]["ended"]
    paired = cloned is not None and cloning["episodes"] == last["episodes"]
    yield (
        _method(
            record,
            kind="qipo",
            name=label["method"],
            departures=tuple(label["departures"]),
            preset=label["name"],
            config=record["config_hash"],
            selection_episodes=protocol["selection_episodes"],
            episodes=last["episodes"],
        ),
        _Value(
            record["seed"],
            last["normalised"],
            *common,
            gain=last["normalised"] - cloned if paired else None,
            best=highest,
            best_episodes=best["episodes"] if highest is not None else None,
        ),
    )
    if cloned is not None:
        path = label["method"].removeprefix("QIPO-")
        method = _method(
            record,
            kind="cloning",
            name=f"behaviour cloning ({path})",
            preset=_cloning_label(record["config"]),
            config=_cloning_hash(record),
            episodes=cloning["episodes"],
        )
        yield method, _Value(record["seed"], cloned, *common)
    if own is not None:
        method = _method(record, kind="data", name="data", episodes=data["episodes"])
        yield method, _Value(None, own, *common)


def _method(
    record: Record,
    *,
    kind: Kind,
    name: str,
    episodes: int,
    config: str | None = None,
    departures: tuple[str, ...] = (),
    preset: str | None = None,
    selection_episodes: int | None = None,
) -> Method:
    protocol, data = record["protocol"], record["data"]
    acts = kind != "data"
    return Method(
        setting=setting_of(record),
        task=record["task"],
        dataset=data["sha256"],
        kind=kind,
        name=name,
        departures=departures,
        preset=preset,
        config=config,
        sampler=protocol["sampler"] if acts else None,
        steps=protocol["steps"] if acts else None,
        selection_episodes=selection_episodes,
        episodes=episodes,
    )


def setting_of(record: Record) -> Setting:
    """Return what the numbers of one table share, for a record."""
    protocol = record["protocol"]
    seeds = protocol["env_seeds"]
    return _setting(
        record["data"]["source"],
        protocol["episodes"],
        seeds if isinstance(seeds, str) else ", ".join(map(str, seeds)),
        protocol["best_of"],
        protocol["clip"],
    )


@lru_cache(maxsize=1024)
def _setting(source: str, episodes: int, env_seeds: str, best_of: int, clip: bool) -> Setting:
    """Return one object per setting: thousands of records share a few."""
    return Setting(source, episodes, env_seeds, best_of, clip)


def at(tree: Any, keys: Sequence[str]) -> Any:
    """Return what lies under nested keys, or None."""
    for key in keys:
        tree = tree.get(key) if isinstance(tree, Mapping) else None
    return tree


def _cloning_label(config: Mapping[str, Any]) -> str | None:
    """Return what tells one cloning row from another: its length, and what it sees."""
    updates, seen = at(config, ("behaviour", "updates")), at(config, ("data", "observations"))
    return f"{updates:,} updates, {seen} observations" if isinstance(updates, int) else None


def _cloning_hash(record: Record) -> str:
    """Return a hash of what cloning depends on: runs that differ only beyond it share a row."""
    config = record["config"]
    wanted = (("behaviour",), ("data", "observations"), ("sampler",))
    parts = [at(config, keys) for keys in wanted]
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
