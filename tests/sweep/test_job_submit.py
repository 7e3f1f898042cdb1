"""The commands of cluster/README.md on a live head: submit, stop, submit again, extend, refuse."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import urllib.request
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any, NamedTuple
from urllib.error import HTTPError

import pytest

from qipo_ray.cli.main import main
from qipo_ray.store.intents import read_intents
from qipo_ray.store.records import read_records
from qipo_ray.store.rung_log import RungLog

pytestmark = [pytest.mark.ray, pytest.mark.slow]

LIMIT_S = 900.0
REPOSITORY = Path(__file__).parents[2]
SECRETS = (".env", "id.pem", ".ssh/key", ".git/config", "tests/secret.py", "data.hdf5")
Eventually = Callable[[str, Callable[[], Any]], Any]


class Head(NamedTuple):
    """A head that runs, and what a user who may use it has."""

    env: dict[str, str]
    address: str  # of the dashboard
    token: str
    folder: Path  # its temporary files
    process: subprocess.Popen[bytes]

    def ray(self, *arguments: str, **env: str) -> subprocess.CompletedProcess[str]:
        """Run a command of Ray's."""
        return subprocess.run(
            ["ray", *arguments],
            env=self.env | {"RAY_API_SERVER_ADDRESS": self.address} | env,
            capture_output=True,
            text=True,
            timeout=LIMIT_S,
        )

    def get(self, path: str) -> Any:
        """Return the dashboard's answer."""
        headers = {"Authorization": f"Bearer {self.token}"}
        request = urllib.request.Request(f"{self.address}/api/{path}", headers=headers)
        with urllib.request.urlopen(request, timeout=LIMIT_S) as answer:
            return json.load(answer)


class Submit(NamedTuple):
    """Submits sweeps from a project's folder."""

    head: Head
    project: Path
    results: str

    def __call__(
        self, name: str, *options: str, results: str | None = None
    ) -> subprocess.CompletedProcess[str]:
        """Submit the sweep of ``search.yaml`` and wait for its lines, unless ``--no-wait``."""
        job = ["--submission-id", name, "--working-dir", str(self.project)]
        job += ["--no-wait"] if "--no-wait" in options else []
        sweep = ["python", "-m", "qipo_ray.sweep", "search.yaml"]
        sweep += ["--results", results or self.results, *(o for o in options if o != "--no-wait")]
        return self.head.ray("job", "submit", *job, "--", *sweep)


def free_ports(count: int) -> list[str]:
    with ExitStack() as stack:
        sockets = [
            stack.enter_context(socket.create_server(("127.0.0.1", 0))) for _ in range(count)
        ]
        return [str(one.getsockname()[1]) for one in sockets]


@pytest.fixture(scope="module")
def head(
    marked_env: dict[str, str],
    marked: Callable[[], dict[int, str]],
    eventually: Eventually,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Head]:
    """A head with two CPUs, token authentication and a home of its own."""
    home = tmp_path_factory.mktemp("home")
    env = marked_env | {
        "HOME": str(home),
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        "RAY_AUTH_MODE": "token",
        "RAY_JOB_STOP_WAIT_TIME_S": "60",
        "RAY_GRACEFUL_SHUTDOWN_DRAIN_TIMEOUT_S": "0",  # nothing is served here
    }
    made = subprocess.run(
        ["sh", "-c", "umask 077 && ray get-auth-token --generate"],
        env=env,
        capture_output=True,
        text=True,
        timeout=LIMIT_S,
        check=True,
    )
    token = home / ".ray" / "auth_token"
    assert token.stat().st_mode & 0o777 == 0o600
    assert made.stdout.split()[-1] == token.read_text()
    gcs, dashboard, agent, client = free_ports(4)
    command = f"ray start --head --block --num-cpus 2 --port {gcs} --dashboard-port {dashboard}"
    command += f" --dashboard-agent-listen-port {agent} --ray-client-server-port {client}"
    # Not under pytest's folder: the paths of Ray's sockets there would be too long.
    with tempfile.TemporaryDirectory(prefix="qipo") as folder, (home / "log").open("wb") as log:
        process = subprocess.Popen(
            [*command.split(), "--temp-dir", folder, "--disable-usage-stats"],
            env=env,
            stdout=log,
            stderr=subprocess.STDOUT,
        )
        one = Head(env, f"http://127.0.0.1:{dashboard}", token.read_text(), Path(folder), process)

        def started() -> bool:
            said = (home / "log").read_text()
            assert process.poll() is None, said[-3000:]
            return "Ray runtime started" in said

        eventually("the start of the head", started)
        yield one
        process.send_signal(signal.SIGTERM)
        process.wait(LIMIT_S)
        eventually("the end of all processes of the head", lambda: not marked())


