"""The Ray cluster under the service: joined where there is one, else started on this machine."""

from __future__ import annotations

import logging
import os
import secrets
import signal
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any

from qipo_ray.cores import usable_cores
from qipo_ray.distributed.head import (
    answers_all,
    ask_machines,
    refuse_open,
    remedy,
)
from qipo_ray.distributed.machines import machine_resources
from qipo_ray.distributed.ray_log import log_ray_to
from qipo_ray.distributed.resources import count_workers
from qipo_ray.errors import UserError
from qipo_ray.store.files import write_new
from qipo_ray.study.search_spec import Resources
from qipo_ray.train.memory import in_words

SOCKET = "ray/session_2026-01-01_00-00-00_000000_{pid}/sockets/plasma_store"  # the longest
SOCKET_BYTES = 107
SHARED_MEMORY = Path("/dev/shm")  # where Ray keeps objects
WITHOUT = "use --executor local"
SETTINGS = {
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_TRAIN_HEALTH_CHECK_INTERVAL_S": "0.2",  # so that a worker's death and end are seen soon
    "RAY_TRAIN_ENABLE_PREEMPTION_WATCHER": "0",  # a process more for each worker; ours save often
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",  # the coming default; the old one warns
    "RAY_ENABLE_AUTO_CONNECT": "0",  # else a thread that is late starts a cluster anew
}


class Cluster:
    """A connection to Ray, which knows how many workers there is room for."""

    def __init__(self, resources: Resources, label: str, owned: bool) -> None:
        """Take how errors call it; it is ``owned`` if this object made the connection."""
        self.owned = owned
        self._resources, self._label = resources, label
        count_workers(resources, machine_resources(), label)

    @classmethod
    def join(
        cls,
        address: str | None,
        resources: Resources,
        log: Path | None = None,
        insecure: bool = False,
        namespace: str | None = None,
    ) -> Cluster:
        """Return a connection: that of this process, to ``address``, or to a new local cluster.

        What Ray says of a connection that is made here goes to ``log``, and what is started
        through it shows ``namespace`` in Ray's dashboard. ``UserError`` if the workers do not
        fit, Ray cannot start or be joined, or, unless ``insecure``, the head asks for no token;
        what can be told without a connection, ``check_room`` tells before.
        """
        _set_up_ray()
        if _connected():
            return cls(resources, "the cluster", owned=False)
        address = _chosen(address)
        if address == "local":
            check_start()
            make_token()
            # Without the dashboard Ray Train's clean-up dies and leaks CPUs.
            own = {"num_cpus": int(this_machine()["CPU"]), "include_dashboard": True}
            failure = "Ray cannot start on this machine"
            _connect(failure, log, address="local", namespace=namespace, **own)
            return cls(resources, "this machine", owned=True)
        agree_on_token(address, insecure)
        import ray

        failure = f"the Ray head at {address} cannot be joined"
        _connect(failure, log, address=address, namespace=namespace)
        try:
            return cls(resources, f"the cluster at {address}", owned=True)
        except UserError:
            ray.shutdown()
            raise

    def count_workers(self) -> int:
        """Return the number of workers that it has room for now; fewer ones wait for room."""
        try:
            return count_workers(self._resources, machine_resources(), self._label)
        except UserError:  # machines went
            return 0

    def disconnect(self) -> None:
        """End the connection if this object made it, and with it a local cluster."""
        import ray

        if self.owned:
            ray.shutdown()


def check_room(address: str | None, resources: Resources, insecure: bool = False) -> None:
    """Raise ``UserError`` where a sweep cannot begin on the cluster that ``join`` would return.

    Its workers never fit there, or Ray cannot start, or the head does not answer or asks for no
    token. Nothing is written for that, and Ray neither started nor joined.
    """
    _set_up_ray()
    address = _chosen(address)
    if _connected():
        count_workers(resources, machine_resources(), "the cluster")
    elif address == "local":
        count_workers(resources, [this_machine()], "this machine")
        check_start()
    else:
        agree_on_token(address, insecure)
        count_workers(resources, ask_machines(address), f"the cluster at {address}")


def _set_up_ray() -> None:
    for name, value in SETTINGS.items():
        os.environ.setdefault(name, value)


def _connected() -> bool:
    return "ray" in sys.modules and sys.modules["ray"].is_initialized()


def _chosen(address: str | None) -> str:
    return address or os.environ.get("RAY_ADDRESS") or "local"


