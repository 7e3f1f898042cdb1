"""The densities' outcome: one table of distances, the targets, and one picture."""

from __future__ import annotations

import io
import statistics
from collections.abc import Sequence
from itertools import product

import torch
from torch import Tensor

from qipo_ray.flow.densities import DENSITIES
from qipo_ray.validation.cell_runner import Result
from qipo_ray.validation.density_cells import exact_sets
from qipo_ray.validation.experiment_report import (
    ExperimentReport,
    ExperimentTable,
    Target,
    spread,
    target,
    target_table,
)
from qipo_ray.validation.methods import RECIPES

METHODS = (*RECIPES, "contrastive", "classifier-free")
TARGET_BETAS = (0.0, 3.0, 10.0)  # betas of the targets
WASSERSTEIN_LIMIT = 2.0  # times the sampling floor
MASS_LIMITS = {"flow": 0.05, "diffusion": 0.06, "cosine": 0.06}  # L1 of the modes of 8gaussians
WINDOW = 4.5  # half the side of a panel


def report(results: Sequence[Result]) -> ExperimentReport:
    """Return table, targets and picture from the cells' results."""
    rows = [row for result in results for row in result["rows"]]
    targets = _targets(rows)
    return ExperimentReport(
        (_distances(rows), target_table(targets)), targets, {"densities.png": _picture(rows)}
    )


def _distances(rows: Sequence[Result]) -> ExperimentTable:
    lines = []
    for density, beta, method in _keys(rows):
        group = _select(rows, density, beta, method)
        floors = statistics.fmean(r["sw2_floor"] for r in group)
        discrepancy = statistics.fmean(r["mmd2_floor"] for r in group)
        masses = [r["mode_l1"] for r in group if "mode_l1" in r]
        lines.append(
            (
                density,
                f"{beta:g}",
                method,
                spread([r["sw2"] for r in group], 3),
                f"{floors:.3f}",
                spread([r["sw2"] / r["sw2_floor"] for r in group], 2),
                spread([1000 * r["mmd2"] for r in group], 2),
                f"{1000 * discrepancy:.2f}",
                spread(masses, 3) if masses else "–",
                f"{max(r['farthest'] for r in group):.1f}",
                f"{_farthest(density, beta):.1f}",
                f"{100 * group[0]['sample_share']:.3g} %",
                str(len(group)),
            )
        )
    return ExperimentTable(
        "Distance to exact samples of the tilt",
        (
            "density", "beta", "method", "sliced W2", "floor", "W2 / floor", "1000 MMD²",
            "floor", "mode L1", "farthest", "exact", "effective samples", "seeds",
        ),
        tuple(lines),
        labels=3,
        note=(
            "Mean ± sample standard deviation over training seeds; 4,096 samples (1,024 for MMD). "
            "The floor is the distance of two exact sets of that size (for MMD² its mean size). "
            "Farthest: largest norm of a sample, and of an exact one. Flow (path ot), diffusion "
            "(vp) and cosine (trig) are energy-weighted, their batches drawn by weight from a "
            "larger one that carries the weights; weighted flow puts the weights into the loss "
            "itself. Contrastive and classifier-free guide the diffusion, on the first seed. "
            "Effective samples: the share of the data that carries the weights; of the swiss roll "
            "at beta 20 even the larger batch of 8,192 holds about two."
        ),
    )  # fmt: skip


def _targets(rows: Sequence[Result]) -> tuple[Target, ...]:
    """Return the targets: the distance on every density, and the mode masses of the Gaussians."""
    targets = []
    for method, beta, density in product(("flow", "diffusion"), TARGET_BETAS, DENSITIES):
        ratios = [r["sw2"] / r["sw2_floor"] for r in _select(rows, density, beta, method)]
        if ratios:
            name = f"sliced W2 / floor, {density}, {method}, beta {beta:g}"
            targets.append(target(name, ratios, WASSERSTEIN_LIMIT))
    for (method, limit), beta in product(MASS_LIMITS.items(), TARGET_BETAS):
        errors = [r["mode_l1"] for r in _select(rows, "8gaussians", beta, method)]
        if errors:
            name = f"mode masses L1, 8gaussians, {method}, beta {beta:g}"
            targets.append(target(name, errors, limit))
    return tuple(targets)


def _picture(rows: Sequence[Result]) -> bytes:
    """Return a PNG: densities down; data, then exact tilt, flow and diffusion for each beta."""
    from matplotlib.figure import Figure
    from matplotlib.layout_engine import ConstrainedLayoutEngine

    betas = sorted({r["beta"] for r in rows if r["method"] == "flow"} - {0.0})
    densities = [name for name in DENSITIES if any(r["density"] == name for r in rows)]
    columns: list[tuple[float, str]] = [(0.0, "data")]
    if any(r["beta"] == 0 for r in rows):
        columns += [(0.0, "flow"), (0.0, "diffusion")]
    for beta in betas:
        columns += [(beta, "exact tilt"), (beta, "flow"), (beta, "diffusion")]
    guided_beta = 10.0 if 10.0 in betas else betas[-1]
    columns += [(guided_beta, "contrastive"), (guided_beta, "classifier-free")]
    size = 1.25 * len(columns), 1.25 * len(densities) + 0.5
    layout = ConstrainedLayoutEngine(w_pad=0.01, h_pad=0.01, wspace=0, hspace=0)
    picture = Figure(figsize=size, layout=layout)
    panels = picture.subplots(len(densities), len(columns), squeeze=False)
    for line, name in zip(panels, densities, strict=True):
        for panel, (beta, method) in zip(line, columns, strict=True):
            points = _points(rows, name, beta, method).clamp(-WINDOW, WINDOW)
            colour = {"data": "#555555", "exact tilt": "#009e73"}.get(method, "#0072b2")
            colour = "#d55e00" if method in ("contrastive", "classifier-free") else colour
            panel.scatter(points[:, 0], points[:, 1], s=0.5, color=colour, linewidths=0, alpha=0.7)
            panel.set(xlim=(-WINDOW, WINDOW), ylim=(-WINDOW, WINDOW), xticks=[], yticks=[])
            panel.set_aspect("equal")
        line[0].set_ylabel(name, fontsize=9)
    for panel, (beta, method) in zip(panels[0], columns, strict=True):
        above = "" if method == "data" else f"β = {beta:g}\n"
        panel.set_title(f"{above}{method}", fontsize=9)
    stream = io.BytesIO()
    picture.savefig(stream, format="png", dpi=130)
    return stream.getvalue()


def _points(rows: Sequence[Result], density: str, beta: float, method: str) -> Tensor:
    """Return the points of a panel: the first seed's samples, or exact ones."""
    if method in ("data", "exact tilt"):
        generator = torch.Generator().manual_seed(3)
        return DENSITIES[density].tilted(beta, 1500, generator)
    return torch.tensor(_select(rows, density, beta, method)[0]["points"])


def _farthest(density: str, beta: float) -> float:
    """Return the largest norm in exact sets of the size that was measured."""
    return float(
        torch.stack([points.norm(dim=1).max() for points in exact_sets(density, beta)]).mean()
    )


def _keys(rows: Sequence[Result]) -> list[tuple[str, float, str]]:
    keys = {(r["density"], r["beta"], r["method"]) for r in rows}
    names = list(DENSITIES)
    return sorted(keys, key=lambda k: (names.index(k[0]), k[1], METHODS.index(k[2])))


def _select(rows: Sequence[Result], density: str, beta: float, method: str) -> list[Result]:
    return [r for r in rows if (r["density"], r["beta"], r["method"]) == (density, beta, method)]
