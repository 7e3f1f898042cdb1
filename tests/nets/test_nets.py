"""Stacked networks against plain PyTorch modules, member by member."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor, nn

from qipo_ray.nets import RowAdam, Stack, TwinQ, parameter_count, policy_net
from qipo_ray.nets.stack import linear, linear_shapes


def generator(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def stack_of(net: object, count: int, *, trainable: bool = True) -> Stack:
    stack = Stack(net.shapes, torch.device("cpu"), trainable=trainable)  # type: ignore[attr-defined]
    for i in range(count):
        stack.append(stack.pack_row(net.fresh(generator(i))))  # type: ignore[attr-defined]
    return stack


def test_the_unet_has_the_papers_number_of_parameters() -> None:
    net = policy_net("unet", 17, 6, 512, 0)
    trained = {k: v for k, v in net.shapes.items() if not k.endswith(".frozen")}
    assert parameter_count(trained) == 1_634_278


@pytest.mark.parametrize("network", ["residual", "unet"])
def test_members_do_not_touch(network: str) -> None:
    """A member's output and gradient are those of a stack of one; a NaN member harms none."""
    net = policy_net(network, 5, 2, 32, 2)
    pack = stack_of(net, 3)
    states, x = (
        torch.randn(3, 7, 5, generator=generator(1)),
        torch.randn(3, 7, 2, generator=generator(2)),
    )
    t = torch.rand(3, 7, generator=generator(3))
    pack.flat[2] = math.nan
    pack.backward((net(pack.params, states, x, t) - 1).square().mean((1, 2)))
    for i in range(2):
        alone = stack_of(net, 0)
        alone.append(pack.flat[i : i + 1].clone())
        part = slice(i, i + 1)
        alone.backward(
            (net(alone.params, states[part], x[part], t[part]) - 1).square().mean((1, 2))
        )
        torch.testing.assert_close(pack.grad[part], alone.grad, rtol=1e-4, atol=1e-6)
        assert alone.grad.abs().sum() > 0


def test_the_unet_is_the_papers_layer_list() -> None:
    """Modules of plain PyTorch, joined as the paper's code joins them, at its full size."""
    net = policy_net("unet", 17, 6, 512, 0)
    members = [net.fresh(generator(i)) for i in range(2)]
    stack = Stack(net.shapes, torch.device("cpu"), trainable=False)
    for weights in members:
        stack.append(stack.pack_row(weights))
    s, x = torch.randn(2, 9, 17, generator=generator(5)), torch.randn(2, 9, 6)
    t = torch.rand(2, 9, generator=generator(6))
    out = net(stack.params, s, x, t)
    for i, weights in enumerate(members):
        plain = PlainUNet(17, 6)
        own = dict(plain.named_parameters())
        assert sum(p.numel() for p in own.values()) == 1_634_278
        for name, parameter in own.items():
            value = weights[name]
            parameter.data = value[0].clone() if name.endswith("bias") else value.T.clone()
        expected = plain(s[i], x[i], t[i], weights["frequency.frozen"][0]).detach()
        torch.testing.assert_close(out[i], expected, rtol=1e-5, atol=1e-6)
        frequencies = weights["frequency.frozen"]
        assert frequencies.shape == (1, 16) and 15 < float(frequencies.std()) < 50


