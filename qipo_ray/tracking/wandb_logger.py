"""Weights & Biases: one run there for a run here, on one axis of updates over all stages."""

from __future__ import annotations

import os
import shutil
from collections.abc import Sequence

from qipo_ray.tracking.loggers import LoggedRun, LogRow


def look() -> None:
    """Raise if there is no wandb, or neither a login nor ``WANDB_MODE=offline``."""
    import wandb

    if os.environ.get("WANDB_MODE") not in ("offline", "disabled"):
        wandb.Api()


def leave() -> None:
    """Take away what makes the end of this process wait until all is sent."""
    import wandb

    wandb.teardown()


def make_logger(shown: LoggedRun) -> WandbLogger:
    """Return the logger of a run."""
    return WandbLogger(shown)


class WandbLogger:
    """A run in the project ``WANDB_PROJECT`` or ``qipo_ray``, grouped by configuration.

    Online a resumed run goes on where it was: steps that are there already are not taken twice.
    Offline its folder below ``<results>/wandb`` is made anew.
    """

    def __init__(self, shown: LoggedRun) -> None:
        import wandb

        identity = shown.identity
        for old in (shown.root / "wandb").glob(f"offline-run-*-{identity}"):
            shutil.rmtree(old)
        offline = os.environ.get("WANDB_MODE") == "offline"
        self.run = wandb.init(
            project=os.environ.get("WANDB_PROJECT", "qipo_ray"),
            group="/".join(shown.place[:-1]),
            name="/".join(shown.place),
            id=identity,
            resume=None if offline else "allow",
            dir=shown.root,
            config=shown.settings,
            reinit="create_new",
            settings=wandb.Settings(silent=True, console="off"),
        )
        self.next = self.run.step  # of a resumed run: the first that is not there yet

    def write(self, rows: Sequence[LogRow]) -> None:
        """Log rows at the run's total updates."""
        for row in rows:
            if row.total >= self.next:
                self.run.log({**row.plain, "stage updates": row.updates}, step=row.total)

    def close(self) -> None:
        """Finish the run there."""
        self.run.finish()
