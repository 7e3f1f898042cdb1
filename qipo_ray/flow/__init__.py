"""The mathematics of energy-weighted flows and diffusions.

Time runs from data (t = 0) to noise (t = 1), as in the paper: ``x_t = alpha_t x_0 + sigma_t eps``
with ``eps ~ N(0, I)``. A path gives the coefficients, a network predicts the velocity or the noise
at ``(x_t, t)``, a weighted regression moves its minimiser from the data's law ``p`` to
``q(x) ∝ p(x) exp(-beta E(x))``, and a solver walks from noise back to data.
"""

from __future__ import annotations

from qipo_ray.flow.field import Field, Prediction
from qipo_ray.flow.losses import (
    MIN_TIME,
    batch_loss,
    contrastive_loss,
    regression_loss,
    weighted_loss,
)
from qipo_ray.flow.paths import Path, path_named
from qipo_ray.flow.solvers import draw
from qipo_ray.flow.weighting import (
    WeightWarning,
    batch_weights,
    draw_by_weight,
    effective_sample_size,
    entropy,
    scale_for_size,
    support_weights,
)

__all__ = [
    "MIN_TIME",
    "Field",
    "Path",
    "Prediction",
    "WeightWarning",
    "batch_loss",
    "batch_weights",
    "contrastive_loss",
    "draw",
    "draw_by_weight",
    "effective_sample_size",
    "scale_for_size",
    "entropy",
    "path_named",
    "regression_loss",
    "support_weights",
    "weighted_loss",
]
