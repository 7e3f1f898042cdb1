"""Ray Tune around the search: what becomes of it when something beside it, or a trial, dies."""

from __future__ import annotations

import logging
import os
import signal
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from fixtures.fault_counts import CountFaults

from qipo_ray.data.transitions import Dataset
from qipo_ray.distributed.client import Client, broker_of
from qipo_ray.distributed.fleet import WorkerLost, WorkerSettings
from qipo_ray.distributed.ray_log import log_ray_to
from qipo_ray.distributed.ray_service import _start_broker
from qipo_ray.distributed.worker import Worker
from qipo_ray.errors import Failure
from qipo_ray.store.background import background
from qipo_ray.store.records import read_records
from qipo_ray.study.search_file import load_search_file
from qipo_ray.sweep.search_state import SearchState
from qipo_ray.train.run_record import RunContext

pytestmark = [pytest.mark.ray, pytest.mark.faults]

TINY = Path(__file__).with_name("tiny.yaml")
CONTEXT = RunContext("tiny", None, "search", None, "qipo-ray sweep", "2026-01-01T00:00:00+00:00")


@pytest.fixture(scope="module")
def ray_here() -> Iterator[None]:
    """The cluster of this process, or a small one of its own."""
    import ray

    if ray.is_initialized():
        yield
        return
    ray.init(address="local", num_cpus=1, include_dashboard=False, log_to_driver=False)
    yield
    ray.shutdown()


@pytest.fixture
def search(ray_here: None, point: Dataset, tmp_path: Path) -> SearchState:
    spec = replace(load_search_file(TINY), trials=1, search_seeds=(0,))
    return SearchState(spec, tmp_path, 1, {"point": point}, CONTEXT, lambda line: None)


@pytest.fixture
def client(search: SearchState) -> Iterator[Client]:
    """A client of a broker without workers."""
    import ray

    namespace = f"test-{search.root.name}"
    broker = _start_broker(WorkerSettings(search.root, namespace, 1.0, 0.0, 1))
    yield Client(namespace)
    ray.kill(broker)


def test_a_worker_that_is_lost_breaks_the_search_off(search: SearchState, client: Client) -> None:
    """Tune owns some signals while it runs; its trial would wait for ever."""
    from qipo_ray.sweep.tune import run_trials

    begun = threading.Event()

    def watch(over: threading.Event) -> None:
        begun.wait(60)
        raise WorkerLost("worker-0 of 1 ended early")

    with pytest.raises(WorkerLost, match="ended early"), background(watch):
        run_trials(search, client, lambda: 1, lambda trial: begun.set())
    with pytest.raises(Failure, match="1 of 1 trials have not ended, so nothing is confirmed"):
        search.check_ended()


def test_a_killed_trial_actor_costs_nothing(
    search: SearchState,
    client: Client,
    monkeypatch: pytest.MonkeyPatch,
    count_faults: CountFaults,
) -> None:
    from qipo_ray.sweep import tune

    killed: list[int] = []
    on_trial_result = tune._AshaScheduler.on_trial_result

    def kill_first(self: Any, controller: Any, trial: Any, result: dict[str, Any]) -> str:
        if not killed:
            killed.append(result["pid"])
            os.kill(result["pid"], signal.SIGKILL)
        return on_trial_result(self, controller, trial, result)

    monkeypatch.setattr(tune._AshaScheduler, "on_trial_result", kill_first)
    with background(lambda over: work(client, search.root, over)):
        tune.run_trials(search, client, lambda: 1, lambda trial: None)
    (outcome,) = search.outcomes.values()
    assert killed and outcome.state == "finished" and outcome.reason is None
    count_faults("death on a Ray cluster", 1)
    assert [record["state"] for record in read_records(search.root)] == ["finished"]
    search.check_ended()


def test_a_method_of_ones_own_goes_to_the_trials_actor(
    search: SearchState, client: Client, own_module: Callable[..., str]
) -> None:
    """It lies in a folder that no process of Ray looks into by itself."""
    from qipo_ray.sweep import tune

    few = ("awr.width=8", "awr.updates=60", "awr.batch_size=16")
    spec = load_search_file(TINY, sets=[f"policy.method={own_module()}", *few])
    own = SearchState(
        replace(spec, trials=1, search_seeds=(0,)),
        search.root, 1, search.datasets, search.context, lambda line: None,
    )  # fmt: skip
    with background(lambda over: work(client, own.root, over)):
        tune.run_trials(own, client, lambda: 1, lambda trial: None)
    (record,) = read_records(own.root)
    assert (record["label"]["method"], record["state"]) == ("AWR", "finished")


def test_a_trial_whose_actor_dies_each_time_is_no_end(
    search: SearchState, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    from qipo_ray.sweep import tune

    def dies(config: Any, **_: Any) -> None:
        os._exit(1)

    monkeypatch.setattr(tune, "trial_actor", dies)
    monkeypatch.setattr(tune, "MAX_FAILURES", 1)
    tune.run_trials(search, client, lambda: 1, lambda trial: None)
    assert not search.outcomes and not read_records(search.root)
    with pytest.raises(Failure, match=r"1 of 1 trials .* \(its process failed 2 times\)"):
        search.check_ended()
    resumed = SearchState(
        search.spec, search.root, 2, search.datasets, search.context, lambda line: None
    )
    assert [trial.id for trial in resumed.resumed] == list(search.trials)


def test_what_ray_says_goes_to_a_file(
    client: Client,
    tmp_path: Path,
    capfd: pytest.CaptureFixture[str],
    eventually: Callable[[str, Callable[[], Any]], Any],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The broker dies while a call waits for it, which Ray mends and speaks of at length."""
    import ray
    import ray._private.worker

    logger = logging.getLogger("ray")
    monkeypatch.setattr(logger, "handlers", logger.handlers[:])
    monkeypatch.setattr(ray._private.worker, "print_to_stdstream", None)
    broker, log = broker_of(client.namespace), tmp_path / "ray" / "driver.log"
    client.submit("one", [])
    log_ray_to(log)
    waiting = broker.poll.remote("one", "", 0, 600.0)
    broker.poll.remote("*", "", 0, 600.0)
    ray.kill(broker, no_restart=False)
    eventually("Ray's line", lambda: "retries remaining" in log.read_text())
    logging.getLogger("ray.tune").warning("resume with Tuner.restore(...)")
    assert "Tuner.restore" in log.read_text()
    ray.cancel(waiting)
    captured = capfd.readouterr()
    assert captured.out == captured.err == ""
    (handler,) = logger.handlers
    monkeypatch.undo()  # first: Ray may still speak
    handler.close()


def work(client: Client, root: Path, over: threading.Event) -> None:
    """Train what the broker orders, as a worker does."""
    import ray

    worker, broker = Worker("here", root, 1, "cpu"), broker_of(client.namespace)
    while not over.is_set():
        worker.follow(ray.get(broker.pull.remote(*worker.pull_arguments)))


def test_no_key_of_a_bucket_is_passed_to_ray(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ray writes the environment of Tune's actors into a log that all on the machine may read."""
    from ray.tune.execution.class_cache import _ActorClassCache

    from qipo_ray.sweep.tune import _NotSaved

    for name in ("ACCESS_KEY_ID", "SECRET_ACCESS_KEY", "SECURITY_TOKEN", "SESSION_TOKEN"):
        monkeypatch.setenv(f"AWS_{name}", "a-secret")
    passed = _ActorClassCache().get(_NotSaved)._default_options["runtime_env"]["env_vars"]
    assert passed and "a-secret" not in passed.values()
