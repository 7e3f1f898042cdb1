"""The table of conversions: forward formulas, textbook formulas, and every way round."""

from __future__ import annotations

import math
from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from qipo_ray.flow import Field, Path, Prediction, draw, path_named
from qipo_ray.flow.field import MARGIN

Pair = tuple[Tensor, Tensor]
Shares = Callable[[Path, Prediction, Tensor], Pair]


@pytest.fixture
def pair() -> Pair:
    """Data and noise, ``(40, 3)`` each."""
    generator = torch.Generator().manual_seed(0)
    data, noise = torch.randn(2, 40, 3, generator=generator, dtype=torch.float64)
    return data, noise


@pytest.mark.parametrize("t", [0.05, 0.5, 0.95, "per sample"])
def test_one_prediction_reads_as_velocity_data_noise_and_score(
    path: Path, predicts: Prediction, shares: Shares, pair: Pair, t: float | str
) -> None:
    """A network that returns the target makes the field return what made ``x_t``."""
    data, noise = pair
    times = torch.linspace(0.03, 0.97, 40, dtype=torch.float64)
    at = times if t == "per sample" else torch.tensor(t, dtype=torch.float64)
    per_sample = at.expand(40)
    alpha, sigma, d_alpha, d_sigma = (c[:, None] for c in path.coefficients(per_sample))
    x = path.noised(data, noise, per_sample)
    velocity = d_alpha * data + d_sigma * noise
    of_data, of_noise = shares(path, predicts, per_sample[:, None])
    prediction = of_data * data + of_noise * noise

    field = Field(path, predicts, lambda x, t: prediction)
    torch.testing.assert_close(field.target(data, noise, per_sample), prediction)
    torch.testing.assert_close(field.velocity(x, at), velocity)
    torch.testing.assert_close(field.data_and_noise(x, at), (data, noise))
    # the gradient of log N(x; alpha x_0, sigma² I)
    torch.testing.assert_close(field.score(x, at), -(x - alpha * data) / sigma**2)


def test_target_velocity_is_the_derivative_of_the_noised_point(path: Path, pair: Pair) -> None:
    data, noise = pair
    times = torch.linspace(0.05, 0.95, 40, dtype=torch.float64)
    h = 1e-6
    moved = path.noised(data, noise, times + h) - path.noised(data, noise, times - h)
    target = Field(path, "velocity", lambda x, t: x).target(data, noise, times)
    torch.testing.assert_close(target, moved / (2 * h), rtol=1e-6, atol=1e-6)


def test_the_network_sees_the_point_and_the_time_as_they_come(path: Path) -> None:
    seen: list[tuple[torch.Size, torch.Size]] = []

    def network(x: Tensor, t: Tensor) -> Tensor:
        seen.append((x.shape, t.shape))
        return x

    field = Field(path, "noise", network)
    field.velocity(torch.zeros(2, 5, 3), torch.tensor(0.5))
    field.velocity(torch.zeros(2, 5, 3), torch.full((2, 5), 0.5))
    assert seen == [((2, 5, 3), ()), ((2, 5, 3), (2, 5))]


def test_ot_agrees_with_the_formulas_of_flow_matching(pair: Pair) -> None:
    """x_0 = x - t v and eps = x + (1 - t) v of a velocity, v = (eps - x) / (1 - t) of a noise."""
    x, prediction = pair
    t = torch.tensor(0.3, dtype=torch.float64)
    by_velocity = Field(path_named("ot"), "velocity", lambda x, t: prediction)
    data, noise = by_velocity.data_and_noise(x, t)
    torch.testing.assert_close(data, x - 0.3 * prediction)
    torch.testing.assert_close(noise, x + 0.7 * prediction)
    torch.testing.assert_close(by_velocity.score(x, t), -(x + 0.7 * prediction) / 0.3)
    by_noise = Field(path_named("ot"), "noise", lambda x, t: prediction)
    torch.testing.assert_close(by_noise.velocity(x, t), (prediction - x) / 0.7)


def test_vp_agrees_with_the_probability_flow_of_its_sde(pair: Pair) -> None:
    """Song et al. 2021, equation 13: dx/dt = -beta(t) (x + score) / 2; score = -eps / sigma."""
    x, noise = pair
    t = 0.4
    rate = 0.1 + 19.9 * t
    sigma = math.sqrt(1 - math.exp(-(0.1 * t + 19.9 * t**2 / 2)))
    field = Field(path_named("vp"), "noise", lambda x, t: noise)
    velocity = field.velocity(x, torch.tensor(t, dtype=torch.float64))
    torch.testing.assert_close(velocity, -rate * (x - noise / sigma) / 2)


def test_trig_agrees_with_a_rotation(pair: Pair) -> None:
    """A quarter turn: (x, v 2 / pi) is (x_0, eps) turned by pi t / 2."""
    x, velocity = pair
    t = torch.tensor(1 / 3, dtype=torch.float64)
    data, noise = Field(path_named("trig"), "velocity", lambda x, t: velocity).data_and_noise(x, t)
    cosine, sine = math.cos(math.pi / 6), math.sin(math.pi / 6)
    torch.testing.assert_close(data, cosine * x - sine * velocity * 2 / math.pi)
    torch.testing.assert_close(noise, sine * x + cosine * velocity * 2 / math.pi)
    by_v = Field(path_named("trig"), "v", lambda x, t: velocity * 2 / math.pi)
    torch.testing.assert_close(by_v.data_and_noise(x, t), (data, noise))


