"""``qipo-ray reproduce``: the command that gives a record's number again, and the proof."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from qipo_ray.cli import output as out
from qipo_ray.cli.prepare import check, dataset_of, writable
from qipo_ray.cli.train import carry
from qipo_ray.errors import UserError

if TYPE_CHECKING:
    from qipo_ray.leaderboard.reproduce import Recipe

DIFFERENT = 1  # exit code


def reproduce(
    record: Annotated[
        Path, typer.Argument(metavar="RECORD", help="A file <results>/records/<id>.json.")
    ],
    run: Annotated[
        bool, typer.Option("--run", help="Carry it out and compare the numbers.")
    ] = False,
    results: Annotated[
        Path | None,
        typer.Option("--results", metavar="DIR", help="For the new run; reproduced/<id>."),
    ] = None,
    data: Annotated[
        Path | None, typer.Option("--data", metavar="FILE", help="The data, in D4RL's layout.")
    ] = None,
) -> None:
    """Print the command that gives the same number; say on stderr what differs here.

    With --run it is carried out: exit code 0 if the number is equal to the last bit, else 1.
    """
    from qipo_ray.leaderboard.reproduce import differences, recipe
    from qipo_ray.train.record import machine

    one = _read(record)
    made = recipe(one)
    folder = results or Path("reproduced") / one["id"]
    for line in differences(one, machine(), _data_here(made.task, data)):
        out.remark(f"differs: {line}")
    if made.expected is None:
        out.remark(f"the record has no score: the run {made.state} ({made.reason})")
    if not run:
        out.write(made.command(folder, data))
        return
    out.remark(made.command(folder, data))
    same, words = _compare(made, _carry_out(one, made, folder, data))
    out.write(words)
    if not same:
        raise typer.Exit(DIFFERENT)


def _read(path: Path) -> dict[str, Any]:
    from qipo_ray.store.records import read_record

    try:
        return read_record(path)
    except OSError as problem:
        raise UserError(f"{path}: {problem.strerror}; expected a record's file") from problem
    except ValueError as problem:
        raise UserError(f"{path}: no sound record ({problem})") from problem


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


def _carry_out(
    record: dict[str, Any], made: Recipe, folder: Path, data: Path | None
) -> dict[str, Any]:
    """Return the new run's record; ``UserError`` where the data are others."""
    from qipo_ray.config import config_hash
    from qipo_ray.store.records import new_id, read_records

    dataset = dataset_of(made.task, data)
    if dataset.sha256 != record["data"]["sha256"]:
        raise UserError(
            f"{dataset.path} has SHA-256 {dataset.sha256[:12]}..., the record was made with "
            f"{record['data']['sha256'][:12]}...: it cannot give the same number; use --data"
        )
    check(made.task, made.config, dataset)
    root = writable(folder)
    carry(made.config, made.preset, dataset, [made.seed], root)
    number = new_id("train", "single", made.task, config_hash(made.config), made.seed)
    return next(one for one in read_records(root) if one["id"] == number)


def _compare(made: Recipe, record: dict[str, Any]) -> tuple[bool, str]:
    """Return whether the run came to the same, and the words for it."""
    found = made.found(record)
    if made.expected is None or found is None:
        ends = f"recorded: {made.state}, here: {record['state']}"
        reasons = f" ({made.reason}; {record['reason']})"
        return made.state == record["state"], ends + (reasons if made.reason else "")
    then, now = made.expected["normalised"], found["normalised"]
    words = f"recorded {then!r}, here {now!r}"
    if dict(found) == dict(made.expected):
        return True, f"{words}: equal to the last bit"
    return False, f"{words}: differs by {now - then:+.3g}"
