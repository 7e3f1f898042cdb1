"""Records by themselves: what each says twice must agree, and what follows must follow."""

from __future__ import annotations

import json
import math
from collections import defaultdict
from collections.abc import Iterator, Mapping
from functools import partial
from statistics import fmean
from typing import Any

from qipo_ray.config import Config, path_label, stage_keys, stage_updates
from qipo_ray.config.evaluations import protocol_settings, scored_at
from qipo_ray.errors import UserError
from qipo_ray.verify.audit import Audit
from qipo_ray.verify.config_cache import Configs, Known
from qipo_ray.verify.sweep_plan import Record
from qipo_ray.version import __version__

TOLERANCE = 1e-9  # relative: another machine may add up in another order
Pair = tuple[Any, Any]  # what a record says, and what it should say


def check_records(found: Audit, configs: Configs, *, ours: bool) -> dict[str, Config]:
    """Return the configurations of all records that can be read, by id; say what is wrong.

    A configuration that cannot be read is a fault if the results are ``ours``, of this version's
    settings. What follows from a configuration may follow otherwise in another version.
    """
    readable: dict[str, Config] = {}
    strange: defaultdict[str, list[str]] = defaultdict(list)
    for record in found.records:
        own = partial(found.record_path, record["id"])
        for what in _differences(_told_twice(record)):
            found.fault(own(), what)
        try:
            known = configs.read(record["config"])
        except UserError as problem:
            strange[str(problem)].append(record["id"])
            continue
        readable[record["id"]] = known.config
        version = record["provenance"]["version"]
        for what in _differences(_derived(record, known)):
            if version == __version__:
                found.fault(own(), what)
            else:
                found.remark(own(), f"{what}; it was made by qipo_ray {version}")
        for what in _scores(record, known.config):
            found.fault(own(), what)
    for what, ids in strange.items():
        path = found.record_path(ids[0])
        others = f" (and that of {len(ids) - 1} other records)" if len(ids) > 1 else ""
        (found.fault if ours else found.remark)(path, f"{what}{others}")
    _check_data(found)
    return readable


def _derived(record: Record, known: Known) -> Iterator[tuple[str, Pair]]:
    """Yield what follows from the configuration."""
    config = known.config
    label, protocol = record["label"], record["protocol"]
    yield "config_hash", (record["config_hash"], known.hash)
    keys = stage_keys(config, record["task"], record["data"]["sha256"], record["seed"])
    for stage, key in keys.items():
        yield f"jobs.{stage}", (record["jobs"][stage], key)
    yield "label.method", (label["method"], f"QIPO-{path_label(config)}")
    yield "label.departures", (label["departures"], known.departures)
    for key, value in protocol_settings(config, search=record["purpose"] == "search").items():
        yield f"protocol.{key}", (protocol[key], value)


def _told_twice(record: Record) -> Iterator[tuple[str, Pair]]:
    """Yield what a record says in two places."""
    yield "data.task", (record["data"]["task"], record["task"])
    final, scores = record["final"], record["scores"]
    if record["state"] != "finished" or not scores:
        for key in ("last", "last3", "best", "action_latency_ms"):
            yield f"final.{key}", (final[key], None)
        return
    yield "final.last", (final["last"], scores[-1])
    values = [score["normalised"] for score in scores]
    if None not in values:
        yield "final.last3", (final["last3"], fmean(values[-3:]))
        yield "final.best", (final["best"], max(scores, key=lambda one: float(one["normalised"])))


def _scores(record: Record, config: Config) -> Iterator[str]:
    """Yield what is wrong with where a run was scored; those of a search have their own rule."""
    if record["purpose"] == "search":
        if record["behaviour_cloning"] is not None:
            yield "behaviour_cloning: a run of a search does not score it"
        return
    wanted, reached = scored_at(config), record["reached"]["updates"]
    scored = [(score["updates"], score["episodes"]) for score in record["scores"]]
    ahead = [one for one in wanted["policy"] if one[0] <= reached]
    finished = record["state"] == "finished"
    if finished and (scored != ahead or reached != stage_updates(config)["policy"]):
        yield "scores: not where a whole run is scored, or not over its episodes"
    elif not finished and not set(scored) <= set(ahead):
        yield "scores: beyond what the run reached, or not over its episodes"
    cloning = record["behaviour_cloning"]
    if cloning is None:
        if finished:
            yield "behaviour_cloning: missing"
    elif (cloning["updates"], cloning["episodes"]) not in wanted["behaviour"]:
        yield "behaviour_cloning: not after its whole stage, or not over its episodes"


def _differences(pairs: Iterator[tuple[str, Pair]]) -> Iterator[str]:
    """Yield a sentence for each pair that is not equal."""
    for key, (old, new) in pairs:
        if not _equal(old, new):
            yield f"{key}: {_short(old)}, not {_short(new)}"


def _equal(old: Any, new: Any) -> bool:
    if isinstance(old, float) and isinstance(new, float):
        return math.isclose(old, new, rel_tol=TOLERANCE, abs_tol=TOLERANCE)
    return bool(old == new)


def _short(value: Any) -> str:
    if isinstance(value, Mapping):
        return f"{value.get('normalised')} at {value.get('updates')} updates"
    return f"{value!r:.80}"


def _check_data(found: Audit) -> None:
    """Note where a record says of a data set what most others of the same SHA-256 do not say."""
    said: defaultdict[tuple[str, str, str], defaultdict[str, list[str]]]
    said = defaultdict(lambda: defaultdict(list))
    for record in found.records:
        data = record["data"]
        for key in ("source", "rows", "score"):
            words = json.dumps(data[key], sort_keys=True)
            said[record["task"], data["sha256"], key][words].append(record["id"])
    for (_, _, key), versions in said.items():
        usual = max(versions, key=lambda words: len(versions[words]))
        for words, ids in versions.items():
            for one in ids if words != usual else ():
                path = found.record_path(one)
                found.fault(path, f"data.{key}: {words:.80}, others of the data say {usual:.80}")
