"""An update as one program of what was drawn: on a GPU a CUDA graph, elsewhere a plain call.

The networks are small: a GPU waits for the launches of an update, not for its products. A graph
launches them as one. What it needs holds on every device, so that the CPU tests it: random numbers
are drawn before the program, by the members' own streams; the program reads fixed memory, and no
value of it goes to the host.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Protocol

import torch
from torch import Tensor

from qipo_ray.agent.pack import Member, Pack, State
from qipo_ray.agent.tensors import Tensors
from qipo_ray.config import Config

WARM = 3  # calls of a form before it is captured: kernels are chosen, memory is found


class CapturedProgram(Protocol):
    """What was captured."""

    def replay(self) -> None:
        """Do it again, on the memory that it was captured with."""


class Capture(Protocol):
    """How a device captures a program."""

    def warm(self, function: Callable[[], None]) -> None:
        """Call ``function``, where later its capture is."""

    def __call__(self, function: Callable[[], None]) -> CapturedProgram:
        """Return what ``function`` would do, which is not done yet."""


class CudaCapture:
    """CUDA graphs, each with memory of its own."""

    def __init__(self) -> None:
        self.stream = torch.cuda.Stream()

    def warm(self, function: Callable[[], None]) -> None:
        """Call ``function`` on the stream that captures."""
        self.stream.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(self.stream):
            function()
        torch.cuda.current_stream().wait_stream(self.stream)

    def __call__(self, function: Callable[[], None]) -> CapturedProgram:
        """Return ``function`` as a graph."""
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph, stream=self.stream):
            function()
        return graph


@dataclass
class _Form:
    """One way through the program: its fixed inputs, and the graph once it is captured."""

    inputs: list[Tensor]
    calls: int = 0
    graph: CapturedProgram | None = field(default=None, repr=False)


class Program:
    """Calls of a function of tensors that changes what it works on; ``capture`` None: plain ones.

    It does not hold the function: a pack that is let go is freed at once.
    """

    def __init__(self, capture: Capture | None = None) -> None:
        self.capture = capture
        self.forms: dict[Hashable, _Form] = {}

    def forget(self) -> None:
        """Capture anew from now on: memory that the program works on has moved."""
        self.forms.clear()

    def __call__(
        self, function: Callable[..., None], way: Hashable, inputs: Sequence[Tensor]
    ) -> None:
        """Call ``function`` on ``inputs``; ``way`` names all else that decides what it does."""
        if self.capture is None:
            function(*inputs)
            return
        key = way, tuple((part.shape, part.dtype) for part in inputs)
        form = self.forms.get(key)
        if form is None:
            form = self.forms[key] = _Form([torch.empty_like(part) for part in inputs])
        for fixed, part in zip(form.inputs, inputs, strict=True):
            fixed.copy_(part)
        form.calls += 1
        call = partial(function, *form.inputs)
        if form.calls <= WARM:
            self.capture.warm(call)
            return
        if form.graph is None:
            form.graph = self.capture(call)
        form.graph.replay()


class GraphedPack(Pack):
    """Members whose update is a program of their draws; `compute.graphs` captures it on a GPU."""

    def __init__(self, config: Config, data: Tensors) -> None:
        super().__init__(config, data)
        graphs = config.compute.graphs and data.device.type == "cuda"
        self.program = Program(CudaCapture() if graphs else None)

    @abstractmethod
    def _draws(self) -> tuple[Tensor, ...]:
        """Return what the members draw for an update, each from its own stream."""

    @abstractmethod
    def _loss_of(self, *draws: Tensor) -> tuple[Tensor, list[Tensor]]:
        """Return loss and metrics, as `_losses` does, of what was drawn; nothing else is read."""

    def _losses(self) -> tuple[Tensor, list[Tensor]]:
        return self._loss_of(*self._draws())

    def _way(self) -> Hashable:
        """Return what the loss depends on beside tensors, until members come or go."""
        return None

    def _learn(self) -> None:
        self.program(self._train, self._way(), self._draws())

    def _train(self, *draws: Tensor) -> None:
        with self._precision():
            loss, metrics = self._loss_of(*draws)
        self._step(loss, metrics)

    def admit(self, member: Member, upstream: Mapping[str, State], state: State | None) -> None:
        """Add a member at the end, fresh or where ``state`` left it."""
        super().admit(member, upstream, state)
        self.program.forget()

    def drop(self, i: int) -> None:
        """Remove member ``i``; the others stay as they are."""
        super().drop(i)
        self.program.forget()
