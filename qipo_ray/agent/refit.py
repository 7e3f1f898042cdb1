"""Q trained further between rounds, toward the actions of the policy as it is then.

The paper's Q stays that of the behaviour's support while rounds go on. Here Q follows, for some
updates, ``r + discount (1 - d) Q'(s', a')`` with one ``a'`` of the present policy: fitted Q
evaluation that goes on from the critic. Its targets start at Q as it is, its Adam anew.
"""

from __future__ import annotations

import torch
from torch import Tensor

from qipo_ray.agent.ensemble import twin_q
from qipo_ray.agent.evidence import held_out
from qipo_ray.agent.judge import loaded
from qipo_ray.agent.pack import Member, stream
from qipo_ray.agent.sampling import ActionSampler
from qipo_ray.agent.steps import Steps
from qipo_ray.agent.tensors import Tensors
from qipo_ray.nets import RowAdam, Stack
from qipo_ray.nets.stack import Params, backward


class Refit:
    """Refits the critics of members, one at a time; made once for a pack."""

    def __init__(self, member: Member, data: Tensors) -> None:
        config = member.config
        self.data = data
        self.q = twin_q(config, data.state_dim, data.action_dim)
        self.sampler = ActionSampler(config, data.state_dim, data.action_dim)
        self.steps = Steps.of(data, config.critic.n_step, config.critic.discount)

    def __call__(self, member: Member, critic: Tensor, policy: Params, now: int) -> Tensor:
        """Return the flat rows ``(2K, W)`` of a member's critic, trained on before round ``now``.

        ``policy`` are the weights of the one policy whose actions Q is asked about.
        """
        settings, device = member.config.critic, self.data.device
        generator = stream(member.seed, "policy", "refit", now, device=device)
        target = loaded(self.q.shapes, critic, device)
        online = Stack(self.q.shapes, device, trainable=True)
        adam = RowAdam(online)
        online.append(critic)
        adam.append(settings.learning_rate, [adam.fresh() for _ in range(online.rows)])
        rows = self._rows_of(member)
        for _ in range(member.config.policy.refit_updates):
            spots = torch.randint(
                len(rows), (settings.batch_size,), generator=generator, device=device
            )
            batch = rows[spots].unsqueeze(0)
            follow = self._wanted(target.params, policy, batch, generator).unsqueeze(2)
            states, actions = self.data.states[batch], self.data.actions[batch].unsqueeze(2)
            q = self.q(online.params, states, actions).squeeze(-1).unflatten(1, (-1, 2))
            backward((q - follow).square().mean(3).mean(2).sum(1), [online])
            adam.step()
            target.flat.lerp_(online.flat, settings.polyak)
        return online.flat.detach()

    def _rows_of(self, member: Member) -> Tensor:
        """Return the rows that the member's Q is trained on."""
        share = member.config.critic.held_out
        if not share:
            return torch.arange(self.data.rows, device=self.data.device)
        return (~held_out(self.data, share, member.seed)).nonzero().squeeze(1)

    @torch.no_grad()
    def _wanted(
        self, target: Params, policy: Params, rows: Tensor, generator: torch.Generator
    ) -> Tensor:
        """Return what each pair follows at rows ``(1, B)`` of the data, ``(1, K, B)``."""
        following, dim = self.steps.following[rows], self.sampler.noise_dim
        noise = torch.randn(*rows.shape, dim, generator=generator, device=rows.device)
        actions = self.sampler(policy, following, noise).unsqueeze(2)
        value = self.q.lowest(target, following, actions).squeeze(-1)
        rewards, carry = self.steps.rewards[rows], self.steps.carry[rows]
        return rewards.unsqueeze(1) + carry.unsqueeze(1) * value
