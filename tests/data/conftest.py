"""Small files in D4RL's layout, and a server to download from."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from qipo_ray.data.tasks import get_task


def d4rl_columns(task_id: str, rows: int = 40, seed: int = 0) -> dict[str, Any]:
    """The required columns with random content, without any episode end."""
    state, action = get_task(task_id).sizes
    rng = np.random.default_rng(seed)
    return {
        "observations": rng.normal(size=(rows, state)).astype(np.float32),
        "actions": rng.uniform(-1, 1, size=(rows, action)).astype(np.float32),
        "rewards": rng.normal(size=rows).astype(np.float32),
        "terminals": np.zeros(rows, dtype=bool),
        "timeouts": np.zeros(rows, dtype=bool),
    }


@pytest.fixture
def columns() -> Callable[..., dict[str, Any]]:
    return d4rl_columns


@pytest.fixture
def write(tmp_path: Path) -> Callable[..., Path]:
    """Write columns (a key with None is left out, one with '/' goes into a group)."""

    def writer(contents: dict[str, Any], name: str = "data.hdf5", **attributes: Any) -> Path:
        path = tmp_path / name
        with h5py.File(path, "w") as file:
            for key, values in contents.items():
                if values is not None:
                    file[key] = values
            file.attrs.update(attributes)
        return path

    return writer


class Handler(BaseHTTPRequestHandler):
    """Serves ``server.content``; ``server.faults`` are used up first, one for each request."""

    def do_GET(self) -> None:
        server = self.server
        server.asked.append((self.path, self.headers.get("Range")))
        fault = server.faults.pop(0) if server.faults else server.always
        (fault or Handler.whole)(self)

    def head(self, status: int, **headers: object) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), str(value))
        self.end_headers()

    def start(self) -> int:
        """Send the head of a whole answer and return where its body starts."""
        size, asked = len(self.server.content), self.headers.get("Range")
        first = int(asked.removeprefix("bytes=").removesuffix("-")) if asked else 0
        if first >= size:
            self.head(416, Content_Range=f"bytes */{size}")
            return size
        if asked:
            span = f"bytes {first}-{size - 1}/{size}"
            self.head(206, Content_Length=size - first, Content_Range=span)
        else:
            self.head(200, Content_Length=size)
        return first

    def whole(self) -> None:
        self.wfile.write(self.server.content[self.start() :])

    def log_message(self, *arguments: object) -> None: ...


class Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.content = b""
        self.faults: list[Callable[[Handler], None]] = []
        self.always: Callable[[Handler], None] | None = None
        self.asked: list[tuple[str, str | None]] = []
        self.released = threading.Event()
        self.origin = f"http://127.0.0.1:{self.server_port}"

    def handle_error(self, request: object, address: object) -> None:
        """Say nothing of clients that went away."""


@pytest.fixture
def server() -> Iterator[Server]:
    with Server() as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield server
        server.released.set()
        server.shutdown()
        thread.join()
