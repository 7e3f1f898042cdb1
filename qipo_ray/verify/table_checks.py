"""Check the tables on disk against those that the records give."""

from __future__ import annotations

import csv
import io
import json
import math
import re
from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import zip_longest
from pathlib import Path
from typing import Any

from qipo_ray.leaderboard.board import from_records
from qipo_ray.leaderboard.formats.document import SCHEMA, WRITTEN
from qipo_ray.leaderboard.rows import in_other_physics
from qipo_ray.leaderboard.tables import counted
from qipo_ray.verify.audit import Audit, reason
from qipo_ray.verify.record_checks import TOLERANCE
from qipo_ray.version import __version__

NUMBER = re.compile(r"-?\d+\.\d+(?:e[-+]?\d+)?")
SCORE = re.compile(r"(-?\d+\.\d+) ± (\d+\.\d+)")


@dataclass(frozen=True)
class Stamp:
    """The origin of the tables as ``leaderboard.json`` names it; None where it does not."""

    current: bool  # written by this version of the program
    schema: int  # of the tables to compare them with
    version: str | None
    records: frozenset[str] | None  # ids of the records in the tables


def check_tables(audit: Audit, *, complete: bool) -> None:
    """Rebuild the tables from the records that they name, and note where they differ.

    Tables that are older than some records are compared with the others. Of tables that another
    version wrote only the scores are compared. While a driver is at work nothing is a fault.
    """
    folder = audit.root / "leaderboard"
    stamp = _stamp(folder / "leaderboard.json")
    if any(map(in_other_physics, audit.records)):
        stamp = replace(stamp, current=False)  # written while their simulator was today's
    present = {record["id"] for record in audit.records}
    tabled = present if stamp.records is None else stamp.records
    report = audit.fault if audit.driver is None else audit.remark
    if gone := sorted(tabled - present):
        text = f"made of {counted(len(tabled), 'record')}; missing: {len(gone)}, such as {gone[0]}"
        report(folder / "leaderboard.json", text)
        return
    if newer := present - tabled:
        text = f"older than {counted(len(newer), 'record')}; the sweep's end, or {_command(audit)}"
        audit.remark(folder, f"{text}, writes them anew")
    rebuilt = RebuiltTables(audit, stamp.schema, [tabled, present] if newer else [tabled])
    scores: dict[str, int] = {}  # that were compared in tables of another version
    for suffix in rebuilt.documents(0):
        path = folder / f"leaderboard.{suffix}"
        try:
            written = path.read_text(encoding="utf-8")
        except FileNotFoundError:
            if path.is_symlink():
                report(path, "a link that leads nowhere")
            elif complete:
                text = "not written yet, though all runs have ended; run the sweep again"
                audit.remark(path, text)
        except (ValueError, OSError) as problem:
            report(path, f"cannot be read: {reason(problem)}")
        else:
            difference = rebuilt.difference(suffix, written, stamp)
            if difference is not None:
                report(path, f"not what the records give: {difference}")
            elif not stamp.current:
                scores[path.name] = sum(_scores(suffix, written).values())
    scores = {name: count for name, count in scores.items() if count}  # notes have none
    if scores:
        listed = ", ".join(f"{count} in {name}" for name, count in scores.items())
        text = f"written by {stamp.version or 'another version of qipo_ray'}: the scores"
        text += f" ({listed}) are in the records, nothing else was compared; {_command(audit)}"
        audit.remark(folder, f"{text} writes them anew")


class RebuiltTables:
    """The tables of several sets of records, computed on demand.

    The first set has the records that the JSON table names. That table is written last: if the
    writing was broken off, the other tables may hold all records that are present.
    """

    def __init__(self, audit: Audit, schema: int, sets: Sequence[Collection[str]]) -> None:
        self._audit, self._schema, self._sets = audit, schema, sets
        self._documents: dict[int, dict[str, str]] = {}

    def documents(self, number: int) -> dict[str, str]:
        """Return the tables of a set by suffix."""
        if number not in self._documents:
            ids = self._sets[number]
            records = (record for record in self._audit.records if record["id"] in ids)
            self._documents[number] = from_records(records, schema=self._schema).documents()
        return self._documents[number]

    def difference(self, suffix: str, written: str, stamp: Stamp) -> str | None:
        """Return the first difference of a table from the first set's, None if any set fits."""
        compare = first_difference if stamp.current else partial(_other_scores, suffix)
        first = None
        for number in range(len(self._sets)):
            difference = compare(written, self.documents(number)[suffix])
            if difference is None:
                return None
            first = first or difference
        return first


def _command(audit: Audit) -> str:
    return f"qipo-ray leaderboard {audit.root} --output {audit.root / 'leaderboard'}"


def _stamp(path: Path) -> Stamp:
    """Return the stamp in the JSON table; one of this version if it cannot be read."""
    try:
        document: Any = json.loads(path.read_bytes())
    except (OSError, ValueError, RecursionError):
        return Stamp(True, SCHEMA, None, None)
    if not isinstance(document, dict):
        return Stamp(True, SCHEMA, None, None)
    version, records = document.get("version"), document.get("records")
    if not isinstance(records, list) or not all(isinstance(key, str) for key in records):
        records = None
    schema = document.get("schema")
    known = schema in WRITTEN
    if not isinstance(schema, int):
        schema = SCHEMA
    elif not known:  # an earlier one has the scores of the oldest that is written
        schema = min(WRITTEN)
    name = f"qipo_ray {version}" if isinstance(version, str) and version != __version__ else None
    return Stamp(
        known and version == __version__,
        schema,
        name,
        None if records is None else frozenset(records),
    )


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


def _other_scores(suffix: str, written: str, rebuilt: str) -> str | None:
    """Return a score, mean ± deviation, that no row of the rebuilt table has, or None."""
    try:
        old, new = _scores(suffix, written), _scores(suffix, rebuilt)
    except (ValueError, RecursionError, csv.Error) as problem:
        return reason(problem)
    if new and not old:
        return "it holds no score"
    return next((f"{mean} ± {std}" for mean, std in sorted(old - new)), None)


def _scores(suffix: str, text: str) -> Counter[tuple[str, str]]:
    """Return the scores in a table, of any version: each a mean with its deviation."""
    if suffix == "json":
        pairs = _pairs(json.loads(text))
    elif suffix == "csv":
        pairs = (
            (value, row.get(name.removesuffix("_mean") + "_std"))
            for row in csv.DictReader(io.StringIO(text))
            for name, value in row.items()
            if isinstance(name, str) and name.endswith("_mean")
        )
    else:
        plain = text.replace(r"$\pm$", "±").replace("$-$", "-")
        return Counter(SCORE.findall(plain))
    scores: Counter[tuple[str, str]] = Counter()
    for mean, std in pairs:
        try:
            scores[f"{float(mean):.6g}", f"{float(std):.6g}"] += 1
        except (TypeError, ValueError):
            continue  # no number, or a score of one seed, which has no deviation
    return scores


def _pairs(tree: Any) -> Iterator[tuple[Any, Any]]:
    """Yield the scores in a JSON document."""
    if isinstance(tree, Mapping):
        if "mean" in tree and "std" in tree:
            yield tree["mean"], tree["std"]
        for item in tree.values():
            yield from _pairs(item)
    elif isinstance(tree, list):
        for item in tree:
            yield from _pairs(item)
