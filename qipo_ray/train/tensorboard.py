"""TensorBoard as a mirror of the store: a run's metrics and scores, each step once."""

from __future__ import annotations

import shutil
from pathlib import Path

from torch.utils.tensorboard import SummaryWriter

from qipo_ray.train.job import Run
from qipo_ray.train.metrics import read_metrics
from qipo_ray.train.results import Results


class RunMirror:
    """Writes one run's scalars: ``behaviour/loss``, ``critic/q_data``, ``score/normalised``, ...

    The event files are derived: opening a mirror makes them anew from what the store holds, so a
    step stands there once, whatever was killed before. The x axis is the stage's updates.
    """

    def __init__(self, folder: Path, run: Run, results: Results) -> None:
        shutil.rmtree(folder, ignore_errors=True)
        self.writer = SummaryWriter(str(folder))
        self.jobs, self.results = run.jobs, results
        self.written: dict[str, float] = {}

    def sync(self) -> None:
        """Write what the store gained since the last call."""
        for job in self.jobs:
            folder = self.results.artefacts.folder(job.stage, job.key)
            for row in read_metrics(folder):
                updates = row.pop("updates")
                if updates > job.length or updates <= self.written.get(job.stage, 0):
                    continue
                for name, value in row.items():
                    self.writer.add_scalar(f"{job.stage}/{name}", value, int(updates))
                self.written[job.stage] = updates
            for evaluation in job.evaluations:
                score = self.results.score(job, evaluation)
                if score is None or evaluation.updates <= self.written.get(
                    f"{job.stage} score", -1
                ):
                    continue
                step = evaluation.updates if job.stage == "policy" else 0
                self.writer.add_scalar("score/normalised", score["normalised"], step)
                self.writer.add_scalar("score/return", score["mean"], step)
                self.written[f"{job.stage} score"] = evaluation.updates
        self.writer.flush()

    def close(self) -> None:
        """Write what is left and close the file."""
        self.sync()
        self.writer.close()
