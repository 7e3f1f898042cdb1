"""A pack: the members of one stage that train as one batched program."""

from __future__ import annotations

import hashlib
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar

import torch
from torch import Tensor

from qipo_ray.agent.tensors import Tensors
from qipo_ray.config import Config
from qipo_ray.errors import UserError
from qipo_ray.flow import MIN_TIME
from qipo_ray.nets import RowAdam, Stack
from qipo_ray.nets.optimiser import Moments
from qipo_ray.nets.stack import Shapes, backward

State = dict[str, Any]  # plain tensors and numbers, see Pack.state
# Squared error per dimension of an action at which a policy network has diverged: fresh ones start
# at 1 to 3, on every path and whatever they predict.
FAR = 1000.0
# Departure D24: a run ends where a loss or Q is far beyond what the data allow.
DIVERGED_AT = 10.0  # times what the rewards allow: there Q has diverged


class Diverged(ArithmeticError):
    """A member's loss or weights are no longer finite; the text is the reason."""


def stream(seed: int, *purpose: str | int, device: torch.device | None = None) -> torch.Generator:
    """Return a generator that depends on the run's seed and the purpose alone."""
    text = "/".join(str(part) for part in (seed, *purpose))
    number = int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big") >> 1
    return torch.Generator(device or "cpu").manual_seed(number)


@dataclass
class Member:
    """A job in a slot: its settings, its random stream, how far it has come."""

    config: Config
    seed: int
    updates: int = 0
    folder: Path | None = None  # of its job alone, for files of a program
    generator: torch.Generator = field(default_factory=torch.Generator)
    counted: int = 0  # updates since its metrics were last read


@dataclass
class _Rows:
    """A stack and how many of its rows one member owns; ``saved`` in checkpoints or not."""

    stack: Stack
    rows: int
    saved: bool


