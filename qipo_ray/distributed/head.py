"""The head of a Ray cluster, asked before it is joined: what machines it has, and who may ask.

Another process asks it, this module run as a program: Ray has no time limit for a connection to a
dead head, and reads once in a process which token it shows.
"""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from collections.abc import Mapping
from typing import Any, NoReturn

from qipo_ray.errors import UserError

ANSWER_S = 30.0  # for a head to answer
ASK_S = 90.0  # for a process that asks it: to import Ray takes long beside others, or from a share


def _check_address(address: str) -> None:
    """Raise ``UserError`` unless something listens at the address, where it names a port."""
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


def ask_machines(address: str) -> list[dict[str, float]]:
    """Return the resources of each machine; ``UserError`` if the head refuses, or is none."""
    process = _ask(address, os.environ)
    if "InvalidAuthToken" in process.stderr:
        raise UserError(
            f"the Ray head at {address} refused the token: set RAY_AUTH_MODE=token, and "
            "RAY_AUTH_TOKEN or ~/.ray/auth_token to the token of the head"
        )
    if process.returncode:
        lines = [line for line in process.stderr.splitlines() if line.strip()] or [
            "no reason given"
        ]
        reason = lines[-1].strip()
        raise UserError(f"the Ray head at {address} cannot be used: {reason:.400}{remedy(reason)}")
    machines: list[dict[str, float]] = json.loads(process.stdout.splitlines()[-1])
    return machines


def answers_all(address: str) -> bool:
    """Return whether the head answers without a token."""
    unknown = {key: value for key, value in os.environ.items() if key != "RAY_AUTH_TOKEN"}
    return _ask(address, {**unknown, "RAY_AUTH_MODE": "disabled"}).returncode == 0


def refuse_open(address: str) -> NoReturn:
    """Raise the ``UserError`` of a head that takes jobs from anybody."""
    raise UserError(
        f"the Ray head at {address} asks for no token: whoever reaches it may run any code as "
        "you; start it with RAY_AUTH_MODE=token (cluster/README.md), or give "
        "--insecure-cluster"
    )


def remedy(reason: str) -> str:
    """Return what to do where Ray fails for a known reason."""
    if "ersion mismatch" in reason:
        return "; install the head's versions of Python and Ray"
    if "timed out" in reason or "memory" in reason:
        return "; free memory and processors, or make /dev/shm larger"
    return ""


def _ask(address: str, env: Mapping[str, str]) -> subprocess.CompletedProcess[str]:
    """Return what the head said; ``UserError`` if it does not answer."""
    _check_address(address)
    command = [sys.executable, "-m", __name__, address]
    try:
        return subprocess.run(command, capture_output=True, text=True, timeout=ASK_S, env=env)
    except subprocess.TimeoutExpired:
        raise UserError(f"the Ray head at {address} did not answer in {ASK_S:.0f} s") from None


def _machines(address: str) -> list[dict[str, float]]:
    """Return the resources of each machine, from the head itself; of other versions it raises."""
    from ray._common.usage.usage_lib import get_cluster_metadata
    from ray._private import services, utils
    from ray._raylet import GcsClient  # type: ignore[attr-defined]
    from ray.core.generated.gcs_pb2 import GcsNodeInfo  # type: ignore[attr-defined]

    find: Any = services.canonicalize_bootstrap_address_or_die  # has no types
    head = GcsClient(address=find(address))
    metadata: Any = get_cluster_metadata
    utils.check_version_info(metadata(head), "this machine")
    alive = GcsNodeInfo.GcsNodeState.ALIVE
    nodes = head.get_all_node_info(timeout=ANSWER_S, state_filter=alive).values()
    return [dict(node.resources_total) for node in nodes]


if __name__ == "__main__":
    try:
        json.dump(_machines(sys.argv[1]), sys.stdout)
    except Exception as problem:  # Ray raises plain ones
        sys.exit(f"{type(problem).__name__}: {' '.join(str(problem).split())}")
