"""Distances against closed forms and loops."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from qipo_ray.flow.distances import _directions, mmd, mode_masses, sliced_wasserstein


def normal(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("directions", [2, 7, 128])
def test_a_translation_in_the_plane_costs_its_length_over_the_root_of_two(directions: int) -> None:
    """Exactly, since the squared cosines of evenly spaced directions average to 1/2."""
    points, shift = normal(100, 2), torch.tensor([3.0, -4.0])
    distance = sliced_wasserstein(points, points + shift, directions)
    assert distance.item() == pytest.approx(5 / math.sqrt(2), rel=1e-5)


def test_gaussians_of_different_width_and_place() -> None:
    """On a line W2² is m² + (1 - s)² for N(0, 1) and N(m, s²); over directions |m|² is halved."""
    a, b = normal(5000, 2), 1.5 * normal(5000, 2, seed=1) + torch.tensor([1.0, 2.0])
    expected = math.sqrt(5 / 2 + 0.25)
    assert sliced_wasserstein(a, b, directions=32).item() == pytest.approx(expected, rel=0.02)


def test_beyond_the_plane_a_translation_costs_its_length_over_the_root_of_the_dimension() -> None:
    points = normal(20, 5)
    distance = sliced_wasserstein(points, points + 2.0, directions=4000)
    assert distance.item() == pytest.approx(2.0, rel=0.03)  # |(2, ..., 2)| / sqrt(5)
    assert distance == sliced_wasserstein(points, points + 2.0, directions=4000)
    torch.testing.assert_close(_directions(5, 7).norm(dim=1), torch.ones(7))


def test_sliced_wasserstein_by_a_loop_over_directions() -> None:
    a, b = normal(30, 2), normal(30, 2, seed=1)
    total = 0.0
    for k in range(16):
        c, s = math.cos(math.pi * k / 16), math.sin(math.pi * k / 16)
        along_a = sorted(c * x + s * y for x, y in a.tolist())
        along_b = sorted(c * x + s * y for x, y in b.tolist())
        total += sum((p - q) ** 2 for p, q in zip(along_a, along_b, strict=True)) / 30
    expected = math.sqrt(total / 16)
    assert sliced_wasserstein(a, b, directions=16).item() == pytest.approx(expected, rel=1e-5)


def test_sliced_wasserstein_is_a_distance_of_sets() -> None:
    a, b = normal(50, 2), normal(50, 2, seed=1)
    assert sliced_wasserstein(a, a.flip(0)).item() == 0
    assert sliced_wasserstein(a, b).item() == pytest.approx(sliced_wasserstein(b, a).item())


def test_mmd_by_loops() -> None:
    a, b = normal(12, 2).tolist(), (normal(9, 2, seed=1) + 0.5).tolist()

    def kernel(p: list[float], q: list[float]) -> float:
        square = sum((x - y) ** 2 for x, y in zip(p, q, strict=True))
        return sum(math.exp(-square / (2 * h * h)) for h in (0.25, 0.5, 1.0, 2.0)) / 4

    def inside(points: list[list[float]]) -> float:
        n = len(points)
        pairs = [kernel(points[i], points[j]) for i in range(n) for j in range(n) if i != j]
        return sum(pairs) / (n * (n - 1))

    across = sum(kernel(p, q) for p in a for q in b) / (len(a) * len(b))
    expected = inside(a) + inside(b) - 2 * across
    assert mmd(torch.tensor(a), torch.tensor(b)).item() == pytest.approx(expected, abs=1e-5)


def test_mmd_of_gaussians_in_closed_form() -> None:
    """E k(x, y) of normals is (h² / (h² + 2))^{d/2} exp(-|m|² / (2 (h² + 2))) in the plane."""
    shift = torch.tensor([1.0, 0.0])
    expected = 0.0
    for h in (0.25, 0.5, 1.0, 2.0):
        base = h * h / (h * h + 2)
        expected += (2 * base - 2 * base * math.exp(-1 / (2 * (h * h + 2)))) / 4
    pairs = [(normal(300, 2, seed=i), normal(200, 2, seed=50 + i) + shift) for i in range(40)]
    values = torch.stack([mmd(a, b) for a, b in pairs])
    error = values.std() / math.sqrt(40)
    assert (values.mean() - expected).abs() < 4 * error
    assert error < 0.05 * expected


def test_mmd_is_around_zero_for_one_law() -> None:
    """Unbiased: over repeats both signs occur, and the mean is within its error of zero."""
    values = torch.stack(
        [mmd(normal(100, 2, seed=i), normal(100, 2, seed=50 + i)) for i in range(40)]
    )
    assert values.min() < 0 < values.max()
    assert values.mean().abs() < 4 * values.std() / math.sqrt(40)


def test_mode_masses_count_the_nearest_centre() -> None:
    centres = torch.tensor([[0.0, 0.0], [10.0, 0.0], [0.0, 10.0], [50.0, 50.0]])
    samples = torch.tensor([[1.0, 0.0], [9.0, 1.0], [0.0, 1.0], [4.9, 0.0], [1.0, 8.0]])
    torch.testing.assert_close(mode_masses(samples, centres), torch.tensor([0.6, 0.2, 0.2, 0.0]))
