"""QGPO, a baseline: the clone's flow, guided by the gradient of an energy of noised actions.

Lu et al., "Contrastive Energy Prediction for Exact Energy-Guided Diffusion Sampling in Offline
Reinforcement Learning" (ICML 2023), and its published code. QIPO's clone and critic are its own.
The policy stage draws support actions from the clone once, and trains f(s, a_t, t) by which of a
state's actions carries how much of ``softmax(beta Q)``, all noised for the same time. The policy
``mu exp(beta Q)`` has the clone's score plus the gradient of f.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from qipo_ray.agent.judge import Judge, loaded
from qipo_ray.agent.pack import FAR, Member, State, stream
from qipo_ray.agent.sampling import ActionSampler, cloned_weights
from qipo_ray.agent.support import FINITE, SupportPack, WeightedSet, chunks
from qipo_ray.agent.tensors import Tensors
from qipo_ray.config import Config
from qipo_ray.flow import contrastive_loss, effective_sample_size, support_weights
from qipo_ray.nets.energy_net import EnergyNet
from qipo_ray.nets.stack import Params, joined, part_of


class GuidedSampler:
    """A policy of two networks: the clone's flow, and the energy that bends it."""

    def __init__(self, config: Config, state_dim: int, action_dim: int) -> None:
        settings = config.qgpo
        self.clone, self.guidance = ActionSampler(config, state_dim, action_dim), settings.guidance
        self.net = EnergyNet(state_dim, action_dim, settings.width, settings.layers)
        self.shapes = joined(clone=self.clone.network.shapes, energy=self.net.shapes)
        self.action_dim = self.noise_dim = action_dim

    def __call__(self, params: Params, states: Tensor, noise: Tensor) -> Tensor:
        """Return actions ``(N, R, A)`` for states ``(N, R, S)`` and noise ``(N, R, A)``."""
        field = self.clone.field(part_of(params, "clone"), states)

        def pull(x: Tensor, t: Tensor) -> Tensor:
            return self.guidance * self.pull(params, states, x, t.expand(x.shape[:-1]))

        return self.clone.along(field.guided(pull), noise)

    def energy(self, params: Params, states: Tensor, x: Tensor, t: Tensor) -> Tensor:
        """Return f ``(N, R)`` of states ``(N, R, S)``, noised actions ``(N, R, A)`` and times."""
        return self.net(part_of(params, "energy"), states, self._input(x, t), t)

    def pull(self, params: Params, states: Tensor, x: Tensor, t: Tensor) -> Tensor:
        """Return the gradient of f by the noised actions over alpha, ``(N, R, A)``."""
        slope = self.net.slope(part_of(params, "energy"), states, self._input(x, t), t)
        return slope if self.clone.path.only_noise_at_one else slope / self._alpha(t)

    def _input(self, x: Tensor, t: Tensor) -> Tensor:
        """Return noised actions as the energy network sees them."""
        # Departure B9: times alpha where that falls to 0, so that the gradient falls with it.
        return self._alpha(t) * x if self.clone.path.only_noise_at_one else x

    def _alpha(self, t: Tensor) -> Tensor:
        return self.clone.path.coefficients(t.unsqueeze(-1))[0]