def agree_on_token(address: str, insecure: bool) -> None:
    """Say to Ray whether it shows a token; ``UserError`` for a head that wants none.

    Ray reads it once, when it is imported first. An open head serves no driver that has a token.
    """
    is_open = answers_all(address)
    if is_open and not insecure:
        refuse_open(address)
    os.environ.setdefault("RAY_AUTH_MODE", "disabled" if is_open else "token")


def _connect(failure: str, log: Path | None, **options: Any) -> None:
    """Call ``ray.init``; ``UserError`` says ``failure`` and why.

    Ray puts a handler of SIGTERM in place of this process's own, which is back afterwards.
    """
    import ray

    if log is not None:
        log_ray_to(log)
    before = signal.getsignal(signal.SIGTERM)
    try:
        ray.init(log_to_driver=False, logging_level=logging.WARNING, **options)
    except SystemExit:  # from Ray's handler
        signal.signal(signal.SIGTERM, before)
        signal.raise_signal(signal.SIGTERM)
        raise
    except Exception as error:  # Ray raises plain ones where it is slow to start
        reason = " ".join(str(error).split()) or type(error).__name__
        raise UserError(f"{failure}: {reason:.400}{remedy(reason)}; or {WITHOUT}") from error
    finally:
        signal.signal(signal.SIGTERM, before)


def check_start() -> None:
    """Raise ``UserError`` where Ray cannot start on this machine."""
    _check_memory()
    temporary = os.environ.get("RAY_TMPDIR") or os.environ.get("TMPDIR") or "/tmp"
    longest = len(os.fsencode(os.path.join(temporary, SOCKET.format(pid=os.getpid()))))
    if longest > SOCKET_BYTES:
        raise UserError(
            f"Ray cannot start: the paths of its sockets below {temporary} have {longest} bytes, "
            f"at most {SOCKET_BYTES} are possible; set RAY_TMPDIR=/tmp, or {WITHOUT}"
        )
    if not _can_make(Path(temporary)):
        raise UserError(
            f"Ray cannot start: {temporary} cannot be written; set RAY_TMPDIR to a folder that "
            f"can, or {WITHOUT}"
        )
    token = _token_file()
    if token and not token.exists() and not _can_make(token.parent):
        raise UserError(
            f"Ray cannot start: it keeps its token in {token}, which cannot be written; set HOME "
            f"to a folder that can, or {WITHOUT}"
        )


def make_token() -> None:
    """Make the token of clusters on this machine, where there is none, for its owner alone.

    Ray would make it readable to all. One that others may read is closed to them.
    """
    path = _token_file()
    if path is None:
        return
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    if not path.exists():
        with suppress(FileExistsError):  # of another driver, which has just made it
            write_new(path, secrets.token_hex(32).encode())
    if path.stat().st_uid == os.getuid():
        path.chmod(0o600)


def _token_file() -> Path | None:
    """Return where Ray reads and keeps the token, None where it needs none or has another."""
    if os.environ.get("RAY_AUTH_MODE") == "disabled":
        return None
    if {"RAY_AUTH_TOKEN", "RAY_AUTH_TOKEN_PATH"} & os.environ.keys():
        return None
    return Path(os.path.expanduser("~/.ray/auth_token"))


def _check_memory() -> None:
    """Raise ``UserError`` where Ray's store of objects has no place, or less than its least."""
    from ray._private import ray_constants, utils

    if not os.access(SHARED_MEMORY, os.R_OK | os.W_OK | os.X_OK):
        raise UserError(
            f"Ray cannot start: there is no {SHARED_MEMORY} that can be written; mount it "
            f"(mount -t tmpfs tmpfs {SHARED_MEMORY}; in Docker --shm-size=1g), or {WITHOUT}"
        )
    estimate: Any = utils.estimate_available_memory  # has no types
    free = estimate()  # of the control group, where there is one
    least = ray_constants.OBJECT_STORE_MINIMUM_MEMORY_BYTES
    least = int(least / ray_constants.DEFAULT_OBJECT_STORE_MEMORY_PROPORTION)
    if free < least:
        raise UserError(
            f"Ray cannot start: {in_words(free)} of memory are free, it needs {in_words(least)} "
            f"for itself alone; end other programs or allow the job more memory, or {WITHOUT}"
        )


def _can_make(folder: Path) -> bool:
    """Return whether files can be made in a folder, or it in the next one above that exists."""
    above = next(path for path in (folder, *folder.parents) if path.exists())
    return above.is_dir() and os.access(above, os.W_OK | os.X_OK)


def this_machine() -> dict[str, float]:
    """Return the CPUs and GPUs that this process may use."""
    import torch

    return {"CPU": float(usable_cores()), "GPU": float(torch.cuda.device_count())}
