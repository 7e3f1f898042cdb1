"""The checks of a machine on every machine of a cluster, and whether a sweep's workers fit."""

from __future__ import annotations

import logging
import os
import secrets
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from qipo_ray.distributed.cluster import SETTINGS
from qipo_ray.distributed.doctor import Check, check_machine, merged
from qipo_ray.distributed.machines import machine_resources
from qipo_ray.distributed.resources import count_workers
from qipo_ray.errors import UserError
from qipo_ray.store.bucket import is_uri
from qipo_ray.study.search_spec import Resources

ANSWER_S = 90.0  # for all machines; each imports torch first
DRIVER = "the driver"


def check_nodes(results: Path | None, resources: Resources | None) -> list[Check]:
    """Return the checks of the cluster that this process is a job of, or else on the machine of.

    With ``resources``, also whether the workers of a sweep fit. ``UserError`` if there is none.
    """
    import ray

    for name, value in SETTINGS.items():
        os.environ.setdefault(name, value)
    if "RAY_JOB_CONFIG_JSON_ENV_VAR" not in os.environ:  # a job has the mode of its head
        os.environ.setdefault("RAY_AUTH_MODE", "token")
    joined = not ray.is_initialized()
    if joined:
        try:
            ray.init(address="auto", log_to_driver=False, logging_level=logging.ERROR)
        except Exception as error:  # Ray raises plain ones
            reason = " ".join(str(error).split())
            raise UserError(f"no cluster can be joined from here: {reason:.300}") from error
    try:
        return _check_alive(results, resources)
    finally:
        if joined:
            ray.shutdown()


def _check_alive(results: Path | None, resources: Resources | None) -> list[Check]:
    import ray

    nodes: Any = ray.nodes  # has no types
    alive = [node for node in nodes() if node["Alive"]]
    mark = None if results is None or is_uri(results) else _mark(results)
    try:
        checks = _on_each(alive, results, None if mark is None else mark.name)
    finally:
        if mark is not None:
            mark.unlink()
    if resources is not None:
        checks.append(check_room(resources, machine_resources()))
    return checks


def check_room(resources: Resources, nodes: Sequence[dict[str, float]]) -> Check:
    """Return whether the workers of a sweep fit on machines with these resources."""
    try:
        workers = count_workers(resources, nodes, "the cluster")
    except UserError as error:
        line, _, fix = str(error).partition("; ask for ")
        return Check("resources", "fail", line.removeprefix("resources: "), f"ask for {fix}")
    return Check("resources", "ok", f"room for {workers} worker{'' if workers == 1 else 's'}")


def _mark(results: Path) -> Path | None:
    """Return a new file in the folder of results, None where the driver cannot write there."""
    mark = results / f".seen-{secrets.token_hex(6)}"
    try:
        results.mkdir(parents=True, exist_ok=True)
        mark.touch()
    except OSError:
        return None  # its own check says so
    return mark


def _check_with_gpus(results: Path | None, mark: str | None) -> list[Check]:
    """Return the checks of a machine with its GPUs, which Ray hides where none is asked for."""
    if os.environ.get("CUDA_VISIBLE_DEVICES") == "":
        del os.environ["CUDA_VISIBLE_DEVICES"]
    return check_machine(results, mark)


def _on_each(
    alive: Sequence[dict[str, Any]], results: Path | None, mark: str | None
) -> list[Check]:
    """Return the checks of each machine, and of those that do not answer, in one list."""
    import ray
    from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

    task: Any = ray.remote(num_cpus=0)(_check_with_gpus)
    asked = {
        task.options(
            scheduling_strategy=NodeAffinitySchedulingStrategy(node["NodeID"], soft=False)
        ).remote(results, mark): node["NodeManagerAddress"]
        for node in alive
    }
    answers: dict[str, list[Check]] = {DRIVER: check_machine(results, mark)}
    done, _ = ray.wait(list(asked), num_returns=len(asked), timeout=ANSWER_S)
    silent = []
    for ref, machine in asked.items():
        try:
            if ref not in done:
                raise TimeoutError(f"no answer in {ANSWER_S:.0f} s")
            answers[machine] = ray.get(ref)
        except (TimeoutError, ray.exceptions.RayError) as error:
            last = str(error).strip().splitlines()[-1]
            fix = f"the logs are on {machine} in /tmp/ray/session_latest/logs"
            silent.append(Check("nodes", "fail", f"{machine}: {last:.200}", fix))
    count = f"{len(alive)} machine{'' if len(alive) == 1 else 's'}"
    return [*(silent or [Check("nodes", "ok", count)]), *merged(answers)]
