"""The best of what was reported: a record to act with, a configuration to train again."""

from __future__ import annotations

import math
import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from statistics import fmean

from qipo_ray.config import from_dict
from qipo_ray.config.preset_file import preset_file
from qipo_ray.errors import UserError, nearest
from qipo_ray.leaderboard.offline import (
    NOTHING_ROLLED_OUT,
    is_offline,
    objective_of,
    worth_of,
)
from qipo_ray.leaderboard.rows import APART, Record, exclusion_reason, origin_of
from qipo_ray.leaderboard.tables import clean
from qipo_ray.store.records import unique
from qipo_ray.study.objective import SCORE, merit_text
from qipo_ray.study.task_file import task_id_of


def best_records(
    records: Iterable[Record], source: object, task: str | None = None, method: str | None = None
) -> list[Record]:
    """Return the runs of the best configuration of those that tables report, the best run first.

    It is the one of the highest mean score over training seeds; of a task without a simulator, the
    best by what its search went by. ``method`` is a row's, such as
    ``QIPO-OT``; ``task`` may be the file of a user's own. ``UserError``, which names ``source``,
    if there is none, or if the runs are of several tasks and none is named.
    """
    reported = [record for record in unique(records).kept if _known(record)]
    reported = _of(reported, "task", task_id_of(task) if task else None, _task, source)
    reported = _of(reported, "method", method, _method, source)
    tasks = sorted(set(map(_task, reported)))
    if len(tasks) != 1:
        several = f"runs of {', '.join(tasks)}; name a task" if tasks else "no reported run"
        raise UserError(f"{source} holds {several}")
    chose = sorted({objective_of(record) for record in reported if is_offline(record)})
    if len(chose) > 1:
        raise UserError(
            f"{source} holds runs chosen by {' and '.join(chose)}, which do not compare; name a "
            "folder of one search"
        )
    configurations: defaultdict[tuple[str, ...], list[Record]] = defaultdict(list)
    for record in reported:  # no mean is over two data sets or simulators
        key = record["config_hash"], origin_of(record), record["data"]["sha256"]
        configurations[key].append(record)
    runs = max(configurations.values(), key=lambda runs: fmean(map(_score, runs)))
    return sorted(runs, key=_score, reverse=True)


def best_file(runs: Sequence[Record]) -> str:
    """Return the configuration of some runs as a file for ``--preset``, with their score.

    ``UserError`` if this version cannot read it.
    """
    first = runs[0]
    seeds = ", ".join(str(seed) for seed in sorted(run["seed"] for run in runs))
    value, objective = (
        fmean(map(_score, runs)),
        objective_of(first) if is_offline(first) else SCORE,
    )
    number = merit_text(objective, value).removeprefix("score ")
    nothing = f"; {NOTHING_ROLLED_OUT}" if is_offline(first) else ""
    score = f"{number} on {first['data']['source']} data, seeds {seeds}{nothing}"
    comment = f"# {_method(first)} on {_task(first)}: {score}; record {first['id']}"
    settings = preset_file(from_dict(first["config"], f"record {first['id']}"))
    return f"{clean(comment)}\n{settings}"


def best_files(records: Sequence[Record]) -> Iterator[tuple[str, str]]:
    """Yield a file's name and text for the best of each task and method: ``TASK-METHOD.yaml``.

    What this version cannot read is left out.
    """
    reported = [record for record in records if _known(record)]
    for task, method in sorted({(_task(record), _method(record)) for record in reported}):
        name = re.sub(r"[^A-Za-z0-9.]+", "-", f"{task}-{method}").strip("-.")
        with suppress(UserError):
            yield f"{name}.yaml", best_file(best_records(reported, "the sweep", task, method))


def _task(record: Record) -> str:
    task: str = record["task"]
    return task


def _method(record: Record) -> str:
    method: str = record["label"]["method"]
    return method


def _score(record: Record) -> float:
    if is_offline(record):
        worth = worth_of(record)
        return -math.inf if worth is None else worth
    score: float = record["final"]["last"]["normalised"]
    return score


def _known(record: Record) -> bool:
    """Return whether a run is in a table, by its score or by what the data say of it."""
    return exclusion_reason(record) in (None, APART)


def _of(
    records: list[Record],
    kind: str,
    wanted: str | None,  # of a user's own task also its name alone, without the hash
    name_of: Callable[[Record], str],
    source: object,
) -> list[Record]:
    """Return the records of one task or method; ``UserError`` with the nearest if none is."""
    names = sorted(set(map(name_of, records)))
    chosen = [name for name in names if wanted in (None, name, name.partition("@")[0])]
    if not chosen and wanted is not None:
        raise UserError(
            f"{source} has no reported run of the {kind} {wanted!r}{nearest(wanted, names)}; "
            f"it has {', '.join(names) or 'none'}"
        )
    return [record for record in records if name_of(record) in chosen]
