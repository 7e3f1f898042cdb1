"""The words after ``qipo-ray sweep``, read as that verb reads them, for a sweep elsewhere."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import typer

from qipo_ray.cli.verbs import app
from qipo_ray.errors import UserError
from qipo_ray.store.bucket import as_uri, checked_uri, is_uri
from qipo_ray.study.search_file import find_search_file, load_search_file
from qipo_ray.study.search_spec import SearchSpec

ONLY_HERE = {"plan": "--plan", "address": "--address"}  # of no use in a job


@dataclass(frozen=True)
class SweepLine:
    """A sweep to be carried out by another process: its words, and what they ask for."""

    arguments: tuple[str, ...]  # with the absolute folder of results
    results: Path
    spec: SearchSpec

    @property
    def place(self) -> str:
        """The results as people write them: a path, or a URI."""
        return _place(self.results)


def read_line(arguments: Sequence[str], folder: Path, *, job: bool = True) -> SweepLine:
    """Return the sweep that words ask for, where ``folder`` is the working directory.

    ``UserError`` for what the verb would refuse, and, for a ``job``, for what none can do.
    """
    options, by_user = _parsed(arguments)
    results = options["results"]
    if job:
        _refuse_here(options)
        refuse_vanishing(results)
    sent = _as_sent(options["file"], folder)
    changed = [sent if word == options["file"] else word for word in arguments]
    if job and "results" not in by_user:  # from QIPO_RESULTS
        changed += ["--results", _place(results)]
    spec = load_search_file(
        find_search_file(options["file"]),
        tasks=options["tasks"] or None,
        data=options["data"] or [],
        sets=options["changes"] or [],
        space=options["space"] or [],
        trials=options["trials"],
        objective=options["objective"],
        report_seeds=options["report_seeds"],
    )
    return SweepLine(tuple(changed), results, spec)


def refuse_vanishing(results: Path) -> None:
    """Raise ``UserError`` for results that would be gone with a job, or hold a key."""
    if is_uri(results):
        checked_uri(results)
    elif not results.is_absolute():
        raise UserError(
            f"--results {results}: a job runs in a folder that vanishes with it; give an absolute "
            "path that all machines of the cluster share, or s3://BUCKET/FOLDER"
        )


def _refuse_here(options: Mapping[str, Any]) -> None:
    for name, option in ONLY_HERE.items():
        if options[name]:
            raise UserError(f"{option}: not for a job; use it with `qipo-ray sweep` itself")
    if options["executor"] != "ray":
        raise UserError("--executor: a job runs on its cluster; expected ray")


def _parsed(arguments: Sequence[str]) -> tuple[dict[str, Any], set[str]]:
    """Return the values of the verb's options, and the names of those that the words give."""
    group: Any = typer.main.get_command(app)
    command = group.get_command(None, "sweep")
    with command.make_context("qipo-ray sweep", list(arguments)) as context:
        sources = {name: context.get_parameter_source(name) for name in context.params}
        by_user = {name for name, source in sources.items() if source.name == "COMMANDLINE"}
        return dict(context.params), by_user


def _place(results: Path) -> str:
    return as_uri(results) if is_uri(results) else str(results)


def _as_sent(file: str, folder: Path) -> str:
    """Return how a job names a search file: as seen from the folder, or by its bare name."""
    path = Path(file)
    if not path.is_file():
        return file
    root = folder.resolve()
    if not path.resolve().is_relative_to(root):
        raise UserError(
            f"{file} does not lie in {root}, so it is not sent; give a folder that holds it: "
            f"--working-dir {path.resolve().parent}"
        )
    return str(path.resolve().relative_to(root))
