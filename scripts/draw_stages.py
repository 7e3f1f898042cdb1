"""Draw the stages of QIPO, docs/stages.png: who gives what to whom, and what it does at one state.

    python scripts/draw_stages.py --output docs/stages.png

The curves are computed, not sketched: a behaviour of three Gaussians over one action, a Q, and
``pi_l ∝ mu exp(l beta Q)``, which rounds of exact regressions would reach.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import matplotlib
import numpy as np
from numpy.typing import NDArray

matplotlib.use("agg")
from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from matplotlib.patches import FancyArrowPatch, FancyBboxPatch

INK, GREY, BLUE, ORANGE, GREEN = "#1b1c1e", "#8a8a8a", "#0072b2", "#d55e00", "#009e73"
COLOURS = (BLUE, ORANGE, GREEN)
LEFT, WIDE, GAP = 0.045, 0.27, 0.05  # of the three columns, as shares of the figure
BETA, SUPPORT, ROUNDS = 1.2, 16, 3
STAGES = (
    (
        "1  behaviour",
        "clone the data",
        r"$\Vert f_\theta(a_t, t; s) - \mathrm{target} \Vert^2$",
        "BehaviourPack",
    ),
    (
        "2  critic",
        "value within the support",
        r"$y = r + \gamma \, \sum_j \mathrm{softmax}_j(q_\alpha Q)\, Q(s', a'_j)$",
        "CriticPack",
    ),
    (
        "3  policy",
        "rounds of weighted regression",
        r"$\sum_j \mathrm{softmax}_j(\beta Q)\, \Vert f_\theta(a_{j,t}, t; s) - \ldots \Vert^2$",
        "PolicyPack",
    ),
)

Curve = NDArray[np.float64]


def behaviour(a: Curve) -> Curve:
    """Return the behaviour's density."""
    parts = ((0.5, -0.5, 0.16), (0.35, 0.15, 0.13), (0.15, 0.55, 0.1))
    return sum(
        (w * np.exp(-0.5 * ((a - m) / d) ** 2) / (d * np.sqrt(2 * np.pi)) for w, m, d in parts),
        start=np.zeros_like(a),
    )


def value(a: Curve) -> Curve:
    """Return Q at the state that is drawn."""
    return 2.2 * np.exp(-0.5 * ((a - 0.62) / 0.42) ** 2) + 0.5 * np.sin(5 * a)


def column(i: int) -> float:
    """Return where column ``i`` begins."""
    return LEFT + i * (WIDE + GAP)


def draw_stages(canvas: Axes) -> None:
    """Draw the three boxes and the arrows between them."""
    for i, (name, purpose, formula, code) in enumerate(STAGES):
        x, middle = column(i), column(i) + WIDE / 2
        canvas.add_patch(
            FancyBboxPatch(
                (x, 0.545), WIDE, 0.265, boxstyle="round,pad=0,rounding_size=0.012",
                facecolor=COLOURS[i] + "12", edgecolor=COLOURS[i], linewidth=1.2,
            )
        )  # fmt: skip
        canvas.text(x + 0.012, 0.775, name, size=12, weight="bold", color=COLOURS[i], va="center")
        canvas.text(x + WIDE - 0.012, 0.775, code, size=8, family="DejaVu Sans Mono",
                    color=GREY, ha="right", va="center")  # fmt: skip
        canvas.text(x + 0.012, 0.71, purpose, size=10, va="center")
        canvas.text(middle, 0.615, formula, size=9.5, ha="center", va="center")
    right = column(2) + WIDE
    arrow(canvas, (column(0) + WIDE, 0.68), (column(1), 0.68))
    arrow(canvas, (column(1) + WIDE, 0.68), (column(2), 0.68))
    arrow(canvas, (column(0) + 0.2, 0.81), (column(2) + 0.05, 0.81), bend=-0.16)
    arrow(canvas, (right - 0.025, 0.81), (right - 0.115, 0.81), bend=1.1)
    labels = (
        (column(1) - GAP / 2, 0.705, "$\\mu$", 11),
        (column(2) - GAP / 2, 0.705, "$Q$", 11),
        (column(1) + WIDE / 2 - 0.01, 0.92, "weights and Adam's moments of $\\mu$", 9),
        (right - 0.07, 0.935, "every $K$ updates:\n$M$ new actions at each $s$", 9),
    )
    for x, y, text, size in labels:
        canvas.text(x, y, text, size=size, ha="center", va="center")


