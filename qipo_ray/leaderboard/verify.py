"""Whether a sweep can be believed: its files, books and tables, each held to the others."""

from __future__ import annotations

import hashlib
import json
import math
import re
from collections import defaultdict
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from itertools import zip_longest
from pathlib import Path
from statistics import fmean
from typing import Any

import yaml

from qipo_ray.errors import UserError
from qipo_ray.leaderboard.accounts import OPEN, accounts
from qipo_ray.leaderboard.board import from_records
from qipo_ray.store.audit import Audit, Finding, audit

SPECIFICATION = "sweep.yaml"
NUMBER = re.compile(r"-?\d+\.\d+(?:e[-+]?\d+)?")
TOLERANCE = 1e-9  # relative: another machine may add up in another order


@dataclass(frozen=True)
class Verdict:
    """What `verify` found. ``faults`` are wrong; ``remarks`` are not, but worth knowing."""

    sweep: str
    counts: Mapping[str, int] | None  # of runs; None where nothing was planned, as by `train`
    files: int  # of artefacts, hashed
    bytes: int
    faults: tuple[Finding, ...]
    remarks: tuple[Finding, ...]

    @property
    def planned(self) -> int:
        """Number of planned runs."""
        return sum((self.counts or {}).values())

    def document(self) -> dict[str, Any]:
        """Return it as plain data."""
        return {**asdict(self), "planned": self.planned}


def verify(root: Path, progress: Callable[[int, int], None] = lambda done, total: None) -> Verdict:
    """Return what is right and wrong with the results at ``root``; nothing there is changed.

    ``UserError`` if it is no folder of results.
    """
    if not any((root / name).exists() for name in (SPECIFICATION, "records", "artefacts")):
        raise UserError(f"{root}: no sweep; expected a folder with {SPECIFICATION} or records/")
    found = audit(root, progress)
    spec = _specification(found)
    counts = None if spec is None else _counts(spec, found)
    if spec is not None:
        _check_records(spec, found)
        _check_rungs(found)
        complete = counts is not None and not any(counts[state] for state in OPEN)
        _check_tables(found, complete=complete)
    _check_weights(found)
    return Verdict(
        sweep=str(root),
        counts=counts,
        files=found.files,
        bytes=found.bytes,
        faults=tuple(found.faults),
        remarks=tuple(found.remarks),
    )


def _specification(found: Audit) -> dict[str, Any] | None:
    """Return the sweep's specification if there is one and it matches its hash."""
    path = found.root / SPECIFICATION
    if not path.exists():
        return None
    try:
        spec: dict[str, Any] = yaml.safe_load(path.read_text(encoding="utf-8"))
        plain = {k: v for k, v in spec.items() if k not in ("hash", "data", "resources")}
        text = json.dumps(plain, sort_keys=True, separators=(",", ":"), allow_nan=False)
        if hashlib.sha256(text.encode()).hexdigest()[:16] != spec["hash"]:
            raise ValueError("it does not match the hash in its first line")
    except (yaml.YAMLError, ValueError, KeyError, AttributeError) as problem:
        reason = " ".join(str(problem).split())
        found.fault(path, f"damaged, so the runs cannot be counted: {reason}")
        return None
    return spec


def _counts(spec: Mapping[str, Any], found: Audit) -> dict[str, int] | None:
    """Return the books, None where a configuration is one of another version."""
    try:
        return dict(accounts(spec, found))
    except UserError as problem:
        found.remark(found.root / SPECIFICATION, f"the runs cannot be counted: {problem}")
        return None


def _check_records(spec: Mapping[str, Any], found: Audit) -> None:
    """Hold the records to what was planned: the sweep's name, its data, its intents."""
    intents = {intent["id"] for intent in found.intents}
    for record in found.records:
        path = found.root / "records" / f"{record['id']}.json"
        if record["sweep"] != spec["name"]:
            found.fault(path, f"of another sweep, {record['sweep']!r}")
        elif record["task"] not in spec["data"]:
            found.remark(path, f"of {record['task']}, which {SPECIFICATION} names no more")
        elif record["data"]["sha256"] != spec["data"][record["task"]]:
            found.fault(path, f"made with other data than {SPECIFICATION} names")
        elif record["purpose"] == "search" and record["trial"] not in intents:
            found.fault(path, f"its trial {record['trial']} has no intent")


