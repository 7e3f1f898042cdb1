"""The report of a sweep: one HTML file with everything in it, that opens without a network."""

from __future__ import annotations

import base64
import hashlib
import shlex
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import yaml

from qipo_ray.errors import UserError
from qipo_ray.leaderboard.board import Leaderboard, from_records, records_below
from qipo_ray.leaderboard.costs import Costs, costs_of
from qipo_ray.leaderboard.figures import FigureGroup, gallery
from qipo_ray.leaderboard.formats.html import environment, table_data
from qipo_ray.leaderboard.health import warnings_of
from qipo_ray.leaderboard.labels import words
from qipo_ray.leaderboard.provenance import hardware_text
from qipo_ray.leaderboard.rows import KINDS, Record, Row, by_setting
from qipo_ray.leaderboard.tables import Table
from qipo_ray.leaderboard.trial_results import active
from qipo_ray.leaderboard.views import comparison
from qipo_ray.store.records import unique

SPECIFICATION = "sweep.yaml"
MOST_BEST = 60  # configurations that are shown in full


@dataclass(frozen=True)
class SweepReport:
    """A sweep's folder, read: its records, copies too, and the specification if it has one."""

    root: Path
    given: tuple[Record, ...]
    specification: Mapping[str, Any]
    literature: bool = False

    @cached_property
    def board(self) -> Leaderboard:
        """The leaderboard of the records."""
        return from_records(self.given, literature=self.literature)

    @cached_property
    def records(self) -> list[Record]:
        """The records, each run once."""
        return unique(self.given).kept

    @property
    def space(self) -> Mapping[str, Any]:
        """The parameters that were searched."""
        space: Mapping[str, Any] = self.specification.get("space", {})
        return space

    @property
    def comparisons(self) -> list[Table]:
        """The best of each data source and protocol against the others."""
        found = (comparison(setting, rows) for setting, rows in by_setting(self.board.rows))
        return [table for table in found if table is not None]

    @cached_property
    def rooms(self) -> list[FigureGroup]:
        """The pictures."""
        return gallery(self.records, self.board.rows, self.space)

    def html(self) -> str:
        """Return the page; every text from a record is escaped, and no script but ours may run."""
        best = _best(self.board.rows, self.records, self.space)
        script = environment().get_template("report.js").render()
        digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
        return (
            environment()
            .get_template("report.html")
            .render(
                title=f"SweepReport: {', '.join(sorted({r['sweep'] for r in self.records}))}",
                board=self.board,
                tables=[table_data(table) for table in self.board.tables],
                comparisons=[table_data(table) for table in self.comparisons],
                rooms=self.rooms,
                best=best[:MOST_BEST],
                more_best=len(best[MOST_BEST:]),
                costs=_cost_lines(costs_of(self.records, self.root)),
                warnings=warnings_of(self.records, self.root),
                data_notes=sorted({n for r in self.records for n in r["data"]["notes"]}),
                plan=_plan(self.specification),
                origins=_origins(self.records),
                folder=shlex.quote(self.root.name),
                first=next((r["id"] for r in self.records if r["state"] == "finished"), None),
                script=script,
                digest=digest,
            )
        )

    def files(self, folder: Path) -> Iterator[tuple[Path, bytes]]:
        """Yield the page, then the pictures as SVG and PNG, each with its place in ``folder``."""
        yield folder / "report.html", self.html().encode()
        yield from self.pictures(folder / "figures")

    def pictures(self, folder: Path) -> Iterator[tuple[Path, bytes]]:
        """Yield every picture as SVG and PNG, with its place in ``folder``."""
        for picture in (picture for room in self.rooms for picture in room.pictures):
            yield folder / f"{picture.name}.svg", picture.svg().encode()
            yield folder / f"{picture.name}.png", picture.png()


