"""The facts of a setting, each said once, in the type of its field.

``beta: Annotated[Weight, Code(3, "guidance scale per round"), PerMember()]``: a note says what it
means and what the paper's run has for it; marks say what else the program must know of it. "The
paper" is Zhang, Zhang and Gu, ICLR 2025; "its code" is the published code of its supplement.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar

Plain = bool | int | float | str


@dataclass(frozen=True)
class Note:
    """The value of the paper's run and the meaning, with its unit; a class says who says so."""

    value: Plain
    text: str
    source: ClassVar[str]


class Paper(Note):
    """The text of the paper says so."""

    source = "paper"


class Code(Note):
    """The paper's published code says so, or the code that it builds on (QGPO's)."""

    source = "paper's code"


class Ours(Note):
    """The paper has no such setting: the value leaves its algorithm as it is, or is our choice."""

    source = "ours"


@dataclass(frozen=True)
class Departure:
    """A label for values that leave the paper's algorithm: all but the note's, unless ``when``.

    Records hold the labels in the order of the fields. ``after`` moves one behind those of another
    setting, where the first records had it. ``auto`` counts as what it stands for.
    """

    label: str  # with the value in the place of {}
    when: Callable[[Any, Any], bool] | None = None  # of the configuration and the value
    after: str = ""  # dotted


@dataclass(frozen=True)
class Since:
    """The setting came after the first records; a file or a record without it means ``value``.

    Files are written without it as long as it means that, so that their hashes stay what they
    were; but for those that were ``written`` from the day that they came.
    """

    value: Plain
    written: bool = False


@dataclass(frozen=True)
class PerMember:
    """Members of one pack may differ in it: it is a column ``(N, 1)``, a length or a switch."""


@dataclass(frozen=True)
class ActingOnly:
    """It changes how a trained policy acts, and nothing that is trained: in no stage's key."""


@dataclass(frozen=True)
class SupportSize:
    """The memory of a support set depends on it."""
