"""What the store knows of jobs: snapshots, scores, divergence, and where they were trained."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from qipo_ray.agent import State
from qipo_ray.agent.acting import beside_critic
from qipo_ray.config import Config, reported_stages
from qipo_ray.config.evaluations import (
    flow_sampling,
    report_name,
    score_name,
    signals_name,
)
from qipo_ray.config.run_methods import acting_weights
from qipo_ray.data.tasks import physics
from qipo_ray.errors import UserError
from qipo_ray.store.artefacts import ArtefactStore
from qipo_ray.store.manifest import CheckpointInfo
from qipo_ray.study.job import CheckpointRef, EvalPoint, Job, distilled
from qipo_ray.study.job_events import Score
from qipo_ray.train.checkpoint import Checkpoint, CheckpointError, check_job, from_bytes, identity

TRAINED_ON = "trained-on"


def job_score_name(job: Job, point: EvalPoint) -> str:
    """Return the name of a score of the job, in today's simulator, or of its signals."""
    if point.kind == "signals":
        return signals_name(job.config, point.updates)
    return score_name(job.config, point.updates, point.episodes, physics(job.task), job.stage)


class JobStore:
    """A reader of the store under ``root``; what is not there is None."""

    def __init__(self, root: Path) -> None:
        self.artefacts = ArtefactStore(root)

    def score(self, job: Job, point: EvalPoint) -> Score | None:
        """Return the cached score, or None."""
        return self.artefacts.sidecar(job.stage, job.key, job_score_name(job, point))

    def divergence(self, job: Job) -> dict[str, Any] | None:
        """Return ``{updates, reason}`` if the job is known to diverge within its length."""
        ways = [job_score_name(job, point) for point in job.evaluations]
        if student := job.distilled:
            ways.append(student.key)
        for name in ("diverged", *(f"diverged-{way}" for way in ways)):
            note: dict[str, Any] | None = self.artefacts.sidecar(job.stage, job.key, name)
            if note is not None and note["updates"] <= job.length:
                return note
        return None

    def done(self, job: Job) -> bool:
        """Return whether the job's snapshot is there, whole, and all that is measured of it."""
        if any(self.score(job, point) is None for point in job.evaluations):
            return False
        if job.stage in reported_stages(job.config) and self.report(job) is None:
            return False
        refs = (job.snapshot, job.distilled)
        return all(ref is None or self._bytes(ref) is not None for ref in refs)

    def _bytes(self, ref: CheckpointRef) -> bytes | None:
        return self.artefacts.read(ref.stage, ref.key, ref.updates)

    def report(self, job: Job) -> dict[str, Any] | None:
        """Return the report of a critic, with its greedy score, or of a policy, as records do.

        None where there is none, as of a behaviour or a baseline.
        """
        note: dict[str, Any] | None = self.artefacts.sidecar(
            job.stage, job.key, report_name(job.config, job.stage, job.length)
        )
        if note is None or job.stage == "policy":
            return note
        best = next((self.score(job, point) for point in job.evaluations), None)
        return {**note, "best_of": best}

    def keep_report(self, job: Job, report: Mapping[str, Any]) -> None:
        """Keep the report of a critic or a policy at its job's length."""
        note = {"updates": job.length, **report}
        self.artefacts.write_sidecar(
            job.stage, job.key, report_name(job.config, job.stage, job.length), note
        )

    def machines(self, job: Job) -> list[dict[str, Any]]:
        """Return where the job was trained, in order: `machine.hardware`, and ``slots``."""
        return self.artefacts.sidecar(job.stage, job.key, TRAINED_ON) or []

    def trains_on(self, job: Job, machine: dict[str, Any]) -> None:
        """Note where the job is trained from now on."""
        before = self.machines(job)
        if before[-1:] != [machine]:
            self.artefacts.write_sidecar(job.stage, job.key, TRAINED_ON, [*before, machine])

    def state(self, snapshot: CheckpointRef) -> State:
        """Return a snapshot's state; ``UserError`` if it is missing, damaged or foreign."""
        data = self._bytes(snapshot)
        if data is None:
            raise UserError(
                f"snapshot {snapshot.updates} of {snapshot.stage} {snapshot.key} is missing or "
                "damaged; once the records that rest on it are removed (`qipo-ray verify` names "
                "them) the same command trains it again"
            )
        return self._checked(data, snapshot, {"key": snapshot.key}).state

    def acting(self, config: Config, state: State, run: Iterable[CheckpointRef]) -> State:
        """Return a policy's state as ``config`` lets it act.

        With ``one_step`` that is what was distilled from it, with ``best_of`` beside its critic;
        ``run`` is the policy's snapshot and those it was trained on. ``UserError`` if one that is
        needed is missing or damaged.
        """
        if state["stage"] != "policy":
            return state
        refs = {ref.stage: ref for ref in run}
        if config.sampler.one_step:
            state = self._distilled(config, state, refs["policy"])
        if config.sampler.best_of > 1:
            state = beside_critic(config, state, self.state(refs["critic"]))
        return state

    def _distilled(self, config: Config, policy: State, ref: CheckpointRef) -> State:
        """Return a policy's state with the weights of its one-step network as those that act."""
        student = distilled(config, ref)
        if student is None or self._bytes(student) is None:
            way = flow_sampling(config)
            raise UserError(
                f"sampler.one_step: nothing was distilled of policy {ref.key} that acts so (noise "
                f"{way.noise:g}, {acting_weights(config)} weights, {way.solver}, "
                f"{way.evaluations} evaluations); it is where a run trains with these settings"
            )
        weights = {acting_weights(config): self.state(student)["weights"]["online"]}
        return {**policy, "weights": weights}

    def resume_point(self, job: Job) -> tuple[Checkpoint, CheckpointInfo] | None:
        """Return from where every missing score can be reached, and what the store says of it.

        That is the newest valid snapshot at or before the first missing score. ``UserError`` if
        it is not of this job, or of a version that is not read.
        """
        missing = [e.updates for e in job.evaluations if self.score(job, e) is None]
        newest = self.artefacts.newest(job.stage, job.key, at_most=min([job.length, *missing]))
        if newest is None:
            return None
        artefact, data = newest
        snapshot = CheckpointRef(job.stage, job.key, artefact.updates)
        return self._checked(data, snapshot, identity(job)), artefact

    def _checked(
        self, data: bytes, snapshot: CheckpointRef, expected: Mapping[str, Any]
    ) -> Checkpoint:
        """Return a checkpoint that is of this snapshot and of the job ``expected``."""
        with self.refusing(snapshot):
            checkpoint = from_bytes(data)
            check_job(
                checkpoint, {**expected, "stage": snapshot.stage, "updates": snapshot.updates}
            )
        return checkpoint

    @contextmanager
    def refusing(self, snapshot: CheckpointRef) -> Iterator[None]:
        """Let a ``CheckpointError`` say which checkpoint is refused, and what to do."""
        try:
            yield
        except CheckpointError as error:
            folder = self.artefacts.folder(snapshot.stage, snapshot.key)
            raise CheckpointError(
                f"checkpoint {snapshot.updates} in {folder} is refused: {error}; without that "
                "folder the same command trains it anew"
            ) from None
