"""The logger for Weights & Biases: one axis of updates over all stages."""

from __future__ import annotations

import os
import shutil
from collections.abc import Sequence

from qipo_ray.tracking.loggers import LoggedRun, LogRow


def check() -> None:
    """Raise if there is no wandb, or neither a login nor ``WANDB_MODE=offline``."""
    import wandb

    if os.environ.get("WANDB_MODE") not in ("offline", "disabled"):
        wandb.Api()


def shutdown() -> None:
    """Stop the part of wandb that would make the process wait until all is sent."""
    import wandb

    wandb.teardown()


class WandbLogger:
    """A run in the project ``WANDB_PROJECT`` or ``qipo_ray``, grouped by configuration.

    Online a resumed run goes on where it was: steps that it already has are not logged twice.
    Offline its folder below ``<results>/wandb`` is made anew.
    """

    def __init__(self, logged_run: LoggedRun) -> None:
        import wandb

        identity = logged_run.identity
        for old in (logged_run.root / "wandb").glob(f"offline-run-*-{identity}"):
            shutil.rmtree(old)
        offline = os.environ.get("WANDB_MODE") == "offline"
        self.run = wandb.init(
            project=os.environ.get("WANDB_PROJECT", "qipo_ray"),
            group="/".join(logged_run.path[:-1]),
            name="/".join(logged_run.path),
            id=identity,
            resume=None if offline else "allow",
            dir=logged_run.root,
            config=logged_run.settings,
            reinit="create_new",
            settings=wandb.Settings(silent=True, console="off"),
        )
        self.next = self.run.step  # of a resumed run: the first step that it lacks

    def write(self, rows: Sequence[LogRow]) -> None:
        """Log rows at the run's total updates."""
        for row in rows:
            if row.total >= self.next:
                self.run.log({**row.plain, "stage updates": row.updates}, step=row.total)

    def close(self) -> None:
        """Finish the run."""
        self.run.finish()


make_logger = WandbLogger
