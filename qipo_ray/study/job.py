"""A job: one stage of one run, with its key and what it builds on."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from qipo_ray.config import STAGES, Config, stage_keys, stage_updates, to_dict
from qipo_ray.config.evaluations import scored_at
from qipo_ray.config.facts import pack_columns
from qipo_ray.config.keys import trained


@dataclass(frozen=True)
class CheckpointRef:
    """The address of an artefact: a stage's key and the updates it was trained for."""

    stage: str
    key: str
    updates: int


@dataclass(frozen=True)
class EvalPoint:
    """A score that somebody waits for: after ``updates`` of the job, over ``episodes``."""

    updates: int
    episodes: int


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

    @property
    def snapshot(self) -> CheckpointRef:
        """What the job makes."""
        return CheckpointRef(self.stage, self.key, self.length)

    @property
    def shape(self) -> str:
        """Jobs of equal shape can train in one pack: all settings but the columns are equal."""
        sections = trained(to_dict(self.config))
        columns = pack_columns(self.stage)
        part: dict[str, Any] = {
            "stage": self.stage,
            "data": [self.task, self.data_sha256, sections["data"]],
            "compute": sections["compute"],
            "network": {
                k: sections["behaviour"][k] for k in ("path", "network", "width", "blocks")
            },
            "predicts": self.config.predicts,
            "own": {k: v for k, v in sections[self.stage].items() if k not in columns},
        }
        if self.stage != "behaviour":
            names = ("width", "layers", "layer_norm", "discount")
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
    """One (task, configuration, seed) from data to policy; one of a search has ``rungs``."""

    task: str
    config: Config
    seed: int
    data: str
    data_sha256: str
    rungs: tuple[int, ...] = ()

    @property
    def jobs(self) -> tuple[Job, Job, Job]:
        """The run's three jobs, in order."""
        keys = stage_keys(self.config, self.task, self.data_sha256, self.seed)
        lengths = stage_updates(self.config)
        refs = {stage: CheckpointRef(stage, keys[stage], lengths[stage]) for stage in STAGES}
        scored = scored_at(self.config, self.rungs)
        upstream: dict[str, tuple[CheckpointRef, ...]] = {
            "behaviour": (),
            "critic": (refs["behaviour"],),
            "policy": (refs["behaviour"], refs["critic"]),
        }

        def job(stage: str) -> Job:
            return Job(
                stage=stage,
                key=keys[stage],
                length=lengths[stage],
                config=self.config,
                task=self.task,
                data=self.data,
                data_sha256=self.data_sha256,
                seed=self.seed,
                upstream=upstream[stage],
                evaluations=tuple(EvalPoint(*point) for point in scored[stage]),
            )

        return job("behaviour"), job("critic"), job("policy")
