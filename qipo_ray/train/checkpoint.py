"""States to bytes and back: plain tensors and numbers, never a pickle of objects."""

from __future__ import annotations

import io

import torch

from qipo_ray.agent import State

SCHEMA = 1


class CheckpointError(ValueError):
    """A checkpoint of another schema or with missing parts."""


PARTS = {
    "stage", "updates", "counted", "weights", "moments", "generator", "sums", "normaliser",
    "action_dim",
}  # fmt: skip


def to_bytes(state: State) -> bytes:
    """Return a state as bytes; equal states give equal bytes."""
    buffer = io.BytesIO()
    torch.save({"schema": SCHEMA, **state}, buffer)
    return buffer.getvalue()


def from_bytes(data: bytes) -> State:
    """Return the state; ``CheckpointError`` names a wrong schema or a missing part."""
    state: State = torch.load(io.BytesIO(data), map_location="cpu", weights_only=True)
    schema = state.pop("schema", None)
    if schema != SCHEMA:
        raise CheckpointError(f"checkpoint schema {schema!r}; this version reads {SCHEMA}")
    missing = PARTS - state.keys()
    if missing:
        raise CheckpointError(f"checkpoint lacks {', '.join(sorted(missing))}")
    return state
