"""The report of a sweep: one HTML file with everything in it, that opens without a network."""

from __future__ import annotations

import base64
import hashlib
import shlex
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import yaml

from qipo_ray.config.yaml_source import own_yaml
from qipo_ray.errors import UserError
from qipo_ray.leaderboard.best import best_files
from qipo_ray.leaderboard.board import Leaderboard, from_records, records_below
from qipo_ray.leaderboard.costs import Costs, costs_of
from qipo_ray.leaderboard.figures.gallery import FigureGroup, gallery
from qipo_ray.leaderboard.formats.html import environment, table_data
from qipo_ray.leaderboard.health import warnings_of
from qipo_ray.leaderboard.labels import row_labels
from qipo_ray.leaderboard.open_searches import open_searches
from qipo_ray.leaderboard.provenance import hardware_text
from qipo_ray.leaderboard.race import race_lines
from qipo_ray.leaderboard.rows import Record, Row, by_setting
from qipo_ray.leaderboard.signal_table import signal_tables
from qipo_ray.leaderboard.tables import Table
from qipo_ray.leaderboard.trial_results import active_params
from qipo_ray.leaderboard.views.against_best import against_best
from qipo_ray.store.records import unique
from qipo_ray.study.objective import SCORE

SPECIFICATION = "sweep.yaml"
MAX_BEST = 60  # configurations that are shown in full


@dataclass(frozen=True)
class SweepReport:
    """A sweep's folder, read: its records, copies too, and the specification if it has one."""

    root: Path
    all_records: tuple[Record, ...]
    specification: Mapping[str, Any]
    literature: bool = False

    @cached_property
    def board(self) -> Leaderboard:
        """The leaderboard of the records."""
        return from_records(self.all_records, literature=self.literature)

    @cached_property
    def records(self) -> list[Record]:
        """The records, each run once."""
        return unique(self.all_records).kept

    @property
    def space(self) -> Mapping[str, Any]:
        """The parameters that were searched."""
        space: Mapping[str, Any] = self.specification.get("space", {})
        return space

    @property
    def comparisons(self) -> list[Table]:
        """The best of each data source and protocol against the others; signals against scores."""
        tables = (against_best(setting, rows) for setting, rows in by_setting(self.board.rows))
        return [*(table for table in tables if table is not None), *signal_tables(self.records)]

    @cached_property
    def figure_groups(self) -> list[FigureGroup]:
        """The figures."""
        return gallery(self.records, self.board.rows, self.space)

    def html(self) -> str:
        """Return the page; every text from a record is escaped, and no script but ours may run."""
        best = _best(self.board.rows, self.records, self.space)
        script = environment().get_template("report.js").render()
        digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
        template = environment().get_template("report.html")
        return template.render(
            title=f"Report: {', '.join(sorted({r['sweep'] for r in self.records}))}",
            board=self.board,
            tables=[table_data(table) for table in self.board.tables],
            comparisons=[table_data(table) for table in self.comparisons],
            figure_groups=self.figure_groups,
            best=best[:MAX_BEST],
            more_best=len(best[MAX_BEST:]),
            costs=_cost_lines(costs_of(self.records, self.root)),
            warnings=[
                *open_searches([self.root], self.records),
                *warnings_of(self.records, self.root),
            ],
            races=race_lines([self.root], self.records),
            data_notes=sorted({n for r in self.records for n in r["data"]["notes"]}),
            plan=_plan(self.specification),
            origins=_origins(self.records),
            folder=shlex.quote(self.root.name),
            first=next((r["id"] for r in self.records if r["state"] == "finished"), None),
            script=script,
            digest=digest,
        )

    def files(self, folder: Path) -> Iterator[tuple[Path, bytes]]:
        """Yield the page, the best configurations, and the figures, each with its path."""
        yield folder / "report.html", self.html().encode()
        for name, text in best_files(self.records):
            yield folder / "best" / name, text.encode()
        yield from self.figure_files(folder / "figures")

    def figure_files(self, folder: Path) -> Iterator[tuple[Path, bytes]]:
        """Yield every figure as SVG and PNG, with its path in ``folder``."""
        for figure in (figure for group in self.figure_groups for figure in group.figures):
            yield folder / f"{figure.name}.svg", figure.svg.encode()
            yield folder / f"{figure.name}.png", figure.png()


def read_report(root: Path, *, literature: bool = False) -> SweepReport:
    """Return the report of a sweep's folder, or of any folder with records below it.

    Raises:
        UserError: if there is no such folder, or no record, or ``sweep.yaml`` is damaged.
    """
    root = Path(root)
    records = tuple(records_below([root]))
    return SweepReport(root.resolve(), records, _specification(root), literature)


