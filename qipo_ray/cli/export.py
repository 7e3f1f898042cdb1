"""``qipo-ray export``: a run's last policy as a file for robots, without this package."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from qipo_ray.cli import output as out
from qipo_ray.cli.prepare import check_file
from qipo_ray.deploy.export import CHECK_INPUTS, FORMATS, export_policy
from qipo_ray.deploy.finished_run import best_wanted, only_run
from qipo_ray.deploy.task_units import final_policy
from qipo_ray.errors import UserError, nearest
from qipo_ray.store.files import write_bytes
from qipo_ray.version import __version__


def export(run: Path, output: Path, best: bool, task: str | None, method: str | None) -> None:
    """Write the last policy of a run as a checked file for torch.export or ONNX."""
    if output.suffix not in FORMATS:
        raise UserError(
            f"{output}: its ending {output.suffix!r} names no format; expected "
            f"{' or '.join(FORMATS)}{nearest(output.suffix, FORMATS)}"
        )
    check_file(output)
    finished = best_wanted(run, best, task, method) or only_run(run)
    policy = final_policy(finished)
    data, difference = export_policy(policy, output.suffix, _metadata(finished.record, policy))
    with out.writing(output):
        write_bytes(output, data)
    out.remark(
        f"wrote {output}: {len(data):,} bytes; on {CHECK_INPUTS} drawn inputs its actions differ "
        f"from the original's by at most {difference:.2g}"
    )


def _metadata(record: dict[str, Any], policy: Any) -> dict[str, str]:
    """Return the metadata of the file; strings, since ONNX takes nothing else."""
    return {
        "task": record["task"],
        "record": record["id"],
        "method": record["label"]["method"],
        "seed": str(record["seed"]),
        "state_dim": str(policy.state_dim),
        "action_dim": str(policy.action_dim),
        "noise_dim": str(policy.noise_dim),
        "data_source": record["data"]["source"],
        "qipo_ray": __version__,
    }
