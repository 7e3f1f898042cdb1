"""Adam on rows: every member has its own learning rate, moments and step count."""

from __future__ import annotations

from collections.abc import Collection, Sequence

import torch
from torch import Tensor

from qipo_ray.nets.stack import Stack

Moments = dict[str, Tensor]


class RowAdam:
    """Fused Adam over the rows of a stack, one parameter group a row (paper: no decay)."""

    def __init__(self, stack: Stack) -> None:
        self.stack = stack
        self.rates: list[float] = []
        self._build([])

    def _build(self, moments: Sequence[Moments]) -> None:
        """Bind to the stack's present rows, with ``moments`` of one entry a row."""
        self.parameters = []
        for row, grad in zip(self.stack.flat, self.stack.grad, strict=True):
            parameter = row.detach().requires_grad_()
            parameter.grad = grad
            self.parameters.append(parameter)
        self.adam: torch.optim.Adam | None = None
        if not self.parameters:
            return
        self.adam = torch.optim.Adam(
            [
                {"params": [parameter], "lr": rate}
                for parameter, rate in zip(self.parameters, self.rates, strict=True)
            ],
            fused=True,
            capturable=self.stack.flat.is_cuda,  # as part of a graph
        )
        for parameter, state in zip(self.parameters, moments, strict=True):
            self.adam.state[parameter] = {
                name: value.to(parameter) for name, value in state.items()
            }

    def append(self, rate: float, moments: Sequence[Moments]) -> None:
        """Follow a stack that gained one row for each entry of ``moments``, which are copied."""
        before = self.moments(0, len(self.rates))
        self.rates += [rate] * len(moments)
        copies = [{name: value.clone() for name, value in row.items()} for row in moments]
        self._build([*before, *copies])

    def keep(self, index: Sequence[int]) -> None:
        """Follow a stack that kept the rows of ``index``."""
        moments = self.moments(0, len(self.rates))
        self.rates = [self.rates[i] for i in index]
        self._build([moments[i] for i in index])

    def fresh(self) -> Moments:
        """Return the moments of a row before its first step."""
        zeros = torch.zeros(self.stack.width)
        return {"step": torch.zeros(()), "exp_avg": zeros, "exp_avg_sq": zeros.clone()}

    def moments(self, start: int, stop: int) -> list[Moments]:
        """Return copies of step count and moments of rows ``start`` to ``stop``."""
        if self.adam is None:
            return []
        return [
            {name: value.detach().clone() for name, value in self.adam.state[parameter].items()}
            for parameter in self.parameters[start:stop]
        ]

    def set_rates(self, rates: Sequence[float]) -> None:
        """Give each row a learning rate from the next step on."""
        self.rates = list(rates)
        groups = self.adam.param_groups if self.adam is not None else ()
        for group, rate in zip(groups, self.rates, strict=True):
            group["lr"] = rate

    def rest(self, rows: Collection[int]) -> None:
        """Leave ``rows``, their moments and step counts as they are, until told otherwise.

        Told anew after each ``append`` and ``keep``.
        """
        for i, parameter in enumerate(self.parameters):
            parameter.grad = None if i in rows else self.stack.grad[i]

    def step(self) -> None:
        """Apply the gradients that stand in the stack."""
        if self.adam is not None:
            self.adam.step()
