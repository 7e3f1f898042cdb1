"""Rows of weights: the (N, P) matrix behind every network of a pack."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from itertools import islice
from typing import TypeVar

import torch
from torch import Tensor

Shapes = Mapping[str, tuple[int, ...]]
Params = Mapping[str, Tensor]
Value = TypeVar("Value")
ALIGN = 16  # floats; each matrix starts on a cache line


def parameter_count(shapes: Shapes) -> int:
    """Return the number of weights of one network, without padding."""
    return sum(math.prod(shape) for shape in shapes.values())


class Stack:
    """N copies of one network: ``flat`` is ``(N, P)``, ``params[name]`` is ``(N, *shape)``.

    The named tensors are views of ``flat``. In a trainable stack they are leaves, and ``backward``
    fills ``grad``, a matrix of the same form.
    """

    def __init__(self, shapes: Shapes, device: torch.device, *, trainable: bool) -> None:
        self.shapes, self.trainable = dict(shapes), trainable
        self.offsets, end = {}, 0
        for name, shape in self.shapes.items():
            self.offsets[name] = end
            end += -(-math.prod(shape) // ALIGN) * ALIGN
        self.width = end
        self._bind(torch.zeros(0, end, device=device))

    def _bind(self, flat: Tensor) -> None:
        self.flat = flat
        self.grad = torch.zeros_like(flat) if self.trainable else flat.new_zeros(0)
        self.params: dict[str, Tensor] = {}
        for name in self.shapes:
            view = self._view(flat, name)
            if self.trainable:
                view = view.detach().requires_grad_()
            self.params[name] = view

    def _view(self, flat: Tensor, name: str) -> Tensor:
        start, shape = self.offsets[name], self.shapes[name]
        view: Tensor = flat[:, start : start + math.prod(shape)].unflatten(1, shape)
        return view

    @property
    def rows(self) -> int:
        """The number of networks."""
        return self.flat.shape[0]

    def append(self, rows: Tensor) -> None:
        """Add ``rows`` ``(r, P)`` at the end."""
        self._bind(torch.cat([self.flat, rows.to(self.flat)]))

    def keep(self, index: Sequence[int]) -> None:
        """Keep the rows of ``index``, in its order."""
        self._bind(self.flat[list(index)].contiguous())

    def backward(self, loss: Tensor) -> None:
        """Fill ``grad`` with the gradients of ``loss`` ``(N,)``, each member's of its own loss."""
        backward(loss, [self])

    def take(self, gradients: Iterable[Tensor | None]) -> None:
        """Fill ``grad`` with the gradients of the leaves, in their order."""
        for name, gradient in zip(self.params, gradients, strict=True):
            if gradient is not None:  # frozen weights stay at gradient 0
                self._view(self.grad, name).copy_(gradient)

    def slice(self, start: int, stop: int) -> dict[str, Tensor]:
        """Return the named weights of rows ``start`` to ``stop``, detached, no copy."""
        return {name: value.detach()[start:stop] for name, value in self.params.items()}

    def pack_row(self, weights: Params) -> Tensor:
        """Return a row ``(1, P)`` holding the named weights of one network."""
        row = torch.zeros(1, self.width)
        for name, value in weights.items():
            self._view(row, name).copy_(value)
        return row


def backward(loss: Tensor, stacks: Sequence[Stack]) -> None:
    """Fill the stacks' ``grad`` with the gradients of ``loss (N,)``, each member's of its own."""
    leaves = [leaf for stack in stacks for leaf in stack.params.values()]
    gradients = iter(torch.autograd.grad(loss.sum(), leaves, allow_unused=True))
    for stack in stacks:
        stack.take(islice(gradients, len(stack.params)))


def joined(**parts: Mapping[str, Value]) -> dict[str, Value]:
    """Return one table of the shapes, or the weights, of several networks: ``part.name``."""
    return {
        f"{part}.{name}": value for part, table in parts.items() for name, value in table.items()
    }


def part_of(params: Params, part: str) -> dict[str, Tensor]:
    """Return the weights of one of the networks that were ``joined``."""
    start = f"{part}."
    named = ((name, value) for name, value in params.items() if name.startswith(start))
    return {name.removeprefix(start): value for name, value in named}


def linear_shapes(name: str, inputs: int, outputs: int) -> dict[str, tuple[int, ...]]:
    """Return the shapes of an affine layer called ``name``."""
    return {f"{name}.weight": (inputs, outputs), f"{name}.bias": (1, outputs)}


def linear(params: Params, name: str, x: Tensor) -> Tensor:
    """Return every member's affine layer ``name`` of ``x`` ``(N, R, in)``: ``(N, R, out)``."""
    return torch.baddbmm(params[f"{name}.bias"], x, params[f"{name}.weight"])


def initial_weights(shapes: Shapes, generator: torch.Generator) -> dict[str, Tensor]:
    """Return fresh weights of one network: U(-1/sqrt(in), 1/sqrt(in)), PyTorch's affine default.

    Layer-norm scales (``*.scale``) start at 1 and shifts (``*.shift``) at 0.
    """
    weights: dict[str, Tensor] = {}
    for name, shape in shapes.items():
        layer, kind = name.rsplit(".", 1)
        if kind == "scale":
            weights[name] = torch.ones(shape)
        elif kind == "shift":
            weights[name] = torch.zeros(shape)
        else:
            bound = 1 / math.sqrt(shapes[f"{layer}.weight"][0])
            weights[name] = torch.empty(shape).uniform_(-bound, bound, generator=generator)
    return weights
