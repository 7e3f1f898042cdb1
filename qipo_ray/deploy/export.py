"""A policy as a file that runs without this package: torch.export's, or ONNX; checked before use.

Inputs are ``observations (B, S)``, raw, and ``noise (B, A)``, N(0, I); the output is ``actions
(B, A)``, clipped as the configuration says. Normalisation, solver and weights are inside. What is
loaded here is what was made here a moment ago; no file of others is opened.
"""

from __future__ import annotations

import io
import json
import logging
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor

from qipo_ray.errors import UserError
from qipo_ray.train.checkpoint_policy import CheckpointPolicy

METADATA = "qipo_ray.json"  # in a .pt2: the extra file; ONNX has properties of its own
INPUTS, OUTPUT = ("observations", "noise"), "actions"
CHECKED = 64  # inputs
MOST_OFF = 1e-4  # of an action
_ONNX_PACKAGES = ("onnx", "onnxscript", "onnxruntime")  # the extra `onnx`

Run = Callable[[Tensor, Tensor], Tensor]


def to_pt2(policy: CheckpointPolicy, metadata: Mapping[str, str]) -> bytes:
    """Return the policy as the bytes of a ``.pt2`` file, for ``torch.export.load``."""
    buffer = io.BytesIO()
    extra = {METADATA: json.dumps(dict(metadata))}
    with _quiet():
        torch.export.save(_traced(policy), buffer, extra_files=extra)
    return buffer.getvalue()


def run_pt2(data: bytes) -> Run:
    """Return what a ``.pt2`` file computes."""
    with _quiet():
        run: Run = torch.export.load(io.BytesIO(data)).module()
    return run


def to_onnx(policy: CheckpointPolicy, metadata: Mapping[str, str]) -> bytes:
    """Return the policy as the bytes of an ``.onnx`` file; its properties hold ``metadata``."""
    with _quiet():
        program: Any = torch.onnx.export(
            _traced(policy),
            input_names=list(INPUTS),
            output_names=[OUTPUT],
            dynamo=True,
            verbose=False,
        )
    program.model.metadata_props.update(metadata)
    data: bytes = program.model_proto.SerializeToString()
    return data


def run_onnx(data: bytes) -> Run:
    """Return what an ``.onnx`` file computes."""
    import onnxruntime

    session = onnxruntime.InferenceSession(data, providers=["CPUExecutionProvider"])

    def run(observations: Tensor, noise: Tensor) -> Tensor:
        given = dict(zip(INPUTS, (observations.numpy(), noise.numpy()), strict=True))
        return torch.from_numpy(session.run([OUTPUT], given)[0])

    return run


FORMATS = {".pt2": (to_pt2, run_pt2), ".onnx": (to_onnx, run_onnx)}


def exported(
    policy: CheckpointPolicy, suffix: str, metadata: Mapping[str, str]
) -> tuple[bytes, float]:
    """Return a file of the format ``suffix``, and how far its actions are from the policy's.

    ``UserError`` if the format's packages are missing, or if an action is more than ``MOST_OFF``
    off or not finite.
    """
    make, load = FORMATS[suffix]
    try:
        data = make(policy, metadata)
        run = load(data)
    except ModuleNotFoundError as error:
        if suffix != ".onnx" or str(error.name).split(".")[0] not in _ONNX_PACKAGES:
            raise
        raise UserError(
            f"a policy as ONNX needs {error.name}, which is not there: "
            "pip install 'qipo_ray[onnx]'"
        ) from None
    off = difference(policy, run)
    if not off <= MOST_OFF:  # NaN, too
        raise UserError(
            f"the exported policy differs from the original by {off:.3g} in an action, more than "
            f"{MOST_OFF:g}; nothing was written"
        )
    return data, off


def difference(policy: CheckpointPolicy, run: Run) -> float:
    """Return how far actions differ at most on ``CHECKED`` drawn inputs, as a batch and alone.

    Observations are drawn as wide as those of the data. Where an action is beyond [-1, 1], which
    only an unclipped one can be, the difference is relative to it: single precision has no more.
    """
    draws = torch.Generator().manual_seed(0)
    unit = torch.randn(CHECKED, policy.state_dim, generator=draws)
    observations = policy.normaliser.mean + policy.normaliser.scale * unit
    noise = torch.randn(CHECKED, policy.action_dim, generator=draws)
    off = torch.zeros(())
    for rows in (slice(None), slice(1)):
        with torch.no_grad():
            wanted, got = (one(observations[rows], noise[rows]) for one in (policy, run))
        apart = (got - wanted).abs() / wanted.abs().clamp(min=1)
        off = torch.maximum(off, apart.max())  # keeps NaN
    return float(off)


def _traced(policy: CheckpointPolicy) -> torch.export.ExportedProgram:
    """Return the policy's graph for batches of any size."""
    batch = torch.export.Dim("batch")
    example = torch.zeros(2, policy.state_dim), torch.zeros(2, policy.action_dim)
    shapes = {name: {0: batch} for name in INPUTS}
    return torch.export.export(policy, example, dynamic_shapes=shapes)


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep torch's exporters from telling of their own affairs; what counts is the check."""
    logger = logging.getLogger("torch.onnx")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logger.setLevel(level)
