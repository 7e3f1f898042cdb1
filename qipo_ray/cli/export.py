"""``qipo-ray export``: a final policy as a file for robots, without this package."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from qipo_ray.cli import output as out
from qipo_ray.cli.prepare import check_file
from qipo_ray.errors import UserError, nearest


def export(
    run: Annotated[
        Path,
        typer.Argument(
            metavar="RUN", help="A record file, or a results folder with one finished run."
        ),
    ],
    output: Annotated[Path, typer.Argument(metavar="FILE", help="policy.pt2 or policy.onnx.")],
) -> None:
    """Write the final policy of a run for torch.export (.pt2) or ONNX (.onnx; extra 'onnx').

    Inputs: raw observations (B, S) and noise (B, A) from N(0, I); output: actions (B, A).
    Normalisation, solver and clipping are inside. The file is loaded back and run against the
    original first; it is written only if no action differs by more than 1e-4.
    """
    from qipo_ray.deploy.export import CHECKED, FORMATS, exported
    from qipo_ray.deploy.finished_run import only_run
    from qipo_ray.store.files import write_bytes
    from qipo_ray.train.checkpoint_policy import CheckpointPolicy

    if output.suffix not in FORMATS:
        raise UserError(
            f"{output}: its ending {output.suffix!r} names no format; expected "
            f"{' or '.join(FORMATS)}{nearest(output.suffix, FORMATS)}"
        )
    check_file(output)
    found = only_run(run)
    policy = CheckpointPolicy(found.config, found.state())
    data, off = exported(policy, output.suffix, _metadata(found.record, policy))
    try:
        write_bytes(output, data)
    except OSError as error:
        raise UserError(f"{output}: cannot be written ({error.strerror})") from error
    out.remark(
        f"wrote {output}: {len(data):,} bytes; on {CHECKED} drawn inputs its actions differ from "
        f"the original's by at most {off:.2g}"
    )


def _metadata(record: dict[str, Any], policy: Any) -> dict[str, str]:
    """Return what the file says of itself; strings, since ONNX knows no other values."""
    from qipo_ray.version import __version__

    return {
        "task": record["task"],
        "record": record["id"],
        "method": record["label"]["method"],
        "seed": str(record["seed"]),
        "state_dim": str(policy.state_dim),
        "action_dim": str(policy.action_dim),
        "data_source": record["data"]["source"],
        "qipo_ray": __version__,
    }
