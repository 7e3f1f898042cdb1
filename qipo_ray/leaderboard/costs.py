"""What a sweep cost, and what its runs would have cost had each trained all its stages alone."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from qipo_ray.leaderboard.rows import Record
from qipo_ray.leaderboard.tables import counted
from qipo_ray.store.manifest import decode

STAGES = ("behaviour", "critic", "policy")


@dataclass(frozen=True)
class Costs:
    """Device time of some runs, and the jobs behind them."""

    runs: int
    wall_s: float  # from the first start to the last end
    alone_s: float  # device time if every run had trained all its stages
    trained_s: float | None  # device time spent; None without the artefacts that tell
    jobs: dict[str, tuple[int, int]]  # by stage: needed, trained


def costs_of(records: Iterable[Record], root: Path) -> Costs:
    """Return what unique records cost; ``root`` is the sweep's folder, with its artefacts or not.

    A record counts the time of a shared job in full, so that records alone tell what runs would
    have cost apart; the artefacts' manifests tell what was trained, each once.
    """
    records = list(records)
    keys: defaultdict[str, list[str]] = defaultdict(list)
    for record in records:
        for stage in STAGES:
            if record["jobs"][stage] is not None:
                keys[stage].append(record["jobs"][stage])
    spent = [_seconds(root, stage, key) for stage in STAGES for key in sorted(set(keys[stage]))]
    trained = [seconds for seconds in spent if seconds is not None]
    started = min(record["provenance"]["started"] for record in records)
    ended = max(record["provenance"]["ended"] for record in records)
    return Costs(
        runs=len(records),
        wall_s=max(0.0, (_time(ended) - _time(started)).total_seconds()),
        alone_s=sum(
            record["cost"][k] or 0.0
            for record in records
            if record["purpose"] != "acting"  # it trains nothing
            for k in ("device_s", "reused_s")
        ),
        trained_s=sum(trained) if trained and len(trained) == len(spent) else None,
        jobs={stage: (len(keys[stage]), len(set(keys[stage]))) for stage in STAGES},
    )


def latency_notes(records: Iterable[Record]) -> list[str]:
    """Return a note on the latencies that were measured on a busy machine, if some were."""
    loads = [record["cost"].get("latency_load", 0.0) for record in records]
    busy = [load for load in loads if load > 1]
    if not busy:
        return []
    runs = f"{len(busy)} of {counted(len(loads), 'run')}"
    load = f"load average up to {max(busy):.1f} for each core"
    return [f"The latency of {runs} was measured on a busy machine ({load}): alone it is shorter."]


def _seconds(root: Path, stage: str, key: str) -> float | None:
    """Return the training time of a job's longest checkpoint, or None where none can be read."""
    folder = root / "artefacts" / f"{stage}-{key}"
    manifests = sorted((p for p in folder.glob("*.json") if p.stem.isdecimal()), reverse=True)
    for path in manifests:
        try:
            return decode(path.read_bytes(), stage, key, int(path.stem)).seconds
        except (ValueError, OSError):
            continue  # damaged: `qipo-ray verify` says so
    return None


def _time(text: str) -> datetime:
    return datetime.fromisoformat(text.replace("Z", "+00:00"))
