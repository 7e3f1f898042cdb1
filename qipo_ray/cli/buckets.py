"""Results in a bucket, for the verbs: ``s3://...`` and ``gs://...`` where a folder may stand."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from qipo_ray.errors import UserError
from qipo_ray.store.bucket import as_uri, is_uri, scratch_of
from qipo_ray.store.mirror import begin, pulled

WRITERS = {("sweep", "results"), ("train", "results")}  # verbs and their options
READERS = {
    ("status", "sweep"), ("stop", "sweep"), ("trials", "sweep"), ("explain", "sweep"),
    ("report", "sweep"), ("verify", "sweep"), ("leaderboard", "results"), ("best", "results"),
    ("evaluate", "run"), ("export", "run"),
}  # fmt: skip
# Read on other machines, too, each with its own credentials.
ELSEWHERE = {("doctor", "results"), ("train", "data"), ("reproduce", "data")}


def resolved(verb: str, options: Mapping[str, Any]) -> dict[str, Any]:
    """Return a verb's options with paths for URIs: what is to be read there is up to date.

    ``UserError`` for a URI where the verb takes none.
    """
    return {name: _resolved(verb, name, value) for name, value in options.items()}


def _resolved(verb: str, option: str, value: Any) -> Any:
    if isinstance(value, list):
        return [_resolved(verb, option, part) for part in value]
    if not isinstance(value, Path) or not is_uri(value) or (verb, option) in ELSEWHERE:
        return value
    if (verb, option) in WRITERS:
        return results_root(value)
    if (verb, option) in READERS:
        return pulled(value, weights=verb == "verify")
    takers = sorted({name for name, _ in WRITERS | READERS})
    raise UserError(
        f"{as_uri(value)}: {option} of this verb must be on this machine; results in a bucket are "
        f"for {', '.join(takers)}"
    )


def results_root(folder: Path) -> Path:
    """Return the absolute path of a results folder; for a URI once its bucket has answered."""
    if not is_uri(folder):
        return folder.expanduser().resolve()
    root = scratch_of(folder)
    begin(root)
    return root
