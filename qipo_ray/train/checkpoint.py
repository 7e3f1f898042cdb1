"""Checkpoints to bytes and back: plain tensors and numbers, never a pickle of objects.

A checkpoint goes on only as the job that it is of, and only where a fresh job of that stage has
a state of the same form. The data's normaliser must agree, too; the machine may be another.
"""

from __future__ import annotations

import io
import zipfile
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from qipo_ray.agent import Member, State, Tensors, pack_of
from qipo_ray.agent.blaming import blaming
from qipo_ray.errors import UserError
from qipo_ray.study.job import Job

SCHEMA = 2
IDENTITY = ("key", "task", "seed", "data_sha256")  # of a job; its state says the stage
SETTLED = ("stage", "normaliser", "action_dim")  # parts of a state that training never changes


class CheckpointError(UserError):
    """A checkpoint of another schema, of another job, or of another form."""


@dataclass(frozen=True)
class Checkpoint:
    """A state, the job that it is of (`identity`), and the machine that saved it."""

    state: State
    job: Mapping[str, Any]
    machine: Mapping[str, Any]


def identity(job: Job) -> dict[str, Any]:
    """Return what says whose checkpoint it is: the key, and what a person tells jobs by."""
    return {name: getattr(job, name) for name in IDENTITY}


def to_bytes(checkpoint: Checkpoint) -> bytes:
    """Return a checkpoint as bytes; equal checkpoints give equal bytes."""
    buffer = io.BytesIO()
    torch.save({"schema": SCHEMA, **vars(checkpoint)}, buffer)
    return buffer.getvalue()


def from_bytes(data: bytes) -> Checkpoint:
    """Return the checkpoint; ``CheckpointError`` for none, an incomplete, or another schema."""
    parts = _unpacked(data)
    schema = parts.pop("schema", None)
    if schema != SCHEMA:
        raise CheckpointError(f"it has schema {schema!r:.80}; this version reads {SCHEMA}")
    _same_names(parts, ("state", "job", "machine"), "")
    for name, part in parts.items():
        if not isinstance(part, dict):
            raise CheckpointError(f"its {name} is {type(part).__name__}, not dict")
    _same_names(parts["job"], IDENTITY, "job")
    return Checkpoint(**parts)


def _unpacked(data: bytes) -> dict[str, Any]:
    """Return what ``torch.save`` was given, if it was a dictionary; runs no code from the bytes.

    torch compresses nothing, so an archive that says it holds more than its own bytes is none.
    """
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            size = sum(entry.file_size for entry in archive.infolist())
        if size > len(data):
            raise ValueError(f"{size:,} bytes in an archive of {len(data):,}")
        parts = torch.load(io.BytesIO(data), map_location="cpu", weights_only=True)
    except Exception as problem:  # an unpickler raises whatever the bytes lead to
        reason = " ".join(str(problem).split()) or type(problem).__name__
        raise CheckpointError(f"it cannot be read: {reason:.200}") from None
    if not isinstance(parts, dict):
        raise CheckpointError(f"it holds a {type(parts).__name__}, not a dictionary")
    return parts


def check_job(checkpoint: Checkpoint, expected: Mapping[str, Any]) -> None:
    """Raise ``CheckpointError`` that names all of ``expected`` that the checkpoint is not of."""
    actual = {**checkpoint.state, **checkpoint.job}
    wrong = [
        f"{name} {actual.get(name)!r} instead of {value!r}"
        for name, value in expected.items()
        if actual.get(name) != value
    ]
    if wrong:
        raise CheckpointError(f"it is of another job: {', '.join(wrong)}")


def check_form(state: State, fresh: State) -> None:
    """Raise ``CheckpointError`` that names the first part in which a state is not like ``fresh``.

    Names, sizes and types must be those of a fresh member's state, and the `SETTLED` parts must
    be equal. (Normalisers that another machine computed may differ in their last bits.)
    """
    _same_form(state, fresh, "")
    for name in SETTLED:
        _equal(state[name], fresh[name], name)


def fresh_state(job: Job, stage: str, data: Tensors, upstream: Mapping[str, State]) -> State:
    """Return the state in which a stage of the job's run starts."""
    with blaming(job.config):
        pack = pack_of(stage, job.config, data)
        pack.admit(Member(job.config, job.seed), upstream, None)
        return pack.state(0)


def _same_form(part: Any, fresh: Any, name: str) -> None:
    actual, expected = _form(part, name), _form(fresh, name)
    if actual != expected:
        raise CheckpointError(f"its {name} is {actual}, not {expected}")
    if isinstance(fresh, dict):
        _same_names(part, fresh, name)
        for key in fresh:
            _same_form(part[key], fresh[key], f"{name}.{key}" if name else key)
    elif isinstance(fresh, list):
        _same_names(range(len(part)), range(len(fresh)), name)
        for i, (part_item, fresh_item) in enumerate(zip(part, fresh, strict=True)):
            _same_form(part_item, fresh_item, f"{name}.{i}")


def _form(part: Any, name: str) -> str:
    """Return a value's form in words; a generator's size depends on the device, files have any."""
    if not isinstance(part, Tensor):
        return type(part).__name__
    size = "" if name in ("generator", "files") else f" {tuple(part.shape)}"
    return f"{part.dtype}{size}"


def _same_names(actual: Collection[Any], expected: Collection[Any], name: str) -> None:
    """Raise ``CheckpointError`` unless ``actual`` has exactly the keys ``expected``."""
    for first, second, verb in ((expected, actual, "lacks"), (actual, expected, "has an unknown")):
        odd = [f"{name}.{key}" if name else str(key) for key in first if key not in second]
        if odd:
            raise CheckpointError(f"it {verb} {', '.join(odd)}")


def _equal(part: Any, fresh: Any, name: str) -> None:
    if isinstance(fresh, dict):
        for key in fresh:
            _equal(part[key], fresh[key], f"{name}.{key}")
    elif isinstance(fresh, Tensor):
        if not torch.allclose(part, fresh.cpu(), rtol=1e-4, atol=1e-6):
            raise CheckpointError(f"its {name} is not that of the data")
    elif part != fresh:
        raise CheckpointError(f"its {name} is {part!r}, not {fresh!r}")