class Pack(ABC):
    """N members of one stage. Losses are ``(N,)`` and members never touch one another.

    A member draws from its own stream, so its draws do not depend on the pack. Subclasses declare
    their stacks, start a member's rows, and compute one loss.
    """

    stage: ClassVar[str]
    metric_names: ClassVar[tuple[str, ...]]
    joint: ClassVar[tuple[str, ...]] = ("online",)  # the stacks that one loss trains, `_losses`

    def __init__(self, config: Config, data: Tensors) -> None:
        self.data = data
        self.names = (*self.metric_names, "grad_norm")
        self.half = config.compute.precision == "bfloat16"
        self.members: list[Member] = []
        self._stacks: dict[str, _Rows] = {}
        self.optimisers: dict[str, RowAdam] = {}  # of the stacks that are trained
        self.sums = torch.zeros(len(self.names), 0, device=data.device)

    def _stack(
        self,
        name: str,
        shapes: Shapes,
        rows: int = 1,
        *,
        trainable: bool = False,
        saved: bool = True,
    ) -> Stack:
        stack = Stack(shapes, self.data.device, trainable=trainable)
        self._stacks[name] = _Rows(stack, rows, saved)
        if trainable:
            self.optimisers[name] = RowAdam(stack)
        return stack

    # ---- what a stage says

    @abstractmethod
    def _start(self, member: Member, upstream: Mapping[str, State]) -> dict[str, Tensor]:
        """Return the first rows of every stack, by name, for a new member."""

    def _moments(self, upstream: Mapping[str, State]) -> list[Moments]:
        """Return the first moments for a new member's rows of all trained stacks: none yet."""
        return [
            optimiser.fresh()
            for name, optimiser in self.optimisers.items()
            for _ in range(self._stacks[name].rows)
        ]

    @abstractmethod
    def _rate(self, config: Config) -> float:
        """Return the learning rate."""

    @abstractmethod
    def _losses(self) -> tuple[Tensor, list[Tensor]]:
        """Return the loss ``(N,)`` with its graph, and one detached ``(N,)`` a metric name."""

    def _limit(self, name: str) -> float:
        """Return the size of a metric beyond which a member has diverged."""
        return float("inf")

    def pending_sets(self) -> int:
        """Return how many members have a support set still to come."""
        return 0

    def _changed(self) -> None:
        """Rebuild what depends on the members, such as the columns of hyper-parameters."""

    def _before(self) -> None:
        """Renew what is due before an update."""

    def _after(self) -> None:
        """Move targets and averages after an update."""

    # ---- members come and go

    def admit(self, member: Member, upstream: Mapping[str, State], state: State | None) -> None:
        """Add a member at the end, fresh or where ``state`` left it."""
        member.generator = stream(member.seed, self.stage, "draws", device=self.data.device)
        rows = self._start(member, upstream)
        sums = torch.zeros(len(self.names), 1, device=self.data.device)
        moments = self._moments(upstream)
        if state is not None:
            rows |= state["weights"]
            moments = state["moments"]
            member.updates, member.counted = state["updates"], state["counted"]
            member.generator = self._stream_at(member, state["generator"])
            sums = state["sums"].to(sums).unsqueeze(1)
        for name, entry in self._stacks.items():
            entry.stack.append(rows[name])
        rest = list(moments)
        for name, optimiser in self.optimisers.items():
            count = self._stacks[name].rows
            optimiser.append(self._rate(member.config), rest[:count])
            del rest[:count]
        self.sums = torch.cat([self.sums, sums], 1)
        self.members.append(member)
        self._changed()

    def _stream_at(self, member: Member, saved: Tensor) -> torch.Generator:
        """Return the member's stream where it was ``saved``.

        A stream of another kind of device has another form: there, one that depends on the update.
        """
        if saved.shape == member.generator.get_state().shape:
            member.generator.set_state(saved)
            return member.generator
        origin = f"from {member.updates}"
        return stream(member.seed, self.stage, "draws", origin, device=self.data.device)

    def drop(self, i: int) -> None:
        """Remove member ``i``; the others stay as they are."""
        left = [j for j in range(len(self.members)) if j != i]
        for name, entry in self._stacks.items():
            rows = [j * entry.rows + r for j in left for r in range(entry.rows)]
            entry.stack.keep(rows)
            if name in self.optimisers:
                self.optimisers[name].keep(rows)
        self.sums = self.sums[:, left]
        self._forget(i)
        del self.members[i]
        self._changed()

    def _forget(self, i: int) -> None:
        """Drop what a stage holds for member ``i`` beside its rows."""

    def state(self, i: int) -> State:
        """Return all that member ``i`` needs to go on bit for bit: plain tensors and numbers."""
        member = self.members[i]
        return {
            "stage": self.stage,
            "updates": member.updates,
            "counted": member.counted,
            "weights": {
                name: entry.stack.flat[slice(*self._span(name, i))].detach().cpu().clone()
                for name, entry in self._stacks.items()
                if entry.saved
            },
            "moments": [
                {name: value.cpu() for name, value in row.items()}
                for stack, optimiser in self.optimisers.items()
                for row in optimiser.moments(*self._span(stack, i))
            ],
            "generator": member.generator.get_state().clone(),
            "sums": self.sums[:, i].cpu().clone(),
            "normaliser": self.data.normaliser.state(),
            "action_dim": self.data.action_dim,
        }

    def _span(self, name: str, i: int) -> tuple[int, int]:
        """Return where the rows of member ``i`` begin and end in a stack."""
        rows = self._stacks[name].rows
        return i * rows, (i + 1) * rows

    # ---- training

    def update(self) -> None:
        """Train every member for one update; nothing is computed where none learns."""
        learning = any(self._learns(i) for i in range(len(self.members)))
        if learning:
            with self._precision():
                self._before()
            self._learn()
        for member in self.members:
            member.updates += 1
            member.counted += 1
        if learning:
            self._after()

    def _learn(self) -> None:
        """Take one step down the losses."""
        with self._precision():
            loss, metrics = self._losses()
        self._step(loss, metrics)

    def _step(self, loss: Tensor, metrics: Sequence[Tensor]) -> None:
        """Take one step down ``loss`` and count its metrics."""
        self._check_losses(loss, metrics)
        norms = self._descend(loss, *self.joint)
        self.sums += torch.stack([*metrics, norms])

    def _check_losses(self, loss: Tensor, metrics: Sequence[Tensor]) -> None:
        """Refuse a loss that is not one number a member, and other metrics than are named."""
        size, parts = (len(self.members),), [loss, *metrics]
        wrong = next((part for part in parts if part.shape != size), None)
        if wrong is not None or len(metrics) != len(self.metric_names):
            got = f"{len(metrics)} metrics" if wrong is None else f"the shape {tuple(wrong.shape)}"
            raise UserError(
                f"{type(self).__name__}._losses must return a loss (N,), here {size}, and such a "
                f"metric for each of {', '.join(self.metric_names)}; got {got}"
            )

    def _learns(self, i: int) -> bool:
        """Return whether member ``i`` is trained by the next update."""
        return True

    def _descend(self, loss: Tensor, *names: str) -> Tensor:
        """Take a step down ``loss`` (N,) with stacks; return the norm of its gradient ``(N,)``."""
        stacks = [self._stacks[name] for name in names]
        backward(loss, [entry.stack for entry in stacks])
        for name in names:
            self.optimisers[name].step()
        norms = [entry.stack.grad.norm(dim=1).view(-1, entry.rows).norm(dim=1) for entry in stacks]
        norm: Tensor = norms[0] if len(norms) == 1 else torch.stack(norms).norm(dim=0)
        return norm

    def _precision(self) -> AbstractContextManager[object]:
        """Return where matrix products are made in the members' precision."""
        if not self.half:
            return nullcontext()
        # Departure D12: matrix products in bfloat16.
        return torch.autocast(self.data.device.type, torch.bfloat16, cache_enabled=False)

    def metrics(self, i: int) -> dict[str, float]:
        """Return the means since the last call; ``Diverged`` if one is beyond its limit."""
        member = self.members[i]
        means = (self.sums[:, i] / max(member.counted, 1)).tolist()
        self.sums[:, i] = 0
        member.counted = 0
        values = dict(zip(self.names, means, strict=True))
        for name, value in values.items():
            limit = self._limit(name)
            if not abs(value) < limit:
                beyond = f", beyond {limit:.4g}" if abs(value) < float("inf") else ""
                text = f"{self.stage} {name} is {value:.4g} at update {member.updates}{beyond}"
                raise Diverged(text)
        return values

    def reports(self, i: int) -> list[tuple[int, dict[str, float]]]:
        """Return what a program said of member ``i`` in its last training: updates, metrics."""
        return []

    def check(self, i: int) -> None:
        """Raise ``Diverged`` if a weight of member ``i`` or a metric is no longer finite."""
        member = self.members[i]
        trained = [
            self._stacks[name].stack.flat[slice(*self._span(name, i))] for name in self.optimisers
        ]
        if not all(part.isfinite().all() for part in (*trained, self.sums[:, i])):
            raise Diverged(f"{self.stage} weights are not finite at update {member.updates}")

    def column(self, values: Sequence[float]) -> Tensor:
        """Return one hyper-parameter of every member as ``(N, 1)``."""
        return torch.tensor(values, dtype=torch.float32, device=self.data.device).unsqueeze(1)

    def rows(self, count: int) -> Tensor:
        """Return rows of the data ``(N, count)``, each member's drawn from its own stream."""
        draws = [
            torch.randint(self.data.rows, (count,), generator=m.generator, device=self.data.device)
            for m in self.members
        ]
        return torch.stack(draws)

    def noise(self, *shape: int) -> Tensor:
        """Return N(0, 1) draws ``(N, *shape)``, each member's from its own stream."""
        draws = [
            torch.randn(shape, generator=m.generator, device=self.data.device)
            for m in self.members
        ]
        return torch.stack(draws)

    def times(self, *shape: int) -> Tensor:
        """Return times ``(N, *shape)``, uniform in ``[1e-3, 1)``, from the members' streams."""
        draws = [
            torch.rand(shape, generator=m.generator, device=self.data.device) for m in self.members
        ]
        return MIN_TIME + (1 - MIN_TIME) * torch.stack(draws)
