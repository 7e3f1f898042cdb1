"""The outcome of growing dimensions: one table for actions, one for states, one picture."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Sequence
from itertools import product

from qipo_ray.validation.bandit import ESTIMATORS
from qipo_ray.validation.cell_runner import Result
from qipo_ray.validation.charts import Line, Panel, chart, over_seeds
from qipo_ray.validation.dimension_cells import FORMS
from qipo_ray.validation.experiment_report import ExperimentReport, ExperimentTable

NAMES = {
    "plain": "none (beta = 0)",
    "batch": "batch",
    "drawn": "drawn",
    "support 16": "support, M = 16",
    "support 64": "support, M = 64",
    "1 of 64": "1 of 64 drawn",
}
STATES_SHARE = {"support 16": 16, "support 64": 64}  # actions of a state in a batch, if not 1


def report(results: Sequence[Result]) -> ExperimentReport:
    """Return both tables and the picture from the cells' results."""
    return ExperimentReport(
        (_actions(results), _states(results)), (), {"dimension.png": _picture(results)}
    )


def _actions(results: Sequence[Result]) -> ExperimentTable:
    lines = []
    for path, _, estimators in FORMS:
        for estimator, dim in product(estimators, _dims(results, "action")):
            group = _select(results, "action", dim, estimator, path)
            blank = estimator == "plain" and path == "trig"  # the exact field is 0
            lines.append(
                (
                    path,
                    NAMES[estimator],
                    str(dim),
                    "–" if blank else f"{_percent(group, _relative)} %",
                    _mean(group, "field_along_rms", 3),
                    _mean(group, "field_across_rms", 3),
                    f"{_percent(group, lambda r: r['mean_along'])} %",
                    _mean(group, "mean_across_rms", 3),
                    _mean(group, "ess", 0),
                    str(len(group)),
                )
            )
    return ExperimentTable(
        "Dimension of the action, equal tilt (beta |c| = 1)",
        (
            "path", "weights", "d", "field, relative", "along c", "per other direction",
            "mean short by", "mean off, per other direction", "effective samples", "seeds",
        ),
        tuple(lines),
        labels=2,
        note=(
            "Velocity against the closed form under the tilted path: relative L2, then RMS error "
            "along the tilt and in each other direction. Mean of the samples: how far it falls "
            "short along the tilt, in percent of the tilt, and its error in each other direction. "
            "drawn: the batch drawn by weight from one four times as large; its effective samples "
            "are of that."
        ),
    )  # fmt: skip


def _states(results: Sequence[Result]) -> ExperimentTable:
    lines = []
    for estimator, dim in product(ESTIMATORS, _dims(results, "state")):
        group = _select(results, "state", dim, estimator)
        lines.append(
            (
                NAMES[estimator],
                str(dim),
                f"{_percent(group, _relative)} %",
                f"{_percent(group, lambda r: r['mean_along'])} %",
                _mean(group, "mean", 3),
                _mean(group, "ess", 0),
                str(group[0]["batch"] // STATES_SHARE.get(estimator, 1)),
                str(len(group)),
            )
        )
    return ExperimentTable(
        "Dimension of the state, actions of 4 dimensions",
        (
            "weights", "state", "field, relative", "mean short by", "mean, RMS error",
            "effective samples", "states an update", "seeds",
        ),
        tuple(lines),
        note=(
            "Every row costs the same number of network passes. At fresh states of p: relative L2 "
            "error of the velocity under the tilted path, how far the conditional mean falls "
            "short along the tilt, and its RMS error (the tilt has length 1, the actions "
            "deviation 1). The batch estimator weighs pairs, so it tilts the states, too."
        ),
    )  # fmt: skip


def _picture(results: Sequence[Result]) -> bytes:
    """Return a PNG: field and mean over the action's dimension, the mean over the state's."""
    dims, states = _dims(results, "action"), _dims(results, "state")
    forms = [
        ("ot", "plain", "ot, no tilt", 0),
        ("ot", "batch", "ot, batch", 1),
        ("ot", "drawn", "ot, drawn", 2),
        ("trig", "batch", "trig, batch", 3),
    ]

    def lines(value: Callable[[Result], float]) -> list[Line]:
        return [
            over_seeds(
                label,
                dims,
                [[value(r) for r in _select(results, "action", dim, name, path)] for dim in dims],
                style,
            )
            for path, name, label, style in forms
        ]

    conditional = [
        over_seeds(
            NAMES[name],
            states,
            [[r["mean"] for r in _select(results, "state", dim, name)] for dim in states],
            style,
        )
        for style, name in enumerate(ESTIMATORS)
    ]
    return chart(
        [
            Panel("velocity, whole", "action dimension", "relative L2 error",
                  lines(_relative), ticks=dims),
            Panel("velocity along the tilt", "action dimension", "RMS error",
                  lines(lambda r: r["field_along_rms"]), ticks=dims),
            Panel("conditional mean of 4 actions", "state dimension", "RMS error",
                  conditional, ticks=states),
        ]
    )  # fmt: skip


def _select(
    results: Sequence[Result], kind: str, dim: int, estimator: str, path: str | None = None
) -> list[Result]:
    key = kind, dim, estimator, path
    return [r for r in results if (r["kind"], r["dim"], r["estimator"], r.get("path")) == key]


def _dims(results: Sequence[Result], kind: str) -> list[int]:
    return sorted({r["dim"] for r in results if r["kind"] == kind})


def _relative(result: Result) -> float:
    error: float = result["field"] / result["wanted"]
    return error


def _percent(group: Sequence[Result], value: Callable[[Result], float]) -> str:
    return f"{100 * statistics.fmean(map(value, group)):.1f}"


def _mean(group: Sequence[Result], name: str, digits: int) -> str:
    return f"{statistics.fmean(r[name] for r in group):.{digits}f}"
