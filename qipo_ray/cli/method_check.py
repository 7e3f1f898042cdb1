"""``qipo-ray method check``: whether a method of one's own keeps its promises."""

from __future__ import annotations

import torch
import typer

from qipo_ray.cli import output as out
from qipo_ray.train.method_check import check_method

WRONG = 1  # exit code


def check(method: str, changes: list[str] | None) -> None:
    """Print a line for each promise, and leave with 1 if one is broken."""
    torch.set_num_threads(1)
    wrong = False
    for promise in check_method(method, tuple(changes or ())):
        wrong = wrong or bool(promise.problem)
        mark = f"WRONG  {promise.text}: {promise.problem}" if promise.problem else ""
        out.write(mark or f"ok     {promise.text}")
    if wrong:
        raise typer.Exit(WRONG)
