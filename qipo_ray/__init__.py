"""qipo_ray: distributed search for good offline-RL policies with QIPO."""

from __future__ import annotations

import os
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

from qipo_ray.version import __version__

if TYPE_CHECKING:
    from qipo_ray.api import Leaderboard, Sweep, train_policy
    from qipo_ray.deploy.inference import LoadedPolicy

__all__ = ["Leaderboard", "Sweep", "__version__", "load_policy", "train_policy"]


def __getattr__(name: str) -> object:
    """Return what the package offers to Python; torch comes with it."""
    if name in ("Leaderboard", "Sweep", "train_policy"):
        return getattr(import_module("qipo_ray.api"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def load_policy(
    path: str | os.PathLike[str],
    seed: int = 0,
    *,
    best: bool = False,
    task: str | None = None,
    method: str | None = None,
    use: str | None = None,
) -> LoadedPolicy:
    """Return a trained policy to act with: ``load_policy(path).act(observation)``.

    ``path`` is a record's file ``<results>/records/<id>.json``, or a results folder with exactly
    one finished run; with ``best`` any results folder: the best run of the best configuration that
    it reports, of one ``task`` and ``method`` (``"QIPO-OT"``). The weights, online or averaged,
    are those that its configuration scores (``evaluation.weights``). ``seed`` starts the policy's
    own random stream: what is reproducible stands at ``act``. A run of a method of your own needs
    ``use="module:Class"``: a record's word alone imports nothing.

    >>> import qipo_ray
    >>> policy = qipo_ray.load_policy("results", seed=0)
    >>> observation = [0.0] * policy.state_dim
    >>> action = policy.act(observation)
    >>> action.shape == (policy.action_dim,)
    True

    Raises:
        UserError: if there is no such run, several, or its snapshot is missing or damaged.
    """
    from qipo_ray.deploy import finished_run, inference  # with them comes torch

    if use is not None:
        finished_run.use_method(use)
    wanted = finished_run.best_wanted(Path(path), best, task, method)
    return inference.policy_of(wanted or finished_run.only_run(Path(path)), seed)
