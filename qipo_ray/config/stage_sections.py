"""The sections of QIPO's stages: frozen dataclasses without defaults, values come from a preset.

Ranges stand beside the fields; a section that breaks one cannot be built. What a field means, what
the paper has for it and what else is to be known of it are parts of its type.
"""

import math
from dataclasses import dataclass
from typing import Annotated, Literal

from qipo_ray.config.method_names import METHODS, MethodNames
from qipo_ray.config.notes import (
    ActingOnly,
    Code,
    Departure,
    Ours,
    Paper,
    PerMember,
    Since,
    SupportSize,
)
from qipo_ray.config.section import (
    MOST,
    MOST_BETA,
    Count,
    CountOrNone,
    FieldError,
    Rate,
    Section,
    Weight,
    Width,
)
from qipo_ray.config.values import Range

# What `sampler.solver: auto` and `behaviour.predicts: auto` mean on each path.
# Departure D6: midpoint on ot; the paper's code: DPM-Solver.
AUTO_SOLVER = {"ot": "midpoint", "vp": "dpmpp_2m", "trig": "dpmpp_2m"}
# Departure D1: velocity on ot, as the paper says; its code predicts noise there, too.
AUTO_PREDICTS: dict[str, Literal["velocity", "noise"]] = {
    "ot": "velocity",
    "vp": "noise",
    "trig": "velocity",
}


@dataclass(frozen=True)
class Data(Section):
    """How the data set is read."""

    reward: Annotated[
        Literal["paper", "raw"],
        Code("paper", "paper: r - 1 on antmaze, 1000 r / range of returns on locomotion"),
        Departure("raw-reward", after="data.observations"),
    ]
    observations: Annotated[
        Literal["raw", "standard"],
        Code("raw", "standard: zero mean and unit deviation"),
        Departure("standard-observations"),
    ]


@dataclass(frozen=True)
class Behaviour(Section):
    """The behaviour stage: clone the data (paper, phase 1)."""

    path: Annotated[
        Literal["ot", "vp", "trig"],
        Paper("ot", "from data to noise: ot is QIPO-OT, vp is QIPO-Diff, trig is ours"),
        Departure("trig-path", lambda _, value: value == "trig"),
    ]
    predicts: Annotated[
        Literal["auto", "velocity", "noise", "noise_residual", "v"],
        Paper("auto", "by the network; auto: velocity on ot and trig, noise on vp"),
        Departure("predicts={}", lambda c, value: value != AUTO_PREDICTS[c.behaviour.path]),
    ]
    network: Annotated[
        Literal["residual", "unet"],
        Code("unet", "unet: the paper's, widths 512/256/128; residual: ours, small"),
        Departure("residual-network"),
    ]
    width: Annotated[Width, Code(512, "neurons of the widest layer"), SupportSize()]
    blocks: Annotated[
        int, Range(1, 64), Ours(3, "residual blocks; no effect with the unet, which has its own")
    ]
    learning_rate: Annotated[Rate, Code(1e-4, "Adam, constant"), PerMember()]
    batch_size: Annotated[Count, Code(4096, "transitions")]
    updates: Annotated[Count, Code(600_000, "length of the stage"), PerMember()]
    ema_rate: Annotated[
        Rate,
        Ours(0.005, "share of new weights in the average, per update; used by switch"),
        Since(1.0, written=True),
        PerMember(),
    ]
    weights: Annotated[
        Literal["online", "ema"],
        Code("online", "weights that the later stages go on from; ema: the average"),
        Since("online", written=True),
        PerMember(),
        Departure("averaged-behaviour"),
    ]
    best_episodes: Annotated[
        float,
        Range(0, 1, open_low=True),
        Ours(1, "share of episodes that are cloned, those of highest return; 1: all"),
        Since(1.0),
        PerMember(),
        Departure("best-episodes={:g}"),
    ]


@dataclass(frozen=True)
class Sampler(Section):
    """How actions are drawn, for support sets and for evaluation."""

    solver: Annotated[
        Literal["auto", "euler", "midpoint", "heun", "rk4", "ddim", "dpmpp_2m"],
        Ours(
            "auto", "auto: midpoint on ot, dpmpp_2m on vp and trig; second order, as the paper's"
        ),
        Departure("solver={}", lambda c, value: value != AUTO_SOLVER[c.behaviour.path]),
    ]
    evaluations: Annotated[
        int, Range(1, 10_000), Code(15, "most network evaluations per action; midpoint takes two")
    ]
    clip: Annotated[
        bool,
        Code(False, "actions to [-1, 1], in support sets and in evaluation"),
        Departure("clipped-actions", after="policy.pool"),
    ]
    noise: Annotated[
        float,
        Range(0, 2),
        Ours(1, "scale of the noise that an acting policy starts from; 0: the mode of the flow"),
        Since(1.0),
        ActingOnly(),
        Departure("noise={:g}"),
    ]
    best_of: Annotated[
        int,
        Range(1, 1024),
        Ours(1, "actions that an acting policy draws, to take the one of highest Q; 1: no choice"),
        Since(1),
        ActingOnly(),
        Departure("best-of={}"),
    ]
    one_step: Annotated[
        bool,
        Ours(False, "act by the network of one pass that the policy was distilled into"),
        Since(False),
        ActingOnly(),
        Departure("one-step"),
    ]


