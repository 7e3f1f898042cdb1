"""A job: one stage of one run, with its key and what it builds on."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

from qipo_ray.config import Config, stage_keys, stage_updates, to_dict
from qipo_ray.config.evaluations import distil_key, scored_at, signals_at
from qipo_ray.config.facts import pack_columns
from qipo_ray.config.keys import trained
from qipo_ray.config.run_methods import distil_updates, not_distilled, section_of
from qipo_ray.data.tasks import Task, get_task
from qipo_ray.study.objective import SCORE, Objective


@dataclass(frozen=True)
class CheckpointRef:
    """The address of an artefact: a stage's key and the updates it was trained for."""

    stage: str
    key: str
    updates: int


def distilled(config: Config, policy: CheckpointRef) -> CheckpointRef | None:
    """Return the address of a finished policy's one-step network; None where none is made."""
    updates = distil_updates(config)
    if policy.stage != "policy" or not updates:
        return None
    return CheckpointRef("distil", distil_key(config, policy.key, policy.updates), updates)


@dataclass(frozen=True)
class EvalPoint:
    """A score that somebody waits for: after ``updates`` of the job, over ``episodes``.

    Over none it is the signals: what is measured without a simulator.
    """

    updates: int
    episodes: int

    @property
    def kind(self) -> Literal["score", "signals"]:
        """What is measured."""
        return "score" if self.episodes else "signals"


@dataclass(frozen=True)
class Job:
    """One stage of one run. Plain data: it travels between processes and machines.

    ``key`` is the hash of what the stage depends on; ``length``, the updates to train, is not in
    it, so a longer job continues a shorter one. ``evaluations`` say where to pause and score.
    """

    stage: str
    key: str
    length: int
    config: Config
    task: str
    data: str  # path of the data set
    data_sha256: str
    seed: int
    upstream: tuple[CheckpointRef, ...]
    evaluations: tuple[EvalPoint, ...]
    own_task: Task | None = None  # a user's, which no table holds; its hash is in ``task``

    @property
    def task_facts(self) -> Task:
        """The task: what its id stands for, wherever the job is trained."""
        return self.own_task or get_task(self.task)

    @property
    def snapshot(self) -> CheckpointRef:
        """What the job makes."""
        return CheckpointRef(self.stage, self.key, self.length)

    @property
    def distilled(self) -> CheckpointRef | None:
        """Where the one-step network of its finished policy is; None where none is made."""
        return distilled(self.config, self.snapshot)

    @property
    def shape(self) -> str:
        """Jobs of equal shape can train in one pack: all settings but the columns are equal."""
        sections = trained(to_dict(self.config))
        own = section_of(self.config, self.stage)
        columns = pack_columns(own)
        part: dict[str, Any] = {
            "stage": self.stage,
            "method": self.config.policy.method if self.stage == "policy" else None,
            "data": [self.task, self.data_sha256, sections["data"]],
            "compute": sections["compute"],
            "network": {
                k: sections["behaviour"][k] for k in ("path", "network", "width", "blocks")
            },
            "predicts": self.config.predicts,
            "own": {k: v for k, v in sections[own].items() if k not in columns},
        }
        if self.stage != "behaviour":
            names = ("width", "layers", "layer_norm", "discount", "pairs")
            part["sampler"] = sections["sampler"]
            part["critic"] = {k: sections["critic"][k] for k in names}
        return hashlib.sha256(json.dumps(part, sort_keys=True).encode()).hexdigest()[:16]


def fits_pack(job: Job, members: Sequence[Job]) -> bool:
    """Return whether a job can train in one pack with others."""
    return all(job.key != member.key for member in members) and (
        not members or job.shape == members[0].shape
    )


@dataclass(frozen=True)
class Run:
    """One (task, configuration, seed) from data to policy; one of a search has ``rungs``.

    One ``at_end`` is of jobs that others have trained: it is scored in its own way to act. At the
    rungs of a search by another ``objective`` than the score nothing is rolled out.
    """

    task: str
    config: Config
    seed: int
    data: str
    data_sha256: str
    rungs: tuple[int, ...] = ()
    own_task: Task | None = None
    at_end: bool = False
    objective: Objective = SCORE

    @property
    def task_facts(self) -> Task:
        """The task: what its id stands for."""
        return self.own_task or get_task(self.task)

    @property
    def rolled_out(self) -> bool:
        """Whether its policy is scored in a simulator."""
        scored = self.objective == SCORE or not self.rungs
        return scored and (self.own_task is None or self.own_task.scored)

    @property
    def jobs(self) -> tuple[Job, ...]:
        """The run's jobs, one for each stage of its method, in order; each builds on all before.

        The last one is that of the policy. A search distils nothing: rungs choose by policies. Nor
        does one that only acts otherwise, but to act in one step.
        """
        config = self.config
        if self.rungs or (self.at_end and not config.sampler.one_step):
            config = not_distilled(config)
        keys = stage_keys(self.config, self.task, self.data_sha256, self.seed)
        lengths = stage_updates(self.config)
        refs = {stage: CheckpointRef(stage, keys[stage], lengths[stage]) for stage in keys}
        scored = scored_at(self.config, self.rungs, at_end=self.at_end)
        if not self.rolled_out:
            scored = dict.fromkeys(keys, ())
        signals = tuple((updates, 0) for updates in signals_at(self.config, self.rungs))
        scored["policy"] = (*scored["policy"], *signals)
        return tuple(
            Job(
                stage=stage,
                key=keys[stage],
                length=lengths[stage],
                config=config,
                task=self.task,
                data=self.data,
                data_sha256=self.data_sha256,
                seed=self.seed,
                upstream=tuple(refs.values())[:i],
                evaluations=tuple(EvalPoint(*point) for point in scored[stage]),
                own_task=self.own_task,
            )
            for i, stage in enumerate(keys)
        )

    def job(self, stage: str) -> Job | None:
        """Return the job of a stage; None where the method has no such stage."""
        return next((job for job in self.jobs if job.stage == stage), None)
