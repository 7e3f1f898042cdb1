"""The section of the critic stage, like those of the other stages."""

from dataclasses import dataclass
from typing import Annotated, Literal

from qipo_ray.config.notes import Code, Departure, Ours, Paper, PerMember, Since, SupportSize
from qipo_ray.config.section import Count, CountOrNone, Rate, Section, Weight, Width
from qipo_ray.config.values import Range


@dataclass(frozen=True)
class Critic(Section):
    """The critic stage: in-support softmax Q-learning (paper, phase 2)."""

    width: Annotated[Width, Code(256, "neurons of a hidden layer")]
    layers: Annotated[int, Range(1, 64), Code(3, "hidden layers")]
    layer_norm: Annotated[bool, Code(False, "after each hidden layer"), Departure("layer-norm")]
    learning_rate: Annotated[Rate, Code(3e-4, "Adam, constant"), PerMember()]
    batch_size: Annotated[Count, Code(256, "transitions")]
    updates: Annotated[Count, Code(500_000, "length of the stage"), PerMember()]
    returns_updates: Annotated[
        CountOrNone,
        Ours(0, "first updates, on returns-to-go instead"),
        PerMember(),
        SupportSize(),
        Departure("returns-init", lambda c, value: 0 < value < c.critic.updates),
        Departure("returns-critic", lambda c, value: value >= c.critic.updates),
    ]
    discount: Annotated[float, Range(0, 1, open_high=True), Code(0.99, "gamma, per step")]
    temperature: Annotated[
        Weight,
        Code(1, "q_alpha of the softmax over support actions, 1 / unit of Q; antmaze: 20"),
        PerMember(),
    ]
    polyak: Annotated[
        Rate, Code(0.005, "tau: share of new weights in the target, per update"), PerMember()
    ]
    support_size: Annotated[Count, Code(64, "M: support actions per next state"), SupportSize()]
    refresh_every: Annotated[
        Count, Code(100_000, "updates between renewals of support actions"), PerMember()
    ]
    pool: Annotated[
        CountOrNone,
        Code(0, "states that get support actions; 0: all"),
        SupportSize(),
        Departure(
            "critic-pool={}",
            lambda c, value: (
                value > 0
                and c.critic.returns_updates < c.critic.updates
                and c.critic.target != "value"
            ),
        ),
    ]
    target: Annotated[
        Literal["softmax", "expectile", "value"],
        Paper("softmax", "of Q over the support actions; value: V of the data's actions, as IQL"),
        Since("softmax", written=True),
    ]
    expectile: Annotated[
        float,
        Range(0.5, 1, open_high=True),
        Ours(0.7, "0.5 is the mean, towards 1 the maximum; no effect with the softmax"),
        Since(0.7, written=True),
        PerMember(),
        Departure("expectile={:g}", lambda c, _: c.critic.target == "expectile"),
        Departure("v-expectile={:g}", lambda c, _: c.critic.target == "value"),
    ]
    n_step: Annotated[
        int,
        Range(1, 100),
        Ours(1, "steps of the data in a target before Q is asked, fewer where an episode ends"),
        Since(1),
        Departure("n-step={}"),
    ]
    held_out: Annotated[
        float,
        Range(0, 0.5),
        Ours(0, "share of episodes that Q is not trained on, to hold it against their returns"),
        Since(0.0),
        Departure("held-out={:g}"),
    ]
    pairs: Annotated[
        int,
        Range(1, 64),
        Ours(1, "pairs of twins, each with initial weights and targets of its own"),
        Since(1),
        Departure("critic-pairs={}"),
    ]
    judge: Annotated[
        Literal["minimum", "mean", "lower"],
        Ours(
            "minimum", "Q that all that follows reads from the pairs; lower: mean - kappa spread"
        ),
        Since("minimum"),
        PerMember(),
        Departure("mean-q", lambda c, value: value == "mean" and c.critic.pairs > 1),
    ]
    kappa: Annotated[
        float,
        Range(0, 100),
        Ours(1, "spreads over the pairs below their mean; no effect but with judge: lower"),
        Since(1.0),
        PerMember(),
        Departure("lower-q={:g}", lambda c, _: c.critic.judge == "lower" and c.critic.pairs > 1),
    ]
