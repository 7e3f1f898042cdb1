"""Why a data file cannot be used."""

from __future__ import annotations

_NAME_LENGTH = 60  # characters of a name from the file


class Unusable(Exception):
    """Why a file cannot be used, without its name."""


class Damaged(Unusable):
    """What HDF5's library said of a file that it could not read."""


class TookTooLong(Unusable):
    """The file may be sound; looking through it was given up."""


def quoted(name: str) -> str:
    """Return a name out of a file for a message: short, quoted, without control characters."""
    return ascii(name if len(name) <= _NAME_LENGTH else name[: _NAME_LENGTH - 3] + "...")
