"""A trial as Tune's actor runs it: it trains nothing, so it imports neither torch nor Optuna."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ray import tune

from qipo_ray.config import use_method
from qipo_ray.distributed.client import Client
from qipo_ray.store.bucket import arrived
from qipo_ray.store.intents import read_intent
from qipo_ray.study.asha import Decision
from qipo_ray.study.trial import DatasetRef, Trial
from qipo_ray.sweep.trial_runner import run_trial


def trial_actor(
    config: Mapping[str, Any],
    root: str,
    datasets: Mapping[str, DatasetRef],
    namespace: str,
    methods: Mapping[str, Sequence[str]],
) -> None:
    """Wait for the jobs of one trial and report its rungs, then how it ended.

    ``methods`` are the user's own, which its configuration may name, with their folders.
    """
    for named, folders in methods.items():
        use_method(named, *folders)
    trial = Trial.from_intent(read_intent(arrived(root), config["trial"]))

    def report(rung: int, updates: int, value: float | None) -> Decision:
        tune.report({"rung": rung, "updates": updates, "value": value})
        return Decision(False, "the scheduler decides, and ends this trial from outside")

    outcome = run_trial(trial, datasets[trial.task], Client(namespace), report)
    tune.report({"ended": outcome.state.value, "rung": outcome.rung, "reason": outcome.reason})
