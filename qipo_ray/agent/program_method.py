"""A method that is a program of another library: its commands, and their processes.

What they are told and must answer is in docs/extend.md.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, ClassVar

from qipo_ray.agent.program_files import die_with_parent
from qipo_ray.config import Config, RunMethod, method_of
from qipo_ray.config.run_methods import settings_of
from qipo_ray.errors import UserError

END_S = 2.0  # for a program that was told to end; then it is killed


class ProgramMethod(RunMethod):
    """A method whose policy stage is a program of any Python, or of any language.

    ``train`` and ``act`` are commands, carried out in the folder of the method's module.
    """

    pack = "qipo_ray.agent.program:ProgramPack"
    network = "qipo_ray.agent.program_policy:ProgramPolicy"
    proposes = False
    train: ClassVar[tuple[str, ...]]
    act: ClassVar[tuple[str, ...]]
    limit_minutes: ClassVar[float] = 600.0  # of one call of the training program
    answer_s: ClassVar[float] = 60.0  # of a batch


def program_of(config: Config) -> type[ProgramMethod]:
    """Return the configuration's method, which must be a whole program's."""
    method, named = method_of(config), config.policy.method
    if not issubclass(method, ProgramMethod) or method.stages != ("policy",):
        raise UserError(f"method {named}: a program builds on no other stage")
    if not (hasattr(method, "train") and hasattr(method, "act")):
        raise UserError(f"method {named}: a program needs the commands `train` and `act`")
    return method


def started(
    config: Config, command: tuple[str, ...], output: Path, told: Mapping[str, str], **pipes: Any
) -> subprocess.Popen[bytes]:
    """Return a process in a session of its own, which ends with this one."""
    told = {
        **told,
        "QIPO_OUTPUT": str(output),
        "QIPO_SETTINGS": json.dumps(vars(settings_of(config))),
    }
    module = sys.modules[method_of(config).__module__].__file__
    try:
        return subprocess.Popen(
            command,
            cwd=Path(str(module)).parent,
            env={**os.environ, **told},
            start_new_session=True,
            preexec_fn=die_with_parent,
            **{"stdin": subprocess.DEVNULL, **pipes},
        )
    except OSError as error:
        raise UserError(
            f"method {config.policy.method}: cannot run {command[0]}: {error.strerror}"
        ) from error


def end(process: subprocess.Popen[bytes]) -> None:
    """End a process, and all that it started, if it still runs.

    It is told by the end of its input, or by SIGTERM where it has none, and has some time.
    """
    for pipe in (process.stdin, process.stdout):
        if pipe is not None:
            with suppress(OSError):  # what it was told and did not read before it died
                pipe.close()
    if process.stdin is None and process.poll() is None:
        os.killpg(process.pid, signal.SIGTERM)
    with suppress(subprocess.TimeoutExpired):
        process.wait(END_S)
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
