"""Published scores with their sources: shown beside ours, visibly apart, in no statistic."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Any

from qipo_ray.config.values import show
from qipo_ray.config.yaml_source import Document, parse_yaml
from qipo_ray.data.tasks import get_task, task_ids
from qipo_ray.errors import UserError, nearest

PACKAGED = "literature.yaml"
# Field -> whether it must be there.
SOURCE_FIELDS = {"citation": True, "url": True}
RESULT_FIELDS = {
    "method": True,
    "source": True,
    "protocol": False,
    "note": False,
    "scores": True,
}


@dataclass(frozen=True)
class PublishedScore:
    """One published score: what was printed where, and how it was measured as far as known."""

    task: str
    method: str
    score: float  # D4RL-normalised
    plus_minus: float | None  # what the source prints behind ±; None if it prints nothing
    source: str  # short name
    citation: str
    url: str
    protocol: str | None  # None where the source at hand does not say
    note: str | None


def literature_for(tasks: Iterable[str]) -> tuple[PublishedScore, ...]:
    """Return the published scores of some tasks, by task in the order given, then by the file."""
    return tuple(row for task in dict.fromkeys(tasks) for row in packaged() if row.task == task)


@cache
def packaged() -> tuple[PublishedScore, ...]:
    """Return every published score that ships with the package."""
    text = resources.files("qipo_ray.leaderboard").joinpath(PACKAGED).read_text("utf-8")
    return parse(text, PACKAGED)


def parse(text: str, where: str) -> tuple[PublishedScore, ...]:
    """Return the published scores in YAML text; ``UserError`` names ``where`` and the line."""
    document = parse_yaml(text, where)
    top = _fields(document, (), {"sources": True, "results": True}, document.value)
    sources = _mapping(document, ("sources",), top["sources"])
    for name in sources:
        _texts(document, ("sources", name), SOURCE_FIELDS, sources[name])
    if not isinstance(top["results"], list):
        raise _fault(document, ("results",), f"results must be a list; got {show(top['results'])}")
    rows: list[PublishedScore] = []
    for place in range(len(top["results"])):
        rows += _result(document, ("results", str(place)), top["results"][place], sources)
    for row, count in Counter((row.task, row.method, row.source) for row in rows).items():
        if count > 1:
            raise UserError(f"{where}: {' / '.join(row)} stands {count} times")
    return tuple(rows)


def _result(
    document: Document, path: tuple[str, ...], value: object, sources: Mapping[str, Any]
) -> list[PublishedScore]:
    """Return the scores of one entry: one method from one source."""
    entry = _texts(document, path, RESULT_FIELDS, value)
    name = entry["source"]
    if name not in sources:
        guess = nearest(name, sources)
        raise _fault(document, (*path, "source"), f"unknown source {show(name)}{guess}")
    source = sources[name]
    scores = _mapping(document, (*path, "scores"), entry["scores"])
    rows = []
    for task, printed in scores.items():
        here = (*path, "scores", task)
        if task not in _published_tasks():
            guess = nearest(task, _published_tasks())
            raise _fault(document, here, f"{show(task)} is no task of D4RL's own files{guess}")
        score, plus_minus = _numbers(document, here, printed)
        rows.append(
            PublishedScore(
                task=task,
                method=entry["method"],
                score=score,
                plus_minus=plus_minus,
                source=name,
                citation=source["citation"],
                url=source["url"],
                protocol=entry.get("protocol"),
                note=entry.get("note"),
            )
        )
    return rows


@cache
def _published_tasks() -> frozenset[str]:
    return frozenset(task for task in task_ids() if not get_task(task).generated)


def _numbers(
    document: Document, path: tuple[str, ...], printed: object
) -> tuple[float, float | None]:
    """Return mean and ± of a score as the file writes it."""
    numbers: list[Any] = printed if isinstance(printed, list) else [printed]
    fine = [type(n) in (int, float) and math.isfinite(n) for n in numbers]
    if not all(fine) or len(numbers) not in (1, 2) or (len(numbers) == 2 and numbers[1] < 0):
        raise _fault(document, path, f"a score is 54.2 or [54.2, 0.4]; got {show(printed)}")
    return float(numbers[0]), float(numbers[1]) if len(numbers) == 2 else None


def _texts(
    document: Document, path: tuple[str, ...], fields: Mapping[str, bool], value: object
) -> Mapping[str, Any]:
    """Return a mapping with these fields, of which all but ``scores`` must be text."""
    entry = _fields(document, path, fields, value)
    for name, content in entry.items():
        if name != "scores" and (not isinstance(content, str) or not content):
            raise _fault(document, (*path, name), f"{name} must be text; got {show(content)}")
    return entry


def _fields(
    document: Document, path: tuple[str, ...], fields: Mapping[str, bool], value: object
) -> Mapping[str, Any]:
    """Return a mapping with known fields alone, among them the required ones."""
    entry = _mapping(document, path, value)
    for name in entry:
        if name not in fields:
            raise _fault(
                document, (*path, name), f"unknown key {show(name)}{nearest(name, fields)}"
            )
    for name, required in fields.items():
        if required and name not in entry:
            raise _fault(document, path, f"missing key {name!r}")
    return entry


def _mapping(document: Document, path: tuple[str, ...], value: object) -> Mapping[str, Any]:
    if not isinstance(value, dict):
        title = ".".join(path) or "the file"
        raise _fault(document, path, f"{title} must be a mapping; got {show(value)}")
    return value


def _fault(document: Document, path: tuple[str, ...], problem: str) -> UserError:
    return UserError(f"{document.location(*path)}: {problem}")
