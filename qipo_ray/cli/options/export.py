"""The options of ``qipo-ray export``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def export(
    run: Annotated[
        Path,
        typer.Argument(
            metavar="RUN", help="A record file, or a results folder with one finished run."
        ),
    ],
    output: Annotated[Path, typer.Argument(metavar="FILE", help="policy.pt2 or policy.onnx.")],
) -> str:
    """Write the final policy of a run for torch.export (.pt2) or ONNX (.onnx; extra 'onnx').

    Inputs: raw observations (B, S) and noise (B, A) from N(0, I); output: actions (B, A).
    Normalisation, solver and clipping are inside. The file is loaded back and run against the
    original first; it is written only if no action differs by more than 1e-4.
    """
    return "qipo_ray.cli.export:export"
