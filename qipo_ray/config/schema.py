"""The fields of a run: frozen dataclasses without defaults; every value comes from a preset.

Ranges stand beside the fields; a section that breaks one cannot be built. Fields are checked on
construction, so a ``Config`` made by any route (file, override, search, code) is a valid one.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass, fields
from typing import Annotated, Any, Literal, get_type_hints

from qipo_ray.config.values import Range, conform

MOST = 999_999_999  # updates; nine digits, as in the names of snapshots
Count = Annotated[int, Range(1, MOST)]  # at least one of something
CountOrNone = Annotated[int, Range(0, MOST)]  # 0 has a meaning of its own
Width = Annotated[int, Range(1, 65_536)]  # neurons
Rate = Annotated[float, Range(0, 1, open_low=True)]  # a step size or an averaging rate
Weight = Annotated[float, Range(0, 1e9)]  # an inverse temperature; networks are float32

# What `sampler.solver: auto` and `behaviour.predicts: auto` mean on each path.
AUTO_SOLVER = {"ot": "midpoint", "vp": "dpmpp_2m", "trig": "dpmpp_2m"}
AUTO_PREDICTS: dict[str, Literal["velocity", "noise"]] = {
    "ot": "velocity",
    "vp": "noise",
    "trig": "velocity",
}
EVALUATIONS_PER_STEP = {
    "euler": 1,
    "midpoint": 2,
    "heun": 2,
    "rk4": 4,
    "ddim": 1,
    "dpmpp_2m": 1,
}
PATHS = tuple(AUTO_SOLVER)


class FieldError(ValueError):
    """A value that a field, or several fields together, do not allow; ``fields`` are dotted."""

    def __init__(self, names: tuple[str, ...], problem: str) -> None:
        """Keep the dotted ``names``, the field to blame first."""
        super().__init__(f"{names[0]} {problem}")
        self.fields = names


@functools.cache
def field_types(section: type) -> dict[str, Any]:
    """Return the declared type of every field of a section, with its range."""
    return get_type_hints(section, include_extras=True)


class _Section:
    """Checks and normalises every field when a section is built."""

    def __post_init__(self) -> None:
        section: type = type(self)
        for name, hint in field_types(section).items():
            try:
                object.__setattr__(self, name, conform(hint, getattr(self, name)))
            except ValueError as problem:
                dotted = f"{section.__name__.lower()}.{name}"
                raise FieldError((dotted,), str(problem)) from None


@dataclass(frozen=True)
class Data(_Section):
    """How the data set is read."""

    reward: Literal["paper", "raw"]  # rule of the task as in the paper (D4RL / CEP), or as stored
    observations: Literal["raw", "standard"]  # paper: raw; standard: zero mean, unit deviation


@dataclass(frozen=True)
class Behaviour(_Section):
    """The behaviour stage: clone the data (paper, phase 1)."""

    path: Literal["ot", "vp", "trig"]  # paper: ot in QIPO-OT, vp in QIPO-Diff; trig is ours
    predicts: Literal[
        "auto", "velocity", "noise", "noise_residual", "v"
    ]  # by the network; auto, as in the paper
    network: Literal["residual", "unet"]  # paper: unet (512/256/128)
    width: Width  # neurons of the widest layer; paper 512
    blocks: Annotated[int, Range(1, 64)]  # residual blocks; the unet has a fixed number
    learning_rate: Rate  # Adam, constant; paper 1e-4
    batch_size: Count  # transitions; paper 4096
    updates: Count  # updates; paper 600,000


@dataclass(frozen=True)
class Sampler(_Section):
    """How actions are drawn, for support sets and for evaluation."""

    solver: Literal["auto", "euler", "midpoint", "heun", "rk4", "ddim", "dpmpp_2m"]  # paper: auto
    evaluations: Annotated[int, Range(1, 10_000)]  # most network evaluations per action; paper 15
    clip: bool  # actions to [-1, 1]; the paper's code does not clip


@dataclass(frozen=True)
class Critic(_Section):
    """The critic stage: in-support softmax Q-learning (paper, phase 2)."""

    width: Width  # neurons of a hidden layer; paper 256
    layers: Annotated[int, Range(1, 64)]  # hidden layers; paper 3
    layer_norm: bool  # after each hidden layer; paper: no
    learning_rate: Rate  # Adam, constant; paper 3e-4
    batch_size: Count  # transitions; paper 256
    updates: Count  # updates; paper 500,000
    returns_updates: CountOrNone  # first updates that regress on returns-to-go; paper 0
    discount: Annotated[float, Range(0, 1, open_high=True)]  # per step; paper 0.99
    temperature: Weight  # q_alpha of the softmax over support actions; paper 1 (20 on antmaze)
    polyak: Rate  # share of the new weights in the target, per update; paper 0.005
    support_size: Count  # support actions per next state; paper M = 64
    refresh_every: Count  # updates between renewals of support actions; paper 100,000
    pool: CountOrNone  # states that get support actions; 0 = all (paper)
    target: Literal["softmax", "expectile"]  # value of Q over the support actions; paper: softmax
    expectile: Annotated[float, Range(0.5, 1, open_high=True)]  # 0.5 mean, towards 1 the maximum


@dataclass(frozen=True)
class Policy(_Section):
    """The policy stage: energy-weighted improvement (paper, phase 3)."""

    beta: Weight  # guidance scale per round, 1 / units of Q; paper 3
    support_size: Count  # actions drawn per state; paper M = 64
    data_action: bool  # the data set's action joins the support set; paper: yes (its code: no)
    rounds: Count  # support sets, one per round; paper 10
    renew_every: Count  # updates per round; paper K_renew = 10,000
    learning_rate: Rate  # Adam, constant; paper 1e-4
    batch_size: Count  # states; paper 256
    loss_actions: CountOrNone  # actions per state drawn by weight for the loss; 0 = all (paper)
    sampler: Literal["ema", "online"]  # weights that draw the support actions; paper's code: ema
    ema_rate: Rate  # share of the new weights in the average, per update; paper 0.005
    pool: CountOrNone  # states that get support actions; 0 = all (paper)
    beta_growth: Annotated[float, Range(0, 100)]  # factor on beta, each further round; paper 1
    target_ess: Annotated[float, Range(0, 1, open_high=True)]  # sets beta, share of M; paper 0: no
    trust: Annotated[int, Range(0, 1024)]  # rounds stop at Q's best of so many; paper 0: nowhere

    def __post_init__(self) -> None:
        """Refuse more actions in the loss than the support set holds, and endless stages."""
        super().__post_init__()
        most = self.support_size + int(self.data_action)
        if self.loss_actions > most:
            raise FieldError(
                ("policy.loss_actions", "policy.support_size", "policy.data_action"),
                f"must be at most {most} (support_size, plus one with data_action); "
                f"got {self.loss_actions}",
            )
        if self.updates > MOST:
            raise FieldError(
                ("policy.rounds", "policy.renew_every"),
                f"times policy.renew_every must be at most {MOST}; got {self.updates}",
            )

    @property
    def updates(self) -> int:
        """Return the length of the stage in updates."""
        return self.rounds * self.renew_every


@dataclass(frozen=True)
class Compute(_Section):
    """Precision in training and memory."""

    precision: Literal["float32", "bfloat16"]  # of matrix products; paper: float32
    support: Literal["float32", "float16"]  # of support actions in memory; paper: float32


@dataclass(frozen=True)
class Evaluation(_Section):
    """How a policy is scored; in no stage's key."""

    episodes: Count  # episodes of an evaluation during training
    every: Count  # policy updates between evaluations; paper's code 5,000
    final_episodes: Count  # episodes of the last evaluation; paper's code 100
    weights: Literal["online", "ema"]  # weights that are scored; paper's code: online


