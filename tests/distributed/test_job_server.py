"""The head's dashboard from outside: every way in which it cannot be used is one line."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from importlib.metadata import version
from pathlib import Path

import pytest

from qipo_ray.distributed import job_server
from qipo_ray.distributed.job_server import JobServer, checked_address, is_exposed, token_here
from qipo_ray.errors import UserError

TOKEN = "t" * 64
RAY = version("ray")


@pytest.fixture
def head() -> Iterator[Callable[..., str]]:
    """A function that answers as a dashboard does: to those with the token, or to all."""
    servers: list[HTTPServer] = []

    def start(number: str = RAY, *, open_to_all: bool = False, page: bool = False):
        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                told = self.headers.get("Authorization", "")
                allowed = open_to_all or told == f"Bearer {TOKEN}"
                self.send_response(200 if allowed else 403 if told else 401)
                self.end_headers()
                answer = {"version": "4", "ray_version": number}
                self.wfile.write(b"<html>" if page else json.dumps(answer).encode())

            def log_message(self, *_: object) -> None:
                pass

        server = HTTPServer(("127.0.0.1", 0), Handler)
        servers.append(server)
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        return f"http://127.0.0.1:{server.server_port}"

    yield start
    for server in servers:
        server.shutdown()
        server.server_close()


def refusal(address: str | None) -> str:
    with pytest.raises(UserError) as refused:
        JobServer.reach(address)
    text = str(refused.value)
    assert "\n" not in text and TOKEN not in text
    return text


@pytest.mark.parametrize(
    ("address", "words"),
    [
        (None, "no --address: give that of the head's dashboard, such as http://127.0.0.1:8265"),
        ("10.0.0.1:6379", "(did you mean 'http://10.0.0.1:8265'?)"),
        ("ray://head:10001", "(did you mean 'http://head:8265'?)"),
        ("http://me:secret@head:8265", "a name or a password"),
    ],
)
def test_what_is_no_address_of_a_dashboard_is_refused(address: str | None, words: str) -> None:
    text = refusal(address)
    assert words in text and "secret" not in text


def test_addresses_lose_what_follows_and_say_whether_others_may_listen() -> None:
    assert checked_address("http://head:8265/#/jobs") == "http://head:8265"
    assert not is_exposed("http://127.0.0.1:8265") and not is_exposed("https://head")
    assert is_exposed("http://head:8265")


@pytest.mark.slow  # with the next it imports Ray
def test_a_head_is_asked_with_the_token_of_this_shell(
    head: Callable[..., str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    url = head()
    monkeypatch.delenv("RAY_AUTH_TOKEN", raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    assert f"to {tmp_path}/.ray/auth_token (0600)" in refusal(url)
    monkeypatch.setenv("RAY_AUTH_TOKEN_PATH", str(tmp_path / "token"))
    (tmp_path / "token").write_text("another\n")
    assert f"the head at {url} refused the token" in refusal(url)
    (tmp_path / "token").write_text(TOKEN + "\n")
    # Ray heeds these more than an address that it is given.
    monkeypatch.setenv("RAY_ADDRESS", "http://127.0.0.1:1")
    server = JobServer.reach(f"{url}/")
    assert (server.address, server.ray_version) == (url, RAY)
    monkeypatch.setenv("RAY_AUTH_TOKEN", "x")
    assert token_here() == "x"


@pytest.mark.slow
def test_a_head_without_token_is_refused_unless_it_is_wanted(head: Callable[..., str]) -> None:
    url = head(open_to_all=True)
    assert f"the Ray head at {url} asks for no token: whoever" in refusal(url)
    assert JobServer.reach(url, insecure=True).address == url


def test_other_heads_are_refused(
    head: Callable[..., str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RAY_AUTH_TOKEN", TOKEN)
    old = refusal(head("2.40.0"))
    assert f"runs Ray 2.40.0, this machine has {RAY}: pip install 'ray[" in old
    assert "is no dashboard of a Ray head (it answered 200)" in refusal(head(page=True))
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{free.getsockname()[1]}"
    assert f"the head at {url} cannot be reached (" in refusal(url)
    monkeypatch.setattr(job_server, "ANSWER_S", 0.1)
    with socket.create_server(("127.0.0.1", 0)) as mute:
        assert "did not answer in 0 s" in refusal(f"http://127.0.0.1:{mute.getsockname()[1]}")


def test_a_refusal_without_words_is_one_line_too() -> None:
    class Client:
        def list_jobs(self) -> None:
            raise RuntimeError("")

    with pytest.raises(UserError, match="the head at http://h said: RuntimeError"):
        JobServer("http://h", Client(), RAY).jobs()
