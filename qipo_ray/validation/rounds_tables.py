"""The outcome of repeated improvement: equation 5.4, what each round adds, and their picture."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Sequence
from itertools import product

import torch

from qipo_ray.validation.cell_runner import Result
from qipo_ray.validation.charts import Line, Panel, chart, over_seeds
from qipo_ray.validation.experiment_report import (
    ExperimentReport,
    ExperimentTable,
    Target,
    spread,
    target,
    target_table,
)
from qipo_ray.validation.finite_support import implied_beta, mean_value, tilted
from qipo_ray.validation.rounds_cells import BETAS, SUPPORT_SIZES, UNIFORM, VALUES

DIFFERENCE_LIMIT = 0.03  # of mean Q between two rounds of 3 and one of 6, M = 64
RATIO_LIMIT = 0.05  # relative difference of their effective beta
BETA_LIMIT = 0.10  # relative distance of the effective beta to the finite-M law
RESOLVED = 10.0  # effective beta up to which the law is held to the limit


def report(results: Sequence[Result]) -> ExperimentReport:
    """Return tables, targets and picture from the cells' results."""
    rows = [row for result in results for row in result["rows"]]
    targets = _targets(rows)
    tables = (
        _schedules(rows),
        _effective(rows),
        _without_neighbour(rows),
        target_table(targets),
    )
    return ExperimentReport(tables, targets, {"rounds.png": _picture(rows)})


def _select(rows: Sequence[Result], beta: float, support_size: int, done: int) -> list[Result]:
    key = beta, support_size, done
    return [r for r in rows if (r["beta"], r["support_size"], r["round"]) == key]


def _schedules(rows: Sequence[Result]) -> ExperimentTable:
    """Return two rounds of 3 beside one of 6, for each set size, and the exact tilt."""
    exact = tilted(UNIFORM, VALUES, 2 * BETAS[0])
    floor = statistics.fmean(r["sw2_floor"] for r in rows)
    lines = []
    for support_size in SUPPORT_SIZES:
        for beta, done in ((BETAS[0], 2), (2 * BETAS[0], 1)):
            group = _select(rows, beta, support_size, done)
            if not group:
                continue
            law, masses = group[0]["law_masses"], [r["masses"] for r in group]
            lines.append(
                (
                    str(support_size),
                    f"{done} x {beta:g}",
                    _best([statistics.fmean(m) for m in zip(*masses, strict=True)]),
                    _best(law),
                    spread([_distance(m, law) for m in masses], 3),
                    spread([r["mean_q"] for r in group], 3),
                    f"{group[0]['law_mean_q']:.3f}",
                    spread([r["implied_beta"] for r in group], 2),
                    f"{group[0]['law_beta']:.2f}",
                    spread([r["sw2"] for r in group], 3),
                    f"{group[0]['law_sw2']:.3f}",
                    str(len(group)),
                )
            )
    best, mean = _best(exact.tolist()), mean_value(exact, VALUES)
    lines.append(
        (
            "∞", "exact tilt", best, best, "0", f"{mean:.3f}", f"{mean:.3f}", "6", "6.00",
            f"{floor:.3f}", f"{floor:.3f}", "–",
        )
    )  # fmt: skip
    return ExperimentTable(
        "Two rounds of beta = 3 against one of 6 (equation 5.4)",
        (
            "M", "schedule", "best modes", "law", "masses L1 to law", "mean Q", "law",
            "implied beta", "law", "sliced W2", "law", "seeds",
        ),
        tuple(lines),
        labels=2,
        note=(
            "law: what an exact fit to support sets of M actions would give. Best modes: masses "
            "of the three best, in percent. Sliced W2 is to exact samples of the tilt of beta = 6 "
            "and includes the finite M; the last line is the sampling floor."
        ),
    )  # fmt: skip


def _effective(rows: Sequence[Result]) -> ExperimentTable:
    """Return the effective beta after each round, a line for each beta and set size."""
    return _by_round(
        rows,
        "Effective beta after each round: samples (finite-M law)",
        lambda r: (r["implied_beta"], r["law_beta"]),
        "Fitted by maximum likelihood of the modes' masses. Infinite M would give beta times the "
        "rounds.",
    )


