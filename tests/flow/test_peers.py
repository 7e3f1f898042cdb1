"""Independent implementations agree: torchcfm on paths and fields, torchdiffeq on solutions.

Development dependencies: torchdiffeq and POT are in the extra `dev`; torchcfm is installed without
its own list (`pip install --no-deps torchcfm`), which asks for Lightning and Jupyter and imports
neither. Where one is missing its tests are skipped.
"""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from torch import Tensor

from qipo_ray.flow import Field, Path, path_named
from qipo_ray.flow.distances import sliced_wasserstein
from qipo_ray.flow.known import Mixture
from qipo_ray.flow.solvers import SOLVERS

F64 = torch.float64


@pytest.fixture(scope="module")
def torchcfm() -> Any:
    """The authors' library of conditional flow matching."""
    return pytest.importorskip("torchcfm")


@pytest.fixture(scope="module")
def torchdiffeq() -> Any:
    """The reference integrators."""
    return pytest.importorskip("torchdiffeq")


@pytest.fixture
def sample() -> tuple[Tensor, Tensor, Tensor]:
    """Data, noise ``(50, 3)`` and times ``(50,)``."""
    generator = torch.Generator().manual_seed(0)
    data, noise = torch.randn(2, 50, 3, generator=generator, dtype=F64)
    return data, noise, torch.linspace(0.02, 0.98, 50, dtype=F64)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "matcher"),
    [("ot", "ConditionalFlowMatcher"), ("trig", "VariancePreservingConditionalFlowMatcher")],
)
def test_torchcfm_has_the_same_paths_and_targets(
    torchcfm: Any, sample: tuple[Tensor, Tensor, Tensor], name: str, matcher: str
) -> None:
    """Without smoothing, and with its time run from our data to our noise."""
    data, noise, times = sample
    peer = getattr(torchcfm.conditional_flow_matching, matcher)(sigma=0.0)
    _, x, velocity = peer.sample_location_and_conditional_flow(data, noise, times)
    field = Field(path_named(name), "velocity", lambda x, t: x)
    torch.testing.assert_close(field.path.noised(data, noise, times), x)
    torch.testing.assert_close(field.target(data, noise, times), velocity)


@pytest.mark.slow
def test_torchcfm_has_the_same_conditional_field(
    torchcfm: Any, sample: tuple[Tensor, Tensor, Tensor]
) -> None:
    """Lipman et al.'s u_t(x | x_1) = (x_1 - x) / (1 - t) of any x, whose time runs to the data."""
    data, x, times = sample
    peer = torchcfm.conditional_flow_matching.TargetConditionalFlowMatcher(sigma=0.0)
    theirs = peer.compute_conditional_flow(None, data, (1 - times)[:, None], x)
    path = path_named("ot")
    one_point = Field(path, "data", lambda x, t: data)
    torch.testing.assert_close(one_point.velocity(x, times), -theirs)


@pytest.fixture(scope="module")
def tilted() -> Mixture:
    """A tilted mixture: its exact field is the guided velocity."""
    mixture = Mixture(
        torch.tensor([0.3, 0.0, -0.5], dtype=F64),
        torch.tensor([[1.0, 0.5], [-1.2, 0.3], [0.2, -1.5]], dtype=F64),
        torch.tensor([0.6, 0.5, 0.4], dtype=F64),
    )
    return mixture.tilted_linearly(torch.tensor([0.4, -0.3], dtype=F64), 1.5)


@pytest.mark.slow
def test_every_solver_tends_to_the_solution_of_torchdiffeq(
    torchdiffeq: Any, path: Path, tilted: Mixture
) -> None:
    """Adaptive dopri5 at a tolerance of 1e-7 over the whole span of an exact, curved field."""
    field = tilted.field(path)
    noise = torch.randn(20, 2, generator=torch.Generator().manual_seed(0), dtype=F64)
    span = torch.tensor(field.span, dtype=F64)
    with torch.no_grad():
        solution = torchdiffeq.odeint(
            lambda t, x: field.velocity(x, t),
            noise,
            span,
            rtol=1e-7,
            atol=1e-7,
            method="dopri5",
            options={"step_t": span[1:]},  # or it steps over the end, and interpolates
        )[-1]
    times = torch.linspace(*field.span, 101, dtype=F64)
    bounds = {1: 0.07, 2: 5e-3, 4: 3e-6}
    orders = {"euler": 1, "midpoint": 2, "heun": 2, "rk4": 4, "ddim": 1, "dpmpp_2m": 2}
    for name, (solver, _) in SOLVERS.items():
        error = (solver(field, noise, times) - solution).abs().max().item()
        assert error < bounds[orders[name]], name


@pytest.mark.slow
def test_torchdiffeq_carries_noise_to_the_tilted_law(torchdiffeq: Any, tilted: Mixture) -> None:
    """The guided velocity ends in q, shown with none of our solvers; p itself is far from it."""
    field = tilted.field(path_named("ot"))
    generator = torch.Generator().manual_seed(1)
    noise = torch.randn(3000, 2, generator=generator, dtype=F64)
    with torch.no_grad():
        ends = torchdiffeq.odeint(
            lambda t, x: field.velocity(x, t),
            noise,
            torch.tensor(field.span, dtype=F64),
            rtol=1e-5,
        )[-1]
    exact, again = (tilted.sample(3000, generator)[0] for _ in range(2))
    assert sliced_wasserstein(ends, exact) < 2 * sliced_wasserstein(again, exact)
    assert sliced_wasserstein(noise, exact) > 10 * sliced_wasserstein(again, exact)


@pytest.mark.slow
def test_pot_measures_the_same_sliced_distance() -> None:
    """On the same directions; POT comes with torchcfm."""
    pot = pytest.importorskip("ot")
    generator = torch.Generator().manual_seed(0)
    a, b = torch.randn(2, 200, 2, generator=generator, dtype=F64)
    angle = math.pi * torch.arange(32, dtype=F64) / 32
    axes = torch.stack([angle.cos(), angle.sin()])
    theirs = pot.sliced_wasserstein_distance(
        a.numpy(), (b + 0.5).numpy(), n_projections=32, p=2, projections=axes.numpy()
    )
    assert sliced_wasserstein(a, b + 0.5, directions=32).item() == pytest.approx(theirs, rel=1e-5)
