"""The six densities against the table of CEP's toy data; their exact tilts against weighting."""

from __future__ import annotations

import math
from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from qipo_ray.flow.densities import DENSITIES, EightGaussians, SwissRoll
from qipo_ray.flow.distances import mode_masses

Function = Callable[[Tensor], Tensor]

MOMENTS: tuple[Function, ...] = (
    lambda p: torch.ones(len(p)),
    lambda p: p[:, 0],
    lambda p: p[:, 1],
    lambda p: p.square().sum(1),
    lambda p: p[:, 0] * p[:, 1],
    lambda p: torch.sin(2 * p[:, 0]),
    lambda p: torch.cos(3 * p[:, 1]),
    lambda p: torch.sin(8 * p.norm(dim=1)),  # fine enough to see the width of the noise
)


def generator(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def by_the_table(name: str, n: int, g: torch.Generator) -> tuple[Tensor, Tensor]:
    """Return points and CEP's energy ``e = -E`` as its table puts them, without our latents."""
    u, v, z = (
        torch.rand(n, generator=g),
        torch.rand(n, generator=g),
        torch.randn(2, n, generator=g),
    )
    half = torch.randint(2, (n,), generator=g)
    if name == "swissroll":  # sklearn: t = 1.5 pi (1 + 2 u), t cos t and t sin t, noise 1, all / 5
        t = 1.5 * math.pi * (1 + 2 * u)
        x, y = (t * torch.cos(t) + z[0]) / 5, (t * torch.sin(t) + z[1]) / 5
        return torch.stack([x, y], 1), (x**2 + y**2) / 9
    if name == "8gaussians":
        d = 1 / math.sqrt(2)
        compass = [(0, 1), (-d, d), (-1, 0), (-d, -d), (0, -1), (d, -d), (1, 0), (d, d)]
        index = torch.randint(8, (n,), generator=g)
        points = (4 * torch.tensor(compass)[index] + 0.5 * z.T) / 1.414
        return points, index / 7
    if name == "moons":  # sklearn: (cos, sin), and (1 - cos, 1 - sin - 1/2) of class 1; noise 0.1
        angle = math.pi * u
        x = torch.where(half == 0, torch.cos(angle), 1 - torch.cos(angle)) + 0.1 * z[0]
        y = torch.where(half == 0, torch.sin(angle), 0.5 - torch.sin(angle)) + 0.1 * z[1]
        return torch.stack([2 * x - 1, 2 * y - 0.2], 1), half.float()
    if name == "rings":  # energy from the noiseless r²
        radius = 3 * (1 + torch.randint(4, (n,), generator=g)) / 4
        x, y = radius * torch.cos(6.2831853 * u), radius * torch.sin(6.2831853 * u)
        square = x**2 + y**2
        e = torch.zeros(n)
        for low, high, value in ((8.5, 99, 0.667), (5, 8.5, 0.333), (2, 5, 1.0)):
            e[(square >= low) & (square < high)] = value
        return torch.stack([x + 0.08 * z[0], y + 0.08 * z[1]], 1), e
    if name == "checkerboard":
        x = 4 * u - 2
        y = v - 2 * half + torch.floor(x).remainder(2)
        return torch.stack([2 * x, 2 * y], 1), ((x > 0) & (x <= 1) | (x <= -1)).float()
    angle = torch.sqrt(u) * 540 * (2 * math.pi) / 360
    x = -torch.cos(angle) * angle + 0.5 * v
    y = torch.sin(angle) * angle + 0.5 * torch.rand(n, generator=g)
    sign = torch.where(half == 0, 1.0, -1.0)
    points = torch.stack([sign * x, sign * y], 1) / 3 + 0.1 * z.T
    return points, torch.clip(1 - angle / 10, 0, 1)


def test_the_six_are_there() -> None:
    assert list(DENSITIES) == [
        "swissroll", "8gaussians", "moons", "rings", "checkerboard", "2spirals",
    ]  # fmt: skip


@pytest.mark.parametrize("name", DENSITIES)
def test_points_and_energies_are_those_of_the_table(name: str) -> None:
    """Joint moments of points and energy, two samples within 4.5 standard errors."""
    points, energies = DENSITIES[name].sample(100_000, generator(0))
    assert points.shape == (100_000, 2) and energies.shape == (100_000,)
    assert points.dtype == energies.dtype == torch.float32
    pairs = [(points, -energies), by_the_table(name, 100_000, generator(1))]
    for f in MOMENTS:
        for power in (0, 1, 2):
            ours, theirs = ((f(p) * e**power).double() for p, e in pairs)
            error = torch.sqrt((ours.var() + theirs.var()) / len(ours))
            assert abs(ours.mean() - theirs.mean()) <= 4.5 * error


@pytest.mark.parametrize(
    ("name", "lowest", "highest"),
    [
        ("swissroll", -math.inf, 0.0),
        ("8gaussians", -1.0, 0.0),
        ("moons", -1.0, 0.0),
        ("rings", -1.0, 0.0),
        ("checkerboard", -1.0, 0.0),
        ("2spirals", -1.0, 3 * math.pi / 10 - 1),
    ],
)
def test_energies_keep_their_range(name: str, lowest: float, highest: float) -> None:
    """Rejection is exact only where no energy lies below the bound."""
    density = DENSITIES[name]
    _, energies = density.sample(20_000, generator(0))
    assert density.lowest == lowest
    assert lowest <= energies.min() and energies.max() <= highest + 1e-6
    assert energies.max() > highest - 0.2
    if lowest == -1.0:
        assert energies.min() < -0.95


@pytest.mark.slow_after(6)
@pytest.mark.parametrize("name", DENSITIES)
@pytest.mark.parametrize("beta", [0.0, 1.0, 3.0, 10.0])
def test_the_tilt_is_that_of_self_normalised_weights(name: str, beta: float) -> None:
    """Moments of exact samples against weighted ones of a pool, within 4.5 standard errors."""
    density = DENSITIES[name]
    tilted = density.tilted(beta, 10_000, generator(3))
    assert tilted.shape == (10_000, 2)
    pool, energies = density.sample(100_000, generator(4))
    weights = torch.softmax(-beta * energies.double(), 0)
    for f in MOMENTS[1:]:
        exact, values = f(tilted).double(), f(pool).double()
        mean = weights @ values
        error = torch.sqrt(
            (weights.square() * (values - mean).square()).sum() + exact.var() / len(exact)
        )
        assert abs(exact.mean() - mean) <= 4.5 * error


@pytest.mark.parametrize("name", DENSITIES)
def test_the_same_seed_gives_the_same_samples(name: str) -> None:
    density = DENSITIES[name]
    one, same, other = (
        torch.cat([density.sample(50, g)[0], density.tilted(3.0, 50, g)])
        for g in map(generator, (5, 5, 6))
    )
    assert torch.equal(one, same)
    assert not (one == other).any()


@pytest.mark.parametrize("beta", [0.0, 3.0, 10.0, 20.0])
def test_masses_of_the_eight_gaussians(beta: float) -> None:
    """Mode k has the share exp(beta k / 7) / Z; at beta = 20 the last has 94 %."""
    density = EightGaussians()
    factors = [math.exp(beta * k / 7) for k in range(8)]
    masses = torch.tensor([f / sum(factors) for f in factors])
    torch.testing.assert_close(density.masses(beta), masses)
    found = mode_masses(density.tilted(beta, 20_000, generator(7)), density.centres)
    torch.testing.assert_close(found, masses, atol=0.015, rtol=0)
    if beta == 20:
        assert masses[7].item() == pytest.approx(0.94, abs=0.01)


def test_each_mode_has_its_energy() -> None:
    density = EightGaussians()
    points, energies = density.sample(5000, generator(0))
    nearest = torch.cdist(points, density.centres).argmin(1)
    assert ((energies * -7).round() == nearest).float().mean() > 0.98  # modes overlap a little
    torch.testing.assert_close(
        density.centres[0], torch.tensor([0.0, 4 / 1.414]), atol=1e-6, rtol=0
    )


def test_a_strong_tilt_leaves_the_best_part_only() -> None:
    ring = DENSITIES["rings"].tilted(50.0, 1000, generator(0)).norm(dim=1)
    assert ((ring - 1.5).abs() < 0.5).all()
    square = DENSITIES["checkerboard"].tilted(50.0, 1000, generator(0))[:, 0]
    assert (((square > 0) & (square <= 2)) | (square <= -2)).all()
    lower = DENSITIES["moons"].tilted(50.0, 1000, generator(0))
    centre = 2 * torch.tensor([1.0, 0.5]) + torch.tensor([-1.0, -0.2])
    assert (((lower - centre).norm(dim=1) - 2).abs() < 1.0).all()


def test_the_noise_has_its_width() -> None:
    """The spread across the noiseless shapes, in the units of each: 0.5 / 1.414, 2 × 0.1, 0.08."""
    gaussians = EightGaussians()
    points, energies = gaussians.sample(20_000, generator(0))
    offsets = points - gaussians.centres[(energies * -7).round().long()]
    assert offsets.std().item() == pytest.approx(0.5 / 1.414, rel=0.02)

    points, energies = DENSITIES["moons"].sample(20_000, generator(0))
    for centre, class_energy in (((-1.0, -0.2), 0.0), ((1.0, 0.8), -1.0)):
        radius = (points[energies == class_energy] - torch.tensor(centre)).norm(dim=1)
        assert radius.std().item() == pytest.approx(0.2, rel=0.04)

    points, energies = DENSITIES["rings"].sample(20_000, generator(0))
    assert points[energies == -1.0].norm(dim=1).std().item() == pytest.approx(0.08, rel=0.04)


def test_the_roll_is_as_wide_as_its_noise() -> None:
    """The mean distance from the noiseless roll is that of N(0, 0.2²), 0.2 sqrt(2 / pi)."""
    points, _ = SwissRoll().sample(10_000, generator(0))
    t = 1.5 * math.pi * (1 + 2 * torch.linspace(0, 1, 1001))
    roll = torch.stack([t * torch.cos(t), t * torch.sin(t)], 1) / 5
    distance = torch.cdist(points, roll).amin(1).mean().item()
    assert distance == pytest.approx(0.2 * math.sqrt(2 / math.pi), rel=0.04)


def test_the_tilted_roll_is_that_of_quadrature() -> None:
    """At a beta where weighting a pool has no samples left: moments by sums over the plane."""
    t = 1.5 * math.pi * (1 + 2 * (torch.arange(300, dtype=torch.float64) + 0.5) / 300)
    roll = torch.stack([t * torch.cos(t), t * torch.sin(t)], 1) / 5
    axis = torch.linspace(-7, 7, 101, dtype=torch.float64)
    plane = torch.cartesian_prod(axis, axis)
    density = torch.exp(-torch.cdist(plane, roll).square() / (2 * 0.2**2)).sum(1)
    masses = density * torch.exp(40 / 9 * (plane.square().sum(1) - 49))
    masses = masses / masses.sum()
    tilted = SwissRoll().tilted(40.0, 20_000, generator(0)).double()
    for f in MOMENTS[1:4]:
        mean = masses @ f(plane)
        spread = torch.sqrt(masses @ (f(plane) - mean).square())
        assert abs(f(tilted).mean() - mean) < 4.5 * spread / math.sqrt(len(tilted))
        assert f(tilted).std().item() == pytest.approx(spread.item(), rel=0.03)


def test_swissroll_says_where_its_tilt_ends() -> None:
    """The energy falls without bound as |x|² / 9; the noise of 0.2 holds it to beta = 112.5."""
    SwissRoll().tilted(20.0, 10, generator(0))
    with pytest.raises(ValueError, match="beta must be below 112.5; got 113"):
        SwissRoll().tilted(113.0, 10, generator(0))
