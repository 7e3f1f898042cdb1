"""Stage 1, behaviour: clone the data with an unweighted flow or diffusion (paper, phase 1).

An average of the network goes along: by switch the later stages go on from it, and where the
policy's average is scored, so is this one. By switch only the episodes of highest return are
cloned, which users of this field try first.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

import torch
from torch import Tensor

from qipo_ray.agent.data_energy import episode_returns
from qipo_ray.agent.graphed import GraphedPack
from qipo_ray.agent.pack import FAR, Member, State, stream
from qipo_ray.agent.sampling import ActionSampler
from qipo_ray.agent.tensors import Tensors
from qipo_ray.config import Config
from qipo_ray.flow import regression_loss


def best_rows(data: Tensors, share: float) -> Tensor:
    """Return the rows of the ``share`` of episodes with the highest return, rising, ``(P,)``.

    Returns are sums of the rewards that are trained on, undiscounted. At least one episode; of
    equal ones the earlier.
    """
    episodes, returns = episode_returns(data)
    best = returns.argsort(descending=True, stable=True)[: max(1, round(share * len(returns)))]
    chosen = torch.zeros(len(returns), dtype=torch.bool, device=data.device)
    chosen[best] = True
    return chosen[episodes].nonzero().squeeze(1)


class BehaviourPack(GraphedPack):
    """Members that clone the data's actions."""

    stage = "behaviour"
    metric_names: ClassVar[tuple[str, ...]] = ("loss",)

    def __init__(self, config: Config, data: Tensors) -> None:
        super().__init__(config, data)
        self.batch_size = config.behaviour.batch_size
        self.sampler = ActionSampler(config, data.state_dim, data.action_dim)
        self.network = self.sampler.network
        self.online = self._stack("online", self.network.shapes, trainable=True)
        self.ema = self._stack("ema", self.network.shapes)
        self.best: list[Tensor | None] = []  # rows that are cloned, None: all

    def _start(self, member: Member, upstream: Mapping[str, State]) -> dict[str, Tensor]:
        share = member.config.behaviour.best_episodes
        # Departure D39: only the best episodes are cloned.
        self.best.append(None if share == 1 else best_rows(self.data, share))
        weights = self.network.fresh(stream(member.seed, self.stage, "weights"))
        row = self.online.pack_row(weights)
        return {"online": row, "ema": row}

    def _rate(self, config: Config) -> float:
        return config.behaviour.learning_rate

    def _limit(self, name: str) -> float:
        return FAR * self.data.action_dim if name == "loss" else super()._limit(name)

    def _forget(self, i: int) -> None:
        del self.best[i]

    def _changed(self) -> None:
        self.ema_rate = self.column([m.config.behaviour.ema_rate for m in self.members])

    def _draws(self) -> tuple[Tensor, ...]:
        rows = self._draw()
        noise = self.noise(self.batch_size, self.data.action_dim)
        return rows, noise, self.times(self.batch_size)

    def _loss_of(self, *draws: Tensor) -> tuple[Tensor, list[Tensor]]:
        rows, noise, times = draws
        states, actions = self.data.states[rows], self.data.actions[rows]
        field = self.sampler.field(self.online.params, states)
        per_sample = regression_loss(field, actions, noise, times)
        loss = per_sample.mean(1)
        return loss, [loss.detach()]

    def _draw(self) -> Tensor:
        """Return rows of the data ``(N, B)``, each member's from those that it clones."""
        rows, device = [], self.data.device
        for member, best in zip(self.members, self.best, strict=True):
            count = self.data.rows if best is None else len(best)
            # Departure D40: rows are drawn with replacement.
            spot = torch.randint(
                count, (self.batch_size,), generator=member.generator, device=device
            )
            rows.append(spot if best is None else best[spot])
        return torch.stack(rows)

    def _after(self) -> None:
        self.ema.flat.lerp_(self.online.flat, self.ema_rate)
