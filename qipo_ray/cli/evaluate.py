"""``qipo-ray evaluate``: the last policies of finished runs under another protocol."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch

from qipo_ray.cli import output as out
from qipo_ray.cli.prepare import check_file
from qipo_ray.config import Config, override
from qipo_ray.config.evaluations import action_sampling
from qipo_ray.config.own_methods import own_names
from qipo_ray.config.run_methods import acting_weights
from qipo_ray.data.tasks import NO_ENVIRONMENT, Task, physics
from qipo_ray.deploy.finished_run import FinishedRun, best_wanted, finished_runs
from qipo_ray.errors import UserError, nearest
from qipo_ray.evaluation.episode_recorder import EpisodeRecorder, check_rendering
from qipo_ray.evaluation.score import FIRST_SEED, env_seeds_text
from qipo_ray.store.files import write_bytes
from qipo_ray.study.acting_reader import acting_keys
from qipo_ray.study.task_file import given_task, own_task
from qipo_ray.train.scoring import NOISE_SEED, score_state

ACTING = (  # beside what is marked so: they have an effect on training, or are that of a method
    "sampler.solver", "sampler.evaluations", "sampler.clip", "evaluation.weights",
    "bestofn.actions", "bestofn.temperature",
)  # fmt: skip
TEXTS = {
    "noise": "noise times", "best_of": "one of", "temperature": "temperature",
    "guidance": "guidance",
}  # fmt: skip


def evaluate(
    run: Path,
    best: bool,
    task: str | None,
    method: str | None,
    record: str | None,
    episodes: int | None,
    seed: int | None,
    changes: list[str] | None,
    video: Path | None,
    json: bool,
) -> None:
    """Print the scores of finished runs beside the recorded ones, and write the video."""
    torch.set_num_threads(1)  # as in training: other numbers of threads round otherwise
    given = own_task(task) if task else None
    wanted = best_wanted(run, best, None if given and not best else task, method)
    if wanted and record:
        raise UserError(f"--record {record} and --best name two runs; give one of them")
    runs = [wanted] if wanted else _chosen(run, record, given)
    tasks = [given_task(chosen.root, chosen.record["task"], given) for chosen in runs]
    _refuse_unscored(tasks)
    recorder = None if video is None else _recorder(video, runs, tasks)
    rows = []
    with out.live("evaluating") as live:
        for i, (finished, scored) in enumerate(zip(runs, tasks, strict=True)):
            label = f"{finished.record['task']} seed {finished.record['seed']}"
            live.update(i / len(runs), None, label)
            rows.append(_score(finished, scored, episodes, seed, changes or [], recorder))
    if video is not None and recorder is not None:
        _write(video, recorder)
    if json:
        out.print_json(rows)
        return
    titles = ["record", "task", "method", "seed", "recorded", "now", "return", "protocol"]
    out.print_rows(
        titles, [_cells(row) for row in rows], [False, False, False, True, True, True, True, False]
    )


def _chosen(path: Path, record_id: str | None, given: Task | None) -> list[FinishedRun]:
    """Return the run that is named, else all; where a user's task is given, those of it."""
    runs = finished_runs(path)
    if record_id is None:
        of_task = [run for run in runs if given is not None and run.record["task"] == given.id]
        return of_task or runs
    ids = [run.record["id"] for run in runs]
    if record_id not in ids:
        raise UserError(f"no finished run {record_id!r} in {path}{nearest(record_id, ids)}")
    return [runs[ids.index(record_id)]]


def _refuse_unscored(tasks: list[Task]) -> None:
    for task in tasks:
        if not task.scored:
            raise UserError(f"task {task.id}: {NO_ENVIRONMENT}")


def _recorder(path: Path, runs: list[FinishedRun], tasks: list[Task]) -> EpisodeRecorder:
    """Return a recorder, once it is sure that one can be made and written."""
    if path.suffix != ".gif":
        raise UserError(f"--video {path}: expected a name that ends in .gif")
    check_file(path)
    if len(runs) > 1:
        raise UserError(
            f"--video {path} shows one run, and there are {len(runs)}; choose one with --record, "
            f"such as --record {runs[0].record['id']}"
        )
    check_rendering(tasks[0])
    return EpisodeRecorder(tasks[0].horizon)


def _write(path: Path, recorder: EpisodeRecorder) -> None:
    with out.writing(f"--video {path}"):
        write_bytes(path, recorder.gif())
    out.remark(f"wrote {path}: {len(recorder.frames)} pictures of the first episode")


def _score(
    run: FinishedRun,
    task: Task,
    episodes: int | None,
    seed: int | None,
    changes: list[str],
    recorder: EpisodeRecorder | None,
) -> dict[str, Any]:
    record = run.record
    config = _changed(run.config, changes)
    count = episodes or record["protocol"]["episodes"]
    sampling, now = action_sampling(config), physics(record["task"])
    score = score_state(task, config, run.state(config), count, seed, recorder)
    return {
        "record": record["id"],
        "task": record["task"],
        "source": record["data"]["source"],
        "method": record["label"]["method"],
        "seed": record["seed"],
        "recorded": record["final"]["last"],
        "other_physics": record["protocol"].get("physics", 1) != now,
        "score": score,
        "protocol": {
            "episodes": count,
            "env_seeds": env_seeds_text(count, FIRST_SEED if seed is None else seed),
            "noise_seed": NOISE_SEED if seed is None else seed,
            "sampler": sampling.solver,
            "steps": sampling.evaluations,
            "clip": sampling.clip,
            "weights": acting_weights(config),
            **sampling.unusual(),
            **({} if now == 1 else {"physics": now}),
            **_own_changes(config, changes),
        },
    }


def _own_changes(config: Config, changes: list[str]) -> dict[str, Any]:
    """Return what was changed of settings that a method of the user's own has."""
    keys = [change.partition("=")[0].split(".") for change in changes]
    return {
        f"{section}.{name}": getattr(config.section(section), name)
        for section, name in keys
        if section in own_names()
    }


def _changed(config: Config, changes: list[str]) -> Config:
    """Return the configuration with settings that change how a policy is used, not trained."""
    allowed = list(dict.fromkeys([*ACTING, *acting_keys()]))
    for change in changes:
        key = change.partition("=")[0]
        if key not in allowed:
            raise UserError(
                f"--set {change}: evaluate changes only {', '.join(allowed)}"
                f"{nearest(key, allowed)}"
            )
    return override(config, changes)


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
        f"{protocol['steps']} evaluations, {protocol['weights']}"
        + "".join(
            f", {TEXTS.get(name, name)} {value}"
            for name, value in protocol.items()
            if name in TEXTS or "." in name
        )
        + (", recorded in other physics" if row["other_physics"] else ""),
    ]
