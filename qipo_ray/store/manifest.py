"""The manifest of an artefact: what a snapshot must be to be believed; its commit point."""

from __future__ import annotations

import hashlib
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from qipo_ray.config.json_types import Flag, Integer, Number
from qipo_ray.config.validation import Validator, schema_of
from qipo_ray.store.files import sealed, unsealed

SCHEMA = 1
MAX_UPDATES = 999_999_999  # nine digits in a file name


class OtherSchema(ValueError):
    """A manifest of another version of this program; sound, but not to be read by this one."""


@dataclass(frozen=True)
class CheckpointInfo:
    """A snapshot of a job: which, how long trained, and the file that holds it."""

    stage: str
    key: str
    updates: Integer  # trained so far
    attempt: Integer  # the fencing token of its writer
    seconds: Number  # of training, as the writer counted them
    keep: Flag  # never pruned
    file: str  # name in the job's folder
    bytes: Integer
    sha256: str  # of the file, 64 hex digits
    cpu_seconds: Number | None = None  # of training, in its process; None: not counted


MANIFEST = Validator(schema_of(CheckpointInfo))


def encode(info: CheckpointInfo) -> bytes:
    """Return the manifest's JSON, sealed with a check sum of its own."""
    return sealed({"schema": SCHEMA, **asdict(info)})


def decode(data: bytes, stage: str, key: str, updates: int) -> CheckpointInfo:
    """Return the artefact of a manifest that must be about this stage, key and length.

    ``ValueError`` if it is damaged or another job's, ``OtherSchema`` if it is of another version.
    """
    fields: dict[str, Any] = unsealed(data)
    schema = fields.pop("schema", None)
    if schema != SCHEMA:
        raise OtherSchema(f"schema {schema!r}, this version reads {SCHEMA}")
    MANIFEST.check(fields, "manifest")
    info = CheckpointInfo(**fields)
    if (info.stage, info.key, info.updates) != (stage, key, updates):
        raise ValueError(f"manifest of {info.stage}-{info.key} at {info.updates} updates")
    if Path(info.file).name != info.file:
        raise ValueError("manifest with a path")
    return info


def matches(info: CheckpointInfo, data: bytes) -> bool:
    """Return whether ``data`` is what the manifest describes, to the last bit."""
    return len(data) == info.bytes and hashlib.sha256(data).hexdigest() == info.sha256
