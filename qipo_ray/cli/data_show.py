"""``qipo-ray data show``: what a data file holds."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from qipo_ray.cli import output as out
from qipo_ray.cli.data_files import open_data
from qipo_ray.data.picture import histogram
from qipo_ray.data.picture import picture as drawn
from qipo_ray.data.tasks import Task, get_task
from qipo_ray.data.transitions import Dataset, behaviour_score
from qipo_ray.errors import UserError

BAR = 40  # characters of the longest bar


def show(source: str, task: str | None, picture: Path | None, json: bool) -> None:
    """Print the facts of a data file and its histogram of returns; draw it if asked to."""
    dataset, file_task = open_data(source, task)
    facts = _facts(dataset, file_task)
    counts, borders = histogram(dataset.episode_returns())
    if picture is not None:
        _draw(picture, dataset, file_task)
    if json:
        facts["histogram"] = {"counts": counts.tolist(), "borders": borders.tolist()}
        out.print_json(facts)
        return
    for key, value in facts.items():
        out.write(f"{key.replace('_', ' '):<18}{_text(value)}")
    out.write("episodes by return, from")
    for border, count in zip(borders.tolist(), counts.tolist(), strict=False):
        bar = "█" * -(-BAR * count // int(counts.max()))
        out.write(f"{border:>14,.4g}  {bar} {count:,}" if count else f"{border:>14,.4g}")


def _draw(path: Path, dataset: Dataset, task: Task) -> None:
    if path.exists():
        raise UserError(f"{path} exists; remove it first, or choose another --picture")
    with out.writing(path):
        path.write_text(drawn(dataset, task), encoding="utf-8")
    out.remark(f"wrote {path}")


def _facts(dataset: Dataset, task: Task) -> dict[str, Any]:
    # A real file read under a name without version is no generated data.
    twin = task.twin_of is not None and dataset.source != "generated"
    remarks = get_task(str(task.twin_of)).notes if twin else task.notes
    returns = dataset.episode_returns()
    score = behaviour_score(dataset, task)
    return {
        "task": dataset.task_id,
        "file": str(dataset.path),
        "source": dataset.source,
        "sha256": dataset.sha256,
        "rows": dataset.rows,
        "episodes": len(returns),
        "terminals": int(dataset.terminals.sum()),
        "timeouts": int(dataset.timeouts.sum()),
        "observation_size": dataset.observations.shape[1],
        "action_size": dataset.actions.shape[1],
        "return_min": float(returns.min()),
        "return_mean": float(returns.mean()),
        "return_max": float(returns.max()),
        "normalised_score": score["normalised"] if score else None,
        "notes": [*dataset.notes, *remarks],
    }


def _text(value: object) -> str:
    """Return a fact as people read it."""
    if isinstance(value, list):
        return "; ".join(map(str, value)) or "–"
    if isinstance(value, float):
        return f"{value:.2f}"
    if isinstance(value, int):
        return f"{value:,}"
    return "–" if value is None else str(value)
