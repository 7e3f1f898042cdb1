"""``qipo-ray evaluate``: the final policies of finished runs under another protocol."""

from __future__ import annotations

import json as json_format
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from qipo_ray.cli import output as out
from qipo_ray.cli.prepare import check_file
from qipo_ray.errors import UserError, nearest

if TYPE_CHECKING:
    from qipo_ray.config import Config
    from qipo_ray.deploy.finished_run import FinishedRun
    from qipo_ray.evaluation.film import Film


def evaluate(
    run: Annotated[
        Path, typer.Argument(metavar="RUN", help="A results folder, or one record's file.")
    ],
    record: Annotated[
        str | None, typer.Option("--record", metavar="ID", help="Only this run of the folder.")
    ] = None,
    episodes: Annotated[
        int | None, typer.Option("--episodes", min=1, help="As recorded if not given.")
    ] = None,
    seed: Annotated[
        int | None,
        typer.Option(
            "--seed",
            min=0,
            help="The first environment seed, of --episodes in a row, and that of the actions' "
            "noise; as recorded if not given.",
        ),
    ] = None,
    changes: Annotated[
        list[str] | None,
        typer.Option(
            "--set",
            metavar="KEY=VALUE",
            help="sampler.solver, sampler.evaluations, sampler.clip or evaluation.weights.",
        ),
    ] = None,
    video: Annotated[
        Path | None,
        typer.Option("--video", metavar="GIF", help="Draw the first episode of a single run."),
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")] = False,
) -> None:
    """Roll out the final policy of each finished run again; records stay as they are.

    With no option the scores equal the recorded ones. Seeds whose distance is less than --episodes
    share environments.
    """
    import torch

    torch.set_num_threads(1)  # as in training: other numbers of threads round otherwise
    runs = _chosen(run, record)
    film = None if video is None else _film(video, runs)
    rows = []
    with out.live("evaluating") as live:
        for i, one in enumerate(runs):
            where = f"{one.record['task']} seed {one.record['seed']}"
            live.update(i / len(runs), None, where)
            rows.append(_score(one, episodes, seed, changes or [], film))
    if video is not None and film is not None:
        _write(video, film)
    if json:
        out.write(json_format.dumps(rows, indent=2, allow_nan=False))
        return
    titles = ["record", "task", "method", "seed", "recorded", "now", "return", "protocol"]
    out.print_rows(
        titles, [_cells(row) for row in rows], [False, False, False, True, True, True, True, False]
    )


def _chosen(path: Path, wanted: str | None) -> list[FinishedRun]:
    from qipo_ray.deploy.finished_run import finished_runs

    found = finished_runs(path)
    if wanted is None:
        return found
    known = [one.record["id"] for one in found]
    if wanted not in known:
        raise UserError(f"no finished run {wanted!r} in {path}{nearest(wanted, known)}")
    return [found[known.index(wanted)]]


def _film(path: Path, runs: list[FinishedRun]) -> Film:
    """Return an empty film, once it is sure that one can be made and written."""
    from qipo_ray.data.tasks import get_task
    from qipo_ray.evaluation.film import Film, check_pictures

    if path.suffix != ".gif":
        raise UserError(f"--video {path}: expected a name that ends in .gif")
    check_file(path)
    if len(runs) > 1:
        raise UserError(
            f"--video {path} shows one run, and there are {len(runs)}; choose one with --record, "
            f"such as --record {runs[0].record['id']}"
        )
    task = get_task(runs[0].record["task"])
    check_pictures(task)
    return Film(task.horizon)


def _write(path: Path, film: Film) -> None:
    from qipo_ray.store.files import write_bytes

    try:
        write_bytes(path, film.gif())
    except OSError as error:
        raise UserError(f"--video {path}: cannot be written ({error.strerror})") from error
    out.remark(f"wrote {path}: {len(film.pictures)} pictures of the first episode")


def _score(
    run: FinishedRun,
    episodes: int | None,
    seed: int | None,
    changes: list[str],
    film: Film | None,
) -> dict[str, Any]:
    from qipo_ray.data.tasks import get_task
    from qipo_ray.evaluation.score import FIRST_SEED, env_seeds_text
    from qipo_ray.train.scoring import NOISE_SEED, score_state

    record = run.record
    config = _changed(run.config, changes)
    count = episodes or record["protocol"]["episodes"]
    score = score_state(get_task(record["task"]), config, run.state(), count, seed, film)
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
            "env_seeds": env_seeds_text(count, FIRST_SEED if seed is None else seed),
            "noise_seed": NOISE_SEED if seed is None else seed,
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
        f"{protocol['episodes']} episodes, environment seeds {protocol['env_seeds']}, "
        f"noise seed {protocol['noise_seed']}, {protocol['sampler']}, "
        f"{protocol['steps']} evaluations, {protocol['weights']}",
    ]