def _without_neighbour(rows: Sequence[Result]) -> ExperimentTable:
    """Return the effective beta of the modes but the worst, which is the best one's neighbour."""
    prior, values = UNIFORM[1:], VALUES[1:]

    def fitted(r: Result) -> tuple[float, float]:
        return (
            implied_beta(torch.tensor(r["masses"][1:]), prior, values),
            implied_beta(torch.tensor(r["law_masses"][1:]), prior, values),
        )

    return _by_round(
        rows,
        "The same without the worst mode",
        fitted,
        "The worst mode stands beside the best one. Where Q falls from 1 to 0 between them the "
        "trained flow is smooth: a few thousandths of the samples cross, and at a large effective "
        "beta they decide the fit. What is missing here, too, is what each round's fit leaves "
        "over: the next takes it for its data. So nothing is demanded where the law is above "
        f"{RESOLVED:g}.",
    )


def _by_round(
    rows: Sequence[Result],
    title: str,
    pair: Callable[[Result], tuple[float, float]],
    note: str,
) -> ExperimentTable:
    """Return a table of samples (law), a line for each beta and set size."""
    last = max(r["round"] for r in rows)
    lines = []
    for beta, support_size in product(BETAS, SUPPORT_SIZES):
        sets = [_select(rows, beta, support_size, done) for done in range(1, last + 1)]
        if not all(sets):
            continue
        pairs = [[pair(r) for r in group] for group in sets]
        texts = [f"{spread([a for a, _ in column], 2)} ({column[0][1]:.2f})" for column in pairs]
        lines.append((f"{beta:g}", str(support_size), *texts, str(len(sets[0]))))
    columns = "beta", "M", *(f"after {done}" for done in range(1, last + 1)), "seeds"
    return ExperimentTable(title, columns, tuple(lines), 2, note)


def _targets(rows: Sequence[Result]) -> tuple[Target, ...]:
    """Return the targets: equation 5.4 at the largest M, and the law wherever beta resolves."""
    largest = max(SUPPORT_SIZES)
    twice, once = _select(rows, BETAS[0], largest, 2), _select(rows, 2 * BETAS[0], largest, 1)
    targets = []
    if twice and len(twice) == len(once):
        gaps = [abs(a["mean_q"] - b["mean_q"]) for a, b in zip(twice, once, strict=True)]
        name = f"mean Q, 2 x {BETAS[0]:g} against 1 x {2 * BETAS[0]:g}, M = {largest}"
        targets.append(target(name, gaps, DIFFERENCE_LIMIT))
        ratios = [
            abs(a["implied_beta"] / b["implied_beta"] - 1)
            for a, b in zip(twice, once, strict=True)
        ]
        targets.append(target(name.replace("mean Q", "effective beta"), ratios, RATIO_LIMIT))
    for beta, support_size in product(BETAS, SUPPORT_SIZES):
        worst: dict[int, float] = {}
        for r in rows:
            is_schedule = (r["beta"], r["support_size"]) == (beta, support_size)
            if is_schedule and r["law_beta"] <= RESOLVED:
                gap = abs(r["implied_beta"] / r["law_beta"] - 1)
                worst[r["seed"]] = max(gap, worst.get(r["seed"], 0.0))
        if worst:
            name = f"effective beta off the law, worst round, beta {beta:g}, M = {support_size}"
            targets.append(target(name, list(worst.values()), BETA_LIMIT))
    return tuple(targets)


def _picture(rows: Sequence[Result]) -> bytes:
    """Return a PNG: effective beta over rounds, a panel for each beta."""
    panels = []
    for beta in BETAS:
        lines: list[Line] = []
        for style, support_size in enumerate(SUPPORT_SIZES):
            group = [r for r in rows if (r["beta"], r["support_size"]) == (beta, support_size)]
            if not group:
                continue
            rounds = sorted({r["round"] for r in group})
            laws = {r["round"]: r["law_beta"] for r in group}
            law = [laws[n] for n in rounds]
            lines.append(Line(f"law, M = {support_size}", rounds, law, style=style, law=True))
            sets = [
                [r["implied_beta"] for r in _select(rows, beta, support_size, n)] for n in rounds
            ]
            lines.append(over_seeds(f"M = {support_size}", rounds, sets, style))
        rounds = sorted({r["round"] for r in rows})
        infinite = [beta * n for n in rounds]
        lines.append(Line("infinite M", rounds, infinite, style=4, law=True))
        panels.append(
            Panel(
                f"β = {beta:g} a round", "rounds", "effective β", lines,
                log_x=False, log_y=False, ticks=rounds,
            )
        )  # fmt: skip
    return chart(panels)


def _best(masses: Sequence[float]) -> str:
    return " / ".join(f"{100 * mass:.1f}" for mass in masses[:-4:-1])


def _distance(a: Sequence[float], b: Sequence[float]) -> float:
    return sum(abs(x - y) for x, y in zip(a, b, strict=True))
