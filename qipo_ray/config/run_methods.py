"""The methods that a run can be of: the stages that each trains, and the settings that it reads.

Every method ends with the stage ``policy``, whose network acts and is scored. Its networks and
losses are in ``agent/``, under the same name.
"""

from __future__ import annotations

from dataclasses import dataclass

from qipo_ray.config.schema import Config

STAGES = ("behaviour", "critic", "policy")
FLOW = ("data", "behaviour", "sampler", "compute")


@dataclass(frozen=True)
class RunMethod:
    """What a run of a method is made of."""

    stages: tuple[str, ...]  # in order; the last one is policy
    sections: tuple[str, ...]  # of the settings; all read `evaluation` and `policy.method`
    length: str  # the section that says how long the policy stage is
    proposes: bool = True  # acts through a flow, from noise; False: by a network of one pass
    learns: bool = True  # the policy stage trains a network; False: it takes those of the others
    deaf: frozenset[str] = frozenset()  # dotted settings of its sections that it does not read

    @property
    def own_sections(self) -> tuple[str, ...]:
        """The sections that no other method reads."""
        return tuple(name for name in self.sections if name not in (*FLOW, *STAGES))


METHODS = {
    "qipo": RunMethod(STAGES, (*FLOW, "critic", "policy"), "policy"),
    "cloning": RunMethod(("behaviour", "policy"), FLOW, "policy", learns=False),
    "iql": RunMethod(("policy",), ("data", "iql"), "iql", proposes=False),
    "td3bc": RunMethod(("policy",), ("data", "td3bc"), "td3bc", proposes=False),
    "fql": RunMethod(("behaviour", "policy"), (*FLOW, "fql"), "fql", proposes=False),
    "bestofn": RunMethod(
        STAGES,
        (*FLOW, "critic", "bestofn"),
        "policy",
        learns=False,
        deaf=frozenset({"sampler.noise"}),  # from none all N would be one action
    ),
    "qgpo": RunMethod(STAGES, (*FLOW, "critic", "qgpo"), "qgpo"),
}
METHOD_TITLES = {
    "iql": "IQL",
    "td3bc": "TD3+BC",
    "fql": "FQL",
    "qgpo": "QGPO",
}  # of those of one pass


def method_of(config: Config) -> RunMethod:
    """Return the method of a configuration."""
    return METHODS[config.policy.method]


def method_title(config: Config) -> str:
    """Return the name of a configuration's rows: ``QIPO-OT`` or ``QIPO-Diff`` (paper), ``IQL``."""
    name, path = config.policy.method, path_label(config.behaviour.path)
    if name in METHOD_TITLES:
        cloned = "behaviour" in METHODS[name].stages
        return f"{METHOD_TITLES[name]} ({path})" if cloned else METHOD_TITLES[name]
    if name == "bestofn":
        return f"{_choice_title(config)} ({path})"
    if name != "cloning":
        return f"QIPO-{path}"
    share = config.behaviour.best_episodes
    return f"cloning ({path})" if share == 1 else f"cloning of the best {share:.3g} ({path})"


def _choice_title(config: Config) -> str:
    """Return what people call one of N actions by Q: that follows from the critic, too."""
    drawn, target = config.bestofn.temperature > 0, config.critic.target
    if drawn and target == "softmax":
        return "SfBC"
    if not drawn and target == "value":
        return "IDQL"
    return f"{'softmax' if drawn else 'best'} of {config.bestofn.actions}"


def path_label(path: str) -> str:
    """Return ``OT`` or ``Diff``, the paper's name of the straight path and of diffusions."""
    return "OT" if path == "ot" else "Diff"


def acting_weights(config: Config) -> str:
    """Return which weights of a state act and are scored: ``online``, or ``ema``, the average."""
    return config.evaluation.weights if method_of(config).proposes else "online"


def reported_stages(config: Config) -> tuple[str, ...]:
    """Return the stages that end with a report: those with a critic to ask, if they train."""
    method = method_of(config)
    if "critic" not in method.stages:
        return ()
    return ("critic", "policy") if method.learns else ("critic",)


def section_of(config: Config, stage: str) -> str:
    """Return the section of the settings by which a stage of the configuration is trained."""
    return method_of(config).length if stage == "policy" else stage


def stage_updates(config: Config) -> dict[str, int]:
    """Return the total length in updates of each stage that the configuration trains."""
    return {
        stage: getattr(config, section_of(config, stage)).updates
        for stage in method_of(config).stages
    }
