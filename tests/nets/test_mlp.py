"""Plain networks against torch's own modules."""

from __future__ import annotations

import torch
from torch import nn

from qipo_ray.nets import Stack
from qipo_ray.nets.mlp import DirectPolicy, Mlp, OneStepPolicy


def module(stack: Stack, row: int, layers: int) -> nn.Sequential:
    """The network of one row as torch writes it."""
    parts: list[nn.Module] = []
    for name in (*(f"hidden{i}" for i in range(layers)), "out"):
        weight, bias = (stack.params[f"{name}.{kind}"][row] for kind in ("weight", "bias"))
        affine = nn.Linear(*weight.shape)
        affine.weight.data, affine.bias.data = weight.T.clone(), bias[0].clone()
        parts += [affine, nn.ReLU()]
    return nn.Sequential(*parts[:-1])


def test_every_row_is_the_plain_network() -> None:
    network, generator = Mlp(3, 2, 8, 2), torch.Generator().manual_seed(0)
    stack = Stack(network.shapes, torch.device("cpu"), trainable=False)
    stack.append(torch.cat([stack.pack_row(network.fresh(generator)) for _ in range(2)]))
    x = torch.randn(2, 5, 3, generator=generator)
    outputs = network(stack.params, x)
    for row in range(2):
        torch.testing.assert_close(outputs[row], module(stack, row, 2)(x[row]))


def test_a_direct_policy_is_in_the_box_and_deaf_to_noise() -> None:
    policy, generator = DirectPolicy(3, 2, 8, 1, spread=True), torch.Generator().manual_seed(1)
    stack = Stack(policy.shapes, torch.device("cpu"), trainable=False)
    weights = policy.fresh(generator)
    assert weights["log_std.shift"].eq(0).all()  # a deviation of 1
    stack.append(stack.pack_row(weights))
    states = 100 * torch.randn(1, 6, 3, generator=generator)
    actions = policy(stack.params, states, torch.randn(1, 6, 2, generator=generator))
    torch.testing.assert_close(actions[0], module(stack, 0, 1)(states[0]).tanh())
    assert actions.abs().max() <= 1
    assert torch.equal(actions, policy(stack.params, states))


def test_a_one_step_policy_reads_noise_and_is_cut() -> None:
    policy, generator = OneStepPolicy(3, 2, 8, 1), torch.Generator().manual_seed(1)
    stack = Stack(policy.shapes, torch.device("cpu"), trainable=False)
    stack.append(stack.pack_row(policy.fresh(generator)))
    states, noise = (10 * torch.randn(1, 6, k, generator=generator) for k in (3, 2))
    plain = module(stack, 0, 1)(torch.cat([states[0], noise[0]], 1))
    actions = policy(stack.params, states, noise)
    assert plain.abs().max() > 1 and torch.allclose(actions[0], plain.clamp(-1, 1), atol=1e-6)
    silent = policy(stack.params, states)
    assert torch.equal(silent, policy(stack.params, states, torch.zeros(1, 6, 2)))
    assert not torch.equal(silent, actions)
