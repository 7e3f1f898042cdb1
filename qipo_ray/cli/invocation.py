"""The command that this process carries out, as a record names it."""

from __future__ import annotations

command = "qipo-ray"  # set by `main`
