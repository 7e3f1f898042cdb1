"""Records: one immutable JSON file per ended run; leaderboards and resumes read nothing else."""

from __future__ import annotations

import gc
import hashlib
import json
import logging
import os
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from operator import itemgetter
from pathlib import Path
from typing import Any, Generic, TypeVar

from qipo_ray.errors import UserError
from qipo_ray.store.documents import DocumentType
from qipo_ray.store.record_schema import RECORD, RecordError

logger = logging.getLogger(__name__)

PROGRAMS = "programs"  # where those of other libraries train
SKIPPED = {
    "artefacts",
    "tensorboard",
    "ray",
    "wandb",
    PROGRAMS,
}  # large folders that hold no records
IDENTITY = itemgetter("sweep", "purpose", "task", "config_hash", "seed")
Record = TypeVar("Record", bound=Mapping[str, Any])


def new_id(sweep: str, purpose: str, task: str, config_hash: str, seed: int) -> str:
    """Return the id of a run, 16 hex digits; the same run has the same id on every attempt."""
    identity = json.dumps([sweep, purpose, task, config_hash, seed])
    return hashlib.sha256(identity.encode()).hexdigest()[:16]


def validate(record: dict[str, Any]) -> None:
    """Raise ``RecordError`` naming the first field that breaks schema 1."""
    RECORD.check(record, "record")
    if record["id"] != new_id(*IDENTITY(record)):
        raise RecordError(
            "record.id: not the hash of sweep, purpose, task, config_hash and seed; "
            f"got {record['id']!r}"
        )
    if record["state"] in ("diverged", "failed") and record["reason"] is None:
        raise RecordError(f"record.reason: missing for a run that {record['state']}")


RECORDS = DocumentType("record", validate)


def write_record(root: Path, record: dict[str, Any]) -> Path:
    """Return ``<root>/records/<id>.json`` once the record is durable there.

    An equal record that is already there is fine. ``RecordError`` for an invalid record, and for
    a different one under the same id, which stays as it is. A damaged one is set aside.
    """
    return RECORDS.write(Path(root) / "records", record)


def read_records(root: Path) -> list[dict[str, Any]]:
    """Return the valid records below ``root`` by id, each run once, as ``unique`` tells.

    ``root`` is a sweep's folder or contains many. A damaged file is skipped, and so is a copy
    with other numbers, with a warning in the log. ``UserError`` if ``root`` is no folder.
    """
    runs = unique(all_records(root))
    for record in runs.differing:
        name, attempt = record["id"], record["attempt"]
        logger.warning(
            "%s: attempt %d is left out, others are the numbers that count", name, attempt
        )
    return runs.kept


def all_records(root: Path) -> list[dict[str, Any]]:
    """Return the valid records below ``root`` with every copy, by path; see ``read_records``."""
    if not Path(root).is_dir():
        raise UserError(f"{root}: no such folder of results")
    records = []
    with gc_paused():
        for path in record_files(root):
            try:
                records.append(RECORDS.read(path))
            except (ValueError, OSError) as problem:
                if isinstance(problem, FileNotFoundError) and not os.path.islink(path):
                    continue  # set aside by a writer meanwhile
                logger.warning("%s is skipped: %s", path, problem)
    return records


@dataclass(frozen=True)
class Unique(Generic[Record]):
    """Runs, each once, and the copies beside them."""

    kept: list[Record]  # by id
    copies: int  # left out, with the numbers of the one that stays
    differing: list[Record]  # left out, with other numbers


def unique(records: Iterable[Record]) -> Unique[Record]:
    """Return each run once: the highest attempt, of equal ones that which ended last.

    A run is known by its id and by what is not in it: the source and SHA-256 of its data, and the
    physics that it was scored in.
    """
    kept: dict[tuple[str, ...], Record] = {}
    spare = []
    for record in records:
        data, number = record["data"], record["protocol"].get("physics", 1)
        key = record["id"], data["source"], data["sha256"], str(number)
        if key in kept:
            low, high = sorted((kept[key], record), key=_standing)
            spare.append((key, low))
            kept[key] = high
        else:
            kept[key] = record
    differing = [record for key, record in spare if _numbers(record) != _numbers(kept[key])]
    return Unique([kept[key] for key in sorted(kept)], len(spare) - len(differing), differing)


def _standing(record: Mapping[str, Any]) -> tuple[int, str, str]:
    """Return what decides between copies; the last part makes their order not matter."""
    return record["attempt"], record["provenance"]["ended"], repr(_numbers(record))


def _numbers(record: Mapping[str, Any]) -> list[Any]:
    """Return what a run measured, without the time that it took."""
    final = {key: value for key, value in record["final"].items() if key != "action_latency_ms"}
    return [record["state"], record["scores"], final, record["behaviour_cloning"]]


@contextmanager
def gc_paused() -> Iterator[None]:
    """Keep Python's cycle collector from searching thousands of objects that have no cycles."""
    active = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if active:
            gc.enable()


def record_files(root: Path) -> Iterator[str]:
    """Yield the JSON files in all folders called ``records``, in the order of their paths."""
    for folder, below, names in os.walk(root):
        below[:] = sorted(name for name in below if name not in SKIPPED)
        if os.path.basename(os.path.abspath(folder)) == "records":
            for name in sorted([*names, *below]):  # a folder is no record, but in place of one
                if name.endswith(".json") and not name.startswith("."):
                    yield os.path.join(folder, name)