class PlainUNet(nn.ModuleDict):
    """512/256/128 with a condition of 128 from 32 of time and 32 of the state."""

    def __init__(self, state: int, action: int) -> None:
        super().__init__()
        blocks = {"d1": (action, 512), "d2": (512, 256), "d3": (256, 128), "mid": (128, 128),
                  "u2": (256, 256), "u1": (512, 512)}  # fmt: skip
        self["time"], self["state"] = nn.Linear(32, 32), nn.Linear(state, 32)
        self["condition"] = nn.ModuleDict({"a": nn.Linear(64, 128), "b": nn.Linear(128, 128)})
        for name, (inputs, outputs) in blocks.items():
            parts = {"in": nn.Linear(inputs, outputs), "condition": nn.Linear(128, outputs),
                     "out": nn.Linear(outputs, outputs)}  # fmt: skip
            if inputs != outputs:
                parts["skip"] = nn.Linear(inputs, outputs)
            self[name] = nn.ModuleDict(parts)
        self["out"] = nn.Linear(1024, action)

    def forward(self, s: Tensor, x: Tensor, t: Tensor, frequencies: Tensor) -> Tensor:
        silu = nn.functional.silu
        angle = t[:, None] * frequencies * 2 * math.pi
        time = self["time"](torch.cat([angle.sin(), angle.cos()], 1))
        c = torch.cat([time, silu(self["state"](s))], 1)
        c = self["condition"]["b"](silu(self["condition"]["a"](c)))

        def block(name: str, h: Tensor) -> Tensor:
            part = self[name]
            inner = silu(part["in"](h)) + part["condition"](silu(c))
            return silu(part["out"](inner)) + (part["skip"](h) if "skip" in part else h)

        d1 = block("d1", x)
        d2 = block("d2", d1)
        d3 = block("d3", d2)
        u2 = block("u2", torch.cat([d3, block("mid", d3)], 1))
        u1 = block("u1", torch.cat([d2, u2], 1))
        return self["out"](torch.cat([d1, u1], 1))


def test_the_residual_network_is_the_written_formula() -> None:
    net = policy_net("residual", 3, 2, 16, 1)
    weights = net.fresh(generator(0))
    weights["out.weight"].normal_(generator=generator(5))
    stack = Stack(net.shapes, torch.device("cpu"), trainable=False)
    stack.append(stack.pack_row(weights))
    s, x, t = torch.randn(1, 4, 3), torch.randn(1, 4, 2), torch.rand(1, 4)
    frequencies = torch.exp(torch.linspace(0, math.log(64), 16))
    features = torch.cat([s[0], x[0], torch.sin(t[0][:, None] * frequencies),
                          torch.cos(t[0][:, None] * frequencies)], 1)  # fmt: skip

    def affine(name: str, h: Tensor) -> Tensor:
        return h @ weights[f"{name}.weight"] + weights[f"{name}.bias"]

    silu = nn.functional.silu
    h = affine("in", features)
    h = h + affine("block0.b", silu(affine("block0.a", silu(h))))
    torch.testing.assert_close(net(stack.params, s, x, t)[0], affine("out", silu(h)))


@pytest.mark.parametrize("norm", [False, True])
def test_twin_q_equals_two_plain_mlps(norm: bool) -> None:
    q = TwinQ(4, 2, 16, 2, norm=norm, pairs=1)
    stack = Stack(q.shapes, torch.device("cpu"), trainable=False)
    twins = [q.fresh(generator(i)) for i in range(4)]  # two members
    for weights in twins:
        stack.append(stack.pack_row(weights))
    states, actions = torch.randn(2, 3, 4), torch.randn(2, 3, 5, 2)
    values = q(stack.params, states, actions)
    assert values.shape == (2, 2, 3, 5)
    for row, weights in enumerate(twins):
        member, twin = divmod(row, 2)
        layers: list[nn.Module] = []
        for name, inputs, outputs in (("hidden0", 6, 16), ("hidden1", 16, 16), ("out", 16, 1)):
            layer = nn.Linear(inputs, outputs)
            layer.weight.data = weights[f"{name}.weight"].T.clone()
            layer.bias.data = weights[f"{name}.bias"][0].clone()
            layers.append(layer)
            if name != "out":
                layers += [nn.LayerNorm(16)] if norm else []
                layers.append(nn.ReLU())
        x = torch.cat([actions[member], states[member][:, None].expand(-1, 5, -1)], -1)
        expected = nn.Sequential(*layers)(x)[..., 0].detach()
        torch.testing.assert_close(values[member, twin], expected, rtol=1e-4, atol=1e-5)


