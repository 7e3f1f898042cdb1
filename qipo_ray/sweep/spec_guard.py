"""The specification in the sweep's folder: the same again continues, another is refused."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import yaml

from qipo_ray.data.tasks import physics
from qipo_ray.data.transitions import Dataset
from qipo_ray.errors import UserError
from qipo_ray.store.files import write_bytes
from qipo_ray.study.saved_spec import EARLIER, FILE, SavedSpec, read_spec, spec_document
from qipo_ray.study.search_spec import SearchSpec, differences
from qipo_ray.sweep.hours import Budget
from qipo_ray.sweep.warm_start import with_prior


def settle_specification(
    spec: SearchSpec,
    root: Path,
    datasets: Mapping[str, Dataset],
    *,
    extend: bool,
    budget: Budget | None = None,
) -> SearchSpec:
    """Return the specification to go on with: ``spec``, with the hash of the sweep's folder.

    It is written to ``<root>/sweep.yaml``, or held to what stands there. With ``extend`` another
    one takes its place; trials and records stay, and the old one is kept in ``specifications/``.
    Where it trains (``resources``) may always differ. ``UserError`` lists the differences. A sweep
    whose ``budget`` ended before all trials stays so, or goes on if there is room for more.
    """
    path = root / FILE
    data = {task: dataset.sha256 for task, dataset in datasets.items()}
    saved = _read(path) if path.exists() else None
    spec = with_prior(spec, None if saved is None else saved.spec)
    document = spec_document(spec, data)
    if saved is not None:
        _check_data(path, saved.data, data)
        _check_physics(path, saved, data)
        _check_objective(path, saved.spec, spec)
        shorter = replace(
            spec,
            trials=min(spec.trials, saved.spec.trials),
            race=spec.race[: len(saved.spec.race)],
        )
        ended_early = budget is not None and shorter.hash == _plain(saved).hash
        if spec.hash != shorter.hash:  # it was to do all that, and its hours ended before
            ended_early = ended_early and (root / EARLIER / f"{spec.hash}.yaml").exists()
        if ended_early and budget is not None and not _room(budget, spec, saved.spec):
            spec, document = shorter, spec_document(shorter, data)
        changed = _plain(saved).hash != spec.hash
        if changed and not (extend or ended_early):
            changes = "; ".join(differences(saved.spec.document(), spec.document()))
            raise UserError(
                f"{path} is another specification: {changes}; add --extend to go on with the new "
                "one, or choose another name"
            )
        if changed:  # what it planned stays known
            write_bytes(root / EARLIER / f"{saved.spec.hash}.yaml", path.read_bytes())
        else:
            spec = replace(spec, saved_hash=saved.spec.hash)
            document = {**saved.document, "resources": document["resources"], "data": data}
    _write(path, document)
    return spec


def _room(budget: Budget, spec: SearchSpec, saved: SearchSpec) -> bool:
    """Return whether a sweep whose hours ended goes on: a trial of each task, or a round, fits."""
    if spec.trials > saved.trials:
        return budget.holds(len(spec.tasks))
    return budget.holds_runs(1 / len(spec.report_seeds))


def end_early(spec: SearchSpec, root: Path, *, trials: int, race: tuple[int, ...]) -> SearchSpec:
    """Return the specification that a sweep ends by: with the trials and seeds that began.

    It takes the place of the one in force, which is kept as ``--extend`` keeps it.
    """
    path = root / FILE
    saved = _read(path)
    write_bytes(root / EARLIER / f"{saved.spec.hash}.yaml", path.read_bytes())
    spec = replace(spec, trials=trials, race=race, saved_hash=None)
    _write(path, spec_document(spec, saved.data))
    return spec


def _plain(saved: SavedSpec) -> SearchSpec:
    """Return a saved specification with the hash that this version gives it."""
    return replace(saved.spec, saved_hash=None)


def _read(path: Path) -> SavedSpec:
    try:
        return read_spec(path)
    except ValueError as problem:
        text = " ".join(str(problem).split())
        raise UserError(f"{path}: cannot be read: {text:.200}; choose another name") from None


def _write(path: Path, document: Mapping[str, Any]) -> None:
    text = yaml.safe_dump(dict(document), sort_keys=False, allow_unicode=True)
    write_bytes(path, text.encode())


def _check_physics(path: Path, saved: SavedSpec, tasks: Iterable[str]) -> None:
    """Refuse a task whose simulator has changed: a search that goes on compares its scores."""
    for task in sorted(saved.data.keys() & set(tasks)):
        then, now = saved.document.get("physics", {}).get(task, 1), physics(task)
        if then != now:
            raise UserError(
                f"{path}: {task} was scored in physics {then} of its simulator, which now has "
                f"physics {now}; choose another name"
            )


def _check_objective(path: Path, saved: SearchSpec, spec: SearchSpec) -> None:
    """Refuse another objective: what the trials were compared by until now says nothing of it."""
    if saved.objective != spec.objective:
        raise UserError(
            f"{path}: the search went by the objective {saved.objective}, not {spec.objective}; "
            "choose another name"
        )


def _check_data(path: Path, old: Mapping[str, str], new: Mapping[str, str]) -> None:
    """Refuse other data under a task's name: its trials could not be compared."""
    for task, sha256 in new.items():
        if old.get(task, sha256) != sha256:
            raise UserError(
                f"{path}: the data of {task} have SHA-256 {sha256[:12]}..., the sweep was made "
                f"with {old[task][:12]}...; choose another name"
            )