@pytest.fixture(scope="module")
def submit(head: Head, tiny_search: str, tmp_path_factory: pytest.TempPathFactory) -> Submit:
    """Submit from a copy of the project that holds things which are nobody else's business."""
    project = tmp_path_factory.mktemp("project")
    shutil.copytree(
        REPOSITORY / "qipo_ray", project / "qipo_ray", ignore=shutil.ignore_patterns("__pycache__")
    )
    for name in (".gitignore", ".rayignore"):
        shutil.copy(REPOSITORY / name, project)
    for name in SECRETS:
        (project / name).parent.mkdir(exist_ok=True)
        (project / name).write_text("secret")
    (project / "search.yaml").write_text(tiny_search.replace("trials: 5", "trials: 3"))
    return Submit(head, project, str(tmp_path_factory.mktemp("results")))


def test_a_submission_without_the_token_is_refused(head: Head) -> None:
    with pytest.raises(HTTPError, match="Unauthorized"):
        urllib.request.urlopen(
            f"{head.address}/api/jobs/", b'{"entrypoint": "true"}', timeout=LIMIT_S
        )
    assert head.get("jobs/") == []


def test_a_relative_results_folder_is_refused_with_the_fix(submit: Submit) -> None:
    refused = submit("relative", results="results")
    assert refused.returncode == 1
    assert "error: --results results: inside a Ray job a relative path lies in" in refused.stdout
    assert "give an absolute path" in refused.stdout


def test_a_stopped_sweep_goes_on_from_a_new_working_directory(
    submit: Submit,
    tiny_search: str,
    eventually: Eventually,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """The course of one sweep: stopped, changed and refused, extended on two workers."""
    head, root = submit.head, Path(submit.results) / "tiny"
    assert submit("first", "--no-wait").returncode == 0
    eventually("a rung", lambda: RungLog(root / "rungs.jsonl").read())
    assert head.ray("job", "stop", "first").returncode == 0
    assert head.get("jobs/first")["status"] == "STOPPED"
    (lease,) = root.glob("driver/[0-9]*.json")
    assert json.loads(lease.read_text())["released"], "the driver was not given the time to let go"
    log, tried = RungLog(root / "rungs.jsonl").read(), read_intents(root)
    assert all(r["purpose"] == "search" for r in read_records(root)), "stopped too late"

    version = submit.project / "qipo_ray" / "version.py"
    version.write_text(version.read_text().replace('version__ = "', 'version__ = "9.'))
    search = submit.project / "search.yaml"
    text = tiny_search.replace("trials: 5", "trials: 4")
    search.write_text(text.replace("workers: 1", "workers: 2"))  # may change at any time
    assert main(["sweep", str(search), "--results", submit.results]) == 2
    refused = "is another specification: trials: 3 -> 4; add --extend"
    assert refused in capsys.readouterr().err
    again = submit("again", "--extend")
    assert again.returncode == 0, again.stdout[-3000:]
    packages = {
        head.get(f"jobs/{name}")["runtime_env"]["working_dir"] for name in ("first", "again")
    }
    assert len(packages) == 2
    assert RungLog(root / "rungs.jsonl").read()[: len(log)] == log
    assert read_intents(root)[: len(tried)] == tried
    whole(root, trials=4)
    assert any(r["provenance"]["version"].startswith("9.") for r in read_records(root))


def whole(root: Path, trials: int) -> None:
    """Check that each trial, rung and run of a sweep is there once."""
    tried = read_intents(root)
    assert len(tried) == trials
    log = RungLog(root / "rungs.jsonl").read()
    assert set(Counter((entry["trial"], entry["rung"]) for entry in log).values()) == {1}
    records = read_records(root)
    search = Counter(r["trial"] for r in records if r["purpose"] == "search")
    assert search == {one["id"]: 1 for one in tried}
    assert {r["state"] for r in records} <= {"finished", "pruned"}
    confirmed = Counter(r["config_hash"] for r in records if r["purpose"] == "confirm")
    assert len(confirmed) >= 3 and set(confirmed.values()) == {1}


def test_secrets_and_data_stay_behind(submit: Submit) -> None:
    unpacked = list(submit.head.folder.glob("session_*/runtime_resources/working_dir_files/*/"))
    assert any((folder / "qipo_ray" / "sweep").is_dir() for folder in unpacked)
    found = [name for folder in unpacked for name in SECRETS if (folder / name).exists()]
    assert found == []
