"""Nothing in a checkpoint is idle: every key that is left out or reset is missed.

The keys are those of a real checkpoint of each stage, in the middle of a support set and of a
window of metrics, so a key that is added later is tested by itself.
"""

from __future__ import annotations

import copy
import functools
import io
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
import torch

from qipo_ray.agent import State
from qipo_ray.study.job import Job, Run
from qipo_ray.train.checkpoint import CheckpointError, fresh_state
from qipo_ray.train.job_store import JobStore
from qipo_ray.train.runner import JobRunner

pytestmark = pytest.mark.slow
STAGES = ("behaviour", "critic", "policy")
SETTINGS = (
    "behaviour.updates=130",
    "critic.updates=130",
    "critic.returns_updates=20",
    "critic.refresh_every=25",
    "policy.rounds=3",
    "policy.renew_every=45",
    "policy.refit_updates=4",
)
SAVED_AT = 75  # updates

Key = tuple[str | int, ...]  # the names of a value in nested parts
Ends = dict[str, bytes]


@dataclass
class Saved:
    """A job that was stopped in its middle, in ``root``; how it starts and how it ends."""

    root: Path
    job: Job
    fresh: State
    ends: Ends

    def parts(self, stage: str) -> dict[str, Any]:
        """Return the contents of the newest checkpoint of a stage."""
        store, key, updates = newest(self.root, stage)
        data = store.artefacts.read(stage, key, updates)
        assert data is not None
        parts: dict[str, Any] = torch.load(io.BytesIO(data), weights_only=True)
        return parts

    def go_on(self, stage: str, parts: dict[str, Any], root: Path) -> Ends:
        """Return how the job ends, in a copy, with other contents in that checkpoint."""
        shutil.rmtree(root, ignore_errors=True)
        shutil.copytree(self.root, root)
        store, key, updates = newest(root, stage)
        buffer = io.BytesIO()
        torch.save(parts, buffer)
        attempt = store.artefacts.claim(stage, key)
        store.artefacts.write(stage, key, updates, buffer.getvalue(), attempt=attempt)
        return finish(root, self.job)


def newest(root: Path, stage: str) -> tuple[JobStore, str, int]:
    """Return the store, and the address of the only job of a stage."""
    (folder,) = root.glob(f"artefacts/{stage}-*")
    results, key = JobStore(root), folder.name.removeprefix(f"{stage}-")
    return results, key, results.artefacts.lengths(stage, key)[-1]


def finish(root: Path, job: Job) -> Ends:
    """Train a job to its end; return its last checkpoint and its metrics."""
    runner = JobRunner(root)
    runner.admit(job)
    while runner.active:
        runner.step()
    last = runner.artefacts.read(job.stage, job.key, job.length)
    assert last is not None
    log = runner.artefacts.folder(job.stage, job.key) / "metrics.csv"
    return {"checkpoint": last, "metrics": log.read_bytes()}


@pytest.fixture(scope="module", params=STAGES)
def saved(
    request: pytest.FixtureRequest,
    make_run: Callable[..., Run],
    tmp_path_factory: pytest.TempPathFactory,
) -> Saved:
    root, unbroken = tmp_path_factory.mktemp("saved"), tmp_path_factory.mktemp("unbroken")
    jobs = [replace(job, evaluations=()) for job in make_run(*SETTINGS).jobs]
    *before, job = jobs[: STAGES.index(request.param) + 1]
    for one in before:
        finish(root, one)
    shutil.copytree(root, unbroken, dirs_exist_ok=True)
    ends = finish(unbroken, job)
    runner = JobRunner(root)
    runner.admit(job)
    upstream = {one.stage: runner.job_store.state(one) for one in job.upstream}
    fresh = fresh_state(job, job.stage, runner._tensors(job), upstream)
    runner.step(SAVED_AT)
    runner.stop(job.key)
    return Saved(root, job, fresh, ends)


