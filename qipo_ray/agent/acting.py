"""How a trained policy of any method acts: from noise through its flow, or in one pass.

By switch a network that was distilled from it acts in its place; by another several actions are
drawn, and its run's critic chooses among them.
"""

from __future__ import annotations

from qipo_ray.agent.best_of_n import BestByQ
from qipo_ray.agent.pack import State
from qipo_ray.agent.sampling import ActingNetwork, ActionSampler, scored_weights
from qipo_ray.config import Config, method_of
from qipo_ray.config.run_methods import acting_weights
from qipo_ray.nets.mlp import OneStepPolicy


def acting_network(
    config: Config, state_dim: int, action_dim: int, stage: str = "policy"
) -> ActingNetwork:
    """Return what makes one action in a configuration's method; before its stage, the clone."""
    if stage != "policy":
        return ActionSampler(config, state_dim, action_dim)
    network: ActingNetwork = method_of(config).part("network")(config, state_dim, action_dim)
    return network


def one_step_network(config: Config, state_dim: int, action_dim: int) -> OneStepPolicy:
    """Return the network of one pass that a policy of the configuration is distilled into."""
    return OneStepPolicy(state_dim, action_dim, config.distil.width, config.distil.layers)


def choosing_network(
    config: Config, state_dim: int, action_dim: int, stage: str = "policy"
) -> ActingNetwork:
    """Return what acts; with ``sampler.best_of`` that is a choice by Q among several actions.

    With ``sampler.one_step`` a distilled network makes them, not the policy itself.
    """
    # Departure D46: a network of one pass acts that the policy was distilled into.
    one_step = stage == "policy" and config.sampler.one_step
    network: ActingNetwork = (
        one_step_network(config, state_dim, action_dim)
        if one_step
        else acting_network(config, state_dim, action_dim, stage)
    )
    count = config.sampler.best_of
    # Departure D45: the best of several actions of the policy by Q, in place of one.
    chooses = stage == "policy" and count > 1
    return BestByQ(config, network, state_dim, count) if chooses else network


def beside_critic(config: Config, policy: State, critic: State) -> State:
    """Return a policy's state with the weights of ``choosing_network`` that are scored."""
    state_dim, action_dim = len(policy["normaliser"]["mean"]), policy["action_dim"]
    network = choosing_network(config, state_dim, action_dim)
    assert isinstance(network, BestByQ)
    row = network.beside_critic(scored_weights(config, policy), critic)
    return {**policy, "weights": {acting_weights(config): row}}
