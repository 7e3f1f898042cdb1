"""What a method is: a class that names its settings and stages, what trains it, and how it acts.

The built-in ones are in ``run_methods.py``. Users bring others of the same form.
"""

from __future__ import annotations

from collections.abc import Callable
from pkgutil import resolve_name
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple

from qipo_ray.config.section import Section, field_types

if TYPE_CHECKING:
    from qipo_ray.config.schema import Config

STAGES = ("behaviour", "critic", "policy")
FLOW = ("data", "behaviour", "sampler", "compute")


class ActionSampling(NamedTuple):
    """How an acting policy makes an action."""

    solver: str
    evaluations: int  # of the network, at most
    clip: bool
    noise: float = 1.0  # scale of what it starts from
    best_of: int = 1  # actions that it chooses one of
    temperature: float = 0.0  # of that choice, in the unit of Q
    guidance: float = 1.0  # scale of the gradient of an energy

    def unusual(self) -> dict[str, float]:
        """Return what came after the first records, where it is not as it was there."""
        return {
            name: getattr(self, name)
            for name, usual in self._field_defaults.items()
            if getattr(self, name) != usual
        }


class RunMethod:
    """A method of training a policy. The class itself is what is used; none is ever built.

    ``pack`` trains the policy stage: a subclass of ``agent.pack.Pack``. ``network`` acts: called
    with a configuration, S and A it returns an ``agent.sampling.ActingNetwork``, whose weights
    are the pack's stack ``online``; if none is given, that is the clone's flow. Either may be
    ``module:name``, to be imported when something is trained: tables need no torch.
    """

    name: ClassVar[str]  # of its section
    title: ClassVar[str]  # of its rows
    stages: ClassVar[tuple[str, ...]] = ("policy",)  # those that it builds on, then its own
    settings: ClassVar[type[Section] | None] = None
    pack: ClassVar[type | str]
    network: ClassVar[Callable[..., Any] | str] = "qipo_ray.agent.sampling:ActionSampler"
    proposes: ClassVar[bool] = True  # acts through a flow, from noise; False: in one pass
    learns: ClassVar[bool] = True  # the policy stage trains a network; False: it takes others'
    deaf: ClassVar[frozenset[str]] = frozenset()  # dotted settings that it does not read
    version: ClassVar[int] = 1  # another: what earlier ones trained is not taken for its own

    @classmethod
    def section(cls) -> str | None:
        """Return the name of the section of settings that the policy stage reads."""
        return cls.name if cls.settings is not None else None

    @classmethod
    def sections(cls) -> tuple[str, ...]:
        """Return the sections that it reads; all read `evaluation` and `policy.method`, too."""
        shared = FLOW if "behaviour" in cls.stages else ("data",)
        critic = ("critic",) if "critic" in cls.stages else ()
        own = cls.section()
        return (*shared, *critic, *((own,) if own else ()))

    @classmethod
    def own_sections(cls) -> tuple[str, ...]:
        """Return the sections that no other method reads."""
        return tuple(name for name in cls.sections() if name not in (*FLOW, *STAGES))

    @classmethod
    def length(cls) -> str:
        """Return the section that says how long the policy stage is, by its ``updates``."""
        settings: type | None = cls.settings
        timed = settings is not None and "updates" in field_types(settings)
        return cls.name if timed else "policy"

    @classmethod
    def label(cls, config: Config) -> str:
        """Return the name of a configuration's rows in tables."""
        cloned = "behaviour" in cls.stages
        return f"{cls.title} ({path_label(config.behaviour.path)})" if cloned else cls.title

    @classmethod
    def sampling(cls, config: Config, clone: ActionSampling) -> ActionSampling:
        """Return how its policy makes an action; ``clone`` is how the clone does."""
        if cls.proposes:
            return clone
        noise = clone.noise if "sampler" in cls.sections() else 1.0
        return ActionSampling("none", 1, clip=True, noise=noise)

    @classmethod
    def chooses(cls) -> bool:
        """Return whether its policy can act by the best of several proposals by Q."""
        return cls.proposes and "critic" in cls.stages

    @classmethod
    def distils(cls) -> bool:
        """Return whether a network of one pass can learn its policy: what noise becomes by it."""
        return cls.proposes and "behaviour" in cls.stages and "sampler.noise" not in cls.deaf

    @classmethod
    def support(cls, config: Config) -> tuple[int, int] | None:
        """Return states (0: all) and actions of the policy stage's support set; None: it has none.

        Its memory is planned and checked by them.
        """
        return None

    @classmethod
    def part(cls, name: str) -> Any:
        """Return ``pack`` or ``network``, imported now where it is text."""
        value = getattr(cls, name)
        return resolve_name(value) if isinstance(value, str) else value


def path_label(path: str) -> str:
    """Return ``OT`` or ``Diff``, the paper's name of the straight path and of diffusions."""
    return "OT" if path == "ot" else "Diff"
