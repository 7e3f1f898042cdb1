"""What a verb checks and makes before it trains anything."""

from __future__ import annotations

import os
import re
import shlex
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

import torch

from qipo_ray.cli import invocation
from qipo_ray.cli import output as out
from qipo_ray.cli.buckets import results_root
from qipo_ray.config import Config
from qipo_ray.data.load import load
from qipo_ray.data.locate import generated_path
from qipo_ray.data.tasks import Task
from qipo_ray.data.transitions import Dataset, estimated_returns, transitions
from qipo_ray.errors import UserError, nearest
from qipo_ray.evaluation.generate import generate
from qipo_ray.evaluation.own_checks import refuse_misfit
from qipo_ray.store.bucket import as_uri, is_object, is_uri
from qipo_ray.store.mirror import pull
from qipo_ray.train.bucket_data import newest_from_bucket
from qipo_ray.train.run_record import RunContext, now


def dataset_of(task: Task, path: Path | None) -> Dataset:
    """Return the task's data; generated data are made on first use, and it says so.

    Those in a bucket are fetched, once for each of their versions.
    """
    name = task.id
    if (uri := in_bucket(task, path)) is not None:
        return replace(load(task, newest_from_bucket(uri)), uri=as_uri(uri))
    if path is None and task.has_generator and not generated_path(task).exists():
        out.remark(f"generating the data of {name} at {generated_path(task)} (once)")
        _generate(task)
    return load(task, path)


def in_bucket(task: Task, path: Path | None) -> Path | None:
    """Return the URI of a task's data, given or of its own file; None where it is no bucket's."""
    if path is None and task.own is not None and task.own.data is not None:
        path = Path(task.own.data)
    return path if path is not None and is_uri(path) else None


def _generate(task: Task) -> None:
    """Make a task's data; where another process has them first, its file stays as it is."""
    target = generated_path(task)
    target.parent.mkdir(parents=True, exist_ok=True)
    with (
        TemporaryDirectory(dir=target.parent, prefix=".making-") as folder,
        out.progress(f"generating {task.id}") as report,
    ):
        made = generate(task.id, Path(folder) / target.name, progress=report)
        with suppress(FileExistsError):  # replaced, it would change while the other reads it
            os.link(made, target)


def check(task: Task, config: Config, dataset: Dataset) -> None:
    """Say what must be known of the data; refuse what cannot be scored, or data too short."""
    refuse_misfit(dataset, task)
    for note in dataset.notes:
        out.remark(f"data: {note}")
    rows = transitions(dataset, task, config.data.reward, config.critic.discount)
    if config.critic.returns_updates and not rows.returns_valid.any():
        raise UserError(
            f"critic.returns_updates={config.critic.returns_updates} needs rows with a known "
            f"return-to-go, and {dataset.path} has none; --set critic.returns_updates=0 learns "
            "without returns"
        )
    said = estimated_returns(dataset, task, config.critic.discount)
    if said is not None and config.critic.returns_updates:
        out.remark(f"data: {said}")


def writable(folder: Path, *, private: bool = False) -> Path:
    """Return the absolute results folder, made if missing; ``UserError`` if it cannot be.

    Nobody but its owner may enter a ``private`` one, whichever machine fills it.
    """
    root = results_root(folder)
    if is_object(root):
        if private:
            raise UserError(
                "--private is for folders: who may read a bucket is said by its own rules"
            )
        pull(root)
        return root
    with out.writing(f"--results {folder}", "cannot write there"):
        root.mkdir(parents=True, exist_ok=True)
        if private:
            root.chmod(0o700)
        probe = root / f".writable-{os.getpid()}"
        probe.touch()
        probe.unlink()
    return root


def curves_line(root: Path) -> str:
    """Return where the curves of results are; TensorBoard reads folders alone."""
    folder = root / "tensorboard"
    if is_object(folder):
        return f"event files, to be copied for TensorBoard: {folder}"
    return f"tensorboard --logdir {shlex.quote(str(folder))}"


def run_context(sweep: str, purpose: str, name: str | None = None) -> RunContext:
    """Return what the records of this command's runs say of it."""
    return RunContext(sweep, None, purpose, name, invocation.command, now())


def check_file(path: Path) -> None:
    """Refuse, before anything is computed, a file that cannot be written."""
    folder = path.parent
    if path.is_dir():
        raise UserError(f"{path} is a folder; expected the name of a file")
    if not folder.is_dir():
        raise UserError(f"{path}: there is no folder {folder}")
    if not os.access(folder, os.W_OK | os.X_OK):
        raise UserError(f"{path}: cannot write in {folder}")


def check_device(name: str) -> None:
    """Refuse a device that is none of ours, or that torch does not have here."""
    if not re.fullmatch(r"cpu|cuda(:\d+)?", name):
        near = "cuda" if name.startswith(("gpu", "nvidia")) else name
        raise UserError(
            f"--device {name!r}: expected cpu, cuda or cuda:N{nearest(near, ('cpu', 'cuda'))}"
        )
    try:
        torch.empty(1, device=name)
    except (RuntimeError, AssertionError) as error:
        reason = str(error).splitlines()[0]
        raise UserError(f"--device {name!r} cannot be used here: {reason}") from error
