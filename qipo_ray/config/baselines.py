"""The sections of what stands beside QIPO: constants of published methods, with their sources.

A section is read by its method alone: it is in the keys, hashes and files of no other run.
"""

from dataclasses import dataclass
from typing import Annotated, Literal

from qipo_ray.config.notes import ActingOnly, Ours, PerMember, Since, SupportSize
from qipo_ray.config.section import Count, CountOrNone, Rate, Section, Weight, Width
from qipo_ray.config.values import Range

Layers = Annotated[int, Range(1, 64)]
Discount = Annotated[float, Range(0, 1, open_high=True)]


@dataclass(frozen=True)
class DirectMethod(Section):
    """What methods with a policy of one pass share, with the values of IQL and TD3+BC."""

    width: Annotated[Width, Ours(256, "neurons of a hidden layer"), Since(256)]
    layers: Annotated[Layers, Ours(2, "hidden layers"), Since(2)]
    learning_rate: Annotated[Rate, Ours(3e-4, "Adam, of all networks"), Since(3e-4), PerMember()]
    batch_size: Annotated[Count, Ours(256, "transitions"), Since(256)]
    updates: Annotated[Count, Ours(1_000_000, "length"), Since(1_000_000), PerMember()]
    discount: Annotated[Discount, Ours(0.99, "gamma, per step"), Since(0.99)]
    polyak: Annotated[Rate, Ours(0.005, "of the targets, per update"), Since(0.005), PerMember()]


@dataclass(frozen=True)
class IQL(DirectMethod):
    """Implicit Q-learning (Kostrikov, Nair and Levine, ICLR 2022), constants of CORL's code."""

    expectile: Annotated[
        float,
        Range(0.5, 1, open_high=True),
        Ours(0.7, "of V over the data's actions; antmaze: 0.9"),
        Since(0.7),
        PerMember(),
    ]
    beta: Annotated[
        Weight,
        Ours(3, "of the weights exp(beta A) of the data's actions; antmaze: 10"),
        Since(3.0),
        PerMember(),
    ]


@dataclass(frozen=True)
class TD3BC(DirectMethod):
    """TD3+BC (Fujimoto and Gu, NeurIPS 2021), constants of its published code."""

    alpha: Annotated[
        Weight,
        Ours(2.5, "weight of Q beside cloning, over the mean of |Q|"),
        Since(2.5),
        PerMember(),
    ]
    noise: Annotated[
        float, Range(0, 10), Ours(0.2, "of the target's actions"), Since(0.2), PerMember()
    ]
    noise_clip: Annotated[
        float, Range(0, 10), Ours(0.5, "where that noise is cut"), Since(0.5), PerMember()
    ]


@dataclass(frozen=True)
class FQL(DirectMethod):
    """Flow Q-learning (Park, Li and Levine, ICML 2025), constants of its published code."""

    width: Annotated[Width, Ours(512, "neurons of a hidden layer"), Since(512)]
    layers: Annotated[Layers, Ours(4, "hidden layers"), Since(4)]
    updates: Annotated[
        Count, Ours(1_000_000, "length; D4RL: 500,000"), Since(1_000_000), PerMember()
    ]
    critic_norm: Annotated[bool, Ours(True, "layer norm in the critics"), Since(True)]
    alpha: Annotated[
        Weight,
        Ours(10, "weight of the distance from the flow; antmaze 10, large 3; adroit 3e3 to 3e4"),
        Since(10.0),
        PerMember(),
    ]
    normalise: Annotated[
        bool,
        Ours(False, "Q over the mean of |Q|; then alpha has no unit: 0.03 to 10"),
        Since(False),
        PerMember(),
    ]
    target: Annotated[
        Literal["mean", "minimum"],
        Ours("mean", "of the twins at s'; adroit: minimum"),
        Since("mean"),
    ]


@dataclass(frozen=True)
class BestOfN(Section):
    """One of N actions of the clone, by Q: SfBC (Chen et al., ICLR 2023), IDQL (2023)."""

    actions: Annotated[
        int,
        Range(1, 1024),
        Ours(32, "N: actions of the clone that Q chooses from; SfBC's code 32, IDQL's 64"),
        Since(32),
    ]
    temperature: Annotated[
        Weight,
        Ours(0, "unit of Q: one is drawn by exp(Q / temperature); 0: the best; SfBC's code 0.01"),
        Since(0.0),
    ]


@dataclass(frozen=True)
class QGPO(Section):
    """Contrastive energy prediction (Lu et al., ICML 2023), constants of its published code."""

    beta: Annotated[
        Weight,
        Ours(3, "of the targets softmax(beta Q) of the energy network, 1 / unit of Q"),
        Since(3.0),
        PerMember(),
    ]
    support_size: Annotated[
        Count, Ours(16, "actions of the clone per state; antmaze: 32"), Since(16), SupportSize()
    ]
    pool: Annotated[
        CountOrNone, Ours(0, "states that get support actions; 0: all"), Since(0), SupportSize()
    ]
    width: Annotated[Width, Ours(256, "neurons of a hidden layer"), Since(256)]
    layers: Annotated[Layers, Ours(4, "hidden layers"), Since(4)]
    learning_rate: Annotated[Rate, Ours(3e-4, "Adam, constant"), Since(3e-4), PerMember()]
    batch_size: Annotated[Count, Ours(256, "states"), Since(256)]
    updates: Annotated[Count, Ours(1_000_000, "length"), Since(1_000_000), PerMember()]
    # Departure B10: one scale, the exact one; the published code scores seven, 0 to 10.
    guidance: Annotated[
        float,
        Range(0, 1000),
        Ours(1, "scale of the energy's gradient in an acting policy; 1 is exact, 0 the clone"),
        Since(1.0),
        ActingOnly(),
    ]