def _check_rungs(found: Audit) -> None:
    """Hold the rung log to the intents and records: no rung without a line, no other value."""
    log = found.root / "rungs.jsonl"
    logged = {(entry["trial"], entry["rung"]): entry["value"] for entry in found.entries}
    intents = {intent["id"]: intent for intent in found.intents}
    for trial in sorted({trial for trial, _ in logged} - intents.keys()):
        found.fault(log, f"trial {trial} has no intent")
    scores: defaultdict[tuple[str, int], dict[int, float]] = defaultdict(dict)
    for record in found.records:
        trial, rung = record["trial"], record["reached"]["rung"]
        if record["purpose"] != "search" or trial not in intents or rung is None:
            continue
        for below in range(int(rung) + 1):
            if (trial, below) not in logged:
                found.fault(log, f"rung {below + 1} of trial {trial} is missing")
                logged[trial, below] = None  # say it once
        updates = intents[trial]["rungs"]
        for score in record["scores"]:
            if score["updates"] in updates:
                at = (trial, updates.index(score["updates"]))
                scores[at][record["seed"]] = score["normalised"]
    for at, values in scores.items():
        value = logged.get(at)
        if value is not None and len(values) == len(intents[at[0]]["seeds"]):
            mean = fmean(values.values())
            if not math.isclose(mean, value, rel_tol=TOLERANCE, abs_tol=TOLERANCE):
                found.fault(log, f"rung {at[1] + 1} of trial {at[0]}: {value}, records say {mean}")


def _check_weights(found: Audit) -> None:
    """Say where the weights of a finished run are missing."""
    if not found.snapshots:
        found.remark(found.root / "artefacts", "no weights: nothing to hash")
        return
    for record in found.records:
        key, updates = record["jobs"]["policy"], record["reached"]["updates"]
        if record["state"] == "finished" and updates not in found.snapshots.get(
            ("policy", key), []
        ):
            path = found.root / "artefacts" / f"policy-{key}"
            what = f"no sound weights at {updates} updates, which record {record['id']} scored"
            found.fault(path, what)


def _check_tables(found: Audit, *, complete: bool) -> None:
    """Rebuild the tables from the records and compare them with those that were written."""
    folder = found.root / "leaderboard"
    rebuilt = from_records(found.records).documents()
    if _schema(folder / "leaderboard.json") not in (None, json.loads(rebuilt["json"])["schema"]):
        found.remark(folder, "written by another version of qipo_ray, so not compared")
        return
    for suffix, text in rebuilt.items():
        path = folder / f"leaderboard.{suffix}"
        try:
            difference = first_difference(path.read_text(encoding="utf-8"), text)
        except FileNotFoundError:
            if complete:
                found.remark(
                    path, "not written yet, though all runs have ended; run the sweep again"
                )
            continue
        except ValueError as problem:
            difference = str(problem)
        if difference is not None:
            found.fault(path, f"not what the records give: {difference}")


def _schema(path: Path) -> object:
    """Return the schema that a JSON table names; None if there is none to be read."""
    try:
        document: object = json.loads(path.read_bytes())
    except (OSError, ValueError):
        return None
    return document.get("schema") if isinstance(document, dict) else None


def first_difference(written: str, rebuilt: str) -> str | None:
    """Return the first line that differs, or None; numbers may differ in their last digits."""
    lines = zip_longest(written.splitlines(), rebuilt.splitlines(), fillvalue="nothing")
    for number, (old, new) in enumerate(lines, start=1):
        if old != new and not _close(old, new):
            at = next((i for i, (a, b) in enumerate(zip(old, new, strict=False)) if a != b), 0)
            start = max(0, at - 20)
            return f"line {number}: {old[start : at + 40]!r}, not {new[start : at + 40]!r}"
    return None


def _close(old: str, new: str) -> bool:
    """Return whether two lines are equal but for rounding."""
    if NUMBER.split(old) != NUMBER.split(new):
        return False
    pairs = zip(NUMBER.findall(old), NUMBER.findall(new), strict=True)
    return all(math.isclose(float(a), float(b), rel_tol=TOLERANCE) for a, b in pairs)
