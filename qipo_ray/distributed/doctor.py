"""What a machine needs for this program, as checks that say what to do where one fails."""

from __future__ import annotations

import os
import platform
import re
import resource
import shutil
import stat
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from importlib import metadata
from pathlib import Path
from typing import Literal

from qipo_ray.data.locate import d4rl_cache, data_cache
from qipo_ray.distributed.cluster import check_start
from qipo_ray.distributed.job_server import TOKEN_FILE
from qipo_ray.errors import StorageError, UserError
from qipo_ray.store import bucket
from qipo_ray.store.bucket import as_uri, is_uri, scratch_of
from qipo_ray.store.mirror import begin
from qipo_ray.train.memory import in_words
from qipo_ray.version import __version__

State = Literal["ok", "note", "fail"]

OLDEST_PYTHON = (3, 10)
OPEN_FILES = 4096  # Ray's processes have hundreds each, and warn below it
DISK = 10**9  # bytes, below which a sweep is soon at its end
RENDER_S = 20.0
NAMED = 3  # machines in one line
# Each way of MuJoCo to draw, in a process of its own: a failed one spoils the next.
RENDER = "import mujoco; mujoco.GLContext(16, 16).make_current()"
VERSIONS = ("python", "qipo_ray", "torch", "ray")  # equal on all machines of a cluster


@dataclass(frozen=True)
class Check:
    """What was looked at, and what to do if it is not as it should be."""

    name: str
    state: State  # note: the program runs without
    message: str
    fix: str = ""


def check_machine(results: Path | None = None, mark: str | None = None) -> list[Check]:
    """Return the checks of this machine, with the folder of results if it is told.

    ``mark`` is a file that another machine has made there.
    """
    checks = [_python(), Check("qipo_ray", "ok", __version__), _ray(), *_torch(), _mujoco()]
    checks += [_rendering(), _extras(), _data(), _memory(), _open_files(), _token()]
    return checks + ([] if results is None else [check_storage(results, mark)])


def check_storage(folder: Path, mark: str | None = None) -> Check:
    """Return whether this machine can write in a folder, and sees what another wrote there."""
    if is_uri(folder):
        return _check_bucket(folder)
    name = f"results {folder}"
    probe = folder / f".writable-{platform.node()}-{os.getpid()}"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        probe.touch()
        probe.unlink()
    except OSError as error:
        fix = "give --results a folder that every machine mounts, and that you may write"
        return Check("storage", "fail", f"{name} cannot be written ({error.strerror})", fix)
    if mark is not None and not (folder / mark).exists():
        fix = "mount one folder there on all machines (NFS or the like)"
        return Check("storage", "fail", f"{name} is another folder than the driver's", fix)
    free = shutil.disk_usage(folder).free
    if free < DISK:
        return Check("storage", "fail", f"{name}: {in_words(free)} free", "make space")
    return Check("storage", "ok", f"{name}: {in_words(free)} free")


def _check_bucket(folder: Path) -> Check:
    """Return whether this machine can write in a bucket; its folder is the same for all."""
    try:
        root = scratch_of(folder)
        begin(root)
        probe = root / f".writable-{platform.node()}-{os.getpid()}"
        bucket.write(probe, b"")
        bucket.remove(probe)
    except (UserError, StorageError) as error:
        message, _, fix = str(error).rpartition(": ")
        return Check("storage", "fail", message, fix)
    return Check("storage", "ok", f"results {as_uri(folder)}")


def _python() -> Check:
    version = platform.python_version()
    if sys.version_info < OLDEST_PYTHON:
        return Check("python", "fail", version, "install Python 3.10 or newer")
    return Check("python", "ok", version)


def _torch() -> list[Check]:
    """Return torch's version without its build, which differs with the GPU, and the GPUs."""
    import torch

    version = Check("torch", "ok", torch.__version__.partition("+")[0])
    if torch.cuda.is_available():
        names = [torch.cuda.get_device_name(i) for i in range(torch.cuda.device_count())]
        return [version, Check("cuda", "ok", ", ".join(names))]
    if shutil.which("nvidia-smi"):
        fix = "install the build of torch for this driver (https://pytorch.org), or train on CPUs"
        return [version, Check("cuda", "note", f"torch {torch.__version__} sees no GPU", fix)]
    return [version, Check("cuda", "ok", "no GPU here")]


def _ray() -> Check:
    return _installed("ray", "pip install 'ray[default,train,tune]'")


def _mujoco() -> Check:
    return _installed("mujoco", "pip install 'gymnasium[mujoco]'")


def _installed(package: str, fix: str) -> Check:
    try:
        return Check(package, "ok", metadata.version(package))
    except metadata.PackageNotFoundError:
        return Check(package, "fail", "not installed", fix)


