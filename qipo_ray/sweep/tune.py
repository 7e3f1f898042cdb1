"""Ray Tune around the search: thin trials that wait on the broker, and the rule as a scheduler.

Tune asks ``_TrialSource`` for trials, runs each as an actor of 0.01 CPU, and tells
``_AshaScheduler`` of every rung. Its own files are a cache that nobody reads: a resumed sweep
starts a new Tuner from the store.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

# Tune reads these when it is imported: our screen and our TensorBoard replace its own,
# Ctrl-C is the driver's, and what Tune keeps of its state is not worth a pause.
os.environ.setdefault("RAY_AIR_NEW_OUTPUT", "0")
os.environ.setdefault("TUNE_DISABLE_AUTO_CALLBACK_LOGGERS", "1")
os.environ.setdefault("TUNE_DISABLE_SIGINT_HANDLER", "1")
os.environ.setdefault("TUNE_MAX_PENDING_TRIALS_PG", "1000")  # the source says how many there are
os.environ.setdefault("TUNE_DISABLE_STRICT_METRIC_CHECKING", "1")  # a last report has no value
os.environ.setdefault("TUNE_WARN_EXCESSIVE_EXPERIMENT_CHECKPOINT_SYNC_THRESHOLD_S", "0")

from ray import tune
from ray.tune.execution.class_cache import ENV_VARS_TO_PROPAGATE
from ray.tune.schedulers import FIFOScheduler, TrialScheduler
from ray.tune.search import Searcher

from qipo_ray.config.own_methods import own_methods
from qipo_ray.distributed.client import Client
from qipo_ray.store.bucket import sent
from qipo_ray.study.trial import Trial, TrialOutcome, TrialState
from qipo_ray.sweep.actor import trial_actor
from qipo_ray.sweep.search_state import SearchState

# Tune would put them into its actors' environment, which Ray writes into a log that all may read.
ENV_VARS_TO_PROPAGATE.difference_update(
    {"AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SECURITY_TOKEN", "AWS_SESSION_TOKEN"}
)

ACTOR_CPUS = 0.01
MAX_FAILURES = 20  # deaths of a trial's actor; it trains nothing, and finds its jobs again


def run_trials(
    search: SearchState, client: Client, at_once: Callable[[], int], follow: Any
) -> None:
    """Run the search to its end; ``follow`` is called with every trial that starts.

    So many trials run as ``at_once`` says at the time.
    """
    left = search.trials_left
    if not left:
        return
    name = f"tune-{search.attempt:06d}"
    trainable = tune.with_parameters(
        trial_actor,
        root=sent(search.root),
        datasets={task: search.dataset_ref(task) for task in search.spec.tasks},
        namespace=client.namespace,
        methods=dict(own_methods),
    )
    tuner = tune.Tuner(
        tune.with_resources(trainable, {"cpu": ACTOR_CPUS}),
        tune_config=tune.TuneConfig(
            search_alg=_TrialSource(search, client, at_once, follow),
            scheduler=_AshaScheduler(search, client),
            num_samples=left,
            reuse_actors=True,
        ),
        run_config=tune.RunConfig(
            name=name,
            storage_path=str(search.root / "ray"),
            failure_config=tune.FailureConfig(max_failures=MAX_FAILURES),
            verbose=0,
        ),
    )
    tuner.fit()


class _NotSaved:
    """Keeps Tune from writing an object into its snapshots: it lives in this process alone."""

    def __getstate__(self) -> dict[str, Any]:
        return {}


class _TrialSource(_NotSaved, Searcher):
    """Hands the search's trials to Tune, and takes in those whose actor died too often."""

    def __init__(
        self, search: SearchState, client: Client, at_once: Callable[[], int], follow: Any
    ) -> None:
        super().__init__(metric="value", mode="max")
        self.search, self.client, self.at_once, self.follow = search, client, at_once, follow
        self.trials: dict[str, Trial] = {}  # those that run, by Tune's id

    def suggest(self, trial_id: str) -> Any:
        if len(self.trials) >= self.at_once():
            return None  # ask again later
        trial = self.search.next_trial()
        if trial is None:
            return Searcher.FINISHED
        self.follow(trial)
        self.trials[trial_id] = trial
        return {"trial": trial.id}

    def on_trial_complete(
        self, trial_id: str, result: dict[str, Any] | None = None, error: bool = False
    ) -> None:
        """Withdraw the jobs of a trial that Tune gives up; how others end the scheduler hears.

        The scheduler's ``on_trial_error`` will not do: Tune calls it for each death.
        """
        trial = self.trials.pop(trial_id)
        if error:
            self.client.cancel(trial.id)
            reason = f"its process failed {MAX_FAILURES + 1} times"
            self.search.end_trial(trial, TrialOutcome(TrialState.LOST, None, reason))

    def save(self, checkpoint_path: str) -> None:
        """Nothing: the store is the truth."""

    def restore(self, checkpoint_path: str) -> None:
        """Nothing: a resumed sweep starts a new Tuner."""


class _AshaScheduler(_NotSaved, FIFOScheduler):
    """The stopping rule and the book-keeping, where Tune tells of results and ends."""

    def __init__(self, search: SearchState, client: Client) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.search, self.client = search, client

    def _trial(self, trial: Any) -> Trial:
        return self.search.trials[trial.config["trial"]]

    def on_trial_result(self, tune_controller: Any, trial: Any, result: dict[str, Any]) -> str:
        searched = self._trial(trial)
        if "ended" in result:
            outcome = TrialOutcome(TrialState(result["ended"]), result["rung"], result["reason"])
            self.search.end_trial(searched, outcome)
            return str(TrialScheduler.CONTINUE)
        decision = self.search.at_rung(
            searched, result["rung"], result["updates"], result["value"]
        )
        if not decision.stop:
            return str(TrialScheduler.CONTINUE)
        # Tune does not promise that a stopped function runs its `finally`: withdraw its jobs here.
        self.client.cancel(searched.id)
        self.search.end_trial(
            searched, TrialOutcome(TrialState.PRUNED, result["rung"], decision.reason)
        )
        return str(TrialScheduler.STOP)
