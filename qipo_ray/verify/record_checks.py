"""Check each record by itself: fields that repeat each other or follow from its configuration."""

from __future__ import annotations

import json
import math
from collections import defaultdict
from collections.abc import Iterator, Mapping
from statistics import fmean
from typing import Any

from qipo_ray.config import STAGES, Config, method_title, stage_keys, stage_updates
from qipo_ray.config.evaluations import protocol_settings, scored_at, signals_at
from qipo_ray.data.tasks import NO_ENVIRONMENT, get_task, is_own, task_ids
from qipo_ray.errors import UserError
from qipo_ray.study.task_file import kept_task
from qipo_ray.verify.audit import Audit
from qipo_ray.verify.config_cache import CachedConfig, read_config
from qipo_ray.verify.sweep_plan import Record
from qipo_ray.version import __version__

TOLERANCE = 1e-9  # relative: another machine may add up in another order
Pair = tuple[Any, Any]  # what a record says, and what it should say


def check_records(audit: Audit, *, current: bool) -> dict[str, Config]:
    """Return the configurations of all records that can be read, by id, after noting faults.

    A configuration that cannot be read is a fault if the results are of this version's settings
    (``current``). Other versions may derive other values from a configuration: then a remark.
    """
    readable: dict[str, Config] = {}
    unreadable: defaultdict[str, list[str]] = defaultdict(list)
    for record in audit.records:
        path = audit.record_path(record["id"])
        _check_source(audit, record)
        _check_task(audit, record)
        for message in _differences(_repeated(record)):
            audit.fault(path, message)
        cached = read_config(record["config"])
        if isinstance(cached, UserError):
            unreadable[str(cached)].append(record["id"])
            continue
        readable[record["id"]] = cached.config
        version = record["provenance"]["version"]
        for message in _differences(_derived(record, cached)):
            if version == __version__:
                audit.fault(path, message)
            else:
                audit.remark(path, f"{message}; it was made by qipo_ray {version}")
        for message in _scores(record, cached.config):
            audit.fault(path, message)
    for message, ids in unreadable.items():
        path = audit.record_path(ids[0])
        more = f" (and that of {len(ids) - 1} other records)" if len(ids) > 1 else ""
        (audit.fault if current else audit.remark)(path, f"{message}{more}")
    _check_data(audit)
    return readable


def _derived(record: Record, cached: CachedConfig) -> Iterator[tuple[str, Pair]]:
    """Yield the fields that follow from the configuration."""
    config = cached.config
    label, protocol = record["label"], record["protocol"]
    yield "config_hash", (record["config_hash"], cached.hash)
    keys = stage_keys(config, record["task"], record["data"]["sha256"], record["seed"])
    for stage in STAGES:
        yield f"jobs.{stage}", (record["jobs"][stage], keys.get(stage))
    yield "label.method", (label["method"], method_title(config))
    yield "label.departures", (label["departures"], cached.departures)
    for key, value in protocol_settings(config, search=record["purpose"] == "search").items():
        yield f"protocol.{key}", (protocol[key], value)


def _repeated(record: Record) -> Iterator[tuple[str, Pair]]:
    """Yield the fields that repeat other fields."""
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
        best = max(scores, key=lambda score: float(score["normalised"]))
        yield "final.best", (final["best"], best)


def _scores(record: Record, config: Config) -> Iterator[str]:
    """Yield what is wrong with where a run was scored; `search_checks` does it for a search."""
    if record["purpose"] == "search":
        if record["behaviour_cloning"] is not None:
            yield "behaviour_cloning: a run of a search does not score it"
        return
    due = scored_at(config, at_end=record["purpose"] == "acting")
    reached = record["reached"]["updates"]
    if record["reason"] == NO_ENVIRONMENT:
        due = dict.fromkeys(due, ())
    scored = [(score["updates"], score["episodes"]) for score in record["scores"]]
    ahead = [point for point in due["policy"] if point[0] <= reached]
    finished = record["state"] == "finished"
    if finished and (scored != ahead or reached != stage_updates(config)["policy"]):
        yield "scores: not where a whole run is scored, or not over its episodes"
    elif not finished and not set(scored) <= set(ahead):
        yield "scores: beyond what the run reached, or not over its episodes"
    signals = [signals["updates"] for signals in record.get("signals", ())]
    if finished and signals != list(signals_at(config)):
        yield "signals: not those of the end of a run, as its settings ask for"
    cloning = record["behaviour_cloning"]
    if cloning is None:
        if finished and due.get("behaviour"):
            yield "behaviour_cloning: missing"
    elif (cloning["updates"], cloning["episodes"]) not in due.get("behaviour", ()):
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


def _check_source(audit: Audit, record: Record) -> None:
    """Note data that are said to be D4RL's and are not, by the published SHA-256."""
    source, sha256, task = record["data"]["source"], record["data"]["sha256"], record["task"]
    published = get_task(task).sha256 if task in task_ids() else None
    path = audit.record_path(record["id"])
    if published is None and source == "d4rl":
        audit.remark(path, f"data.source: 'd4rl', but no SHA-256 was published for {task}")
    elif published is not None and source.startswith("d4rl") and sha256 != published:
        audit.fault(
            path, f"data.source: {source!r}, but D4RL's file of {task} has another SHA-256"
        )


def _check_task(audit: Audit, record: Record) -> None:
    """Note a user's own task whose document is not in the folder, or is another one."""
    try:
        if is_own(record["task"]):
            kept_task(audit.root, record["task"])
    except UserError as problem:
        audit.fault(audit.record_path(record["id"]), f"task: {problem}")


def _check_data(audit: Audit) -> None:
    """Note what a record says of its data set unlike most records of the same SHA-256."""
    values: defaultdict[tuple[str, str, str], defaultdict[str, list[str]]]
    values = defaultdict(lambda: defaultdict(list))
    for record in audit.records:
        data = record["data"]
        for key in ("source", "rows", "score"):
            text = json.dumps(data[key], sort_keys=True).replace("d4rl, unverified", "d4rl")
            values[record["task"], data["sha256"], key][text].append(record["id"])
    for (_, _, key), versions in values.items():
        usual = max(versions, key=lambda text: len(versions[text]))
        for text, ids in versions.items():
            for record_id in ids if text != usual else ():
                path = audit.record_path(record_id)
                audit.fault(path, f"data.{key}: {text:.80}, others of the data say {usual:.80}")
