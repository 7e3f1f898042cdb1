"""Published scores with their sources: shown beside ours, visibly apart, in no statistic."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field

from qipo_ray.config.validation import read_document
from qipo_ray.config.values import show
from qipo_ray.config.yaml_source import parse_yaml
from qipo_ray.data.tasks import get_task, task_ids
from qipo_ray.errors import UserError, nearest
from qipo_ray.leaderboard.aggregate import family_of

PACKAGED = "literature.yaml"


@cache
def _published_tasks() -> frozenset[str]:
    """Return the tasks with published data, and of OGBench's the data sets, too."""
    tasks = [task for task in map(get_task, task_ids()) if not task.generated]
    sets = [_data_set(task.id) for task in tasks if task.by_success]
    return frozenset([*(task.id for task in tasks), *sets])


def _data_set(task: str) -> str:
    """Return the name of OGBench's data set of a task; of others one that nothing has."""
    return f"{family_of(task)}-v0"


def _published_task(task: str) -> str:
    if task not in _published_tasks():
        raise ValueError(
            f"is no task or data set with published files{nearest(task, _published_tasks())}"
        )
    return task


def _printed(value: object) -> tuple[float, float | None]:
    """Return mean and ± of a score as the file writes it."""
    numbers: list[Any] = value if isinstance(value, list) else [value]
    finite = all(type(number) in (int, float) and math.isfinite(number) for number in numbers)
    if not finite or len(numbers) not in (1, 2) or (len(numbers) == 2 and numbers[1] < 0):
        raise ValueError("must be a score such as 54.2, or [54.2, 0.4]")
    return float(numbers[0]), float(numbers[1]) if len(numbers) == 2 else None


_Text = Annotated[str, Field(min_length=1)]
_Task = Annotated[str, AfterValidator(_published_task)]
_Printed = Annotated[tuple[float, float | None], BeforeValidator(_printed)]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)


class _Source(_Strict):
    citation: _Text
    url: _Text
    grade: Literal["primary", "secondary"] | None = None  # None where nobody has said


class _Result(_Strict):
    method: _Text
    source: _Text
    protocol: _Text | None = None
    note: _Text | None = None
    scores: dict[_Task, _Printed]


class _Literature(_Strict):
    sources: dict[str, _Source]
    results: list[_Result]


@dataclass(frozen=True)
class PublishedScore:
    """One published score: what was printed where, and how it was measured as far as known."""

    task: str
    method: str
    score: float  # D4RL-normalised, or of OGBench a success rate in %
    plus_minus: float | None  # what the source prints behind ±; None if it prints nothing
    source: str  # short name
    citation: str
    url: str
    protocol: str | None  # None where the source at hand does not say
    note: str | None
    grade: str | None  # of the source: its own table was read (primary), or a word of it


def literature_for(tasks: Iterable[str]) -> tuple[PublishedScore, ...]:
    """Return the published scores of some tasks, by task in the order given, then by the file.

    With a task of OGBench's come the means over the five of its data set.
    """
    names = dict.fromkeys(name for task in tasks for name in (task, _data_set(task)))
    return tuple(row for name in names for row in packaged() if row.task == name)


@cache
def packaged() -> tuple[PublishedScore, ...]:
    """Return every published score that ships with the package."""
    text = resources.files("qipo_ray.leaderboard").joinpath(PACKAGED).read_text("utf-8")
    return parse(text, PACKAGED)


def parse(text: str, name: str) -> tuple[PublishedScore, ...]:
    """Return the published scores in YAML text; ``UserError`` with ``name``, line and key."""
    document = parse_yaml(text, name)
    literature = read_document(_Literature, document, "the literature")
    rows: list[PublishedScore] = []
    for number, result in enumerate(literature.results):
        source = literature.sources.get(result.source)
        if source is None:
            location = document.location("results", str(number), "source")
            guess = nearest(result.source, literature.sources)
            raise UserError(f"{location}: unknown source {show(result.source)}{guess}")
        for task, (score, plus_minus) in result.scores.items():
            printed = task, result.method, score, plus_minus, result.source
            details = source.citation, source.url, result.protocol, result.note, source.grade
            rows.append(PublishedScore(*printed, *details))
    for cell, count in Counter((row.task, row.method, row.source) for row in rows).items():
        if count > 1:
            raise UserError(f"{name}: {' / '.join(cell)} stands {count} times")
    return tuple(rows)