def test_v_prediction_agrees_with_its_source(pair: Pair) -> None:
    """Salimans and Ho 2022, appendix D: x_0 = alpha x - sigma v on a path of unit variance."""
    x, v = pair
    t = torch.tensor(0.4, dtype=torch.float64)
    alpha, sigma, _, _ = path_named("vp").coefficients(t)
    data, noise = Field(path_named("vp"), "v", lambda x, t: v).data_and_noise(x, t)
    torch.testing.assert_close(data, alpha * x - sigma * v)
    torch.testing.assert_close(noise, sigma * x + alpha * v)


def test_a_residual_has_the_loss_of_the_noise_and_the_point_built_in(
    path: Path, pair: Pair
) -> None:
    """eps = sigma x + residual: an error of the network is the same error of the noise."""
    data, noise = pair
    t = torch.linspace(0.05, 0.95, 40, dtype=torch.float64)
    x = path.noised(data, noise, t)
    sigma = path.coefficients(t)[1][:, None]
    field = Field(path, "noise_residual", lambda x, t: x.sin())
    error = field.network(x, t) - field.target(data, noise, t)
    torch.testing.assert_close(error, sigma * x + x.sin() - noise)
    torch.testing.assert_close(field.data_and_noise(x, t)[1], sigma * x + x.sin())


@pytest.mark.parametrize(
    ("name", "predicts", "span"),
    [
        ("ot", "velocity", (1.0, 0.0)),
        ("ot", "noise", (1 - MARGIN, 0.0)),
        ("ot", "noise_residual", (1 - MARGIN, 0.0)),
        ("ot", "v", (1.0, 0.0)),
        ("ot", "data", (1.0, MARGIN)),
        ("vp", "velocity", (1.0, MARGIN)),
        ("vp", "noise", (1.0, MARGIN)),
        ("vp", "noise_residual", (1.0, MARGIN)),
        ("vp", "v", (1.0, MARGIN)),
        ("vp", "data", (1.0, MARGIN)),
        ("trig", "velocity", (1.0, 0.0)),
        ("trig", "noise", (1 - MARGIN, 0.0)),
        ("trig", "data", (1.0, MARGIN)),
    ],
)
def test_span_stops_before_singular_ends_only(
    name: str, predicts: Prediction, span: tuple[float, float]
) -> None:
    assert Field(path_named(name), predicts, lambda x, t: x).span == span


def test_everything_is_finite_on_the_span(path: Path, predicts: Prediction) -> None:
    field = Field(path, predicts, lambda x, t: x)
    x = torch.ones(1, 2)
    for t in field.span:
        at = torch.tensor(t)
        values = [field.velocity(x, at), *field.data_and_noise(x, at)]
        assert all(value.isfinite().all() for value in values), t


BETA = 1.5
MEAN, STD = 0.4, 0.7  # of the data


def posterior(path: Path, x: Tensor, t: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Of the data given ``x``: mean, variance, and the mean's slope by x over alpha."""
    alpha, sigma, _, _ = path.coefficients(t.unsqueeze(-1))
    gain = STD**2 / (alpha**2 * STD**2 + sigma**2)
    return MEAN + alpha * gain * (x - alpha * MEAN), sigma**2 * gain, gain


def linear_pull(path: Path, x: Tensor, t: Tensor) -> Tensor:
    """Of ``log E[exp(beta Q) | x]`` for Q = 2 a: that is ``2 beta E[a]`` and a constant."""
    return BETA * 2 * posterior(path, x, t)[2]


def square_pull(path: Path, x: Tensor, t: Tensor) -> Tensor:
    """Of the same for Q = - a²: ``- beta E[a]² / (1 + 2 beta var)``, a Gaussian integral."""
    mean, variance, slope = posterior(path, x, t)
    return -2 * BETA * mean / (1 + 2 * BETA * variance) * slope


@pytest.mark.parametrize(
    ("pull", "mean", "std"),
    [
        (linear_pull, MEAN + 2 * BETA * STD**2, STD),
        (
            square_pull,
            MEAN / (1 + 2 * BETA * STD**2),
            math.sqrt(1 / (1 / STD**2 + 2 * BETA)),
        ),
    ],
    ids=["linear", "square"],
)
def test_the_exact_gradient_guides_to_the_law_times_exp_of_beta_q(
    path: Path,
    predicts: Prediction,
    exact_gaussian: Callable[..., Field],
    pull: Callable[[Path, Tensor, Tensor], Tensor],
    mean: float,
    std: float,
) -> None:
    """Of a Gaussian and a linear or square Q that law is a Gaussian, found by hand."""
    generator = torch.Generator().manual_seed(0)
    guided = exact_gaussian(path, predicts, MEAN, STD).guided(lambda x, t: pull(path, x, t))
    expected = exact_gaussian(path, predicts, mean, std)
    first, last = guided.span
    t = torch.linspace(max(last, 1e-3), first, 50, dtype=torch.float64)
    x = 2 * torch.randn(50, 1, generator=generator, dtype=torch.float64)
    torch.testing.assert_close(guided.network(x, t), expected.network(x, t))
    noise = torch.randn(4000, 1, generator=generator, dtype=torch.float64)
    actions = draw(guided, noise, "heun", 40)
    assert actions.mean().item() == pytest.approx(mean, abs=0.05)
    assert actions.std().item() == pytest.approx(std, rel=0.05)
