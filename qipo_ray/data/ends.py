"""Ends of episodes under the names of other libraries, beside D4RL's ``terminals``.

d3rlpy, Gymnasium, Minari and plain replay buffers each have a word of their own. Rows of two
episodes that nobody parts would be trained on as real steps.
"""

from __future__ import annotations

import re

# Cut by a time limit (Gymnasium, Minari, Stable-Baselines).
LIMITS = ("timeout", "truncations", "truncation", "truncateds", "truncated")
# The last row of every episode, for whatever reason (d3rlpy v1, replay buffers, RLDS).
LAST_ROWS = ("episode_terminals", "dones", "done", "is_last")
OTHER_NAMES = (*LIMITS, *LAST_ROWS)

_ALIKE = re.compile(
    r"trunc|time_?(out|limit)|termin|\bdone|_done|episode|traj|is_(first|last)|(^|_)(end|ends|last)$",
    re.IGNORECASE,
)


def looks_like_ends(name: str) -> bool:
    """Return whether a column of this name may say where episodes end."""
    return _ALIKE.search(name) is not None
