"""``qipo-ray method check``: whether a method of one's own keeps its promises."""

from __future__ import annotations

import torch
import typer

from qipo_ray.cli import output as out
from qipo_ray.train.method_check import check_method

WRONG = 1  # exit code


def check(method: str, changes: list[str] | None, json: bool) -> None:
    """Print a line for each promise, and leave with 1 if one is broken."""
    torch.set_num_threads(1)
    promises = []
    for promise in check_method(method, tuple(changes or ())):
        promises.append(promise)
        if not json:
            broken = f"WRONG  {promise.text}: {promise.problem}" if promise.problem else ""
            out.write(broken or f"ok     {promise.text}")
    if json:
        out.print_json([vars(promise) for promise in promises])
    if any(promise.problem for promise in promises):
        raise typer.Exit(WRONG)
