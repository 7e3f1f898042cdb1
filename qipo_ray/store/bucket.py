"""Results in a bucket of S3 or Google Cloud Storage: objects under the names that files have.

A path below ``SCRATCH`` stands for an object, on every machine and in every process:
``SCRATCH/s3/bucket/sweeps/mine/sweep.yaml`` for ``s3://bucket/sweeps/mine/sweep.yaml``. The
functions of ``store/files.py`` come here with such a path. What they write counts once it is in
the bucket; what lies in the scratch folder is a copy to read (``mirror.py``), or of no account.

An object is made or replaced whole, in one step, and on condition: that none is there, or that it
is still the version last read. A name cannot be moved, so that what folders do with a rename is
done with a sign: whoever may write is asked for it right before each try (`fences`).
"""

from __future__ import annotations

import logging
import os
import re
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, TypeVar

from qipo_ray.errors import StorageError, UserError
from qipo_ray.store.bucket_errors import mistake

logger = logging.getLogger(__name__)

SCHEMES = ("s3", "gs")
ENDPOINTS = ("AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL", "AWS_ENDPOINT")  # that the library reads
SCRATCH = os.path.join(
    os.path.realpath(tempfile.gettempdir()), f"qipo-ray-{os.getuid()}", ""
)  # where everybody looks for an object's copy
PATIENCE_S = 300.0  # without an answer; then the command ends, and the same command goes on
FIRST_S = 10.0  # the same at the start, where it is a mistake more likely than an outage
Version = dict[str, str] | None  # of an object; None: there is none
T = TypeVar("T")


class Overtaken(UserError):
    """Another process has written what only this one should: it has taken over."""


@dataclass(frozen=True)
class Address:
    """Where an object is."""

    scheme: str
    bucket: str
    key: str

    @property
    def uri(self) -> str:
        """The address as users write it."""
        return f"{self.scheme}://{self.bucket}/{self.key}"

    @property
    def client(self) -> Any:
        """The client of its bucket."""
        return _client(self.scheme, self.bucket)


fences: dict[str, Callable[[], None]] = {}  # by root: raises once it is another's to write there
_silent_since: dict[str, float] = {}  # by bucket that gives no answer


def is_uri(path: Path) -> bool:
    """Return whether a path was written as ``s3://...`` or ``gs://...``; `Path` drops a slash."""
    return path.parts[:1] in {(f"{scheme}:",) for scheme in SCHEMES}


def as_uri(path: Path) -> str:
    """Return such a path as it was written."""
    return f"{path.parts[0]}//{'/'.join(path.parts[1:])}"


def is_object(path: Path) -> bool:
    """Return whether a path stands for an object, or a folder of such."""
    return str(path).startswith(SCRATCH)


def checked_uri(path: Path) -> Path:
    """Return a URI that names a bucket, without a key that it would carry into every record.

    ``UserError`` otherwise.
    """
    scheme, *parts = path.parts
    if parts and "@" in parts[0]:  # not repeated: the line may be logged
        raise UserError(
            f"{scheme}//...@{parts[0].rpartition('@')[2]} holds a name or a password: it would be "
            "recorded; credentials belong into the environment"
        )
    if not parts or ".." in parts:
        raise UserError(f"{as_uri(path)}: expected {scheme}//BUCKET/FOLDER")
    return path


def scratch_of(path: Path) -> Path:
    """Return the path that stands for a URI's object; ``UserError`` where it names no bucket."""
    scheme, *parts = checked_uri(path).parts
    try:
        import obstore  # noqa: F401
    except ImportError:
        raise UserError(
            f"{as_uri(path)}: results in a bucket need obstore: pip install 'qipo_ray[storage]'"
        ) from None
    return Path(SCRATCH, scheme.removesuffix(":"), *parts)


def with_uris(text: str) -> str:
    """Return a text for people, with URIs for the paths that stand for objects."""
    for scheme in SCHEMES:
        text = text.replace(f"{SCRATCH}{scheme}/", f"{scheme}://")
    return text


def sent(path: Path) -> str:
    """Return a path for another machine, whose scratch folder may lie elsewhere."""
    return with_uris(str(path))


def arrived(text: str) -> Path:
    """Return on this machine the path that was `sent`."""
    path = Path(text)
    return scratch_of(path) if is_uri(path) else path


def address(path: Path) -> Address:
    """Return where the object of a path is."""
    scheme, bucket, *key = str(path)[len(SCRATCH) :].split("/")
    return Address(scheme, bucket, "/".join(key))


@lru_cache
def _client(scheme: str, bucket: str) -> Any:
    """Return the client of a bucket, as this process's environment describes it.

    Whoever has one has a scratch folder that nobody else may enter.
    """
    from obstore.store import from_url

    folder = Path(SCRATCH)
    folder.mkdir(mode=0o700, exist_ok=True)
    if folder.is_symlink() or folder.stat().st_uid != os.getuid():
        raise StorageError(f"{folder} is another user's: set TMPDIR to a folder of your own")
    for name in ENDPOINTS if scheme == "s3" else ():
        given = os.environ.get(name)
        # What is no address lets the library panic, and so does an empty one.
        if given is not None and not re.fullmatch(r"https?://[^/\s]\S*", given):
            received = given.rpartition("@")[2]
            raise StorageError(f"{name}={received}: expected https://HOST or http://HOST:PORT")
    try:  # it does not try again by itself: only we may, with a fence before each try
        return from_url(
            f"{scheme}://{bucket}",
            client_options={"allow_http": True, "connect_timeout": "5s", "timeout": "60s"},
            retry_config={"max_retries": 0},
        )
    except Exception as problem:
        raise StorageError(f"{scheme}://{bucket}: {mistake(problem, scheme, bucket)}") from None


