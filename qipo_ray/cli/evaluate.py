"""``qipo-ray evaluate``: the final policies of finished runs under another protocol."""

from __future__ import annotations

import json as json_format
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from qipo_ray.cli import output as out
from qipo_ray.errors import UserError, nearest

if TYPE_CHECKING:
    from qipo_ray.config import Config


def evaluate(
    results: Annotated[Path, typer.Argument(metavar="RESULTS", help="A results folder.")],
    record: Annotated[
        str | None, typer.Option("--record", metavar="ID", help="Only this run.")
    ] = None,
    episodes: Annotated[
        int | None, typer.Option("--episodes", min=1, help="As recorded if not given.")
    ] = None,
    changes: Annotated[
        list[str] | None,
        typer.Option(
            "--set",
            metavar="KEY=VALUE",
            help="sampler.solver, sampler.evaluations, sampler.clip or evaluation.weights.",
        ),
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")] = False,
) -> None:
    """Roll out the final policy of each finished run again; records stay as they are.

    With no option the scores equal the recorded ones.
    """
    records = _chosen(results, record)
    rows = []
    with out.live("evaluating") as live:
        for i, one in enumerate(records):
            live.update(i / len(records), None, f"{one['task']} seed {one['seed']}")
            rows.append(_score(results, one, episodes, changes or []))
    if json:
        out.write(json_format.dumps(rows, indent=2, allow_nan=False))
        return
    titles = ["record", "task", "method", "seed", "recorded", "now", "return", "protocol"]
    out.print_rows(
        titles, [_cells(row) for row in rows], [False, False, False, True, True, True, True, False]
    )


def _chosen(results: Path, wanted: str | None) -> list[dict[str, Any]]:
    from qipo_ray.store.records import read_records

    folder = results / "records"
    if not folder.is_dir():
        below = sorted(str(path.parent) for path in results.glob("*/records"))
        hint = f"; there are {', '.join(below)}" if below else ""
        raise UserError(f"no results folder {results}: it has no records/{hint}")
    finished = [one for one in read_records(folder) if one["state"] == "finished"]
    if wanted is not None:
        known = [one["id"] for one in finished]
        finished = [one for one in finished if one["id"] == wanted]
        if not finished:
            raise UserError(f"no finished run {wanted!r} in {results}{nearest(wanted, known)}")
    if not finished:
        raise UserError(f"no finished run in {results}")
    return finished


def _score(
    results: Path, record: dict[str, Any], episodes: int | None, changes: list[str]
) -> dict[str, Any]:
    from qipo_ray.config import from_dict
    from qipo_ray.data.tasks import get_task
    from qipo_ray.train.job import Snapshot
    from qipo_ray.train.results import Results
    from qipo_ray.train.scoring import score_state

    config = _changed(from_dict(record["config"], f"record {record['id']}"), changes)
    snapshot = Snapshot("policy", record["jobs"]["policy"], record["reached"]["updates"])
    state = Results(results.resolve()).state(snapshot)
    count = episodes or record["protocol"]["episodes"]
    score = score_state(get_task(record["task"]), config, state, count)
    return {
        "record": record["id"],
        "task": record["task"],
        "source": record["data"]["source"],
        "method": record["label"]["method"],
        "seed": record["seed"],
        "recorded": record["final"]["last"],
        "score": score,
        "protocol": {
            "episodes": count,
            "sampler": config.solver,
            "steps": config.sampler.evaluations,
            "clip": config.sampler.clip,
            "weights": config.evaluation.weights,
        },
    }


def _changed(config: Config, changes: list[str]) -> Config:
    """Return the configuration with settings that change how a policy is used, not trained."""
    from qipo_ray.config import override

    allowed = (
        "sampler.solver", "sampler.evaluations", "sampler.clip", "evaluation.weights",
    )  # fmt: skip
    for change in changes:
        key = change.partition("=")[0]
        if key not in allowed:
            raise UserError(
                f"--set {change}: evaluate changes only {', '.join(allowed)}"
                f"{nearest(key, allowed)}"
            )
    changed = override(config, changes)
    return replace(config, sampler=changed.sampler, evaluation=changed.evaluation)


def _cells(row: dict[str, Any]) -> list[str]:
    protocol, score = row["protocol"], row["score"]
    return [
        row["record"],
        f"{row['task']} ({row['source']})",
        row["method"],
        str(row["seed"]),
        f"{row['recorded']['normalised']:.1f}",
        f"{score['normalised']:.1f}",
        f"{score['mean']:.1f} ± {score['std']:.1f}",
        f"{protocol['episodes']} episodes, {protocol['sampler']}, "
        f"{protocol['steps']} evaluations, {protocol['weights']}",
    ]
