"""The manifest of an artefact: what a snapshot must be to be believed; its commit point."""

from __future__ import annotations

import hashlib
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from qipo_ray.store.files import sealed, unsealed

SCHEMA = 1
MOST_UPDATES = 999_999_999  # nine digits in a file name

_TYPES: dict[str, tuple[type, ...]] = {
    "stage": (str,),
    "key": (str,),
    "updates": (int,),
    "attempt": (int,),
    "seconds": (int, float),
    "keep": (bool,),
    "file": (str,),
    "bytes": (int,),
    "sha256": (str,),
    "cpu_seconds": (int, float, type(None)),
}
LATER = {"cpu_seconds": None}  # fields that older manifests lack, and what that means


class OtherSchema(ValueError):
    """A manifest of another version of this program; sound, but not to be read by this one."""


@dataclass(frozen=True)
class CheckpointInfo:
    """A snapshot of a job: which, how long trained, and the file that holds it."""

    stage: str
    key: str
    updates: int  # trained so far
    attempt: int  # that wrote it
    seconds: float  # of training, as the writer counted them
    keep: bool  # never pruned
    file: str  # name in the job's folder
    bytes: int
    sha256: str  # of the file, 64 hex digits
    cpu_seconds: float | None = None  # of training, in its process; None: not counted


def describe(
    data: bytes,
    *,
    stage: str,
    key: str,
    updates: int,
    attempt: int,
    seconds: float,
    keep: bool,
    cpu_seconds: float | None = None,
) -> CheckpointInfo:
    """Return the artefact of ``data``; its file's name differs whenever attempt or data do."""
    digest = hashlib.sha256(data).hexdigest()
    return CheckpointInfo(
        stage=stage,
        key=key,
        updates=updates,
        attempt=attempt,
        seconds=float(seconds),
        keep=keep,
        file=f"{updates:09d}-{attempt:06d}-{digest[:12]}.pt",
        bytes=len(data),
        sha256=digest,
        cpu_seconds=cpu_seconds,
    )


def encode(artefact: CheckpointInfo) -> bytes:
    """Return the manifest's JSON, sealed with a check sum of its own."""
    return sealed({"schema": SCHEMA, **asdict(artefact)})


def decode(data: bytes, stage: str, key: str, updates: int) -> CheckpointInfo:
    """Return the artefact of a manifest that must be about this stage, key and length.

    ``ValueError`` if it is damaged or another job's, ``OtherSchema`` if it is of another version.
    """
    fields: dict[str, Any] = {**LATER, **unsealed(data)}
    schema = fields.pop("schema", None)
    if schema != SCHEMA:
        raise OtherSchema(f"schema {schema!r}, this version reads {SCHEMA}")
    if set(fields) != set(_TYPES):
        raise ValueError("manifest with other fields")
    for name, types in _TYPES.items():
        if type(fields[name]) not in types:
            raise ValueError(f"manifest with a wrong {name}")
    artefact = CheckpointInfo(**fields)
    if (artefact.stage, artefact.key, artefact.updates) != (stage, key, updates):
        raise ValueError(
            f"manifest of {artefact.stage}-{artefact.key} at {artefact.updates} updates"
        )
    if Path(artefact.file).name != artefact.file:
        raise ValueError("manifest with a path")
    return artefact


def matches(artefact: CheckpointInfo, data: bytes) -> bool:
    """Return whether ``data`` is what the manifest describes, to the last bit."""
    return len(data) == artefact.bytes and hashlib.sha256(data).hexdigest() == artefact.sha256
