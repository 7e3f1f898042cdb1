"""A Ray that cannot be used or started is one line, within a time limit."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from qipo_ray.distributed import cluster, head
from qipo_ray.distributed.cluster import (
    Cluster,
    agree_on_token,
    check_start,
    make_token,
)
from qipo_ray.errors import UserError
from qipo_ray.study.search_spec import Resources


def refusal(address: str) -> str:
    with pytest.raises(UserError) as refused:
        head.ask_machines(address)
    text = str(refused.value)
    assert "\n" not in text and address in text
    return text


def test_nobody_listens() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    assert "cannot be reached" in refusal(f"127.0.0.1:{port}")


@pytest.mark.slow
def test_somebody_listens_and_never_answers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(head, "ASK_S", 2.0)
    with socket.create_server(("127.0.0.1", 0)) as mute:
        assert "did not answer in 2 s" in refusal(f"127.0.0.1:{mute.getsockname()[1]}")


def test_a_client_address_is_refused_with_the_way_to_do_it() -> None:
    assert "ray job submit" in refusal("ray://127.0.0.1:10001")


def test_what_ray_cannot_start_with_is_refused_before(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RAY_TMPDIR", str(tmp_path))
    monkeypatch.setenv("TMPDIR", "/tmp")
    with pytest.raises(UserError, match=r"sockets .* at most 107 .* RAY_TMPDIR=/tmp, or use --ex"):
        monkeypatch.setenv("RAY_TMPDIR", f"/tmp/{'x' * 60}")
        check_start()
    monkeypatch.setenv("RAY_TMPDIR", "/etc/passwd/x")
    with pytest.raises(UserError, match="/etc/passwd/x cannot be written; set RAY_TMPDIR"):
        check_start()
    monkeypatch.delenv("RAY_TMPDIR")
    monkeypatch.setenv("HOME", "/etc/passwd/x")
    check_start()  # no token is needed
    monkeypatch.delenv("RAY_AUTH_MODE")
    with pytest.raises(
        UserError, match="its token in /etc/passwd/x/.ray/auth_token.* set HOME to"
    ):
        check_start()


def test_the_token_of_this_machine_is_its_owners_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    token = tmp_path / ".ray" / "auth_token"
    make_token()  # this session asks for none
    monkeypatch.delenv("RAY_AUTH_MODE")
    monkeypatch.setenv("RAY_AUTH_TOKEN", "a" * 64)  # another is used
    make_token()
    assert not token.parent.exists()
    monkeypatch.delenv("RAY_AUTH_TOKEN")
    make_token()
    made = token.read_text()
    assert len(made) == 64 and token.parent.stat().st_mode & 0o777 == 0o700
    for mode in (0o600, 0o644):  # Ray's own is open to all
        token.chmod(mode)
        make_token()
        assert token.stat().st_mode & 0o777 == 0o600 and token.read_text() == made


def test_ray_without_memory_is_refused_before(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from ray._private import utils

    monkeypatch.setattr(utils, "estimate_available_memory", lambda: 200_000_000)
    with pytest.raises(UserError, match="200 MB of memory are free, it needs 262 MB .* local$"):
        check_start()
    monkeypatch.setattr(cluster, "SHARED_MEMORY", tmp_path / "shm")
    with pytest.raises(UserError, match=r"no .*/shm that can .* --shm-size=1g\), or use --exec"):
        check_start()


# Ray compares what driver and head say of their interpreters.
OTHER_PYTHON = """
import ray._private.utils
ray._private.utils.compute_version_info = lambda: (ray.__version__, "3.11.99")
from qipo_ray.distributed.cluster import Cluster, Resources
Cluster.join({address!r}, Resources(1, 1.0, 0.0, 1), insecure=True)
"""


@pytest.mark.ray
def test_a_head_of_another_python_is_one_line(cluster: None) -> None:
    import ray

    address = ray.get_runtime_context().gcs_address
    command = [sys.executable, "-c", OTHER_PYTHON.format(address=address)]
    driver = subprocess.run(command, capture_output=True, text=True, timeout=120)
    *_, said = driver.stderr.splitlines()
    expected = f"UserError: the Ray head at {address} cannot be joined: Version mismatch: "
    assert expected in said and "Python: 3.11.99; install the head's versions" in said
    assert said.endswith("; or use --executor local")
    with pytest.raises(UserError) as refused:
        agree_on_token(address, insecure=False)
    assert f"the Ray head at {address} asks for no token: whoever reaches" in str(refused.value)
    assert str(refused.value).endswith("or give --insecure-cluster")
    assert [machine["CPU"] for machine in head.ask_machines(address)] == [3.0]


INSECURE = """
from qipo_ray.distributed.cluster import Cluster, Resources
cluster = Cluster.join({address!r}, Resources(1, 1.0, 0.0, 1), insecure=True)
import ray
class Echo:
    def say(self): return "heard"
echo = ray.remote(num_cpus=0)(Echo).options(name="echo", get_if_exists=True).remote()
print(ray.get(echo.say.remote()))
cluster.disconnect()
"""


@pytest.mark.ray
def test_a_head_without_a_token_is_joined_where_that_is_asked_for(cluster: None) -> None:
    """A driver whose shell says nothing of tokens; before, its actors were never found."""
    import ray

    address = ray.get_runtime_context().gcs_address
    env = {key: value for key, value in os.environ.items() if key != "RAY_AUTH_MODE"}
    env |= {"RAY_AUTH_TOKEN": "a" * 64}
    command = [sys.executable, "-c", INSECURE.format(address=address)]
    driver = subprocess.run(command, capture_output=True, text=True, timeout=120, env=env)
    assert driver.stdout.strip() == "heard", driver.stderr


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (
            RuntimeError("Version mismatch: Python 3.11.7\nand 3.11.8"),
            "install the head's versions",
        ),
        (Exception("The node timed out"), "free memory and processors"),
        (OSError("no\nshm"), "no shm; or use --executor local"),
    ],
)
def test_a_ray_that_does_not_start_is_one_line(
    error: Exception, words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    import ray

    def fails(**_: object) -> None:
        raise error

    monkeypatch.setattr(ray, "init", fails)
    monkeypatch.setattr(ray, "is_initialized", lambda: False)
    with pytest.raises(UserError, match="Ray cannot start on this machine: ") as raised:
        Cluster.join("local", Resources(1, 1.0, 0.0, 1))
    assert words in str(raised.value) and "\n" not in str(raised.value)


def test_sigterm_while_ray_starts_reaches_this_process(monkeypatch: pytest.MonkeyPatch) -> None:
    import ray

    def init(**_: object) -> None:
        signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(number))  # as Ray does
        signal.raise_signal(signal.SIGTERM)

    def stop(number: int, frame: object) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, stop)
    monkeypatch.setattr(ray, "init", init)
    monkeypatch.setattr(ray, "is_initialized", lambda: False)
    try:
        with pytest.raises(KeyboardInterrupt):
            Cluster.join("local", Resources(1, 1.0, 0.0, 1))
        assert signal.getsignal(signal.SIGTERM) is stop
    finally:
        signal.signal(signal.SIGTERM, before)
