"""The policy of a snapshot as one function: observations and noise in, actions out."""

from __future__ import annotations

import torch
from torch import Tensor

from qipo_ray.agent import State
from qipo_ray.agent.acting import choosing_network
from qipo_ray.agent.blaming import blaming
from qipo_ray.agent.program_policy import ProgramPolicy
from qipo_ray.agent.sampling import scored_weights
from qipo_ray.agent.tensors import Normaliser
from qipo_ray.config import Config
from qipo_ray.config.evaluations import action_sampling
from qipo_ray.nets import Stack


class CheckpointPolicy(torch.nn.Module):
    """The policy of one behaviour or policy snapshot, on the CPU; its weights are never trained.

    All randomness comes in as noise, ``noise_dim`` numbers a state. With ``sampler.best_of`` the
    state is one of ``JobStore.acting``, which holds the run's critic, too.
    """

    def __init__(self, config: Config, state: State) -> None:
        super().__init__()
        self.config = config
        self.normaliser = Normaliser(**state["normaliser"])
        self.state_dim, self.action_dim = len(self.normaliser.mean), int(state["action_dim"])
        stage = state["stage"]
        self.noise_scale = action_sampling(config, stage).noise
        with blaming(config):
            self.network = choosing_network(config, self.state_dim, self.action_dim, stage)
            self.noise_dim = self.network.noise_dim
            if isinstance(self.network, ProgramPolicy):
                self.network.load(state["files"])
            stack = Stack(self.network.shapes, torch.device("cpu"), trainable=False)
            stack.append(scored_weights(config, state))
        # Apart from one another: exporters write what shares memory as often as it is shared.
        self.weights = {name: value.clone() for name, value in stack.params.items()}

    def forward(self, observations: Tensor, noise: Tensor) -> Tensor:
        """Return actions ``(B, A)`` for raw observations ``(B, S)``, noise ``(B, noise_dim)``.

        The noise is N(0, I) and is scaled here. Observations are normalised, and actions clipped,
        as the configuration says.
        """
        return self.at_normalised(self.normaliser(observations), noise)

    def at_normalised(self, states: Tensor, noise: Tensor) -> Tensor:
        """Return the same for observations that are normalised already."""
        # Departure D36: acting from less noise, or from none.
        scaled = noise if self.noise_scale == 1 else self.noise_scale * noise
        return self.network(self.weights, states.unsqueeze(0), scaled.unsqueeze(0)).squeeze(0)