def test_row_adam_is_torch_adam_with_a_rate_of_its_own() -> None:
    shapes = linear_shapes("a", 3, 2)
    stack = Stack(shapes, torch.device("cpu"), trainable=True)
    adam = RowAdam(stack)
    modules, optimisers = [], []
    for i, rate in enumerate((1e-2, 3e-3)):
        module = nn.Linear(3, 2)
        modules.append(module)
        optimisers.append(torch.optim.Adam(module.parameters(), lr=rate))
        row = {"a.weight": module.weight.data.T, "a.bias": module.bias.data[None]}
        stack.append(stack.pack_row(row))
        adam.append(rate, [adam.fresh()])
        assert stack.rows == i + 1
    for step in range(5):
        x = torch.randn(2, 6, 3, generator=generator(step))
        stack.backward(linear(stack.params, "a", x).square().sum((1, 2)))
        adam.step()
        for i, (module, optimiser) in enumerate(zip(modules, optimisers, strict=True)):
            optimiser.zero_grad()
            module(x[i]).square().sum().backward()
            optimiser.step()
    for i, module in enumerate(modules):
        torch.testing.assert_close(stack.params["a.weight"][i], module.weight.T)


def test_a_new_rate_holds_from_the_next_step_and_for_new_rows() -> None:
    """Adam's first step is the rate itself, whatever the gradient's size."""
    stack = Stack({"w": (1,)}, torch.device("cpu"), trainable=True)
    adam = RowAdam(stack)
    stack.append(torch.zeros(1, stack.width))
    adam.append(0.5, [adam.fresh()])
    adam.set_rates([0.125])
    stack.backward(3 * stack.params["w"].sum(1))
    adam.step()
    torch.testing.assert_close(stack.params["w"].detach(), torch.tensor([[-0.125]]))
    adam.keep([0])
    assert adam.rates == [0.125] and adam.adam.param_groups[0]["lr"] == 0.125


def test_a_row_rests_with_its_moments_and_goes_on_as_if_it_had_not() -> None:
    stack = Stack({"w": (3,)}, torch.device("cpu"), trainable=True)
    adam = RowAdam(stack)
    stack.append(torch.randn(1, stack.width, generator=generator(0)).repeat(2, 1))
    adam.append(0.5, [adam.fresh(), adam.fresh()])

    def step() -> None:
        stack.backward(stack.params["w"].square().sum(1))
        adam.step()

    step()
    adam.rest({1})
    before, moments = stack.flat.detach().clone(), adam.moments(1, 2)
    step()
    moved = stack.flat.detach() != before
    assert moved[0, :3].all() and not moved[1].any()
    for name, value in adam.moments(1, 2)[0].items():
        assert torch.equal(value, moments[0][name])
    ahead = stack.flat.detach()[0].clone()
    adam.rest(())
    step()
    assert torch.equal(stack.flat.detach()[1], ahead)


def test_rows_come_and_go_and_the_others_stay_bit_for_bit() -> None:
    shapes = linear_shapes("a", 3, 2)

    def train(stack: Stack, adam: RowAdam, seeds: list[int]) -> None:
        for step in range(3):
            x = torch.stack([torch.randn(6, 3, generator=generator(99 * s + step)) for s in seeds])
            stack.backward(linear(stack.params, "a", x).square().sum((1, 2)))
            adam.step()

    def begin(rows: int) -> tuple[Stack, RowAdam]:
        stack = Stack(shapes, torch.device("cpu"), trainable=True)
        adam = RowAdam(stack)
        for i in range(rows):
            row = torch.full((1, stack.width), float(i + 1))
            stack.append(row)
            adam.append(1e-2, [adam.fresh()])
        return stack, adam

    stack, adam = begin(3)
    train(stack, adam, [0, 1, 2])
    stack.keep([0, 2])
    adam.keep([0, 2])
    train(stack, adam, [0, 2])
    other, other_adam = begin(3)
    train(other, other_adam, [0, 1, 2])
    train(other, other_adam, [0, 1, 2])
    assert torch.equal(stack.flat, other.flat[[0, 2]])
    saved, expected = adam.moments(0, 2), other_adam.moments(0, 3)
    assert all(torch.equal(saved[1][k], expected[2][k]) for k in saved[1])
