"""``qipo-ray reproduce``: the command that gives a record's number again, and the proof."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
import typer

from qipo_ray.cli import output as out
from qipo_ray.cli.prepare import check, check_device, dataset_of, writable
from qipo_ray.cli.train import train_missing
from qipo_ray.config import config_hash
from qipo_ray.data.locate import find_dataset
from qipo_ray.data.tasks import Task
from qipo_ray.deploy.finished_run import best_wanted, load_record
from qipo_ray.errors import UserError
from qipo_ray.store.files import sha256_file, write_bytes
from qipo_ray.store.records import new_id, read_records
from qipo_ray.study.task_file import given_task, own_task
from qipo_ray.train.machine import hardware, software
from qipo_ray.verify.comparison import compare
from qipo_ray.verify.reproduction import Recipe, differences, inexact, recipe

DIFFERENT = 1  # exit code
MARK = "reproduces.txt"  # in the folder of a new run: which record it is held against


def reproduce(
    record: Path,
    best: bool,
    task: str | None,
    method: str | None,
    run: bool,
    results: Path | None,
    data: Path | None,
    device: str | None,
) -> None:
    """Print the command that gives a record's number again, or carry it out and compare."""
    given = own_task(task) if task else None
    wanted = best_wanted(record, best, None if given and not best else task, method)
    content = wanted.record if wanted else load_record(record)
    trained = given_task(record, content["task"], given)
    plan = recipe(content)
    if task is not None and trained.own is not None:
        plan = plan.with_file(task)
    folder = results or Path("reproduced") / content["id"]
    if run:
        _check_folder(folder, content)
    if device or run:
        check_device(device or plan.device)
    environment = _environment(device or plan.device)
    for line in differences(content, environment, _local_sha256(trained, data)):
        out.remark(f"differs: {line}")
    if plan.expected is None:
        out.remark(f"the record has no score: the run {content['state']} ({content['reason']})")
    command = plan.command(folder, data, device)
    if run:
        out.remark(command)
        _prove(content, plan, trained, folder, data, device or plan.device)
    else:
        out.write(command)


def _check_folder(folder: Path, record: dict[str, Any]) -> None:
    """Refuse a folder where jobs may be found done: the record would be held against itself.

    One in which this very comparison was broken off is gone on with.
    """
    path = folder.expanduser()
    mark = path / MARK
    begun = mark.is_file() and mark.read_text() == record["id"]
    if begun and not (path / "records").exists():
        return
    if path.exists() and not (path.is_dir() and not any(path.iterdir())):
        raise UserError(
            f"--results {folder}: it is not empty, and what is found there is not trained anew; "
            "choose a new folder"
        )


def _environment(device: str) -> dict[str, Any]:
    """Return what a record made here would say of it; on the CPU where there is no such device."""
    torch.set_num_threads(1)  # as `train` does
    try:
        check_device(device)
    except UserError:
        device = "cpu"
    return {**software(), "hardware": hardware(device)}


def _local_sha256(task: Task, path: Path | None) -> str | None:
    """Return the SHA-256 of the task's data set, None if it is not on this machine."""
    try:
        return sha256_file(find_dataset(task, path)[0])
    except UserError:
        if path is not None:
            raise
        return None


def _prove(
    record: dict[str, Any],
    plan: Recipe,
    task: Task,
    folder: Path,
    data: Path | None,
    device: str,
) -> None:
    """Train anew, print how the numbers compare, and leave with 1 if they are not the same."""
    if plan.expected is None and record["state"] != "diverged":
        raise UserError(
            f"record {record['id']}: the run {record['state']} without a score; there is nothing "
            "to compare (without --run its command is printed)"
        )
    new = _train_anew(record, plan, task, folder, data, device)
    verdict = compare(plan, record, new, exact=not any(inexact(record, new["provenance"])))
    out.write(verdict.text)
    if not verdict.same:
        raise typer.Exit(DIFFERENT)


def _train_anew(
    record: dict[str, Any],
    plan: Recipe,
    task: Task,
    folder: Path,
    data: Path | None,
    device: str,
) -> dict[str, Any]:
    """Return the new run's record; ``UserError`` where the data are others."""
    dataset = dataset_of(task, data)
    if dataset.sha256 != record["data"]["sha256"]:
        raise UserError(
            f"{dataset.path} has SHA-256 {dataset.sha256[:12]}..., the record was made with "
            f"{record['data']['sha256'][:12]}...: it cannot give the same number; use --data"
        )
    check(task, plan.config, dataset)
    root = writable(folder)
    write_bytes(root / MARK, record["id"].encode())
    train_missing(plan.config, plan.preset, dataset, [plan.seed], root, device=device)
    number = new_id("train", "single", task.id, config_hash(plan.config), plan.seed)
    return next(entry for entry in read_records(root) if entry["id"] == number)
