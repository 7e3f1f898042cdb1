"""Actions from a policy: which weights, and the network, the solver and the clip in one place."""

from __future__ import annotations

from typing import Protocol

from torch import Tensor

from qipo_ray.agent.pack import State
from qipo_ray.config import Behaviour, Config
from qipo_ray.config.run_methods import acting_weights
from qipo_ray.flow import Field, draw, path_named
from qipo_ray.nets import PolicyNet, policy_net
from qipo_ray.nets.stack import Params, Shapes


def network_of(behaviour: Behaviour, state_dim: int, action_dim: int) -> PolicyNet:
    """Return the policy network of a configuration; behaviour and policy stage share its form."""
    return policy_net(behaviour.network, state_dim, action_dim, behaviour.width, behaviour.blocks)


def cloned_weights(config: Config, behaviour: State) -> Tensor:
    """Return the flat weights ``(1, W)`` of cloning that the later stages go on from."""
    # Departure D35: the last network, or by switch its average.
    weights: Tensor = behaviour["weights"][config.behaviour.weights]
    return weights


def scored_weights(config: Config, state: State) -> Tensor:
    """Return the flat weights ``(1, W)`` of cloning or of a policy that are scored."""
    # Departure D33: averages can be scored; the paper's code scores the online networks.
    weights: Tensor = state["weights"][acting_weights(config)]
    return weights


class ActingNetwork(Protocol):
    """Actions ``(N, R, A)`` for normalised states ``(N, R, S)``, noise ``(N, R, noise_dim)``."""

    action_dim: int
    noise_dim: int  # numbers from N(0, 1) that an action is made of

    @property
    def shapes(self) -> Shapes:
        """The shapes of its weights."""

    def __call__(self, params: Params, states: Tensor, noise: Tensor) -> Tensor:
        """Return the actions."""


class ActionSampler:
    """Draws actions from members' policies: one action a state, from noise."""

    def __init__(self, config: Config, state_dim: int, action_dim: int) -> None:
        self.path, self.predicts = path_named(config.behaviour.path), config.predicts
        self.network = network_of(config.behaviour, state_dim, action_dim)
        self.shapes = self.network.shapes
        self.solver, self.evaluations = config.solver, config.sampler.evaluations
        self.clip = config.sampler.clip
        self.action_dim = self.noise_dim = action_dim

    def field(self, params: Params, states: Tensor) -> Field:
        """Return the members' flow at normalised states ``(N, P, S)``, for ``x (N, R, A)``.

        A state is that of R / P rows of ``x`` that follow one another; so are times, ``(N, P)``.
        """

        def network(x: Tensor, t: Tensor) -> Tensor:
            return self.network(params, states, x, t.expand(states.shape[:-1]))

        return Field(self.path, self.predicts, network)

    def __call__(self, params: Params, states: Tensor, noise: Tensor) -> Tensor:
        """Return actions ``(N, R, A)`` for normalised states ``(N, P, S)``, noise ``(N, R, A)``.

        Each state gets R / P actions, clipped to [-1, 1] where the configuration says so.
        """
        return self.along(self.field(params, states), noise)

    def along(self, field: Field, noise: Tensor) -> Tensor:
        """Return actions ``(N, R, A)`` that a field makes of noise ``(N, R, A)``."""
        actions = draw(field, noise, self.solver, self.evaluations)
        # Departure D8: the paper's code leaves clipping to the simulator.
        return actions.clamp(-1, 1) if self.clip else actions
