"""How a program of another library trains: to each update at which it is scored.

It goes on from what it left in its own folder, which is in its job's checkpoint.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar

import numpy as np
import torch
from torch import Tensor

from qipo_ray.agent.pack import Member, Pack, State
from qipo_ray.agent.program_files import last_line, packed, told_metrics, unpack
from qipo_ray.agent.program_method import end, program_of, started
from qipo_ray.agent.tensors import Tensors
from qipo_ray.config import Config
from qipo_ray.errors import Failure, Lost


@dataclass
class _Work:
    """Where a member's program trains, how far it has come, and the files that it left there."""

    folder: Path | None
    reached: int
    files: Tensor  # bytes of a zip file, uint8
    reported: list[tuple[int, dict[str, float]]] = field(default_factory=list)  # since asked for


class ProgramPack(Pack):
    """Members whose programs train when a score is due, one after the other."""

    stage = "policy"
    metric_names: ClassVar[tuple[str, ...]] = ()

    def __init__(self, config: Config, data: Tensors) -> None:
        super().__init__(config, data)
        self._stack("online", {})  # its weights are in its files
        self.work: list[_Work] = []

    def _start(self, member: Member, upstream: Mapping[str, State]) -> dict[str, Tensor]:
        return {"online": torch.zeros(1, 0)}

    def _rate(self, config: Config) -> float:
        return 0.0

    def _losses(self) -> tuple[Tensor, list[Tensor]]:
        """Return 0: nothing is learned in this process."""
        return self.column([0.0] * len(self.members)).squeeze(1), []

    def _learns(self, i: int) -> bool:
        return False

    def _forget(self, i: int) -> None:
        del self.work[i]

    def admit(self, member: Member, upstream: Mapping[str, State], state: State | None) -> None:
        """Add a member, fresh or with the files of ``state``."""
        files = torch.zeros(0, dtype=torch.uint8) if state is None else state["files"]
        self.work.append(_Work(member.folder, state["updates"] if state else 0, files))
        super().admit(member, upstream, state)

    def state(self, i: int) -> State:
        """Return what the member goes on from: where its program came to last."""
        work = self.work[i]
        return {**super().state(i), "updates": work.reached, "files": work.files}

    def metrics(self, i: int) -> dict[str, float]:
        """Return nothing: a program's own are told when it has ended."""
        return {}

    def reports(self, i: int) -> list[tuple[int, dict[str, float]]]:
        """Return what the program said of its updates, once."""
        rows, self.work[i].reported = self.work[i].reported, []
        return rows

    def check(self, i: int) -> None:
        """Let the program of member ``i`` train to its present update: a score is due."""
        work, updates = self.work[i], self.members[i].updates
        if updates > work.reached:
            if work.folder is None:
                raise ValueError("a program needs a folder to train in")
            work.folder.mkdir(parents=True, exist_ok=True)
            with _alone(work.folder):
                output, log = _restored(work, work.folder), work.folder / "log.txt"
                before = log.stat().st_size if log.is_file() else 0
                self._train(self.members[i], work.folder, output)
                _note(work.folder / "reached", updates)
            rows = told_metrics(log, before)
            work.reported = [row for row in rows if work.reached < row[0] <= updates]
            work.files, work.reached = packed(output), updates

    def _train(self, member: Member, folder: Path, output: Path) -> None:
        """Run the training program to its end; ``UserError`` where that is no good one."""
        data, log = folder / "data.npz", folder / "log.txt"
        np.savez(
            data,
            observations=self.data.states.cpu().numpy(),
            actions=self.data.actions.cpu().numpy(),
            rewards=self.data.rewards.cpu().numpy(),
            next_observations=self.data.next_states.cpu().numpy(),
            terminals=self.data.terminals.cpu().numpy(),
            episodes=self.data.episodes.cpu().numpy(),
        )
        told = {
            "QIPO_DATA": str(data),
            "QIPO_SEED": str(member.seed),
            "QIPO_UPDATES": str(member.updates),
        }
        method, named = program_of(member.config), member.config.policy.method
        start = time.monotonic()
        with log.open("ab") as said:
            process = started(member.config, method.train, output, told, stdout=said, stderr=said)
            try:
                code = process.wait(60 * method.limit_minutes)
                reason = f"ended with exit code {code} after {time.monotonic() - start:.0f} s"
            except subprocess.TimeoutExpired:
                code, reason = 1, f"did not end in {method.limit_minutes:g} minutes"
            finally:
                end(process)
                data.unlink(missing_ok=True)
        if code:
            raise Failure(f"method {named}: its program {reason}: {last_line(log)} ({log})")


def _restored(work: _Work, folder: Path) -> Path:
    """Return the program's own folder, as it was at the update that was reached.

    What it left there itself since then stays: it may go on from the middle.
    """
    output, reached = folder / "output", folder / "reached"
    said = reached.read_text() if reached.is_file() else "0"
    if said != str(work.reached):
        shutil.rmtree(output, ignore_errors=True)
        unpack(work.files, output)
        _note(reached, work.reached)
    output.mkdir(exist_ok=True)
    return output


def _note(path: Path, updates: int) -> None:
    """Write the update that was reached, in one step: a process may end at any point."""
    new = path.with_suffix(".new")
    new.write_text(str(updates))
    os.replace(new, path)


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Hold the folder against another process that trains the same job."""
    with (folder / "lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise Lost(f"another process trains in {folder}") from None
        yield
