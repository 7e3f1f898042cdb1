"""The service on a real cluster: Ray Train workers, and what happens when something dies."""

from __future__ import annotations

import json
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from fixtures.fault_counts import CountFaults

from qipo_ray.distributed.client import Client, broker_of
from qipo_ray.distributed.ray_service import RayTrainingService
from qipo_ray.errors import UserError
from qipo_ray.study.job import Job, Run
from qipo_ray.study.job_events import JobEvent
from qipo_ray.study.search_spec import Resources
from qipo_ray.train.job_store import JobStore
from qipo_ray.train.local_service import LocalTrainingService

pytestmark = [
    pytest.mark.ray,
    pytest.mark.faults,
    pytest.mark.filterwarnings("ignore::DeprecationWarning:ray.data.context"),  # its own defaults
]

MakeRun = Callable[..., Run]
LIMIT_S = 600.0
NOTICED_S = 30.0  # for a death to be noticed
TWO = Resources(workers=2, cpus=1.0, gpus=0.0, slots=1)
LONG = ("policy.renew_every=1000", "evaluation.every=250")  # 2,000 updates, some seconds
WHOLE = [("behaviour", "finished"), ("critic", "finished"), ("policy", "finished")]


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("results")


@pytest.fixture(scope="module")
def service(cluster: None, root: Path) -> Iterator[RayTrainingService]:
    with RayTrainingService.start(root, TWO) as service:
        yield service


@pytest.fixture
def client(service: RayTrainingService) -> Client:
    return service.client()


def collect(
    client: Client,
    subscriber: str,
    until: Callable[[list[JobEvent]], bool],
    service: RayTrainingService,
) -> list[JobEvent]:
    """Collect events until a condition holds, within the time limit."""
    events: list[JobEvent] = []
    end = time.monotonic() + LIMIT_S
    while not until(events):
        assert time.monotonic() < end, f"{subscriber}: {events[-3:]}"
        service.follow()
        events += client.poll(subscriber)
    return events


def ended(run: Run) -> Callable[[list[JobEvent]], bool]:
    return lambda events: any(r.topic == ("end", run.jobs[-1].snapshot) for r in events)


def reached(job: Job, updates: int) -> Callable[[list[JobEvent]], bool]:
    return lambda events: any(
        r.snapshot == job.snapshot and r.kind == "progress" and r.updates >= updates
        for r in events
    )


def ends(events: list[JobEvent]) -> list[tuple[str, str]]:
    return [(r.snapshot.stage, r.kind) for r in events if r.lasting and r.kind != "score"]


def claims(root: Path, job: Job) -> list[int]:
    """The process ids of a job's attempts, in order."""
    folder = JobStore(root).artefacts.folder(job.stage, job.key)
    return [json.loads(path.read_text())["pid"] for path in sorted(folder.glob("attempt-*"))]


def alone(root: Path, run: Run) -> None:
    """Train a run in this process, undisturbed."""
    with LocalTrainingService(root) as local:
        local.submit("alone", run.jobs)
        events: list[JobEvent] = []
        while not ended(run)(events):
            events += local.poll("alone")


def test_a_killed_worker_comes_back_and_its_job_goes_on(
    service: RayTrainingService,
    client: Client,
    root: Path,
    make_run: MakeRun,
    results_of: Callable[[Path, Run], dict[str, str]],
    tmp_path: Path,
    count_faults: CountFaults,
) -> None:
    runs = [make_run(*LONG, seed=seed) for seed in (10, 11)]
    policy = runs[0].jobs[-1]
    for run in runs:
        client.submit(f"run {run.seed}", run.jobs)
    before = collect(client, "run 10", reached(policy, 300), service)
    os.kill(claims(root, policy)[0], signal.SIGKILL)
    after = collect(client, "run 10", ended(runs[0]), service)
    assert ends(before) + ends(after) == WHOLE
    assert min(r.updates for r in after if r.snapshot == policy.snapshot) >= 250
    assert len(claims(root, policy)) == 2  # here or on the other worker
    assert ends(collect(client, "run 11", ended(runs[1]), service)) == WHOLE
    alone(tmp_path, runs[0])
    assert results_of(root, runs[0]) == results_of(tmp_path, runs[0])
    count_faults("death on a Ray cluster", 1)


def test_two_workers_train_two_runs(
    service: RayTrainingService, client: Client, root: Path, make_run: MakeRun
) -> None:
    """Also after one of them was killed: the test before this one."""
    runs = [make_run(*LONG, seed=seed) for seed in (0, 1)]
    for run in runs:
        client.submit(f"run {run.seed}", run.jobs)
    for run in runs:
        assert ends(collect(client, f"run {run.seed}", ended(run), service)) == WHOLE
    assert len({pid for run in runs for job in run.jobs for pid in claims(root, job)}) == 2