@dataclass(frozen=True)
class Policy(Section):
    """The policy stage: energy-weighted improvement (paper, phase 3)."""

    beta: Annotated[Weight, Code(3, "guidance scale per round, 1 / unit of Q"), PerMember()]
    support_size: Annotated[Count, Code(64, "M: actions drawn per state"), SupportSize()]
    data_action: Annotated[
        bool,
        Paper(True, "the data set's action joins the support set; in the paper's code: no"),
        SupportSize(),
        Departure("no-data-action"),
    ]
    rounds: Annotated[CountOrNone, Code(10, "support sets, one per round"), PerMember()]
    renew_every: Annotated[Count, Code(10_000, "K_renew: updates per round"), PerMember()]
    learning_rate: Annotated[
        Rate, Code(1e-4, "Adam, constant; goes on with the behaviour's"), PerMember()
    ]
    batch_size: Annotated[Count, Code(256, "states")]
    loss_actions: Annotated[
        CountOrNone,
        Ours(0, "actions per state drawn by weight for the loss; 0: all, weighted"),
        Departure("loss-actions={}"),
    ]
    sampler: Annotated[
        Literal["ema", "online"],
        Code("ema", "weights that draw the support actions"),
        PerMember(),
        Departure("online-sampler"),
    ]
    ema_rate: Annotated[
        Rate, Code(0.005, "share of new weights in the average, per update"), PerMember()
    ]
    pool: Annotated[
        CountOrNone,
        Code(0, "states that get support actions; 0: all"),
        SupportSize(),
        Departure("policy-pool={}"),
    ]
    beta_growth: Annotated[
        float,
        Range(0, 100),
        Ours(1, "factor on beta, each further round"),
        Since(1.0, written=True),
        PerMember(),
        Departure(
            "beta-growth={:g}",
            lambda c, value: value != 1 and not c.policy.target_ess,
            after="policy.data_action",
        ),
    ]
    target_ess: Annotated[
        float,
        Range(0, 1, open_high=True),
        Ours(0, "finds beta: effective sample size of the weights as a share of M; 0: beta"),
        Since(0.0, written=True),
        PerMember(),
        Departure("target-ess={:g}", after="policy.data_action"),
    ]
    trust: Annotated[
        int,
        Range(0, 1024),
        Ours(0, "no tilt beyond Q's best of so many actions, rest where it is there; 0: no bound"),
        Since(0, written=True),
        PerMember(),
        Departure("trust={}", after="policy.data_action"),
    ]
    evidence: Annotated[
        float,
        Range(0, 10),
        Ours(0, "least held-out slope, less 2 errors, to begin rounds; 0: it is not asked"),
        Since(0.0),
        PerMember(),
        Departure("evidence={:g}"),
    ]
    data_updates: Annotated[
        CountOrNone,
        Ours(0, "first updates, on the data's own actions by weight, before the rounds"),
        Since(0),
        Departure("data-updates={}"),
    ]
    data_weight: Annotated[
        Literal["return", "advantage"],
        Ours("return", "energy of those: an episode's return, or Q(s, a) less V(s)"),
        Since("return"),
        PerMember(),
        Departure("data-advantage", lambda c, value: value != "return" and c.policy.data_updates),
    ]
    data_ess: Annotated[
        float,
        Range(0, 1, open_low=True),
        Ours(0.3, "effective sample size of their weights, as a share of the rows"),
        Since(0.3),
        PerMember(),
    ]
    data_uniform: Annotated[
        float,
        Range(0, 1),
        Ours(0, "share of their rows drawn evenly from all data; the rest by weight"),
        Since(0.0),
        PerMember(),
        Departure("data-uniform={:g}", lambda c, value: value and c.policy.data_updates),
    ]
    data_common: Annotated[
        float,
        Range(0, 1),
        Ours(
            1,
            "no such updates where returns beyond this share of their range hold data_ess; 1: do",
        ),
        Since(1.0),
        PerMember(),
    ]
    data_learning_rate: Annotated[
        float,
        Range(0, 1),
        Ours(0, "of the updates on the data's own actions; 0: learning_rate"),
        Since(0.0),
        PerMember(),
    ]
    data_alone: Annotated[
        bool,
        Ours(False, "no such updates where evidence allows rounds: one or the other"),
        Since(False),
        PerMember(),
    ]
    refit_updates: Annotated[
        CountOrNone,
        Ours(0, "of Q after each round, toward the actions of the policy; 0: Q stays"),
        Since(0),
        Departure("refit={}"),
    ]
    method: Annotated[
        str,
        MethodNames(METHODS),
        Ours("qipo", "or a baseline: cloning alone, IQL, ...; module:Class: one of your own"),
        Since("qipo"),
    ]

    def __post_init__(self) -> None:
        """Refuse more actions in the loss than the support set holds, and endless stages."""
        super().__post_init__()
        size = self.support_size + int(self.data_action)
        if self.loss_actions > size:
            raise FieldError(
                ("policy.loss_actions", "policy.support_size", "policy.data_action"),
                f"must be at most {size} (support_size, plus one with data_action); "
                f"got {self.loss_actions}",
            )
        if not 0 < self.updates <= MOST:
            raise FieldError(
                ("policy.rounds", "policy.renew_every", "policy.data_updates"),
                "times policy.renew_every, with policy.data_updates, must be from 1 to "
                f"{MOST}; got {self.updates}",
            )
        growth = math.log10(max(self.beta_growth, 1)) * (self.rounds - 1)
        if self.beta and math.log10(self.beta) + growth > MOST_BETA:
            raise FieldError(
                ("policy.beta_growth", "policy.beta", "policy.rounds"),
                f"must keep beta below 1e{MOST_BETA} in all {self.rounds} rounds; "
                f"got {self.beta_growth:g} with beta {self.beta:g}",
            )

    @property
    def updates(self) -> int:
        """Return the length of the stage in updates."""
        return self.data_updates + self.rounds * self.renew_every
