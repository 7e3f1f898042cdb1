"""Verbs that are imported when they are asked for: the one place where ``cli`` imports late."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from importlib import import_module
from typing import Any, ClassVar

import typer
from typer.core import TyperCommand, TyperGroup


class LazyGroup(TyperGroup):
    """A group that knows its verbs by name; their options are imported when they are shown."""

    verbs: ClassVar[dict[str, str]] = {}  # name -> package.module:function
    passing_on: ClassVar[frozenset[str]] = frozenset()  # verbs that take options of others, too

    def __init__(self, **settings: Any) -> None:
        super().__init__(**settings)
        names = {name: TyperCommand(name) for name in self.verbs}  # mistyped ones are suggested
        self.commands = {**names, **self.commands}

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        """Return the command of a verb, None if there is none of that name."""
        if cmd_name not in self.verbs:
            return super().get_command(ctx, cmd_name)
        app = typer.Typer(add_completion=False)
        settings = {"ignore_unknown_options": cmd_name in self.passing_on}
        app.command(cmd_name, context_settings=settings)(deferred(load(self.verbs[cmd_name])))
        return typer.main.get_command(app)


def load(name: str) -> Callable[..., Any]:
    """Return the function that ``package.module:function`` names."""
    module, _, function = name.partition(":")
    loaded: Callable[..., Any] = getattr(import_module(module), function)
    return loaded


def deferred(verb: Callable[..., str]) -> Callable[..., None]:
    """Return a function with a verb's options that imports and calls what does its work."""

    @wraps(verb)
    def run(**options: Any) -> None:
        work = load(verb(**options))
        work(**load("qipo_ray.cli.buckets:resolved")(verb.__name__, options))

    return run
