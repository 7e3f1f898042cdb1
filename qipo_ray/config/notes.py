"""What a setting means, and what the paper's run has for it; said once, beside the field.

A note is part of a field's type: ``beta: Annotated[Weight, Code(3, "guidance scale per round")]``.
"The paper" is Zhang, Zhang and Gu, ICLR 2025; "its code" is the published code of its supplement.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

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
