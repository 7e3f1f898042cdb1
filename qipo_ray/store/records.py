"""Records: one immutable JSON file per ended run; leaderboards and resumes read nothing else."""

from __future__ import annotations

import gc
import hashlib
import json
import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from qipo_ray.errors import UserError
from qipo_ray.store.files import sealed, set_aside, unsealed, write_new
from qipo_ray.store.record_schema import RECORD, SCHEMA, RecordError, fields

logger = logging.getLogger(__name__)

SKIPPED = {"artefacts", "tensorboard", "ray", "wandb"}  # large folders that hold no records
_check_fields = fields(RECORD)

__all__ = [
    "SCHEMA",
    "RecordError",
    "new_id",
    "read_record",
    "read_records",
    "validate",
    "write_record",
]


def new_id(sweep: str, purpose: str, task: str, config_hash: str, seed: int) -> str:
    """Return the id of a run, 16 hex digits; the same run has the same id on every attempt."""
    identity = json.dumps([sweep, purpose, task, config_hash, seed])
    return hashlib.sha256(identity.encode()).hexdigest()[:16]


def validate(record: dict[str, Any]) -> None:
    """Raise ``RecordError`` naming the first field that breaks schema 1."""
    _check_fields(record, "record")
    identity = (record[k] for k in ("sweep", "purpose", "task", "config_hash", "seed"))
    if record["id"] != new_id(*identity):
        raise RecordError(
            "record.id: not the hash of sweep, purpose, task, config_hash and seed; "
            f"got {record['id']!r}"
        )
    if record["state"] in ("diverged", "failed") and record["reason"] is None:
        raise RecordError(f"record.reason: missing for a run that {record['state']}")


def write_record(root: Path, record: dict[str, Any]) -> Path:
    """Return ``<root>/records/<id>.json`` once the record is durable there.

    An equal record that is already there is fine. ``RecordError`` for an invalid record, and for
    a different one under the same id, which stays as it is. A damaged one is set aside.
    """
    validate(record)
    path = Path(root) / "records" / f"{record['id']}.json"
    data = sealed(record)
    while True:
        try:
            write_new(path, data)
            return path
        except FileExistsError:
            old = _read_or_set_aside(path)
        if old is not None:
            new = unsealed(data)
            for name in new:
                if old[name] != new[name]:
                    raise RecordError(f"record.{name}: {path} holds another value; never replaced")
            return path


def read_records(root: Path) -> list[dict[str, Any]]:
    """Return all valid records below ``root``, sorted by id, each run once.

    ``root`` is a sweep's folder or contains many. A damaged file is skipped with a warning in the
    log; of two records under one id the first path's counts, and a difference is logged.
    ``UserError`` if ``root`` is no folder.
    """
    root = Path(root)
    if not root.is_dir():
        raise UserError(f"{root}: no such folder of results")
    found: dict[str, tuple[Path, dict[str, Any]]] = {}
    with collector_at_rest():
        for path in record_files(root):
            try:
                record = read_record(path)
            except FileNotFoundError:
                continue  # set aside by a writer meanwhile
            except (ValueError, OSError) as problem:
                logger.warning("%s is skipped: %s", path, problem)
                continue
            first = found.setdefault(record["id"], (path, record))
            if first[1] != record:
                logger.warning("%s is skipped: it differs from %s", path, first[0])
    return [found[identity][1] for identity in sorted(found)]


@contextmanager
def collector_at_rest() -> Iterator[None]:
    """Keep Python's cycle collector from searching thousands of records, which have no cycles."""
    active = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if active:
            gc.enable()


def record_files(root: Path) -> Iterator[Path]:
    """Yield the JSON files in all folders called ``records``, in the order of their paths."""
    for folder, below, names in os.walk(root):
        below[:] = sorted(name for name in below if name not in SKIPPED)
        if Path(folder).name == "records":
            for name in sorted(names):
                if name.endswith(".json") and not name.startswith("."):
                    yield Path(folder) / name


def read_record(path: Path) -> dict[str, Any]:
    """Return the verified record in a file; ``ValueError`` if it is damaged or another's."""
    return _verified(path, path.read_bytes())


def _verified(path: Path, raw: bytes) -> dict[str, Any]:
    """Return the record in ``raw``, read at ``path``; ``ValueError`` if damaged or another's."""
    record = unsealed(raw)
    validate(record)
    if record["id"] != path.stem:
        raise RecordError(f"record.id: {record['id']} in the file {path.name}")
    return record


def _read_or_set_aside(path: Path) -> dict[str, Any] | None:
    """Return the record in a file; None if it is gone or was damaged and is now set aside."""
    try:
        raw = path.read_bytes()
    except FileNotFoundError:
        return None
    try:
        return _verified(path, raw)
    except ValueError as problem:
        set_aside(path, raw, str(problem))
        return None
