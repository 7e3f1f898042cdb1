"""What the flow tests share: every path, the documented one among them, and an exact field."""

from __future__ import annotations

import pathlib
import re
from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from qipo_ray.flow import Field, Path, Prediction
from qipo_ray.flow.paths import PATHS

PAGE = pathlib.Path(__file__).parents[2] / "docs" / "mathematics.md"

Shares = Callable[[Path, Prediction, Tensor], tuple[Tensor, Tensor]]
ExactField = Callable[[Path, Prediction, float, float], Field]


def documented_path() -> Path:
    """Return the path that docs/mathematics.md adds, made by running the page's code."""
    names: dict[str, object] = {"__name__": "docs.mathematics"}
    for block in re.findall(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL):
        exec(compile(block, str(PAGE), "exec", dont_inherit=True), names)
    path = names["path"]
    assert isinstance(path, Path)
    return path


@pytest.fixture(scope="session", params=[*PATHS, "documented"])
def path(request: pytest.FixtureRequest) -> Path:
    """Each path of the package, then the one that the page on mathematics adds."""
    return documented_path() if request.param == "documented" else PATHS[request.param]


@pytest.fixture(params=["velocity", "noise", "noise_residual", "v", "data"])
def predicts(request: pytest.FixtureRequest) -> Prediction:
    """Each thing that a network may predict."""
    name: Prediction = request.param
    return name


@pytest.fixture(scope="session")
def shares() -> Shares:
    """A function: how much of data and of noise stands in a prediction at times ``t``."""

    def share(path: Path, predicts: Prediction, t: Tensor) -> tuple[Tensor, Tensor]:
        alpha, sigma, d_alpha, d_sigma = path.coefficients(t)
        none, one = torch.zeros_like(t), torch.ones_like(t)
        return {
            "velocity": (d_alpha, d_sigma),
            "noise": (none, one),
            "noise_residual": (
                -sigma * alpha,
                1 - sigma**2,
            ),  # eps - sigma (alpha x_0 + sigma eps)
            "v": (-sigma, alpha),
            "data": (one, none),
        }[predicts]

    return share


@pytest.fixture(scope="session")
def exact_gaussian(shares: Shares) -> ExactField:
    """A function: the field of data N(mean, std² I), as a perfect network would predict it.

    By the regression formula ``cov(z, x) / var(x)``, finite at both ends but for the velocity of a
    diffusion: independent of the conversions and of `known.Mixture`.
    """

    def make(path: Path, predicts: Prediction, mean: float, std: float) -> Field:
        def network(x: Tensor, t: Tensor) -> Tensor:
            alpha, sigma, _, _ = path.coefficients(t.unsqueeze(-1))
            of_data, of_noise = shares(path, predicts, t.unsqueeze(-1))
            residual = (x - alpha * mean) / (alpha**2 * std**2 + sigma**2)
            return of_data * mean + (of_data * alpha * std**2 + of_noise * sigma) * residual

        return Field(path, predicts, network)

    return make