def _specification(root: Path) -> Mapping[str, Any]:
    path = root / SPECIFICATION
    try:
        content = own_yaml(path.read_text())
    except FileNotFoundError:
        return {}
    except (yaml.YAMLError, UnicodeDecodeError) as problem:
        line = " ".join(str(problem).split())
        raise UserError(f"{path}: not readable: {line:.200}") from None
    if not isinstance(content, dict) or not isinstance(content.get("space", {}), dict):
        raise UserError(f"{path}: expected a sweep's specification, with a mapping 'space'")
    return content


def _best(
    rows: Sequence[Row], records: Sequence[Record], space: Mapping[str, Any]
) -> list[dict[str, object]]:
    """Return per data source and task the best configuration of each method, in full."""
    configs = {record["config_hash"]: record["config"] for record in records}
    labels = row_labels(row.method for row in rows)
    best: dict[tuple[object, ...], Row] = {}
    for row in rows:
        key = (row.method.setting, row.method.task, row.method.name)
        if row.method.kind == "run" and (key not in best or row.last.mean > best[key].last.mean):
            best[key] = row
    return [
        {
            "row": row,
            "label": labels[row.method],
            "params": sorted(active_params(configs[row.method.config], space).items()),
            "config": yaml.safe_dump(
                configs[row.method.config], sort_keys=False, allow_unicode=True
            ),
        }
        for row in best.values()
    ]


def _cost_lines(costs: Costs) -> list[tuple[str, str]]:
    """Return what the runs cost, as pairs of text for a list."""
    lines = [
        ("runs", f"{costs.runs:,}"),
        ("from first start to last end", duration(costs.wall_s)),
        ("device time if no run had shared a stage", duration(costs.alone_s)),
    ]
    if costs.trained_s is None:
        lines.append(("device time spent", "unknown: the artefacts are not all in this folder"))
    else:
        saved = max(0.0, costs.alone_s - costs.trained_s)
        share = f" ({100 * saved / costs.alone_s:.0f} %)" if costs.alone_s else ""
        lines.append(("device time spent", duration(costs.trained_s)))
        lines.append(("saved by sharing stages", duration(saved) + share))
    lines += [
        (f"{stage} jobs", f"{needed:,} needed, {trained:,} trained")
        for stage, (needed, trained) in costs.jobs.items()
    ]
    return lines


def duration(seconds: float) -> str:
    """Return a time as text: ``12.0 s``, ``1 min 05 s`` or ``2 h 03 min``."""
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes:02d} min" if hours else f"{minutes} min {rest:02d} s"


def _plan(specification: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Return how the search was set up, as pairs of text for a list."""
    if not specification:
        return []
    seeds, rungs = specification.get("seeds", {}), specification.get("rungs", {})
    shares = ", ".join(f"{share:.3g}" for share in rungs.get("shares", []))
    prior = specification.get("prior", {})
    race = specification.get("confirm", {}).get("race", [])
    return [
        ("trials per task", str(specification.get("trials"))),
        ("compared and chosen by", str(specification.get("objective", SCORE))),
        *([("began with the trials of", str(prior.get("sweep")))] if prior else []),
        ("search seeds", ", ".join(map(str, seeds.get("search", [])))),
        ("report seeds, disjoint from them", ", ".join(map(str, seeds.get("report", [])))),
        ("compared at these shares of the policy stage", shares),
        ("kept at each", f"1 of {rungs.get('reduction')}"),
        ("confirmed per task and path", str(specification.get("confirm", {}).get("top"))),
        ("further report seeds, for those in the race", ", ".join(map(str, race)) or "none"),
        ("hash of the specification", str(specification.get("hash"))),
    ]


def _origins(records: Sequence[Record]) -> list[list[tuple[str, str]]]:
    """Return each distinct way in which runs were made, as pairs of text for a list."""
    counts: Counter[tuple[tuple[str, str], ...]] = Counter()
    for record in records:
        provenance = record["provenance"]
        commit = (provenance["commit"] or "none") + (" and changes" if provenance["dirty"] else "")
        command = provenance["command"]
        packages = ", ".join(f"{name} {v}" for name, v in sorted(provenance["packages"].items()))
        origin = (
            ("command", command if isinstance(command, str) else " ".join(command)),
            ("version", str(provenance["version"])),
            ("commit", commit),
            ("Python", str(provenance["python"])),
            ("packages", packages or "none recorded"),
            ("hardware", hardware_text(provenance["hardware"])),
        )
        counts[origin] += 1
    return [[("runs", f"{count:,}"), *origin] for origin, count in counts.most_common(5)]