def _rendering() -> Check:
    """Return whether pictures can be drawn, which `evaluate --video` alone needs."""
    backends = [os.environ["MUJOCO_GL"]] if "MUJOCO_GL" in os.environ else ["egl", "osmesa"]
    for backend in backends:
        try:
            drawn = subprocess.run(
                [sys.executable, "-c", RENDER],
                env={**os.environ, "MUJOCO_GL": backend},
                capture_output=True,
                timeout=RENDER_S,
            )
        except subprocess.TimeoutExpired:
            continue
        if drawn.returncode == 0:
            how = "" if "MUJOCO_GL" in os.environ else f"with MUJOCO_GL={backend}"
            return Check("rendering", "ok", how or backend)
    fix = "only for --video: install libegl1 or libosmesa6, then set MUJOCO_GL=egl or osmesa"
    return Check("rendering", "note", f"not with {' nor '.join(backends)}", fix)


def _extras() -> Check:
    """Return which extras of the package are complete."""
    packages_by_extra: dict[str, set[str]] = {}
    for line in metadata.requires("qipo_ray") or []:
        if match := re.match(r"([\w.-]+).*extra == ['\"]([\w-]+)['\"]", line):
            packages_by_extra.setdefault(match[2], set()).add(match[1])
    packages_by_extra.pop("dev", None)
    missing = [
        name for name, packages in packages_by_extra.items() if not all(map(_is_here, packages))
    ]
    present = ", ".join(sorted(packages_by_extra.keys() - missing)) or "none"
    fix = f"if you need {', '.join(missing)}: pip install 'qipo_ray[NAME]'" if missing else ""
    return Check("extras", "ok", present, fix)


def _is_here(package: str) -> bool:
    try:
        metadata.version(package)
    except metadata.PackageNotFoundError:
        return False
    return True


def _data() -> Check:
    """Return what lies in the folders of data; what a sweep needs is checked with its file."""
    folders = [d4rl_cache(), Path("~/.ogbench/data").expanduser(), data_cache()]

    def count(folder: Path) -> Iterator[str]:
        if folder.is_dir():
            files = [f for f in folder.iterdir() if f.suffix in (".hdf5", ".npz")]
            yield f"{len(files)} in {folder}"

    counts = [line for folder in folders for line in count(folder)]
    return Check("data", "ok", "; ".join(counts) or "none yet", "`qipo-ray data get TASK`")


def _memory() -> Check:
    """Return whether Ray can start: shared memory, free memory, short paths, its token."""
    try:
        check_start()
    except UserError as error:
        line, _, fix = str(error).partition("; ")
        return Check("shared memory", "fail", line, fix)
    free = in_words(shutil.disk_usage("/dev/shm").free)
    return Check("shared memory", "ok", f"/dev/shm: {free} free")


def _open_files() -> Check:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    limit = "no limit" if soft == resource.RLIM_INFINITY else f"{soft:,}"
    # Python processes of Ray raise it by themselves as far as they may.
    if hard != resource.RLIM_INFINITY and hard < OPEN_FILES:
        return Check("open files", "fail", f"at most {hard:,}", "raise it in limits.conf: 65536")
    if soft != resource.RLIM_INFINITY and soft < OPEN_FILES:
        return Check("open files", "note", limit, f"ulimit -n {OPEN_FILES}, before Ray starts")
    return Check("open files", "ok", limit)


def _token() -> Check:
    """Return whether there is a token, and nobody else may read it."""
    if os.environ.get("RAY_AUTH_TOKEN"):
        return Check("token", "ok", "RAY_AUTH_TOKEN")
    path = Path(os.environ.get("RAY_AUTH_TOKEN_PATH") or TOKEN_FILE).expanduser()
    if not path.is_file():
        fix = f"for a cluster: copy the head's {TOKEN_FILE}; one of this machine is made by itself"
        return Check("token", "note", f"{path} is not there", fix)
    mode = stat.S_IMODE(path.stat().st_mode)
    if mode & 0o077:
        return Check("token", "fail", f"{path} may be read by others ({mode:04o})",
                     f"chmod 600 {path}")  # fmt: skip
    return Check("token", "ok", f"{path} ({mode:04o})")


def merged(by_machine: Mapping[str, Sequence[Check]]) -> list[Check]:
    """Return the checks of all machines of a cluster, equal ones once; versions must be equal."""
    names = dict.fromkeys(check.name for checks in by_machine.values() for check in checks)
    lines: list[Check] = []
    for name in names:
        groups: dict[Check, list[str]] = {}
        for machine, checks in by_machine.items():
            for check in checks:
                if check.name == name:
                    groups.setdefault(check, []).append(machine)
        lines += _told_once(name, groups)
    return lines


def _told_once(name: str, groups: Mapping[Check, Sequence[str]]) -> list[Check]:
    """Return a check that machines answer in these ways: as one line, or one for each way."""
    first = next(iter(groups))
    if len(groups) == 1:
        return [first]
    if name in VERSIONS:
        message = "; ".join(f"{check.message} on {_listed(on)}" for check, on in groups.items())
        return [Check(name, "fail", message, "install the same on all machines")]
    bad = {check: on for check, on in groups.items() if check.state != "ok"}
    if not bad:
        return [replace(first, message=f"{first.message}; in order on all machines")]
    return [replace(check, message=f"{_listed(on)}: {check.message}") for check, on in bad.items()]


def _listed(machines: Sequence[str]) -> str:
    more = len(machines) - NAMED
    return ", ".join(machines[:NAMED]) + (f" and {more} more" if more > 0 else "")
