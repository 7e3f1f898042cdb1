"""Actions from a policy: the solver, the network and the clip in one place."""

from __future__ import annotations

from torch import Tensor

from qipo_ray.config import Behaviour, Config
from qipo_ray.flow import Field, draw, path_named
from qipo_ray.nets import PolicyNet, policy_net
from qipo_ray.nets.stack import Params


def network_of(behaviour: Behaviour, state_dim: int, action_dim: int) -> PolicyNet:
    """Return the policy network of a configuration; behaviour and policy stage share its form."""
    return policy_net(behaviour.network, state_dim, action_dim, behaviour.width, behaviour.blocks)


class ActionSampler:
    """Draws actions from members' policies: one action a state, from noise."""

    def __init__(self, config: Config, state_dim: int, action_dim: int) -> None:
        self.path, self.predicts = path_named(config.behaviour.path), config.predicts
        self.network = network_of(config.behaviour, state_dim, action_dim)
        self.solver, self.evaluations = config.solver, config.sampler.evaluations
        self.clip = config.sampler.clip

    def __call__(self, params: Params, states: Tensor, noise: Tensor) -> Tensor:
        """Return actions ``(N, R, A)`` for normalised states ``(N, R, S)``, noise ``(N, R, A)``.

        Clipped to [-1, 1] where the configuration says so.
        """

        def network(x: Tensor, t: Tensor) -> Tensor:
            return self.network(params, states, x, t.expand(x.shape[:-1]))

        field = Field(self.path, self.predicts, network)
        actions = draw(field, noise, self.solver, self.evaluations)
        # Departure D8: the paper's code leaves clipping to the simulator.
        return actions.clamp(-1, 1) if self.clip else actions
