"""The network of energies: its slope against automatic gradients."""

from __future__ import annotations

import pytest
import torch

from qipo_ray.nets import Stack
from qipo_ray.nets.energy_net import EnergyNet


@pytest.mark.parametrize("layers", [1, 3])
def test_the_slope_of_an_energy_is_its_gradient(layers: int) -> None:
    """For each of two members, at times of their own."""
    net, draws = EnergyNet(5, 2, 16, layers), torch.Generator().manual_seed(0)
    pack = Stack(net.shapes, torch.device("cpu"), trainable=False)
    for _ in range(2):
        pack.append(pack.pack_row(net.fresh(draws)))
    states, x = (torch.randn(2, 7, size, generator=draws) for size in (5, 2))
    t = torch.rand(2, 7, generator=draws)
    x.requires_grad_()
    (expected,) = torch.autograd.grad(net(pack.params, states, x, t).sum(), x)
    torch.testing.assert_close(net.slope(pack.params, states, x, t), expected)
    assert expected.abs().min() > 0