def read_report(root: Path, *, literature: bool = False) -> SweepReport:
    """Return the report of a sweep's folder, or of any folder with records below it.

    Raises:
        UserError: if there is no such folder, or no record, or ``sweep.yaml`` is damaged.
    """
    root = Path(root)
    given = tuple(records_below([root]))
    return SweepReport(root.resolve(), given, _specification(root), literature)


def _specification(root: Path) -> Mapping[str, Any]:
    path = root / SPECIFICATION
    try:
        found = yaml.safe_load(path.read_text())
    except FileNotFoundError:
        return {}
    except (yaml.YAMLError, UnicodeDecodeError) as problem:
        line = " ".join(str(problem).split())
        raise UserError(f"{path}: not readable: {line:.200}") from None
    if not isinstance(found, dict) or not isinstance(found.get("space", {}), dict):
        raise UserError(f"{path}: expected a sweep's specification, with a mapping 'space'")
    return found


def _best(
    rows: Sequence[Row], records: Sequence[Record], space: Mapping[str, Any]
) -> list[dict[str, object]]:
    """Return per data source and task the best configuration of each method, in full."""
    configs = {record["config_hash"]: record["config"] for record in records}
    names = words(row.method for row in rows)
    top: dict[tuple[object, ...], Row] = {}
    for row in rows:
        key = (row.method.setting, row.method.task, row.method.name)
        if row.method.kind == KINDS[-1] and (key not in top or row.last.mean > top[key].last.mean):
            top[key] = row
    return [
        {
            "row": row,
            "name": names[row.method],
            "params": sorted(active(configs[row.method.config], space).items()),
            "config": yaml.safe_dump(
                configs[row.method.config], sort_keys=False, allow_unicode=True
            ),
        }
        for row in top.values()
    ]


def _cost_lines(costs: Costs) -> list[tuple[str, str]]:
    """Return what the runs cost, as pairs of words for a list."""
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
        (f"{stage} jobs", f"{asked:,} needed, {trained:,} trained")
        for stage, (asked, trained) in costs.jobs.items()
    ]
    return lines


def duration(seconds: float) -> str:
    """Return a time as people say it."""
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes:02d} min" if hours else f"{minutes} min {rest:02d} s"


def _plan(specification: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Return how the search was set up, as pairs of words for a list."""
    if not specification:
        return []
    seeds, rungs = specification.get("seeds", {}), specification.get("rungs", {})
    shares = ", ".join(f"{share:.3g}" for share in rungs.get("shares", []))
    return [
        ("trials per task", str(specification.get("trials"))),
        ("search seeds", ", ".join(map(str, seeds.get("search", [])))),
        ("report seeds, disjoint from them", ", ".join(map(str, seeds.get("report", [])))),
        ("compared at these shares of the policy stage", shares),
        ("kept at each", f"1 of {rungs.get('reduction')}"),
        ("confirmed per task and path", str(specification.get("confirm", {}).get("top"))),
        ("hash of the specification", str(specification.get("hash"))),
    ]


def _origins(records: Sequence[Record]) -> list[list[tuple[str, str]]]:
    """Return each distinct way in which runs were made, as pairs of words for a list."""
    found: dict[tuple[tuple[str, str], ...], int] = {}
    for record in records:
        made = record["provenance"]
        commit = (made["commit"] or "none") + (" and changes" if made["dirty"] else "")
        command = made["command"]
        packages = ", ".join(f"{name} {v}" for name, v in sorted(made["packages"].items()))
        key = (
            ("command", command if isinstance(command, str) else " ".join(command)),
            ("version", str(made["version"])),
            ("commit", commit),
            ("Python", str(made["python"])),
            ("packages", packages or "none recorded"),
            ("hardware", hardware_text(made["hardware"])),
        )
        found[key] = found.get(key, 0) + 1
    ranked = sorted(found.items(), key=lambda item: -item[1])
    return [[("runs", f"{count:,}"), *key] for key, count in ranked[:5]]