def arrow(
    canvas: Axes, start: tuple[float, float], end: tuple[float, float], bend: float = 0
) -> None:
    """Draw an arrow, bent by a share of its length."""
    canvas.add_patch(
        FancyArrowPatch(start, end, connectionstyle=f"arc3,rad={bend}", arrowstyle="-|>",
                        mutation_scale=12, linewidth=1.2, color=INK, shrinkA=0, shrinkB=0)
    )  # fmt: skip


def draw_state(panels: list[Axes]) -> None:
    """Draw what each stage knows at one state, over its single action."""
    a = np.linspace(-1, 1, 801)
    mu, q = behaviour(a), value(a)
    rng = np.random.default_rng(3)
    data = rng.choice(a, 600, p=mu / mu.sum())
    support = rng.choice(a, SUPPORT, p=mu / mu.sum())
    weights = np.exp(BETA * value(support))
    weights /= weights.sum()

    panels[0].hist(data, 40, range=(-1, 1), density=True, color="#d5e6f1")
    panels[0].plot(a, mu, color=BLUE)
    panels[0].text(-0.97, 2.05, r"data and $\mu(a|s)$", color=BLUE, va="top")

    panels[1].plot(a, q, color=ORANGE)
    panels[1].scatter(support, value(support), 20 + 900 * weights, color=ORANGE, alpha=0.45,
                      linewidth=0, zorder=3)  # fmt: skip
    panels[1].text(-0.97, 3.0, r"$Q(s, a)$ and $a_j \sim \mu$;", color=ORANGE, va="top")
    panels[1].text(-0.97, 2.5, r"larger: softmax$_j(\beta Q)$", color=ORANGE, va="top")

    panels[2].fill_between(a, mu, color="#ececec", linewidth=0)
    for number in range(1, ROUNDS + 1):
        tilted = mu * np.exp(number * BETA * q)
        tilted /= tilted.sum() * (a[1] - a[0])
        panels[2].plot(a, tilted, color=GREEN, alpha=0.25 + 0.25 * number)
        panels[2].text(
            a[tilted.argmax()] + 0.13, tilted.max() - 0.1, rf"$l = {number}$", color=GREEN
        )
    panels[2].text(-0.97, 4.15, r"$\pi_l \propto \mu \, e^{\,l \beta Q}$", color=GREEN, va="top")
    panels[2].text(-0.62, 1.4, r"$\mu$", color=GREY)
    for panel, top in zip(panels, (2.2, 3.2, 4.4), strict=True):
        panel.set(xlim=(-1, 1), yticks=[], xticks=[-1, 0, 1], xlabel="action at one state")
        panel.set_ylim(-0.03 * top if panel is not panels[1] else None, top)
        panel.spines[["top", "right", "left"]].set_visible(False)
        panel.xaxis.set_label_coords(0.5, -0.13)


def main() -> None:
    """Draw and write the picture."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--output", type=Path, default=Path("docs/stages.png"))
    target: Path = parser.parse_args().output
    plt.rcParams.update({"font.size": 9, "text.color": INK, "axes.edgecolor": INK})
    figure = plt.figure(figsize=(10, 5.2), facecolor="white")
    canvas = figure.add_axes((0, 0, 1, 1))
    canvas.set(xlim=(0, 1), ylim=(0, 1))
    canvas.axis("off")
    draw_stages(canvas)
    draw_state([figure.add_axes((column(i), 0.1, WIDE, 0.38)) for i in range(3)])
    figure.savefig(target, dpi=150, metadata={"Software": None})


if __name__ == "__main__":
    main()
