"""The reports of a finished critic and policy, as records hold them, in numbers and in words."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

Words = Mapping[str, Any]
NUMBERS = {
    "critic": (
        "action_std", "q_std", "disagreement", "error", "correlation", "q_mean", "return_mean",
    ),
    "policy": ("drift", "action_std", "q_mean", "q_best", "q_std"),
}  # fmt: skip
PARTS = {  # of a critic's report that has them: their prefix among curves, and their numbers
    "evidence": ("held_out", ("slope", "error")),
    "agreement": ("pairs", ("spread", "advantage", "deviation", "share")),
}


def scalars_of(stage: str, report: Words) -> dict[str, float]:
    """Return the numbers of a stage's report for curves; what is not known is left out."""
    numbers = {name: report[name] for name in NUMBERS[stage]}
    if report.get("best_of") is not None:
        numbers["best_of"] = report["best_of"]["normalised"]
    for part, (prefix, names) in PARTS.items():
        numbers |= {f"{prefix}_{name}": report[part][name] for name in names if part in report}
    known = {name: value for name, value in numbers.items() if value is not None}
    return {f"{stage}_report/{name}": value for name, value in known.items()}


def lines_of(stage: str, report: Words) -> Iterator[str]:
    """Yield a stage's report in words: what was measured, then a line for each warning."""
    texts = {n: "?" if report[n] is None else f"{report[n]:.3g}" for n in NUMBERS[stage]}
    yield SENTENCES[stage](report, texts)
    for warning in report["warnings"]:
        yield f"warning: {warning}"


def _critic(report: Words, text: Mapping[str, str]) -> str:
    known = report["q_std"] is not None and report["error"]
    relative = f" ({report['q_std'] / report['error']:.2g} of its error)" if known else ""
    best = report["best_of"]
    further = _agreement(report) + _evidence(report.get("evidence"))
    greedy = (
        ""
        if best is None
        else f"; acting by the best of {report['actions']} scores {best['normalised']:.1f}"
    )
    return (
        f"between actions of a state Q varies by ± {text['q_std']}{relative}, its two networks "
        f"differ by {text['disagreement']}; correlation with returns {text['correlation']}, mean "
        f"Q {text['q_mean']}, mean return {text['return_mean']}{greedy}{further}"
    )


def _agreement(report: Words) -> str:
    said = report.get("agreement")
    if said is None:
        return ""
    text = {name: "?" if value is None else f"{value:.3g}" for name, value in said.items()}
    known = said["spread"] is not None and report["q_std"]
    relative = f" ({said['spread'] / report['q_std']:.2g} of what Q varies by)" if known else ""
    return (
        f"; {said['pairs']} pairs differ by {text['spread']}{relative}; by {text['share']} of "
        f"them the best action beats the data's, by {text['advantage']} ± {text['deviation']}"
    )


def _evidence(held: Words | None) -> str:
    if held is None or held["slope"] is None:
        return "" if held is None else f"; held out: {held['episodes']} episodes, too few"
    slope = f"slope of returns on Q {held['slope']:.2f} ± {held['error']:.2f}"
    return f"; on {held['episodes']} held-out episodes {slope}"


def _policy(report: Words, text: Mapping[str, str]) -> str:
    return (
        f"distance from the clone {text['drift']} (1: as two draws of the clone are apart); its "
        f"actions vary by ± {text['action_std']}; their mean Q is {text['q_mean']}, that of the "
        f"clone's best of {report['actions']} {text['q_best']} (± {text['q_std']} between actions "
        "of a state)"
    )


SENTENCES: dict[str, Callable[[Words, Mapping[str, str]], str]] = {
    "critic": _critic,
    "policy": _policy,
}
