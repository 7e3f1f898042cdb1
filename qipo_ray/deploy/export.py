"""A policy as a file that runs without this package: torch.export's, or ONNX; checked before use.

Inputs are ``observations (B, S)``, raw, and ``noise (B, noise_dim)``, N(0, I); the output is
``actions (B, A)``, clipped as the configuration says. Normalisation, solver and weights are
inside. Only bytes that were just exported are loaded here, never a file of another origin.
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

from qipo_ray.agent.blaming import blaming
from qipo_ray.agent.program_policy import ProgramPolicy
from qipo_ray.errors import UserError
from qipo_ray.train.checkpoint_policy import CheckpointPolicy

METADATA = "qipo_ray.json"  # in a .pt2: the extra file; ONNX has properties of its own
INPUTS, OUTPUT = ("observations", "noise"), "actions"
CHECK_INPUTS = 64  # drawn to compare the exported policy with the original
MAX_DIFFERENCE = 1e-4  # of an action
_ONNX_PACKAGES = ("onnx", "onnxscript", "onnxruntime")  # the extra `onnx`

PolicyFunction = Callable[[Tensor, Tensor], Tensor]


def to_pt2(policy: CheckpointPolicy, metadata: Mapping[str, str]) -> bytes:
    """Return the policy as the bytes of a ``.pt2`` file, for ``torch.export.load``."""
    buffer = io.BytesIO()
    extra = {METADATA: json.dumps(dict(metadata))}
    with _quiet():
        torch.export.save(_traced(policy), buffer, extra_files=extra)
    return buffer.getvalue()


def run_pt2(data: bytes) -> PolicyFunction:
    """Return the function of a ``.pt2`` file: actions from observations and noise."""
    with _quiet():
        run: PolicyFunction = torch.export.load(io.BytesIO(data)).module()
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


def run_onnx(data: bytes) -> PolicyFunction:
    """Return the function of an ``.onnx`` file: actions from observations and noise."""
    import onnxruntime

    session = onnxruntime.InferenceSession(data, providers=["CPUExecutionProvider"])

    def run(observations: Tensor, noise: Tensor) -> Tensor:
        inputs = dict(zip(INPUTS, (observations.numpy(), noise.numpy()), strict=True))
        return torch.from_numpy(session.run([OUTPUT], inputs)[0])

    return run


FORMATS = {".pt2": (to_pt2, run_pt2), ".onnx": (to_onnx, run_onnx)}


def export_policy(
    policy: CheckpointPolicy, suffix: str, metadata: Mapping[str, str]
) -> tuple[bytes, float]:
    """Return the bytes of a file with the ending ``suffix``, and the greatest action difference.

    ``UserError`` if the format's packages are missing, or if the difference is more than
    ``MAX_DIFFERENCE`` or not finite.
    """
    if isinstance(policy.network, ProgramPolicy):
        raise UserError(f"a policy that is a program of its own cannot be exported as {suffix}")
    make, load = FORMATS[suffix]
    try:
        data = make(policy, metadata)
        run = load(data)
    except ModuleNotFoundError as error:
        if suffix != ".onnx" or str(error.name).split(".")[0] not in _ONNX_PACKAGES:
            raise
        raise UserError(
            f"a policy as ONNX needs {error.name}, which is not installed: "
            "pip install 'qipo_ray[onnx]'"
        ) from None
    difference = max_difference(policy, run)
    if not difference <= MAX_DIFFERENCE:  # NaN, too
        raise UserError(
            f"the exported policy differs from the original by {difference:.3g} in an action, "
            f"more than {MAX_DIFFERENCE:g}; nothing was written"
        )
    return data, difference


def max_difference(policy: CheckpointPolicy, run: PolicyFunction) -> float:
    """Return the greatest action difference on ``CHECK_INPUTS`` drawn inputs, batched and single.

    Observations are drawn with the mean and scale of the data. For an action beyond [-1, 1], which
    only an unclipped one can be, the difference is relative: single precision allows no more.
    """
    draws = torch.Generator().manual_seed(0)
    unit = torch.randn(CHECK_INPUTS, policy.state_dim, generator=draws)
    observations = policy.normaliser.mean + policy.normaliser.scale * unit
    noise = torch.randn(CHECK_INPUTS, policy.noise_dim, generator=draws)
    difference = torch.zeros(())
    for rows in (slice(None), slice(1)):
        with torch.no_grad():
            expected, actual = (act(observations[rows], noise[rows]) for act in (policy, run))
        relative = (actual - expected).abs() / expected.abs().clamp(min=1)
        difference = torch.maximum(difference, relative.max())  # keeps NaN
    return float(difference)


def _traced(policy: CheckpointPolicy) -> torch.export.ExportedProgram:
    """Return the policy's graph for batches of any size."""
    batch = torch.export.Dim("batch")
    example = torch.zeros(2, policy.state_dim), torch.zeros(2, policy.noise_dim)
    shapes = {name: {0: batch} for name in INPUTS}
    with blaming(policy.config):
        return torch.export.export(policy, example, dynamic_shapes=shapes)


@contextmanager
def _quiet() -> Iterator[None]:
    """Silence torch's exporters: their result is checked."""
    logger = logging.getLogger("torch.onnx")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logger.setLevel(level)