@dataclass(frozen=True)
class Config:
    """All settings of a run; ``FieldError`` where sections do not fit together."""

    data: Data
    behaviour: Behaviour
    sampler: Sampler
    critic: Critic
    policy: Policy
    compute: Compute
    evaluation: Evaluation

    def __post_init__(self) -> None:
        """Refuse a sampler that cannot make one step, and a width that the unet cannot halve."""
        cost = EVALUATIONS_PER_STEP[self.solver]
        if self.sampler.evaluations < cost:
            raise FieldError(
                ("sampler.evaluations", "sampler.solver", "behaviour.path"),
                f"must be at least {cost} for the solver {self.solver}; "
                f"got {self.sampler.evaluations}",
            )
        if self.behaviour.network == "unet" and self.behaviour.width % 4:
            raise FieldError(
                ("behaviour.width", "behaviour.network"),
                f"must be a multiple of 4 for the unet; got {self.behaviour.width}",
            )

    @property
    def solver(self) -> str:
        """Return the solver that ``auto`` stands for on this path, or the one that was named."""
        named = self.sampler.solver
        return AUTO_SOLVER[self.behaviour.path] if named == "auto" else named

    @property
    def predicts(self) -> Literal["velocity", "noise", "noise_residual", "v"]:
        """Return what the network predicts: what ``auto`` stands for, or what was named."""
        named = self.behaviour.predicts
        return AUTO_PREDICTS[self.behaviour.path] if named == "auto" else named


SECTIONS: dict[str, type] = {
    "data": Data,
    "behaviour": Behaviour,
    "sampler": Sampler,
    "critic": Critic,
    "policy": Policy,
    "compute": Compute,
    "evaluation": Evaluation,
}

# Settings that came after the first records, with the value that means what was before: records
# without them stay readable, and keys without them stay what they were.
LATER: dict[str, dict[str, Any]] = {
    "critic": {"target": "softmax", "expectile": 0.7},
    "policy": {"beta_growth": 1.0, "target_ess": 0.0, "trust": 0},
    "compute": {"precision": "float32", "support": "float32"},
}


def field_names() -> tuple[str, ...]:
    """Return the dotted names of all settings, in the order of the sections."""
    return tuple(
        f"{name}.{field.name}" for name, section in SECTIONS.items() for field in fields(section)
    )
