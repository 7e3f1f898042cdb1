"""The training service on Ray, started once per sweep: a broker and Ray Train workers."""

from __future__ import annotations

import logging
import secrets
from contextlib import AbstractContextManager
from functools import partial
from pathlib import Path
from typing import Any

from qipo_ray.distributed.client import Client, broker_name
from qipo_ray.distributed.cluster import Cluster
from qipo_ray.distributed.fleet import Fleet, WorkerSettings, start_worker
from qipo_ray.store.bucket import arrived, sent
from qipo_ray.study.search_spec import Resources

logger = logging.getLogger(__name__)

LOG = "ray/driver.log"  # of what Ray says to the driver
CLOSE_S = 20.0  # for workers to save their jobs and end; then they are killed
HURRY_S = 2.0  # the same when the driver was stopped: what is lost is trained again
DRIVER_WAIT_S = 1.0  # longest wait of the driver's calls, so that it can leave at once


class RayTrainingService(AbstractContextManager["RayTrainingService"]):
    """Workers that train the jobs of clients; a context manager that ends all it started."""

    def __init__(self, cluster: Cluster, settings: WorkerSettings) -> None:
        # Imported before the threads below start: Ray's modules import each other in a circle,
        # so two threads that import them at once fail.
        import ray.train.torch
        import ray.tune  # noqa: F401

        self.cluster = cluster
        self.namespace = settings.namespace
        self._settings = settings
        self._closed = False
        self._broker = _start_broker(settings)
        self._fleet = Fleet(partial(start_worker, settings), cluster.count_workers)

    @classmethod
    def start(
        cls,
        root: Path,
        resources: Resources,
        address: str | None = None,
        insecure: bool = False,
    ) -> RayTrainingService:
        """Return the service with results under the absolute path ``root``.

        It uses the cluster that this process is connected to, else that of ``address`` or
        ``RAY_ADDRESS``, else one of its own on this machine. ``UserError`` if a head does not
        answer, or asks for no token and that is not allowed by ``insecure``, or the resources can
        never fit. The workers are ready some seconds later.
        """
        namespace = f"{root.name}-{secrets.token_hex(6)}"  # the sweep's name, for the dashboard
        cluster = Cluster.join(address, resources, root / LOG, insecure, namespace)
        settings = WorkerSettings(root, namespace, resources.cpus, resources.gpus, resources.slots)
        return cls(cluster, settings)

    def __exit__(self, error: type[BaseException] | None, *_: object) -> None:
        """Close the service, in haste if the block was broken off.

        A process that is stopped takes the connection, and a cluster of its own, with it: to part
        from Ray in order takes seconds.
        """
        self.close(CLOSE_S if error is None else HURRY_S, stay=error is KeyboardInterrupt)

    def client(self) -> Client:
        """Return a handle for the driver, or for a trial if it is pickled."""
        return Client(self.namespace, DRIVER_WAIT_S)

    @property
    def slots(self) -> int:
        """Number of jobs that train at once, where every worker has room."""
        return self._fleet.size * self._settings.slots

    def follow(self) -> list[str]:
        """Let the workers follow the cluster, and return what is news of them.

        ``WorkerLost`` if one is gone for good.
        """
        import ray

        return self._fleet.follow(lambda: ray.get(self._broker.roll_call.remote()))

    def close(self, limit_s: float = CLOSE_S, *, stay: bool = False) -> None:
        """Let the workers save and end, then end all that this service started.

        To ``stay`` connected leaves the rest to the end of the process.
        """
        import ray

        if self._closed:
            return
        self._closed = True
        log = logger.warning if limit_s == CLOSE_S else logger.debug  # in haste it is no news
        try:
            # Asked before they may leave: the thread of one that has left uses Ray for seconds
            # more, and to part from Ray meanwhile is a segmentation fault.
            at_work = ray.get(self._broker.roll_call.remote(), timeout=limit_s).at_work
            ray.get(self._broker.close.remote(), timeout=limit_s)
            if late := self._fleet.wait_for(at_work, limit_s):
                log("%d workers did not leave in %.0f s", late, limit_s)
            ray.kill(self._broker)
        except ray.exceptions.RayError as error:  # a lost head must not keep the driver
            log("the service could not be closed in order: %s", error)
        finally:
            if not stay:
                self.cluster.disconnect()


def _start_broker(settings: WorkerSettings) -> Any:
    """Return the broker's actor: named, without CPU, started again whenever it dies.

    It runs on the driver's machine, where the data files are.
    """
    import ray
    from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

    from qipo_ray.distributed.broker import Broker
    from qipo_ray.distributed.datasets import read_piece
    from qipo_ray.distributed.machines import machines

    class BrokerActor(Broker):
        def __init__(self, root: str) -> None:
            context = ray.get_runtime_context()
            restarted = context.was_current_actor_reconstructed
            super().__init__(arrived(root), restarted=restarted, machines=machines)

        async def piece(self, path: str, offset: int) -> bytes | None:
            return await read_piece(path, offset)

    node_id = ray.get_runtime_context().get_node_id()

    actor: Any = ray.remote(BrokerActor)
    return actor.options(
        name=broker_name(settings.namespace),
        namespace=settings.namespace,
        num_cpus=0,
        scheduling_strategy=NodeAffinitySchedulingStrategy(node_id, soft=True),
        max_restarts=-1,
        max_task_retries=-1,
        max_concurrency=10_000,  # a waiting call is an open one
    ).remote(sent(settings.root))
