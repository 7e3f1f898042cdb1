"""Jobs on a cluster, from outside of it: Ray's job API at the address of the dashboard."""

from __future__ import annotations

import asyncio
import logging
import os
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.metadata import version as version_of
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import requests

from qipo_ray.distributed.head import ANSWER_S, refuse_open
from qipo_ray.errors import Failure, UserError, nearest

GRACE_S = 60  # for a stopped job's workers to save; Ray's own 3 s are too few for that
TOKEN_FILE = Path("~/.ray/auth_token")
LOOPBACK = {"localhost", "127.0.0.1", "::1"}
ONLY_LOOKS = {"purpose": "check"}  # what is told of a job that trains nothing
ENDED = {"SUCCEEDED", "STOPPED", "FAILED"}
STARTING_S = 30.0  # from a head's answer to its first job
EVERY_S = 0.5  # between looks at a job that is about to end


@dataclass(frozen=True)
class JobState:
    """A job as the server tells it; the environment that it was given is left out."""

    id: str
    status: str  # PENDING, RUNNING, or one of ENDED
    sweep: str  # "" if `submit` did not start it
    results: str
    begun: float | None  # seconds since 1970
    ended: float | None
    message: str

    @property
    def over(self) -> bool:
        """Whether it has ended, in whatever way."""
        return self.status in ENDED


class JobServer:
    """The job server of one cluster."""

    def __init__(self, address: str, client: Any, ray_version: str) -> None:
        self.address, self._client, self.ray_version = address, client, ray_version

    @classmethod
    def reach(cls, address: str | None, insecure: bool = False) -> JobServer:
        """Return the server at ``http://host:port``, which answers and asks for a token.

        ``UserError`` if it does not, refuses the token of this shell, or runs another Ray.
        """
        url = checked_address(address)
        answer = _ask(url)
        if answer.ok and not insecure:
            refuse_open(url)
        token = None if answer.ok else token_here()
        if token is not None:
            answer = _ask(url, token)
        if answer.status_code in (401, 403):
            raise UserError(
                f"the head at {url} refused the token: put the head's into {TOKEN_FILE} (0600), "
                "or RAY_AUTH_TOKEN_PATH"
            )
        try:
            version = str(answer.json()["ray_version"])
        except (ValueError, KeyError, TypeError):
            raise UserError(
                f"{url} is no dashboard of a Ray head (it answered {answer.status_code}); its "
                "port is mostly 8265"
            ) from None
        return cls(url, _client(url, token), _same_ray(url, version))

    def submit(
        self,
        job: str,
        command: str,
        folder: Path,
        excludes: Sequence[str],
        metadata: Mapping[str, str],
    ) -> None:
        """Pack and send a folder, and start a command in it as a job of that id.

        ``metadata`` is shown to all who may list jobs, and so is the command.
        """
        request = {
            "entrypoint": command,
            "submission_id": job,
            "runtime_env": {
                "working_dir": str(folder),
                "excludes": list(excludes),
                "env_vars": {"RAY_JOB_STOP_WAIT_TIME_S": str(GRACE_S)},
            },
            "metadata": dict(metadata),
        }
        until = time.monotonic() + STARTING_S
        with self._answering():
            while True:
                try:
                    self._client.submit_job(**request)
                    return
                except RuntimeError as error:  # a head that has just started has no agent yet
                    if "status code 500" not in str(error) or time.monotonic() > until:
                        raise
                time.sleep(EVERY_S)

    def jobs(self) -> list[JobState]:
        """Return the submitted jobs, the latest first; those that only look are left out."""
        with self._answering():
            listed = [job for job in self._client.list_jobs() if job.submission_id]
        listed = [job for job in listed if (job.metadata or {}) != ONLY_LOOKS]
        return sorted(map(_state, listed), key=lambda job: -(job.begun or 0))

    def job(self, name: str) -> JobState:
        """Return one of these jobs; ``UserError`` with the nearest if there is none of that id."""
        by_id = {job.id: job for job in self.jobs()}
        if name not in by_id:
            raise UserError(
                f"no job {name!r}{nearest(name, by_id)} at {self.address}: `qipo-ray job status` "
                "lists them"
            )
        return by_id[name]

    def log(self, job: str) -> str:
        """Return what a job has printed so far."""
        with self._answering():
            return str(self._client.get_job_logs(job))

    def follow(self, job: str) -> Iterator[str]:
        """Yield the lines that a job prints, from its first, until it ends."""
        tail, loop, rest = self._client.tail_job_logs(job), asyncio.new_event_loop(), ""
        try:
            while True:
                rest += loop.run_until_complete(anext(tail))
                *lines, rest = rest.split("\n")
                yield from lines
        except StopAsyncIteration:
            if rest:
                yield rest
        except Exception as error:  # the connection's library and Ray raise their own
            raise Failure(
                f"the log of {job} broke off ({' '.join(str(error).split()):.200}); the job goes "
                f"on: `qipo-ray job logs {job} --follow`"
            ) from error
        finally:
            loop.close()

    def end(self, job: str, limit_s: float | None = None) -> JobState:
        """Return a job that has ended, or as it stands after so many seconds."""
        until = None if limit_s is None else time.monotonic() + limit_s
        while not (state := self._look(job)).over:
            if until is not None and time.monotonic() > until:
                break
            time.sleep(EVERY_S)
        return state

    def stop(self, job: str) -> JobState:
        """Send SIGTERM to a job, SIGKILL after its time of grace, and return how it ended."""
        with self._answering():
            self._client.stop_job(job)
        return self.end(job, GRACE_S + ANSWER_S)

    def _look(self, job: str) -> JobState:
        with self._answering():
            return _state(self._client.get_job_info(job))

    @contextmanager
    def _answering(self) -> Iterator[None]:
        """Make one line of what goes wrong between here and the server."""
        try:
            yield
        except requests.RequestException as error:
            raise Failure(f"the head at {self.address} no longer answers: {error}") from error
        except (RuntimeError, ValueError, OSError) as error:  # Ray's, for what is refused
            reason = (str(error).strip() or repr(error)).splitlines()[-1]  # maybe of a traceback
            raise UserError(f"the head at {self.address} said: {reason:.400}") from error


