"""The promises of a method, tried out on small made-up data: kept, or one line says how not.

Members must not touch one another, a state must hold all that training goes on from, and what
acts must take the weights that are trained.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import torch
from torch import Tensor

from qipo_ray.agent import Member, Pack, State, Tensors, pack_of
from qipo_ray.agent.blaming import blaming
from qipo_ray.agent.program_method import ProgramMethod
from qipo_ray.config import Config, load_config, method_of, override
from qipo_ray.config.facts import pack_columns
from qipo_ray.config.run_methods import acting_weights
from qipo_ray.config.values import conform
from qipo_ray.data.transitions import Transitions
from qipo_ray.errors import Failure, UserError
from qipo_ray.nets import Stack
from qipo_ray.study.parameter import setting_type
from qipo_ray.train.checkpoint import Checkpoint, from_bytes, to_bytes
from qipo_ray.train.checkpoint_policy import CheckpointPolicy

ROWS, STATE_DIM, ACTION_DIM = 600, 3, 2
UPDATES = 7  # before a state is saved, and after
RELATIVE, ABSOLUTE = 1e-3, 1e-4  # a pack of several rounds otherwise than one alone
SMALL = (
    "behaviour.network=residual", "behaviour.width=16", "behaviour.blocks=1",
    "behaviour.batch_size=32", "behaviour.updates=20", "critic.width=16", "critic.layers=2",
    "critic.batch_size=32", "critic.updates=20", "critic.returns_updates=20", "critic.pool=50",
    "critic.support_size=4", "sampler.evaluations=4",
)  # fmt: skip


@dataclass(frozen=True)
class Promise:
    """One promise; ``problem`` is empty where it is kept."""

    text: str
    problem: str = ""


def check_method(named: str, changes: tuple[str, ...] = ()) -> Iterator[Promise]:
    """Yield what a method keeps and what not; a later promise is not tried where it cannot be."""
    config = load_config("quickstart", [f"policy.method={named}", *SMALL, *changes])
    data, method = made_up(), method_of(config)
    settings: Any = method.settings
    count = 0 if settings is None else len(fields(settings))
    yield Promise(f"{count} settings, each with a note and a valid value")
    upstream = _upstream(config, data)
    trial = _Trial(config, data, upstream)
    promises: dict[str, Callable[[], str]] = {
        "losses (N,), and every metric that is named, all finite": trial.losses,
        "the network that acts takes the weights that are trained": trial.weights,
        "a saved state is complete: 2k updates are k, saved, loaded, and k, bit for bit": (
            trial.omission
        ),
        "members of a pack are independent: three train as if alone, also when one leaves": (
            trial.independence
        ),
        "it acts: (B, A), finite, in [-1, 1], the same twice, each row by itself": trial.acting,
    }
    if issubclass(method, ProgramMethod):  # the rest is its own affair
        promises = {"its programs train and act, whatever the batch": trial.acting}
    for promise, attempt in promises.items():
        try:
            with blaming(config):
                problem = attempt()
        except (UserError, Failure, ArithmeticError) as error:
            problem = str(error)
        yield Promise(promise, problem)
        if problem and attempt in (trial.losses, trial.weights):
            return


def made_up() -> Tensors:
    """Return transitions of a task with a known best action: the reward is the first one."""
    rng = np.random.default_rng(0)
    observations = rng.normal(size=(ROWS, STATE_DIM)).astype(np.float32)
    actions = rng.uniform(-1, 1, size=(ROWS, ACTION_DIM)).astype(np.float32)
    number = np.arange(ROWS)
    rows = Transitions(
        observations=observations,
        actions=actions,
        rewards=actions[:, 0].copy(),
        next_observations=np.roll(observations, -1, 0),
        terminals=(number % 10 == 9).astype(np.float32),
        returns=np.add.reduceat(actions[:, 0], number[::10]).repeat(10).astype(np.float32),
        returns_valid=np.ones(ROWS, bool),
        episodes=(number // 10).astype(np.int32),
    )
    return Tensors.from_transitions(rows, "standard", torch.device("cpu"))


def _upstream(config: Config, data: Tensors) -> dict[str, State]:
    """Return the states of the stages that the method builds on, a few updates old."""
    states: dict[str, State] = {}
    for stage in method_of(config).stages[:-1]:
        pack = pack_of(stage, config, data)
        pack.admit(Member(config, 7), dict(states), None)
        _train(pack, UPDATES)
        states[stage] = pack.state(0)
    return states


def _train(pack: Pack, updates: int) -> None:
    for _ in range(updates):
        pack.update()


@dataclass
class _Trial:
    """Each promise as a function that returns how it is broken, or nothing."""

    config: Config
    data: Tensors
    upstream: Mapping[str, State]

    def _pack(self, *members: tuple[Config, int], state: State | None = None) -> Pack:
        pack = pack_of("policy", self.config, self.data)
        for config, seed in members:
            pack.admit(Member(config, seed), self.upstream, state)
        return pack

    def losses(self) -> str:
        pack = self._pack((self.config, 0), (self.config, 1))
        pack.update()
        for i in range(2):
            pack.check(i)
            pack.metrics(i)
        return ""

    def weights(self) -> str:
        state = self._pack((self.config, 0)).state(0)
        kind, policy = acting_weights(self.config), None
        if kind not in state["weights"]:
            return f"its pack has no saved stack {kind!r}: {', '.join(state['weights']) or 'none'}"
        network = method_of(self.config).part("network")
        policy = network(self.config, STATE_DIM, ACTION_DIM)
        for name in ("shapes", "action_dim", "noise_dim"):
            if not hasattr(policy, name):
                return f"the network has no {name}"
        width = Stack(policy.shapes, torch.device("cpu"), trainable=False).width
        held = state["weights"][kind].shape
        return (
            "" if held == (1, width) else f"the stack {kind!r} is {tuple(held)}, not (1, {width})"
        )

    def omission(self) -> str:
        whole, half = self._pack((self.config, 5)), self._pack((self.config, 5))
        _train(whole, 2 * UPDATES)
        _train(half, UPDATES)
        saved = to_bytes(Checkpoint(half.state(0), {name: None for name in _IDENTITY}, {}))
        again = self._pack((self.config, 5), state=from_bytes(saved).state)
        _train(again, UPDATES)
        return _unequal(whole.state(0), again.state(0))

    def independence(self) -> str:
        members = [(self.config, 5), *((self._other(), seed) for seed in (6, 7))]
        pack = self._pack(*members)
        _train(pack, UPDATES)
        pack.drop(1)
        _train(pack, UPDATES)
        for i, member in enumerate((members[0], members[2])):
            alone = self._pack(member)
            _train(alone, 2 * UPDATES)
            for name, value in alone.state(0)["weights"].items():
                packed = pack.state(i)["weights"][name]
                if not torch.allclose(packed, value, rtol=RELATIVE, atol=ABSOLUTE):
                    apart = float((packed - value).abs().max())
                    return f"the stack {name!r} of one is off by up to {apart:.3g} beside others"
        return ""

    def _other(self) -> Config:
        """Return the configuration with other numbers where members of a pack may differ."""
        section = method_of(self.config).section() or ""
        changes = []
        for key in sorted(pack_columns(section) - {"updates"}) if section else ():
            value = getattr(self.config.section(section), key)
            hint = setting_type(f"{section}.{key}")
            try:
                if isinstance(value, float):
                    changes.append(f"{section}.{key}={conform(hint, value / 2)!r}")
            except ValueError:
                continue
        return override(self.config, changes)

    def acting(self) -> str:
        with TemporaryDirectory() as folder:
            pack = pack_of("policy", self.config, self.data)
            pack.admit(Member(self.config, 5, folder=Path(folder)), self.upstream, None)
            _train(pack, UPDATES)
            pack.check(0)
            policy = CheckpointPolicy(self.config, pack.state(0))
        draws = torch.Generator().manual_seed(0)
        states = torch.randn(9, STATE_DIM, generator=draws)
        noise = torch.randn(9, policy.noise_dim, generator=draws)
        with torch.no_grad():
            actions, again = policy(states, noise), policy(states, noise)
            single = policy(states[4:5], noise[4:5])
        if actions.shape != (9, ACTION_DIM):
            return f"for 9 states it returns {tuple(actions.shape)}, not (9, {ACTION_DIM})"
        if not actions.isfinite().all():
            return "an action is not finite"
        if actions.abs().max() > 1:
            return f"an action is {float(actions.abs().max()):.3g}, beyond 1"
        if not torch.equal(actions, again):
            return "the same states and noise give other actions: randomness must come from noise"
        if not torch.allclose(single[0], actions[4], rtol=RELATIVE, atol=ABSOLUTE):
            return "a state's action depends on the other states of its batch"
        return ""


_IDENTITY = ("key", "task", "seed", "data_sha256")


def _unequal(first: Any, second: Any, name: str = "state") -> str:
    """Return which part of two states is the first that is not equal, in words."""
    if isinstance(first, Mapping):
        parts = ((key, first[key], second.get(key)) for key in first)
    elif isinstance(first, list):
        parts = ((i, *pair) for i, pair in enumerate(zip(first, second, strict=True)))
    elif isinstance(first, Tensor):
        same = torch.equal(first, second)
        return "" if same else f"{name} continues differently: a part of the pack is not saved"
    else:
        return "" if first == second else f"{name} is {second!r} and should be {first!r}"
    texts = (_unequal(one, other, f"{name}.{key}") for key, one, other in parts)
    return next((text for text in texts if text), "")
