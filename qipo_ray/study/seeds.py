"""Seeds as people write them: ``0,1,2``, ``100-104``, or both."""

from __future__ import annotations

import re

MOST = 10_000  # that one range may hold
PART = re.compile(r"(\d{1,10})(?:-(\d{1,10}))?")


def read_seeds(text: str) -> list[int]:
    """Return the seeds of numbers and ranges with commas between them, in their order.

    A range holds both its ends. ``ValueError`` for anything else, and for a seed that comes twice.
    """
    seeds: list[int] = []
    for part in text.split(","):
        match = PART.fullmatch(part.strip())
        if match is None:
            raise ValueError("expected whole numbers from 0 and ranges, such as 0,1,2 or 100-104")
        first, last = int(match[1]), int(match[2] or match[1])
        if not first <= last < first + MOST:
            raise ValueError(
                f"the range {part.strip()} must rise, and hold at most {MOST:,} seeds"
            )
        seeds += range(first, last + 1)
    if len(set(seeds)) < len(seeds):
        twice = next(seed for seed in seeds if seeds.count(seed) > 1)
        raise ValueError(f"{twice} comes twice")
    return seeds