def keys_of(part: Any, above: Key = ()) -> Iterator[Key]:
    """Yield every key and list entry, also those that hold others."""
    for name, value in part.items() if isinstance(part, dict) else enumerate(part):
        yield (*above, name)
        if isinstance(value, dict | list):
            yield from keys_of(value, (*above, name))


def at(parts: Any, key: Key) -> Any:
    return functools.reduce(lambda part, name: part[name], key, parts)


def without(parts: dict[str, Any], key: Key) -> dict[str, Any]:
    copied = copy.deepcopy(parts)
    del at(copied, key[:-1])[key[-1]]
    return copied


def reset(parts: dict[str, Any], key: Key, fresh: State) -> dict[str, Any]:
    """Return the contents with one value as in a fresh state; if it is no other, with another."""
    copied, value = copy.deepcopy(parts), at(parts, key)
    other = at(fresh, key[1:]) if key[0] == "state" else value
    if isinstance(value, str | None):
        other = "another" if other == value else other
    elif torch.equal(torch.as_tensor(other), torch.as_tensor(value)):
        other = not value if isinstance(value, bool) else value + 1
    at(copied, key[:-1])[key[-1]] = other
    return copied


def test_unchanged_it_ends_like_the_unbroken_job(saved: Saved, tmp_path: Path) -> None:
    stage = saved.job.stage
    assert newest(saved.root, stage)[2] == SAVED_AT
    assert saved.go_on(stage, saved.parts(stage), tmp_path / "R") == saved.ends


def test_a_key_that_is_left_out_is_refused_by_name(
    saved: Saved, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Where it says on which machine it was saved, a warning is enough."""
    stage, survivors = saved.job.stage, []
    parts = saved.parts(stage)
    for key in keys_of(parts):
        caplog.clear()
        told = refusal(saved, stage, without(parts, key), tmp_path / "R")
        if name_of(key) not in (told or caplog.text) or (key[0] != "machine" and not told):
            survivors.append(key)
    assert survivors == []


def test_a_key_that_lacks_upstream_is_refused_by_name(saved: Saved, tmp_path: Path) -> None:
    survivors = []
    for stage in [one.stage for one in saved.job.upstream]:
        parts = saved.parts(stage)
        for key in keys_of(parts):
            if key[0] == "machine" and len(key) > 1:
                continue  # says nothing of this job's machine
            if name_of(key) not in refusal(saved, stage, without(parts, key), tmp_path / "R"):
                survivors.append((stage, key))
    assert survivors == []


def refusal(saved: Saved, stage: str, parts: dict[str, Any], root: Path) -> str:
    """Return why the job is refused with these contents; an empty string if it is not."""
    try:
        saved.go_on(stage, parts, root)
    except CheckpointError as error:
        assert f"in {root}/artefacts/{stage}-" in str(error)
        return str(error).partition("is refused: ")[2].partition("; without")[0]
    return ""


def name_of(key: Key) -> str:
    """Return the name that a refusal must say: of a list's entry, at least the list's."""
    return next(name for name in reversed(key) if isinstance(name, str))


def test_a_value_that_is_reset_is_refused_or_changes_the_end(
    saved: Saved, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    stage = saved.job.stage
    parts = saved.parts(stage)
    refused, changed, warned, idle = [], [], [], []
    for key in keys_of(parts):
        if isinstance(at(parts, key), dict | list):
            continue
        caplog.clear()
        try:
            ends = saved.go_on(stage, reset(parts, key, saved.fresh), tmp_path / "R")
        except CheckpointError as error:
            assert str(key[-1]) in str(error)
            refused.append(key)
            continue
        told = warned if f"{key[-1]} " in caplog.text else idle
        (told if ends == saved.ends else changed).append(key)
    assert idle == []
    assert {key[0] for key in warned} == {"machine"}
    assert {key[1] for key in changed} == {"counted", "generator", "moments", "sums", "weights"}
    assert ("job", "seed") in refused and ("state", "normaliser", "scale") in refused
