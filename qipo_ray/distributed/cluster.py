"""The Ray cluster under the service: joined where there is one, else started on this machine."""

from __future__ import annotations

import logging
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from qipo_ray.cores import usable_cores
from qipo_ray.distributed.resources import count_workers
from qipo_ray.errors import UserError
from qipo_ray.study.search_spec import Resources

ANSWER_S = 30.0  # for a head to answer
SETTINGS = {
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_TRAIN_HEALTH_CHECK_INTERVAL_S": "0.2",  # so that a worker's death and end are seen soon
    "RAY_TRAIN_ENABLE_PREEMPTION_WATCHER": "0",  # a process more for each worker; ours save often
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",  # the coming default; the old one warns
    "RAY_ENABLE_AUTO_CONNECT": "0",  # else a thread that is late starts a cluster anew
}


class Cluster:
    """A connection to Ray, with the number of workers that it has room for."""

    def __init__(self, workers: int, owned: bool) -> None:
        self.workers = workers
        self.owned = owned  # this object made the connection

    @classmethod
    def join(cls, address: str | None, resources: Resources) -> Cluster:
        """Return a connection: that of this process, to ``address``, or to a new local cluster.

        ``UserError`` if the workers do not fit; a new cluster is then not even started.
        """
        address = address or os.environ.get("RAY_ADDRESS") or "local"
        for name, value in SETTINGS.items():
            os.environ.setdefault(name, value)
        if address != "local":  # Ray reads it once, when it is imported first
            os.environ.setdefault("RAY_AUTH_MODE", "token")
        import ray

        if ray.is_initialized():
            return cls(count_workers(resources, _nodes(), "the cluster"), owned=False)
        if address == "local":
            machine = this_machine()
            workers = count_workers(resources, [machine], "this machine")
            with _own_sigterm():
                ray.init(
                    address="local",
                    num_cpus=int(machine["CPU"]),
                    include_dashboard=True,  # without it Ray Train's clean-up dies, leaks CPUs
                    log_to_driver=False,
                    logging_level=logging.WARNING,
                )
            return cls(workers, owned=True)
        check_head(address)
        try:
            with _own_sigterm():
                ray.init(address=address, log_to_driver=False, logging_level=logging.WARNING)
        except ConnectionError as error:
            raise UserError(f"the Ray head at {address} cannot be joined: {error}") from error
        try:
            workers = count_workers(resources, _nodes(), f"the cluster at {address}")
            return cls(workers, owned=True)
        except UserError:
            ray.shutdown()
            raise

    def disconnect(self) -> None:
        """End the connection if this object made it, and with it a local cluster."""
        import ray

        if self.owned:
            ray.shutdown()


@contextmanager
def _own_sigterm() -> Iterator[None]:
    """Keep this process's handler of SIGTERM, in whose place Ray puts one of its own."""
    before = signal.getsignal(signal.SIGTERM)
    try:
        yield
    except SystemExit:  # from Ray's
        signal.signal(signal.SIGTERM, before)
        signal.raise_signal(signal.SIGTERM)
        raise
    finally:
        signal.signal(signal.SIGTERM, before)


def this_machine() -> dict[str, float]:
    """Return the CPUs and GPUs that this process may use."""
    import torch

    return {"CPU": float(usable_cores()), "GPU": float(torch.cuda.device_count())}


def _nodes() -> list[dict[str, float]]:
    import ray

    nodes: Any = ray.nodes  # has no types
    return [node["Resources"] for node in nodes() if node["Alive"]]


def check_head(address: str) -> None:
    """Raise ``UserError`` if the head does not answer, refuses, or is no head.

    It runs in another process: Ray has no time limit for a connection to a dead head.
    """
    if "://" in address:
        raise UserError(
            f"Ray address {address!r}: expected host:port of a head or 'auto'; from outside of "
            "the cluster use `ray job submit`"
        )
    host, colon, port = address.rpartition(":")
    if colon and port.isdecimal():
        try:
            socket.create_connection((host, int(port)), ANSWER_S).close()
        except OSError as error:
            raise UserError(f"the Ray head at {address} cannot be reached: {error}") from None
    command = [sys.executable, "-m", "ray.scripts.scripts", "health-check", "--address", address]
    try:
        process = subprocess.run(command, capture_output=True, text=True, timeout=ANSWER_S)
    except subprocess.TimeoutExpired:
        raise UserError(f"the Ray head at {address} did not answer in {ANSWER_S:.0f} s") from None
    if "InvalidAuthToken" in process.stderr:
        raise UserError(
            f"the Ray head at {address} refused the token: set RAY_AUTH_MODE=token, and "
            "RAY_AUTH_TOKEN or ~/.ray/auth_token to the token of the head"
        )
    if process.returncode:
        lines = [line for line in process.stderr.splitlines() if line.strip()] or [
            "no reason given"
        ]
        raise UserError(f"the Ray head at {address} cannot be used: {lines[-1].strip()}")
