"""What an experiment says in the end: tables, targets with their bounds, pictures."""

from __future__ import annotations

import math
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

# One-sided 95 % quantiles of Student's t for 2, 3, ... values.
T_95 = (6.314, 2.920, 2.353, 2.132, 2.015, 1.943, 1.895, 1.860, 1.833)


@dataclass(frozen=True)
class ExperimentTable:
    """A titled table of text cells; the first ``labels`` columns are words, the others numbers."""

    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    labels: int = 1
    note: str = ""


@dataclass(frozen=True)
class Target:
    """A number that must not exceed a limit, as its 95 % bound over training seeds."""

    name: str
    bound: float
    limit: float
    seeds: int

    @property
    def met(self) -> bool:
        """Whether the bound keeps to the limit."""
        return self.bound <= self.limit


@dataclass(frozen=True)
class ExperimentReport:
    """The outcome of an experiment."""

    tables: tuple[ExperimentTable, ...]
    targets: tuple[Target, ...] = ()
    pictures: Mapping[str, bytes] = field(default_factory=dict)  # file name -> PNG


def upper_bound(values: Sequence[float]) -> float:
    """Return the one-sided 95 % bound of the mean over training seeds (Student's t).

    A single value is its own bound, and the number of seeds beside it says so.
    """
    if len(values) == 1:
        return values[0]
    quantile = T_95[min(len(values), len(T_95) + 1) - 2]
    return statistics.fmean(values) + quantile * statistics.stdev(values) / math.sqrt(len(values))


def spread(values: Sequence[float], digits: int) -> str:
    """Return mean ± sample standard deviation; the value alone if there is one."""
    mean = f"{statistics.fmean(values):.{digits}f}"
    return mean if len(values) == 1 else f"{mean} ± {statistics.stdev(values):.{digits}f}"


def target(name: str, values: Sequence[float], limit: float) -> Target:
    """Return a target on the bound of ``values``, one per seed."""
    return Target(name, upper_bound(values), limit, len(values))


def target_table(targets: Sequence[Target]) -> ExperimentTable:
    """Return all targets as a table."""
    return ExperimentTable(
        "Numbers to reach",
        ("number", "95 % bound", "limit", "seeds", "met"),
        tuple(
            (d.name, f"{d.bound:.3g}", f"{d.limit:g}", str(d.seeds), "yes" if d.met else "NO")
            for d in targets
        ),
        note=(
            "The bound is of the mean over training seeds (Student's t, one-sided); "
            "a single seed stands for itself."
        ),
    )


def markdown(title: str, report: ExperimentReport) -> str:
    """Return the tables as a Markdown document."""
    lines = [f"# {title}", ""]
    for table in report.tables:
        lines += [f"## {table.title}", "", _pipes(table.columns)]
        numbers = len(table.columns) - table.labels
        lines.append(_pipes(["---"] * table.labels + ["---:"] * numbers))
        lines += [*map(_pipes, table.rows), ""]
        if table.note:
            lines += [table.note, ""]
    lines += [f"![{name}]({name})" for name in report.pictures]
    return "\n".join(lines).rstrip() + "\n"


def _pipes(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"