def checked_address(address: str | None) -> str:
    """Return the address of a dashboard without what may follow; ``UserError`` if it is none."""
    if address is None:
        raise UserError(
            "no --address: give that of the head's dashboard, such as http://127.0.0.1:8265, or "
            "set RAY_API_SERVER_ADDRESS"
        )
    parts = urlsplit(address)
    if parts.username or parts.password:
        raise UserError("--address holds a name or a password: it would be shown; use a token")
    if parts.scheme not in ("http", "https") or not parts.hostname:
        host = address.rpartition("://")[2].partition(":")[0] or "HEAD"
        raise UserError(
            f"--address {address!r}: expected the head's dashboard (did you mean "
            f"'http://{host}:8265'?)"
        )
    return f"{parts.scheme}://{parts.netloc}"


def is_exposed(address: str) -> bool:
    """Return whether a token on its way there can be read by others."""
    parts = urlsplit(address)
    return parts.scheme == "http" and parts.hostname not in LOOPBACK


def token_here() -> str:
    """Return the token of this shell, where Ray looks for it; ``UserError`` if there is none."""
    if token := os.environ.get("RAY_AUTH_TOKEN", "").strip():
        return token
    path = Path(os.environ.get("RAY_AUTH_TOKEN_PATH") or TOKEN_FILE).expanduser()
    try:
        token = path.read_text().strip()
    except (OSError, ValueError):
        token = ""
    if not token:
        raise UserError(
            f"no token here: the head asks for one; copy its {TOKEN_FILE} to {path} (0600)"
        )
    return token


def _ask(url: str, token: str | None = None) -> requests.Response:
    """Return the answer to the question for the head's version."""
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    try:
        return requests.get(f"{url}/api/version", headers=headers, timeout=ANSWER_S)
    except requests.Timeout:
        raise UserError(f"the head at {url} did not answer in {ANSWER_S:.0f} s") from None
    except requests.RequestException as error:
        cause = str(error.args[0] if error.args else error).rpartition(": ")[2].rstrip("')\">")
        raise UserError(
            f"the head at {url} cannot be reached ({cause}): is it up, and does the tunnel stand "
            "(ssh -N -L 8265:127.0.0.1:8265 HEAD)?"
        ) from None


def _same_ray(url: str, version: str) -> str:
    """Return the head's version of Ray; ``UserError`` if this machine has another."""
    local = version_of("ray")
    if version != local:
        raise UserError(
            f"the head at {url} runs Ray {version}, this machine has {local}: "
            f"pip install 'ray[default,train,tune]=={version}'"
        )
    return version


def _client(url: str, token: str | None) -> Any:
    """Return Ray's client with this shell's token."""
    from ray.job_submission import JobSubmissionClient

    for name in ("", ".dashboard.modules.dashboard_sdk", ".dashboard.modules.job.sdk"):
        logging.getLogger(f"ray{name}").setLevel(logging.ERROR)  # it tells how it packs
    # Ray heeds these more than the address that it is given.
    names = ("RAY_API_SERVER_ADDRESS", "RAY_ADDRESS")
    before = {name: os.environ.pop(name) for name in names if name in os.environ}
    try:
        headers = {"Authorization": f"Bearer {token}"} if token else None
        client: Any = JobSubmissionClient
        return client(url, headers=headers)
    finally:
        os.environ.update(before)


def _state(details: Any) -> JobState:
    seconds = [t / 1000 if t else None for t in (details.start_time, details.end_time)]
    metadata = details.metadata or {}
    return JobState(
        id=details.submission_id,
        status=str(getattr(details.status, "value", details.status)),
        sweep=metadata.get("sweep", ""),
        results=metadata.get("results", ""),
        begun=seconds[0],
        ended=seconds[1],
        message=" ".join((details.message or "").split()),
    )
