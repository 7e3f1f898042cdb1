"""How far a sweep is by its own reckoning, for those who look from elsewhere: one small file.

``<root>/driver/news.json`` is written anew every few seconds while a driver lives. Nothing
rests on it.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

from typing_extensions import TypedDict

from qipo_ray.config.json_types import Count, NonNegative, Positive
from qipo_ray.config.validation import Validator, schema_of
from qipo_ray.store.files import read_bytes, sealed, unsealed, write_bytes
from qipo_ray.store.lease import FOLDER, newest_attempt

Step = Literal["search", "confirm"]
EVERY_S = 5.0  # between two of them


class RunningJob(TypedDict):
    """A job in a slot."""

    stage: str
    key: str
    updates: Count
    length: Count


@dataclass(frozen=True)
class News:
    """What a driver's bar says."""

    attempt: Positive  # of the driver
    step: Step
    share: NonNegative  # of the work, 0 to 1
    seconds_left: NonNegative | None  # None: not yet known
    jobs: list[RunningJob]


NEWS = Validator(schema_of(News))


def write_news(root: Path, news: News) -> None:
    """Put them where others look."""
    write_bytes(_path(root), sealed(asdict(news)))


def read_news(root: Path) -> News | None:
    """Return what the newest driver said; None for nothing, or nothing that can be read."""
    try:
        content: dict[str, Any] = unsealed(read_bytes(_path(root)))
        NEWS.check(content, "news")
    except (OSError, ValueError):
        return None
    news = News(**content)
    return news if news.attempt == newest_attempt(Path(root)) else None  # else of one before


def _path(root: Path) -> Path:
    return Path(root) / FOLDER / "news.json"
