"""Signs that a terminal may be given: what it cannot show, or would obey, is written plainly."""

from __future__ import annotations

import codecs
import logging
import re
import sys

from qipo_ray.cli.lazy import load

NAME = "qipo-plain"  # of the error handler
PLAIN = {
    "─": "-", "–": "-", "—": "-", "−": "-", "·": "-", "…": "...", "±": "+-", "×": "x", "≥": ">=",
    "≤": "<=", "→": "->", "β": "beta", "μ": "mu", "π": "pi", "’": "'", "“": '"', "”": '"',
    "━": "#", "╸": "#", "╺": "-",
}  # fmt: skip
# What steers a terminal or the direction of text, but line breaks and tabs.
STEERING = re.compile(
    r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u200b-\u200f\u202a-\u202e\u2066-\u2069\ufeff\ud800-\udfff]"
)


def printable(text: str) -> str:
    """Return a text, which may be a stranger's, with an escape for each sign that steers."""
    return STEERING.sub(lambda sign: ascii(sign[0])[1:-1], text)


class _PlainLines(logging.Formatter):
    """Lines of the log as they may be shown."""

    def format(self, record: logging.LogRecord) -> str:
        with_uris = load("qipo_ray.store.bucket:with_uris")  # `--help` does without
        return printable(with_uris(super().format(record)))


def plain(error: UnicodeError) -> tuple[str, int]:
    """Return what stands for the signs that an encoding lacks, and where to go on."""
    if not isinstance(error, UnicodeEncodeError):
        raise error
    signs = error.object[error.start : error.end]
    return "".join(PLAIN.get(sign, "?") for sign in signs), error.end


def write_plainly() -> None:
    """Let stdout and stderr replace what their encoding lacks, in place of an error at the end."""
    codecs.register_error(NAME, plain)
    if logging.lastResort is not None:
        logging.lastResort.setFormatter(_PlainLines())
    for stream in (sys.stdout, sys.stderr):
        reconfigure = getattr(stream, "reconfigure", None)  # a test's own stream has none
        if reconfigure is not None and stream.errors == "strict":
            reconfigure(errors=NAME)