def patiently(at: Address, act: Callable[[], T], patience_s: float = PATIENCE_S) -> T:
    """Return what ``act`` comes to, tried again while the bucket gives no answer.

    ``StorageError`` says in one line what is wrong.
    """
    from obstore.exceptions import AlreadyExistsError, BaseError, PreconditionError

    wait = 0.25
    while True:
        try:
            result = act()
        except (AlreadyExistsError, PreconditionError, FileNotFoundError):
            _silent_since.pop(at.bucket, None)
            raise
        except BaseError as problem:
            if (line := mistake(problem, at.scheme, at.bucket)) is not None:
                raise StorageError(f"{at.uri}: {line}") from None
            since = _silent_since.setdefault(at.bucket, time.monotonic())
            if time.monotonic() + wait - since > patience_s:
                raise StorageError(
                    f"{at.uri}: no answer for {patience_s:.0f} s: check the network and the "
                    "endpoint, then give the same command again"
                ) from None
            logger.info("%s gives no answer; trying again: %s", at.uri, problem)
        else:
            _silent_since.pop(at.bucket, None)
            return result
        time.sleep(wait)
        wait = min(2 * wait, 5.0)


def read(path: Path, patience_s: float = PATIENCE_S) -> tuple[bytes, Version]:
    """Return an object with its version; ``FileNotFoundError`` if there is none."""
    at = address(path)

    def get() -> tuple[bytes, Version]:
        answer = at.client.get(at.key)
        return bytes(answer.bytes()), version_of(answer.meta)

    try:
        return patiently(at, get, patience_s)
    except FileNotFoundError:
        raise FileNotFoundError(f"{at.uri}: no such object") from None


def names(folder: Path, patience_s: float = PATIENCE_S) -> list[str]:
    """Return the names of the objects in a folder, sorted; those of folders in it are left out."""
    at = address(folder)
    listing = patiently(at, lambda: at.client.list_with_delimiter(at.key), patience_s)
    return sorted(entry["path"].rpartition("/")[2] for entry in listing["objects"])


def exists(path: Path) -> bool:
    """Return whether there is such an object."""
    at = address(path)
    try:
        patiently(at, lambda: at.client.head(at.key))
    except FileNotFoundError:
        return False
    return True


def write(path: Path, data: bytes, staging: Path | None = None) -> None:
    """Put an object in place of what was there."""
    _put(path, data, staging)


def create(path: Path, data: bytes, staging: Path | None = None) -> None:
    """Put an object where none is, else ``FileExistsError``."""
    from obstore.exceptions import AlreadyExistsError

    try:
        _put(path, data, staging, mode="create")
    except AlreadyExistsError:
        raise FileExistsError(f"{address(path).uri} exists") from None


def replace(path: Path, data: bytes, version: Version) -> Version:
    """Return the version of an object that took the place of ``version``, else ``Overtaken``."""
    from obstore.exceptions import AlreadyExistsError, PreconditionError

    try:
        return _put(path, data, None, mode=version or "create")
    except (AlreadyExistsError, PreconditionError):
        raise Overtaken(
            f"{address(path).uri} was written by another process: it has taken over"
        ) from None


def remove(path: Path, staging: Path | None = None) -> None:
    """Delete an object, if it is there."""
    at = address(path)
    _ask_fences(path, staging)
    try:
        patiently(at, lambda: at.client.delete(at.key))
    except FileNotFoundError:
        return


def _put(path: Path, data: bytes, staging: Path | None, mode: Any = None) -> Version:
    """Return the version of an object that was put, on the condition ``mode``.

    Where an answer was lost, what is there may be this very try's: then it is taken for it.
    """
    from obstore.exceptions import AlreadyExistsError, PreconditionError

    at = address(path)
    tries = 0

    def put() -> Version:
        nonlocal tries
        tries += 1
        _ask_fences(path, staging)
        if mode is None:
            return version_of(at.client.put(at.key, data))
        try:
            return version_of(at.client.put(at.key, data, mode=mode, use_multipart=False))
        except (AlreadyExistsError, PreconditionError):
            if tries > 1:
                present, version = read(path)
                if present == data:
                    return version
            raise

    try:
        return patiently(at, put)
    except FileNotFoundError:
        if staging is not None and not exists(staging):
            raise
        raise StorageError(f"{at.uri}: {at.scheme}://{at.bucket} is gone") from None


def _ask_fences(path: Path, staging: Path | None) -> None:
    """Let those who may no longer write here raise, as a rename from a closed folder would."""
    if staging is not None and not exists(staging):
        raise FileNotFoundError(f"{address(staging).uri}: closed")
    for root, ask in list(fences.items()):
        top = path.relative_to(root).parts[0] if path.is_relative_to(root) else None
        if top not in (None, "driver", "artefacts"):  # these have fences of their own
            ask()


def version_of(meta: Any) -> Version:
    """Return what a condition needs to know of an object."""
    return {key: meta[key] for key in ("e_tag", "version") if meta.get(key) is not None}
