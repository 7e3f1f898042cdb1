"""A real sweep through the job API of a head with a token: refused, stopped, continued."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from importlib import import_module
from pathlib import Path

import pytest

from qipo_ray.cli.job import PROGRESS
from qipo_ray.cli.main import main
from qipo_ray.cli.output import Live
from qipo_ray.distributed.job_server import JobServer
from qipo_ray.errors import UserError

LIMIT_S = 600.0
ROOT = Path(__file__).resolve().parents[2]
SEARCH = """\
name: sent
tasks: [point]
preset: quickstart
set:
  behaviour.width: 16
  behaviour.blocks: 1
  behaviour.updates: 60
  critic.width: 16
  critic.updates: 40
  critic.returns_updates: 40
  policy.rounds: 1
  policy.renew_every: 2000
  policy.pool: 100
  sampler.evaluations: 4
  evaluation.final_episodes: 3
  evaluation.episodes: 2
space:
  policy.beta: {loguniform: [5, 60]}
trials: 2
seeds: {search: [0], report: [100]}
rungs: {shares: [1], reduction: 3}
confirm: {top: 1}
resources: {workers: 1, cpus: 1}
"""


def free_ports(count: int) -> list[int]:
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [one.getsockname()[1] for one in sockets]
    for one in sockets:
        one.close()
    return ports


@pytest.fixture(scope="module")
def address(private_home: None) -> Iterator[str]:
    """The dashboard of a head that asks for the token in the session's home."""
    import_module("ray")  # which brings psutil
    psutil = import_module("psutil")
    token = Path("~/.ray/auth_token").expanduser()
    port, dashboard, agent, client = free_ports(4)
    command = [ROOT / "cluster/local.sh", "head", "--block", "--num-cpus", "2"]
    ports = {"QIPO_PORT": port, "QIPO_DASHBOARD_PORT": dashboard, "QIPO_AGENT_PORT": agent}
    env = {
        **os.environ,
        **{name: str(number) for name, number in ports.items()},
        "PYTHONPATH": str(ROOT),
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
    }
    head = subprocess.Popen(
        [*command, "--ray-client-server-port", str(client)],
        env=env,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    url, until = f"http://127.0.0.1:{dashboard}", time.monotonic() + LIMIT_S
    try:
        while True:
            try:
                JobServer.reach(url)
                break
            except UserError:
                assert time.monotonic() < until and head.poll() is None, "no head"
                time.sleep(0.5)
        assert token.stat().st_mode & 0o777 == 0o600
        yield url
    finally:
        started = [psutil.Process(head.pid), *psutil.Process(head.pid).children(recursive=True)]
        for process in started:  # to end in order takes Ray half a minute
            with suppress(psutil.NoSuchProcess):
                process.kill()
        head.wait(10)
        token.unlink(missing_ok=True)


def test_the_progress_of_a_sweep_is_known_again(capsys: pytest.CaptureFixture[str]) -> None:
    plain = Live("sweep sent", None)
    for left in (None, 754.0):
        plain.last = -Live.EVERY_S
        plain.update(0.5, left, "3 trials ended")
    first, second = capsys.readouterr().err.splitlines()
    unknown, known = PROGRESS.fullmatch(first), PROGRESS.fullmatch(second)
    assert unknown is not None and unknown.groups() == ("50", None, None, "3 trials ended")
    assert known is not None and known.groups() == ("50", "12", "34", "3 trials ended")


@pytest.mark.ray
@pytest.mark.filterwarnings(
    "ignore:ssl=None is deprecated:DeprecationWarning"
)  # Ray's, to aiohttp
def test_a_sweep_is_submitted_stopped_and_continued(
    address: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    results, folder = tmp_path / "results", tmp_path / "project"
    folder.mkdir()
    (folder / "search.yaml").write_text(SEARCH)
    monkeypatch.chdir(folder)
    monkeypatch.setenv("RAY_API_SERVER_ADDRESS", address)
    submit = ["submit", "search.yaml", "--results", str(results)]

    def said(line: list[str], code: int) -> str:
        assert main(line) == code
        told = capfd.readouterr()
        return told.out if code == 0 else told.err

    monkeypatch.setenv("RAY_AUTH_TOKEN", "0" * 64)
    assert "refused the token" in said(submit, 2)
    monkeypatch.delenv("RAY_AUTH_TOKEN")
    lacking = "the cluster, resources: 3 workers x 1 CPU = 3 CPUs, but the cluster has 2 CPUs"
    (folder / "large.yaml").write_text(SEARCH.replace("workers: 1", "workers: 3"))
    assert lacking in said(["submit", "large.yaml", "--results", str(results)], 2)
    assert not results.exists() or not list(results.iterdir())  # it left nothing

    job = said([*submit, "--no-check", "--no-wait"], 0).strip()
    assert f"job {job} drives this sweep already" in said(submit, 2)
    until = time.monotonic() + LIMIT_S
    while "point 1/2 FINISHED" not in said(["job", "logs", job], 0):
        assert time.monotonic() < until
        time.sleep(0.3)
    assert said(["job", "stop", job], 0) == f"job {job}: stopped\n"

    log = said([*submit, "--no-check"], 0)
    assert "point 2/2 FINISHED" in log and "point 1/2 FINISHED" not in log
    assert "point confirmed QIPO-OT" in log and "sent/leaderboard" in log
    records = [json.loads(path.read_text()) for path in results.glob("sent/records/*.json")]
    assert len(records) == 3 and len({record["id"] for record in records}) == 3
    jobs = json.loads(said(["job", "status", "--json"], 0))
    assert [one["status"] for one in jobs] == ["SUCCEEDED", "STOPPED"]
    assert {one["results"] for one in jobs} == {str(results)}
    token = Path("~/.ray/auth_token").expanduser().read_text()
    assert token not in log + json.dumps(jobs)
