"""All settings of a run: its sections, and how they must fit together.

Fields are checked on construction, so a ``Config`` made by any route (file, override, search,
code) is a valid one. Every value comes from a preset.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from typing import Annotated, Literal, get_type_hints

from qipo_ray.config.baselines import FQL, IQL, QGPO, TD3BC, BestOfN, Layers
from qipo_ray.config.critic_section import Critic
from qipo_ray.config.method_names import METHODS
from qipo_ray.config.notes import Code, Departure, Ours, Since, SupportSize
from qipo_ray.config.section import Count, CountOrNone, FieldError, Rate, Section, Width
from qipo_ray.config.stage_sections import (
    AUTO_PREDICTS,
    AUTO_SOLVER,
    Behaviour,
    Data,
    Policy,
    Sampler,
)

EVALUATIONS_PER_STEP = {"euler": 1, "midpoint": 2, "heun": 2, "rk4": 4, "ddim": 1, "dpmpp_2m": 1}
PATHS = tuple(AUTO_SOLVER)


@dataclass(frozen=True)
class Compute(Section):
    """Precision in training and memory, and how a GPU is told what to do."""

    precision: Annotated[
        Literal["float32", "bfloat16"],
        Ours("float32", "of the policy network; Q stays in float32"),
        Since("float32", written=True),
        Departure("bfloat16"),
    ]
    support: Annotated[
        Literal["float32", "float16"],
        Ours("float32", "of support actions in memory"),
        Since("float32", written=True),
        SupportSize(),
        Departure("half-support"),
    ]
    graphs: Annotated[
        bool,
        Ours(False, "an update of a stage as one CUDA graph; no effect on a CPU"),
        Since(False),
    ]


@dataclass(frozen=True)
class Evaluation(Section):
    """How a policy is scored; in no stage's key."""

    episodes: Annotated[Count, Code(100, "episodes of an evaluation during training")]
    every: Annotated[Count, Code(5000, "policy updates between evaluations")]
    final_episodes: Annotated[Count, Code(100, "episodes of the last evaluation")]
    weights: Annotated[
        Literal["online", "ema"],
        Code("online", "weights that are scored, of cloning and of the policy; ema: averages"),
        Departure("ema-evaluation"),
    ]
    signals: Annotated[
        Literal["none", "errors", "fqe"],
        Ours(
            "none",
            "what is measured without a simulator, at every rung and at the end: TD error and "
            "behaviour loss, or fitted Q evaluation, too",
        ),
        Since("none"),
    ]
    fqe_updates: Annotated[
        Count, Ours(3000, "updates of fitted Q evaluation, each time"), Since(3000)
    ]
    timeout: Annotated[
        Count, Ours(600, "seconds without a step after which a score is given up"), Since(600)
    ]


@dataclass(frozen=True)
class Distil(Section):
    """A network of one pass that learns what the finished policy makes of the same noise."""

    updates: Annotated[CountOrNone, Ours(0, "after the policy stage; 0: none is made"), Since(0)]
    width: Annotated[Width, Ours(256, "neurons of a hidden layer"), Since(256)]
    layers: Annotated[Layers, Ours(3, "hidden layers"), Since(3)]
    learning_rate: Annotated[
        Rate, Ours(1e-3, "Adam, at first; it falls to 0 in a line"), Since(1e-3)
    ]
    batch_size: Annotated[Count, Ours(256, "states"), Since(256)]


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
    iql: IQL
    td3bc: TD3BC
    fql: FQL
    bestofn: BestOfN
    qgpo: QGPO
    distil: Distil
    own: tuple[tuple[str, Section], ...] = ()  # of methods that users brought, by section

    def __post_init__(self) -> None:
        """Refuse samplers without a step, widths no unet halves, choices of nothing."""
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
        if self.policy.evidence and not self.critic.held_out:
            raise FieldError(
                ("policy.evidence", "critic.held_out"),
                f"needs critic.held_out above 0; got {self.policy.evidence:g} with 0",
            )
        self._check_choice()
        self._check_one_step()

    def _check_choice(self) -> None:
        """Refuse a choice by Q among actions that are all one, or where there is no Q for it."""
        count, name = self.sampler.best_of, self.policy.method
        if count > 1 and not METHODS[name].chooses():
            able = ", ".join(sorted(key for key, method in METHODS.items() if method.chooses()))
            raise FieldError(
                ("sampler.best_of", "policy.method"),
                f"needs a method that proposes from noise and has a critic ({able}); "
                f"got {count} with {name}",
            )
        if count > 1 and not self.sampler.noise:
            raise FieldError(
                ("sampler.best_of", "sampler.noise"),
                f"needs sampler.noise above 0, or all actions are one; got {count} with 0",
            )

    def _check_one_step(self) -> None:
        """Refuse to act by a network that is not made."""
        name = self.policy.method
        if self.sampler.one_step and not METHODS[name].distils():
            able = ", ".join(sorted(key for key, method in METHODS.items() if method.distils()))
            raise FieldError(
                ("sampler.one_step", "policy.method"),
                f"needs a method that acts by a flow, from noise ({able}); got true with {name}",
            )
        if self.sampler.one_step and not self.distil.updates:
            raise FieldError(
                ("sampler.one_step", "distil.updates"),
                "needs distil.updates above 0 in training: nothing was distilled; got true with 0",
            )

    @property
    def sections(self) -> dict[str, Section]:
        """Return all sections by their names, in order."""
        fixed = {name: value for name, value in vars(self).items() if name != "own"}
        return {**fixed, **dict(self.own)}

    def section(self, name: str) -> Section:
        """Return the section of a name."""
        return self.sections[name]

    def replaced(self, sections: Mapping[str, Section]) -> Config:
        """Return the configuration with other sections in the place of those of their names."""
        own = tuple((name, sections.get(name, section)) for name, section in self.own)
        fixed = {name: value for name, value in sections.items() if name not in dict(own)}
        return replace(self, own=own, **fixed)  # type: ignore[arg-type]

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


# With those of methods that users brought, as they become known.
SECTIONS: dict[str, type] = {
    name: kind for name, kind in get_type_hints(Config).items() if name != "own"
}


def field_names() -> tuple[str, ...]:
    """Return the dotted names of all settings, in the order of the sections."""
    return tuple(
        f"{name}.{field.name}" for name, section in SECTIONS.items() for field in fields(section)
    )
