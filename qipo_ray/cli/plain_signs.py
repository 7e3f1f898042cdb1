"""Signs for terminals and logs that are not UTF-8: what they cannot show is written plainly."""

from __future__ import annotations

import codecs
import sys

NAME = "qipo-plain"  # of the error handler
PLAIN = {
    "─": "-", "–": "-", "—": "-", "−": "-", "·": "-", "…": "...", "±": "+-", "×": "x", "≥": ">=",
    "≤": "<=", "→": "->", "β": "beta", "μ": "mu", "π": "pi", "’": "'", "“": '"', "”": '"',
    "━": "#", "╸": "#", "╺": "-",
}  # fmt: skip


def plain(error: UnicodeError) -> tuple[str, int]:
    """Return what stands for the signs that an encoding lacks, and where to go on."""
    if not isinstance(error, UnicodeEncodeError):
        raise error
    signs = error.object[error.start : error.end]
    return "".join(PLAIN.get(sign, "?") for sign in signs), error.end


def write_plainly() -> None:
    """Let stdout and stderr replace what their encoding lacks, in place of an error at the end."""
    codecs.register_error(NAME, plain)
    for stream in (sys.stdout, sys.stderr):
        reconfigure = getattr(stream, "reconfigure", None)  # a test's own stream has none
        if reconfigure is not None and stream.errors == "strict":
            reconfigure(errors=NAME)
