"""The critic with a value network: its loss is IQL's, and no action is drawn for it."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from qipo_ray.agent import Member, Pack, State, Tensors
from qipo_ray.agent.iql import IQLPack
from qipo_ray.agent.value_critic import ValueCriticPack
from qipo_ray.config import Config

Configure = Callable[..., Config]
Trained = Callable[..., tuple[Pack, dict[str, State]]]
VALUE = ("critic.target=value", "critic.layer_norm=false", "critic.expectile=0.8")


def swapped(pack: IQLPack, rows: Tensor) -> Tensor:
    """Rows of twins that read [action, state] as those of IQL, which read [state, action]."""
    stack, actions = pack.critic, pack.data.action_dim
    flat = rows.clone()
    first = stack._view(flat, "hidden0.weight")
    first.copy_(torch.cat([first[:, actions:], first[:, :actions]], 1))
    return flat


def test_the_loss_is_that_of_iql(
    configure: Configure, trained: Trained, data: Tensors, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Same weights, same batch, here and there: losses and gradients to 1e-6."""
    pack, _ = trained("critic", [(3, configure(*VALUE, "critic.returns_updates=5"))], 20)
    assert isinstance(pack, ValueCriticPack) and pack.support == [None]
    config = configure(
        "policy.method=iql", "iql.width=16", "iql.layers=2", "iql.expectile=0.8",
        "iql.batch_size=32",
    )  # fmt: skip
    iql = IQLPack(config, data)
    iql.admit(Member(config, 3), {}, None)
    iql.critic.flat.copy_(swapped(iql, pack.online.flat))
    iql.target.flat.copy_(swapped(iql, pack.target.flat))
    iql.value.flat.copy_(pack.value.flat)
    assert not torch.equal(iql.critic.flat, iql.target.flat)
    (rows,) = pack._draws()
    monkeypatch.setattr(pack, "_draws", lambda: (rows,))
    monkeypatch.setattr(iql, "rows", lambda _: rows)
    (_, metrics), (_, expected) = pack._losses(), iql._losses()
    own = dict(zip(pack.metric_names, metrics, strict=True))
    other = dict(zip(iql.metric_names, expected, strict=True))
    for name, theirs in (("loss", "q_loss"), ("v_loss", "v_loss"), ("q_data", "q_data")):
        torch.testing.assert_close(own[name], other[theirs], rtol=1e-6, atol=1e-6)
    pack.update()
    iql.update()
    torch.testing.assert_close(
        swapped(iql, pack.online.grad), iql.critic.grad, rtol=1e-5, atol=1e-6
    )
    torch.testing.assert_close(pack.value.grad, iql.value.grad, rtol=1e-5, atol=1e-6)
    assert pack.value.grad.abs().max() > 1e-3


def test_it_is_in_single_precision_whatever_the_policy_is_in(
    configure: Configure, trained: Trained
) -> None:
    ends = []
    for precision in ("float32", "bfloat16"):
        config = configure(*VALUE, f"compute.precision={precision}")
        pack, _ = trained("critic", [(3, config)], 4)
        ends.append(pack.state(0)["weights"])
    assert all(torch.equal(ends[0][name], ends[1][name]) for name in ("online", "value"))


def test_v_starts_at_the_mean_return_and_is_trained_beside_the_regression(
    configure: Configure, trained: Trained, data: Tensors
) -> None:
    """Members in the first part and beyond it, in one pack."""
    configs = [configure(*VALUE, f"critic.returns_updates={updates}") for updates in (60, 3)]
    pack, _ = trained("critic", [(3, config) for config in configs], 0)
    assert isinstance(pack, ValueCriticPack)
    bias = pack.value.params["out.bias"].flatten()
    assert torch.allclose(bias, data.returns.mean())
    before = pack.value.flat.clone()
    for _ in range(20):
        pack.update()
    assert (pack.value.flat != before).any(1).all() and pack.support == [None, None]
    for i, config in enumerate(configs):
        assert pack.metrics(i).keys() == {"loss", "q_data", "target", "v_loss", "grad_norm"}
        alone, _ = trained("critic", [(3, config)], 20)
        torch.testing.assert_close(
            pack.state(i)["weights"], alone.state(0)["weights"], rtol=1e-5, atol=1e-5
        )
