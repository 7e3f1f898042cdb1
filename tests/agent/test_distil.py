"""A one-step network learns what its policy makes of a noise: by plain torch, and in effect."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from fixtures.plain_torch import UPDATES, affines, assert_same, mlp
from torch.nn.functional import mse_loss

from qipo_ray.agent import Member, Pack, State, Tensors
from qipo_ray.agent.acting import choosing_network
from qipo_ray.agent.distil import DistilPack, distil
from qipo_ray.agent.judge import loaded
from qipo_ray.agent.pack import stream
from qipo_ray.config import Config

SMALL = (f"distil.updates={UPDATES}", "distil.width=16", "distil.layers=2", "distil.batch_size=32")
Configure = Callable[..., Config]
Trained = Callable[..., tuple[Pack, dict[str, State]]]


@pytest.fixture
def policy(trained: Trained, configure: Configure) -> State:
    pack, _ = trained("behaviour", [(7, configure())], 20)  # a clone's state has a policy's form
    return pack.state(0)


@pytest.mark.parametrize("noise", [0.0, 0.5])
def test_updates_are_those_of_plain_torch(
    configure: Configure, data: Tensors, policy: State, noise: float
) -> None:
    config = configure(*SMALL, f"sampler.noise={noise}", "evaluation.weights=ema")
    pack = DistilPack(config, data)
    pack.admit(Member(config, 3), {"policy": policy}, None)
    student = mlp(affines(pack, "online"))
    adam = torch.optim.Adam(student.parameters(), lr=1e-3)
    taught_by = loaded(pack.teacher.shapes, policy["weights"]["ema"]).params
    generator = stream(3, "distil", "draws")
    for update in range(UPDATES):
        pack.update()
        adam.param_groups[0]["lr"] = 1e-3 * (1 - update / UPDATES)
        states = data.states[torch.randint(data.rows, (32,), generator=generator)]
        start = noise * torch.randn(32, 2, generator=generator)
        with torch.no_grad():
            taught = pack.teacher(taught_by, states[None], start[None])[0].clamp(-1, 1)
        loss = mse_loss(student(torch.cat([states, start], 1)), taught)
        adam.zero_grad()
        loss.backward()
        adam.step()
        assert_same(student, pack, "online")
    assert torch.equal(pack.policy.flat, policy["weights"]["ema"])


@pytest.mark.slow
def test_it_learns_to_act_like_the_policy(
    configure: Configure, data: Tensors, policy: State
) -> None:
    changes = ("distil.updates=300", "distil.width=64", "distil.layers=2")
    config = configure(*changes, "sampler.one_step=true", "sampler.evaluations=2")
    state = distil(config, data, policy, 5)
    assert state["updates"] == 300 and state["stage"] == "distil"
    pack = DistilPack(config, data)
    noise = torch.randn(1, data.rows, 2, generator=stream(0, "test"))
    network = choosing_network(config, data.state_dim, data.action_dim)
    params = loaded(network.shapes, state["weights"]["online"]).params
    acted = network(params, data.states[None], noise)
    flow = loaded(pack.teacher.shapes, policy["weights"]["online"]).params
    taught = pack.teacher(flow, data.states[None], noise)
    assert (acted - taught).square().mean() < 0.05 * taught.var()