class QGPOPack(SupportPack[WeightedSet]):
    """Members that train an energy beside a clone that stays; each holds one support set."""

    stage = "policy"
    metric_names = ("loss", "ess", "support_q", "support_q_std")

    def __init__(self, config: Config, data: Tensors) -> None:
        super().__init__(config, data)
        self.batch_size = config.qgpo.batch_size
        self.guide = GuidedSampler(config, data.state_dim, data.action_dim)
        # Of it the clone has no gradient, so Adam leaves it as it is, to the bit.
        self.online = self._stack("online", self.guide.shapes, trainable=True)
        self.ema = self._stack("ema", self.guide.shapes)  # the clone's average, the same energy
        self.prior = self._stack("behaviour", self.sampler.network.shapes, saved=False)
        self.judges: list[Judge] = []

    def _start(self, member: Member, upstream: Mapping[str, State]) -> dict[str, Tensor]:
        # Departure B8: Q is that of a finished critic stage, by its online twins.
        self.judges.append(Judge(member.config, upstream["critic"], self.data.device))
        energy = self.guide.net.fresh(stream(member.seed, "qgpo", "weights"))
        behaviour, rows = upstream["behaviour"], {}
        for name in ("online", "ema"):
            clone = loaded(self.sampler.network.shapes, behaviour["weights"][name]).params
            rows[name] = self.online.pack_row(joined(clone=clone, energy=energy))
        return {**rows, "behaviour": cloned_weights(member.config, behaviour)}

    def _rate(self, config: Config) -> float:
        return config.qgpo.learning_rate

    def _limit(self, name: str) -> float:
        return {"loss": FAR, "support_q": FINITE}.get(name, super()._limit(name))

    def _forget(self, i: int) -> None:
        super()._forget(i)
        del self.judges[i]

    def _before(self) -> None:
        for i, support in enumerate(self.support):
            if support is None:
                self.support[i] = self._weighed(i)

    @torch.no_grad()
    def _weighed(self, i: int) -> WeightedSet:
        """Return actions of the clone with the weights ``softmax(beta Q)`` that f is to tell."""
        drawn = self._drawn(i, 0, self.prior, self.data.states)
        pool, actions, judge = drawn.pool, drawn.actions, self.judges[i]
        values = torch.cat(
            [
                judge.value(self.data.states[part], actions[start : start + len(part)].float())
                for start, part in chunks(pool, actions.shape[1])
            ]
        )
        # A diverged Q ends its own member at its next metrics, not the whole pack.
        sound = torch.where(values.abs() < FINITE, values, 0)
        beta = self.column([self.members[i].config.qgpo.beta])
        weights = support_weights(sound.unsqueeze(0), beta)[0]
        spread = values.std(-1, correction=int(values.shape[-1] > 1)).mean()
        health = torch.stack([effective_sample_size(weights).mean(), values.mean(), spread])
        return WeightedSet(0, pool, actions, weights, health, rests=False)

    def _draws(self) -> tuple[Tensor, ...]:
        """Return rows ``(N, B)``, actions, weights, times ``(N, B)``, noise, health ``(N, H)``."""
        rows, actions, weights, health = [], [], [], []
        sets = [support for support in self.support if support is not None]
        for member, support in zip(self.members, sets, strict=True):
            g, device = member.generator, self.data.device
            spot = torch.randint(len(support.pool), (self.batch_size,), generator=g, device=device)
            rows.append(support.pool[spot])
            actions.append(support.actions[spot].float())
            weights.append(support.weights[spot])
            health.append(support.health)
        drawn = torch.stack(actions)
        times, noise = self.times(self.batch_size), self.noise(*drawn[0].flatten(0, 1).shape)
        return torch.stack(rows), drawn, torch.stack(weights), times, noise, torch.stack(health)

    def _loss_of(self, *draws: Tensor) -> tuple[Tensor, list[Tensor]]:
        rows, actions, weights, times, noise, health = draws
        n, b, m, _ = actions.shape
        times = times.unsqueeze(-1).expand(n, b, m).reshape(n, b * m)
        x = self.guide.clone.path.noised(actions.flatten(1, 2), noise, times)
        states = self.data.states[rows].unsqueeze(2).expand(-1, -1, m, -1).flatten(1, 2)
        energies = self.guide.energy(self.online.params, states, x, times)
        loss = contrastive_loss(energies.view(n, b, m), weights)
        return loss, [loss.detach(), *health.T]

    def _after(self) -> None:
        split = self.prior.width
        self.ema.flat[:, split:] = self.online.flat[:, split:]
