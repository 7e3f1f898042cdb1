"""``qipo-ray reproduce``: the command that gives a record's number again, and the proof."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from qipo_ray.cli import output as out
from qipo_ray.cli.prepare import check, check_device, dataset_of, writable
from qipo_ray.cli.train import train_missing
from qipo_ray.errors import UserError

if TYPE_CHECKING:
    from qipo_ray.verify.reproduction import Recipe

DIFFERENT = 1  # exit code
MARK = "reproduces.txt"  # in the folder of a new run: which record it is held against


def reproduce(
    record: Annotated[
        Path, typer.Argument(metavar="RECORD", help="A file <results>/records/<id>.json.")
    ],
    run: Annotated[
        bool, typer.Option("--run", help="Carry it out and compare the numbers.")
    ] = False,
    results: Annotated[
        Path | None,
        typer.Option("--results", metavar="DIR", help="A new folder; else reproduced/<id>."),
    ] = None,
    data: Annotated[
        Path | None, typer.Option("--data", metavar="FILE", help="The data, in D4RL's layout.")
    ] = None,
    device: Annotated[
        str | None, typer.Option("--device", help="cpu, cuda or cuda:1; else the record's.")
    ] = None,
) -> None:
    """Print the command that gives the same number; say on stderr what differs here.

    With --run it is trained anew, in a folder that holds nothing else. Exit code 0 if the last
    score, those on the way and cloning's are equal to the last bit; where packages, machine,
    device, threads or pack differ, if the last score's mean return is within 1.96 standard errors
    of the difference. Exit code 1 if not, or if it could not be compared.
    """
    from qipo_ray.verify.reproduction import differences, recipe

    one = _read(record)
    made = recipe(one)
    folder = results or Path("reproduced") / one["id"]
    if run:
        _check_folder(folder, one)
    if device or run:
        check_device(device or made.device)
    here = _here(device or made.device)
    for line in differences(one, here, _data_here(made.task, data)):
        out.remark(f"differs: {line}")
    if made.expected is None:
        out.remark(f"the record has no score: the run {made.state} ({made.reason})")
    command = made.command(folder, data, device)
    if run:
        out.remark(command)
        _prove(one, made, folder, data, device or made.device)
    else:
        out.write(command)


def _read(path: Path) -> dict[str, Any]:
    from qipo_ray.store.records import read_record

    try:
        return read_record(path)
    except OSError as problem:
        raise UserError(f"{path}: {problem.strerror}; expected a record's file") from problem
    except ValueError as problem:
        raise UserError(f"{path}: no sound record ({problem})") from problem


def _check_folder(folder: Path, record: dict[str, Any]) -> None:
    """Refuse a folder where jobs may be found done: the record would be held against itself.

    One in which this very comparison was broken off is gone on with.
    """
    here = folder.expanduser()
    mark = here / MARK
    begun = mark.is_file() and mark.read_text() == record["id"]
    if begun and not (here / "records").exists():
        return
    if here.exists() and not (here.is_dir() and not any(here.iterdir())):
        raise UserError(
            f"--results {folder}: it is not empty, and what is found there is not trained anew; "
            "choose a new folder"
        )


def _here(device: str) -> dict[str, Any]:
    """Return what a record made here would say of it; on the CPU where there is no such device."""
    import torch

    from qipo_ray.train.machine import hardware, software

    torch.set_num_threads(1)  # as `train` does
    try:
        check_device(device)
    except UserError:
        device = "cpu"
    return {**software(), "hardware": hardware(device)}


def _data_here(task: str, path: Path | None) -> str | None:
    """Return the SHA-256 of the task's data set, None if it is not on this machine."""
    from qipo_ray.data.locate import find_dataset
    from qipo_ray.data.tasks import get_task
    from qipo_ray.store.files import sha256_file

    try:
        return sha256_file(find_dataset(get_task(task), path)[0])
    except UserError:
        if path is not None:
            raise
        return None


def _prove(
    record: dict[str, Any], made: Recipe, folder: Path, data: Path | None, device: str
) -> None:
    """Train anew, print how the numbers compare, and leave with 1 if they are not the same."""
    from qipo_ray.verify.comparison import compare
    from qipo_ray.verify.reproduction import inexact

    if made.expected is None and made.state != "diverged":
        raise UserError(
            f"record {record['id']}: the run {made.state} without a score; there is nothing to "
            "compare (without --run its command is printed)"
        )
    new = _train_anew(record, made, folder, data, device)
    verdict = compare(made, record, new, exact=not any(inexact(record, new["provenance"])))
    out.write(verdict.words)
    if not verdict.same:
        raise typer.Exit(DIFFERENT)


def _train_anew(
    record: dict[str, Any], made: Recipe, folder: Path, data: Path | None, device: str
) -> dict[str, Any]:
    """Return the new run's record; ``UserError`` where the data are others."""
    from qipo_ray.config import config_hash
    from qipo_ray.store.files import write_bytes
    from qipo_ray.store.records import new_id, read_records

    dataset = dataset_of(made.task, data)
    if dataset.sha256 != record["data"]["sha256"]:
        raise UserError(
            f"{dataset.path} has SHA-256 {dataset.sha256[:12]}..., the record was made with "
            f"{record['data']['sha256'][:12]}...: it cannot give the same number; use --data"
        )
    check(made.task, made.config, dataset)
    root = writable(folder)
    write_bytes(root / MARK, record["id"].encode())
    train_missing(made.config, made.preset, dataset, [made.seed], root, device=device)
    number = new_id("train", "single", made.task, config_hash(made.config), made.seed)
    return next(one for one in read_records(root) if one["id"] == number)
