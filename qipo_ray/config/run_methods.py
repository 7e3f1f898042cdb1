"""The methods that come with the program, and what a configuration's method says of its run.

Their networks and losses are in ``agent/``, under the same names.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from qipo_ray.config.baselines import FQL, IQL, QGPO, TD3BC, BestOfN
from qipo_ray.config.method import STAGES, ActionSampling, RunMethod, path_label
from qipo_ray.config.method_names import METHODS
from qipo_ray.config.schema import Config
from qipo_ray.config.section import Section


class QIPOMethod(RunMethod):
    """QIPO: rounds of improvement on the clone, by Q."""

    name, title = "qipo", "QIPO"
    stages, pack = STAGES, "qipo_ray.agent.policy:PolicyPack"

    @classmethod
    def section(cls) -> str:
        """Return the section of QIPO's own stage, which is there in every configuration."""
        return "policy"

    @classmethod
    def label(cls, config: Config) -> str:
        """Return ``QIPO-OT`` or ``QIPO-Diff``, as the paper has it."""
        return f"QIPO-{path_label(config.behaviour.path)}"

    @classmethod
    def support(cls, config: Config) -> tuple[int, int]:
        """Return states and actions; the data's action may be one of those."""
        return config.policy.pool, config.policy.support_size + config.policy.data_action


class CloningMethod(RunMethod):
    """Behaviour cloning alone."""

    name, title = "cloning", "cloning"
    stages, pack = ("behaviour", "policy"), "qipo_ray.agent.cloning:CloningPack"
    learns = False

    @classmethod
    def label(cls, config: Config) -> str:
        """Return ``cloning (OT)``, with the share of the episodes that are cloned."""
        share, path = config.behaviour.best_episodes, path_label(config.behaviour.path)
        return super().label(config) if share == 1 else f"cloning of the best {share:.3g} ({path})"


class IQLMethod(RunMethod):
    """IQL: on the data's own actions."""

    name, title, settings = "iql", "IQL", IQL
    pack, network = "qipo_ray.agent.iql:IQLPack", "qipo_ray.agent.direct:gaussian_policy"
    proposes = False


class TD3BCMethod(RunMethod):
    """TD3+BC: TD3 beside cloning."""

    name, title, settings = "td3bc", "TD3+BC", TD3BC
    pack, network = "qipo_ray.agent.td3bc:TD3BCPack", "qipo_ray.agent.direct:direct_policy"
    proposes = False


class FQLMethod(RunMethod):
    """FQL: a policy of one pass near the clone's flow."""

    name, title, settings = "fql", "FQL", FQL
    stages = ("behaviour", "policy")
    pack, network = "qipo_ray.agent.fql:FQLPack", "qipo_ray.agent.direct:one_step_policy"
    proposes = False


class BestOfNMethod(RunMethod):
    """The best of N actions of the clone, by Q."""

    name, title, settings = "bestofn", "best of N", BestOfN
    stages = STAGES
    pack = "qipo_ray.agent.best_of_n:BestOfNPack"
    network = "qipo_ray.agent.best_of_n:best_of_clone"
    learns = False
    deaf = frozenset({"sampler.noise"})  # from none all N would be one action

    @classmethod
    def label(cls, config: Config) -> str:
        """Return what people call one of N actions by Q: that follows from the critic, too."""
        drawn, target = config.bestofn.temperature > 0, config.critic.target
        title = f"{'softmax' if drawn else 'best'} of {config.bestofn.actions}"
        if drawn and target == "softmax":
            title = "SfBC"
        if not drawn and target == "value":
            title = "IDQL"
        return f"{title} ({path_label(config.behaviour.path)})"

    @classmethod
    def sampling(cls, config: Config, clone: ActionSampling) -> ActionSampling:
        """Return how one of N is chosen."""
        choice = config.bestofn
        return clone._replace(noise=1.0, best_of=choice.actions, temperature=choice.temperature)

    @classmethod
    def chooses(cls) -> bool:
        """Return False: its own settings say how it chooses."""
        return False


class QGPOMethod(RunMethod):
    """QGPO: the clone's flow, guided by an energy."""

    name, title, settings = "qgpo", "QGPO", QGPO
    stages = STAGES
    pack, network = "qipo_ray.agent.qgpo:QGPOPack", "qipo_ray.agent.qgpo:GuidedSampler"

    @classmethod
    def sampling(cls, config: Config, clone: ActionSampling) -> ActionSampling:
        """Return the clone's way with the scale of the guidance."""
        return clone._replace(guidance=config.qgpo.guidance)

    @classmethod
    def support(cls, config: Config) -> tuple[int, int]:
        """Return states and actions of the one set that there is."""
        return config.qgpo.pool, config.qgpo.support_size


BUILT_IN: tuple[type[RunMethod], ...] = (
    QIPOMethod, CloningMethod, IQLMethod, TD3BCMethod, FQLMethod, BestOfNMethod, QGPOMethod,
)  # fmt: skip
METHODS.update({method.name: method for method in BUILT_IN})


def method_of(config: Config) -> type[RunMethod]:
    """Return the method of a configuration."""
    method: type[RunMethod] = METHODS[config.policy.method]
    return method


def method_title(config: Config) -> str:
    """Return the name of a configuration's rows: ``QIPO-OT`` or ``QIPO-Diff`` (paper), ``IQL``."""
    return method_of(config).label(config)


def acting_weights(config: Config) -> str:
    """Return which weights of a state act and are scored: ``online``, or ``ema``, the average."""
    return config.evaluation.weights if method_of(config).proposes else "online"


def distil_updates(config: Config) -> int:
    """Return how long the finished policy is distilled into a network of one pass; 0: not."""
    return config.distil.updates if method_of(config).distils() else 0


def not_distilled(config: Config) -> Config:
    """Return the configuration without that network."""
    return replace(config, distil=replace(config.distil, updates=0))


def reported_stages(config: Config) -> tuple[str, ...]:
    """Return the stages that end with a report: those with a critic to ask, if they train."""
    method = method_of(config)
    if "critic" not in method.stages:
        return ()
    return ("critic", "policy") if method.learns else ("critic",)


def goes_on_from_returns(config: Config) -> bool:
    """Return whether the critic begins on returns-to-go and goes on to targets of its own."""
    return 0 < config.critic.returns_updates < config.critic.updates


def section_of(config: Config, stage: str) -> str:
    """Return the section of the settings by which a stage of the configuration is trained."""
    return method_of(config).length() if stage == "policy" else stage


def settings_of(config: Config, stage: str = "policy") -> Section:
    """Return the settings by which a stage of the configuration is trained."""
    return config.section(section_of(config, stage))


def stage_updates(config: Config) -> dict[str, int]:
    """Return the total length in updates of each stage that the configuration trains."""
    sections: dict[str, Any] = {
        stage: settings_of(config, stage) for stage in method_of(config).stages
    }
    return {stage: section.updates for stage, section in sections.items()}