def test_equal_keys_train_once_for_two_subscribers(
    service: RayTrainingService, client: Client, root: Path, make_run: MakeRun
) -> None:
    run = make_run(seed=20)
    client.submit("one", run.jobs)
    other = Client(client.namespace)
    other.submit("two", run.jobs)
    assert ends(collect(client, "one", ended(run), service)) == WHOLE
    assert ends(collect(other, "two", ended(run), service)) == WHOLE
    assert [len(claims(root, job)) for job in run.jobs] == [1, 1, 1]


def test_a_job_that_nobody_waits_for_leaves_its_slot(
    service: RayTrainingService, client: Client, root: Path, make_run: MakeRun
) -> None:
    run = make_run("behaviour.updates=1000000", seed=30)
    behaviour = run.jobs[0]
    client.submit("one", run.jobs)
    collect(client, "one", reached(behaviour, 100), service)
    client.cancel("one")
    everyone = Client(client.namespace)
    dropped = ("dropped", behaviour.snapshot)
    collect(everyone, "*", lambda rs: any((r.kind, r.snapshot) == dropped for r in rs), service)
    assert JobStore(root).artefacts.lengths("behaviour", behaviour.key) != []


def test_a_killed_broker_comes_back_and_all_ends_once(
    service: RayTrainingService,
    client: Client,
    root: Path,
    make_run: MakeRun,
    results_of: Callable[[Path, Run], dict[str, str]],
    tmp_path: Path,
    count_faults: CountFaults,
) -> None:
    import ray

    runs = [make_run(*LONG, seed=seed) for seed in (40, 41)]
    policy = runs[0].jobs[-1]
    for run in runs:
        client.submit(f"run {run.seed}", run.jobs)
    before = collect(client, "run 40", reached(policy, 100), service)
    collected: list[JobEvent] = []
    waiting = threading.Thread(  # a second client, in the middle of a call when the broker dies
        target=lambda: collected.extend(collect(client, "run 41", ended(runs[1]), service))
    )
    waiting.start()
    ray.kill(broker_of(client.namespace), no_restart=False)
    assert ends(before) + ends(collect(client, "run 40", ended(runs[0]), service)) == WHOLE
    waiting.join(LIMIT_S)
    assert ends(collected) == WHOLE
    assert [len(claims(root, job)) for run in runs for job in run.jobs] == [1] * 6
    alone(tmp_path, runs[0])
    assert results_of(root, runs[0]) == results_of(tmp_path, runs[0])
    count_faults("death on a Ray cluster", 1)


def test_killed_controllers_are_started_anew_and_jobs_go_on(
    service: RayTrainingService,
    client: Client,
    root: Path,
    make_run: MakeRun,
    results_of: Callable[[Path, Run], dict[str, str]],
    tmp_path: Path,
    count_faults: CountFaults,
) -> None:
    """Ray Train's own processes, one for each worker: the workers die with them."""
    import ray
    from ray.util.state import list_actors

    run = make_run(*LONG, seed=60)
    policy = run.jobs[-1]
    client.submit("run 60", run.jobs)
    before = collect(client, "run 60", reached(policy, 300), service)
    address = ray.get_runtime_context().gcs_address
    watching = [("class_name", "=", "TrainController"), ("state", "=", "ALIVE")]
    controllers = list_actors(address=address, filters=watching)
    for actor in controllers:
        os.kill(actor.pid, signal.SIGKILL)
    told: list[str] = []
    end = time.monotonic() + NOTICED_S
    while len(told) < len(controllers):
        assert time.monotonic() < end, told
        told += [line for line in service.follow() if "controller died" in line]
    after = collect(client, "run 60", ended(run), service)
    assert ends(before) + ends(after) == WHOLE
    assert min(r.updates for r in after if r.snapshot == policy.snapshot) >= 250
    assert len(claims(root, policy)) == 2
    alone(tmp_path, run)
    assert results_of(root, run) == results_of(tmp_path, run)
    count_faults("death on a Ray cluster", len(controllers))


def test_resources_that_never_fit_are_refused(cluster: None, tmp_path: Path) -> None:
    nine = Resources(workers=9, cpus=1.0, gpus=0.0, slots=1)
    with pytest.raises(UserError, match="9 workers x 1 CPU = 9 CPUs, but the cluster has 3 CPUs"):
        RayTrainingService.start(tmp_path, nine)
    assert list(tmp_path.iterdir()) == []


def test_after_close_no_actor_is_left(
    service: RayTrainingService, client: Client, make_run: MakeRun
) -> None:
    """The last test on the shared service: it closes it in mid-training."""
    import ray
    from ray.util.state import list_actors

    run = make_run("behaviour.updates=1000000", seed=50)
    client.submit("one", run.jobs)
    collect(client, "one", reached(run.jobs[0], 100), service)
    start = time.monotonic()
    service.close()
    assert time.monotonic() - start < 20
    ours = {"BrokerActor", "TrainController", "RayTrainWorker"}
    address = ray.get_runtime_context().gcs_address
    end = time.monotonic() + LIMIT_S
    while left := [
        actor
        for actor in list_actors(address=address)
        if actor.class_name in ours and actor.state != "DEAD"
    ]:
        assert time.monotonic() < end, left
