"""How errors grow with dimension at an equal tilt: of the action, then of the state.

``p = N(0, I_d)`` with ``E = c · x``: whatever d, the tilt moves the mean by ``beta |c| = 1`` and
the weights have the same law. With states, the bandit of ``validation.bandit``. All guided
velocities are known in closed form.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor

from qipo_ray.flow import Field, Prediction, draw, effective_sample_size, path_named
from qipo_ray.flow.known import Mixture
from qipo_ray.validation.bandit import ACTION_DIM, ESTIMATORS, Bandit
from qipo_ray.validation.cell_runner import Cell, Result
from qipo_ray.validation.estimators import drawn, plain, quiet_weights, weighted
from qipo_ray.validation.learner import TrainingPlan, matching_loss, train

DIMS = (2, 8, 32, 128, 512)
STATE_DIMS = (4, 16, 64, 256, 512)
FORMS: tuple[tuple[str, Prediction, tuple[str, ...]], ...] = (
    ("ot", "velocity", ("plain", "batch", "drawn")),
    ("trig", "v", ("plain", "batch")),
)
POINTS = 2048  # at which the field is compared, and samples whose mean is taken
STATES = 256  # whose conditional mean is taken, from POINTS / STATES samples each
MARGIN = 1e-3  # times of the comparison lie in [MARGIN, 1 - MARGIN]


@dataclass(frozen=True)
class ActionCell(Cell):
    """One training in d dimensions; ``estimator`` is plain (beta = 0), batch or drawn."""

    kind = "ActionCell"
    dim: int
    path: str
    predicts: Prediction
    estimator: str
    seed: int
    plan: TrainingPlan

    @property
    def title(self) -> str:
        """Dimension, path and estimator."""
        return f"action of {self.dim}, {self.path}, {self.estimator}, seed {self.seed}"

    def run(self) -> Result:
        """Return the errors of field and mean along the tilt and across it."""
        slope = torch.full((self.dim,), self.dim**-0.5)
        beta = 0.0 if self.estimator == "plain" else 1.0
        path, sampler = path_named(self.path), partial(_normal, slope)
        step = {
            "plain": partial(plain, sampler, self.plan),
            "batch": partial(weighted, sampler, 1.0, self.plan),
            "drawn": partial(drawn, sampler, 1.0, self.plan),
        }[self.estimator]
        model = train(0, self.dim, matching_loss(path, self.predicts, step), self.plan, self.seed)
        field = model.field(path, self.predicts)
        law = Mixture.gaussian(-beta * slope)
        generator = torch.Generator().manual_seed(1000 + self.seed)
        data, _ = law.sample(POINTS, generator)
        gaps, velocity = field_gaps(field, law.field(path), data, generator)
        samples = draw(field, antithetic(POINTS, self.dim, generator), "midpoint", 16)
        mean = samples.mean(0) + beta * slope
        return {
            "kind": "action",
            "dim": self.dim,
            "path": self.path,
            "estimator": self.estimator,
            "seed": self.seed,
            **_split("field", gaps, slope),
            "wanted": _rms(velocity),
            **_split("mean", mean.unsqueeze(0), slope),
            "mean_along": float(mean @ slope),
            "ess": self._ess(sampler, beta),
            "batch": self.plan.batch,
        }

    def _ess(self, sampler: partial[tuple[Tensor, Tensor]], beta: float) -> float:
        """Return the mean effective sample size of the weights that the loss rests on."""
        count = self.plan.weighed if self.estimator == "drawn" else self.plan.batch
        generator = torch.Generator().manual_seed(0)
        energies = [sampler(count, generator)[1] for _ in range(50)]
        return float(effective_sample_size(quiet_weights(torch.stack(energies), beta)).mean())


@dataclass(frozen=True)
class StateCell(Cell):
    """One training of actions of 4 dimensions given states; ``plain`` is beta = 0, others 1."""

    kind = "StateCell"
    state_dim: int
    estimator: str
    seed: int
    plan: TrainingPlan

    @property
    def title(self) -> str:
        """Dimension and estimator."""
        return f"state of {self.state_dim}, {self.estimator}, seed {self.seed}"

    def run(self) -> Result:
        """Return the errors of field and conditional mean at fresh states of p."""
        bandit = Bandit.from_state_dim(self.state_dim)
        beta = 0.0 if self.estimator == "plain" else 1.0
        path = path_named("ot")
        step = partial(ESTIMATORS[self.estimator], bandit, self.plan.batch)
        loss = matching_loss(path, "velocity", step)
        model = train(self.state_dim, ACTION_DIM, loss, self.plan, self.seed)
        generator = torch.Generator().manual_seed(1000 + self.seed)
        states, actions, _ = bandit.draw(POINTS, 1, generator)
        means = bandit.means(states, beta)
        data = actions[:, 0] - beta * bandit.slopes(states)  # the tilt of a Gaussian moves it

        def exact(x: Tensor, t: Tensor) -> Tensor:  # E[x_0 | x_t], as of Mixture at each state
            alpha, sigma, _, _ = path.coefficients(t.unsqueeze(-1))
            return means + alpha / (alpha.square() + sigma.square()) * (x - alpha * means)

        field = model.field(path, "velocity", states)
        gaps, velocity = field_gaps(field, Field(path, "data", exact), data, generator)
        repeated = states[:STATES].repeat_interleave(POINTS // STATES, 0)
        noise = antithetic(POINTS, ACTION_DIM, generator)
        samples = draw(model.field(path, "velocity", repeated), noise, "midpoint", 16)
        offsets = samples.view(STATES, -1, ACTION_DIM).mean(1) - means[:STATES]
        return {
            "kind": "state",
            "dim": self.state_dim,
            "estimator": self.estimator,
            "seed": self.seed,
            "field": _rms(gaps),
            "wanted": _rms(velocity),
            "mean_along": float((offsets * bandit.slopes(states[:STATES])).sum(1).mean()),
            "mean": _rms(offsets),
            "ess": self._ess(bandit),
            "batch": self.plan.batch,
        }

    def _ess(self, bandit: Bandit) -> float:
        """Return the effective sample size of the weights of a batch, all states together."""
        generator = torch.Generator().manual_seed(0)
        step = ESTIMATORS[self.estimator]
        sets = [step(bandit, self.plan.batch, generator)[2] for _ in range(50)]
        return float(effective_sample_size(torch.stack(sets)).mean())


def cells(
    seeds: int,
    plan: TrainingPlan,
    dims: tuple[int, ...] = DIMS,
    state_dims: tuple[int, ...] = STATE_DIMS,
) -> Iterator[Cell]:
    """Yield action dimensions on two paths, then state dimensions by every estimator."""
    for seed in range(seeds):
        for dim in dims:
            for path, predicts, estimators in FORMS:
                for estimator in estimators:
                    yield ActionCell(dim, path, predicts, estimator, seed, plan)
        for dim in state_dims:
            for estimator in ESTIMATORS:
                yield StateCell(dim, estimator, seed, plan)


@torch.no_grad()
def field_gaps(
    field: Field, exact: Field, data: Tensor, generator: torch.Generator
) -> tuple[Tensor, Tensor]:
    """Return trained minus exact velocity, and the exact one, ``(n, A)``, under the tilted path.

    ``data`` are samples of the tilt; times are uniform, off the ends.
    """
    noise = torch.randn(data.shape, generator=generator)
    t = MARGIN + (1 - 2 * MARGIN) * torch.rand(len(data), generator=generator)
    x = field.path.noised(data, noise, t)
    velocity = exact.velocity(x, t)
    return field.velocity(x, t) - velocity, velocity


def antithetic(count: int, dim: int, generator: torch.Generator) -> Tensor:
    """Return noise ``(count, dim)``, each followed by its negative, which sharpens means."""
    half = torch.randn(count // 2, dim, generator=generator)
    return torch.stack([half, -half], 1).flatten(0, 1)


def _normal(slope: Tensor, count: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    points = torch.randn(count, len(slope), generator=generator)
    return points, points @ slope


def _split(name: str, offsets: Tensor, slope: Tensor) -> Result:
    """Return the root mean square of offsets ``(n, A)``: whole, along, and per other direction."""
    along = offsets @ slope
    across = offsets - along.unsqueeze(1) * slope
    return {
        name: _rms(offsets),
        f"{name}_along_rms": float(along.square().mean().sqrt()),
        f"{name}_across_rms": _rms(across) / (len(slope) - 1) ** 0.5,
    }


def _rms(offsets: Tensor) -> float:
    """Return the root of the mean squared length of offsets ``(n, A)``."""
    return float(offsets.square().sum(1).mean().sqrt())
