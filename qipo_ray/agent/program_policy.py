"""How a program of another library acts: batches of states and actions, through a pipe."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
import threading
import weakref
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from qipo_ray.agent.program_files import last_line, unpack
from qipo_ray.agent.program_method import end, program_of, started
from qipo_ray.config import Config
from qipo_ray.errors import Failure
from qipo_ray.nets.stack import Params, Shapes

HEADER = np.dtype("<u4")  # before every batch, how many rows it has
NUMBER = np.dtype("<f4")


class ProgramPolicy:
    """The acting program of a method: actions for batches of states, through a pipe."""

    shapes: Shapes = {}

    def __init__(self, config: Config, state_dim: int, action_dim: int) -> None:
        self.config, self.method = config, program_of(config)
        self.state_dim = state_dim
        self.action_dim = self.noise_dim = action_dim  # of the noise it takes no notice
        self.process: subprocess.Popen[bytes] | None = None

    def load(self, files: Tensor) -> None:
        """Start the program on what its training left."""
        folder = Path(tempfile.mkdtemp(prefix="qipo-program-"))
        weakref.finalize(self, shutil.rmtree, folder, ignore_errors=True)
        self.log = folder / "log.txt"
        unpack(files, folder / "output")
        told = {"QIPO_STATE_DIM": str(self.state_dim), "QIPO_ACTION_DIM": str(self.action_dim)}
        pipe, act = subprocess.PIPE, self.method.act
        with self.log.open("wb") as said:
            self.process = started(
                self.config, act, folder / "output", told, stdin=pipe, stdout=pipe, stderr=said
            )
        weakref.finalize(self, end, self.process)

    def __call__(self, params: Params, states: Tensor, noise: Tensor) -> Tensor:
        """Return actions ``(1, R, A)``, cut at [-1, 1], for normalised states ``(1, R, S)``."""
        rows = states.shape[1]
        request = np.array([rows], HEADER).tobytes() + states.numpy().astype(NUMBER).tobytes()
        reply = self._answer(request, HEADER.itemsize + rows * self.action_dim * NUMBER.itemsize)
        count = int(np.frombuffer(reply[: HEADER.itemsize], HEADER)[0])
        if count != rows:
            raise self._fault(f"answered {rows} states with {count} actions: prints it to stdout?")
        actions = np.frombuffer(reply[HEADER.itemsize :], NUMBER).astype(np.float32)
        return torch.from_numpy(actions).view(1, rows, self.action_dim).clamp(-1, 1)

    def _answer(self, request: bytes, size: int) -> bytes:
        """Return ``size`` bytes of an answer; a program that takes too long is ended."""
        process = self.process
        if process is None or process.stdin is None or process.stdout is None:
            raise ValueError("the program was not started")
        watch = threading.Timer(self.method.answer_s, process.kill)
        watch.start()
        try:
            process.stdin.write(request)
            process.stdin.flush()
            reply = process.stdout.read(size)
        except BrokenPipeError:
            reply = b""
        finally:
            in_time = watch.is_alive()
            watch.cancel()
        if len(reply) < size:
            how = f"ended with exit code {process.wait()}"
            raise self._fault(how if in_time else f"did not answer in {self.method.answer_s:g} s")
        return reply

    def _fault(self, what: str) -> Failure:
        named = self.config.policy.method
        return Failure(f"method {named}: its acting program {what}: {last_line(self.log)}")
