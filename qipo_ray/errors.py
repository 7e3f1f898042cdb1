"""The kinds of errors that a user sees as a single line; every room may import them."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class UserError(Exception):
    """A mistake that the user can mend: one clear line, exit code 2, no traceback.

    The text says what was received, what is allowed, the nearest match, and which file and key.
    """


class Failure(Exception):
    """What failed while the command was at work: one line, exit code 1.

    The text says what happened, and what the user can do: mostly the same command again.
    """


class StorageError(OSError):
    """A bucket that cannot be used now, in one line with the fix: never a job's own fault."""


class Lost(Failure):
    """What says nothing of the job, such as another process in its way: it is tried again."""


def nearest(word: str, allowed: Iterable[str]) -> str:
    """Return ``" (did you mean 'x'?)"`` for the closest allowed word, or an empty string."""
    match = difflib.get_close_matches(word, list(allowed), n=1, cutoff=0.5)
    return f" (did you mean {match[0]!r}?)" if match else ""
