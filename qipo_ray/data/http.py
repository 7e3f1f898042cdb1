"""One HTTP answer, from allowed hosts alone, in limited time.

Straight to the host: proxies of the environment are not used, and nothing is unpacked on the way.
"""

from __future__ import annotations

import re
import socket
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any, cast
from urllib.parse import urljoin

from requests import Request, Response
from requests.adapters import HTTPAdapter
from urllib3.connection import HTTPConnection
from urllib3.connectionpool import HTTPConnectionPool
from urllib3.exceptions import HTTPError

from qipo_ray.data.catalogue import allowed
from qipo_ray.errors import UserError

REDIRECTS = 5
STALL_S = 30.0  # without a byte
BLOCK = 2**18  # bytes, at most, of one read

_MOVED = (301, 302, 303, 307, 308)
_FAILED = (OSError, HTTPError)  # of a connection; another try may help. requests' are OSErrors


class Broken(Exception):
    """The connection failed or was cut; what came so far is good, and another try may help."""


class Changed(Exception):
    """What the server has is not what was begun with."""


@dataclass(frozen=True)
class Body:
    """A file from byte ``start`` on; ``total`` is its whole size, where the server says it."""

    start: int
    total: int | None
    response: Response

    def blocks(self) -> Iterator[bytes]:
        """Yield what comes; ``Broken`` where the connection ends it."""
        try:
            while block := self.response.raw.read1(BLOCK, decode_content=False):
                yield block
        except _FAILED as error:
            raise Broken(f"cut off ({type(_cause(error)).__name__})") from error


@contextmanager
def request(url: str, start: int, seconds: float, origins: Sequence[str]) -> Iterator[Body]:
    """Yield the file at a URL from byte ``start`` on, or from 0 where the server has no ranges.

    After ``seconds`` the connection is cut, whatever it does.

    Raises:
        Broken: the connection failed, or the server says that it is in trouble (5xx, 429).
        Changed: the server's file ends before ``start``.
        UserError: a host that is not allowed, no such file, or an answer that makes no sense.
    """
    for _ in range(REDIRECTS + 1):
        if not allowed(url, origins):
            raise UserError(
                f"{_printable(url)} is not among the hosts that data may come from: "
                f"{', '.join(origins)}"
            )
        with _answer(url, start, seconds) as response:
            if response.status_code in _MOVED:
                url = _next(url, response.headers.get("Location", ""))
                continue
            yield _body(url, start, response)
            return
    raise UserError(f"{_printable(url)}: more than {REDIRECTS} redirects")


@contextmanager
def _answer(url: str, start: int, seconds: float) -> Iterator[Response]:
    headers = {"User-Agent": "qipo-ray", "Accept-Encoding": "identity"}
    if start:
        headers["Range"] = f"bytes={start}-"
    adapter = _Adapter()  # without a session, which would read all that a redirect sends
    alarm = threading.Timer(seconds, adapter.cut)
    alarm.start()
    try:
        try:
            request = Request("GET", url, headers).prepare()
            response = adapter.send(request, stream=True, timeout=min(STALL_S, seconds))
        except _FAILED as error:
            raise Broken(f"cannot be reached ({_reason(_cause(error))})") from error
        with response:
            yield response
    finally:
        alarm.cancel()
        alarm.join()
        adapter.close()


class _Adapter(HTTPAdapter):
    """Knows the connection of its one request, to cut it."""

    def get_connection_with_tls_context(self, *args: Any, **kwargs: Any) -> HTTPConnectionPool:
        """Return what makes the connection."""
        pool = super().get_connection_with_tls_context(*args, **kwargs)
        make = pool.ConnectionCls

        def connection(**settings: Any) -> HTTPConnection:
            self.connection = cast(HTTPConnection, make(**settings))
            return self.connection

        pool.ConnectionCls = connection  # type: ignore[assignment]
        return pool

    def cut(self) -> None:
        """End the connection, whatever it does."""
        with suppress(OSError, AttributeError):  # there is none yet, or none any more
            self.connection.sock.shutdown(socket.SHUT_RDWR)


def _body(url: str, start: int, response: Response) -> Body:
    status, headers = response.status_code, response.headers
    if status >= 500 or status == 429:
        raise Broken(f"the server is in trouble (HTTP {status})")
    if headers.get("Content-Encoding", "identity") != "identity":
        raise UserError(f"{_printable(url)}: the server packs its answer, which was not asked for")
    span = re.fullmatch(r"bytes (\d{1,18})-\d{1,18}/(\d{1,18})", headers.get("Content-Range", ""))
    if status == 200:
        return Body(0, response.raw.length_remaining, response)
    if start and status == 206 and span and int(span[1]) == start:
        return Body(start, int(span[2]), response)
    if start and status == 416:
        raise Changed
    raise UserError(f"{_printable(url)}: HTTP {status} {_printable(response.reason)}, no file")


def _next(url: str, location: str) -> str:
    try:
        return urljoin(url, location)
    except ValueError:
        return location


def _cause(error: BaseException) -> BaseException:
    """Return the error below those that the libraries put around it."""
    while error.__context__ is not None:
        error = error.__context__
    return error


def _reason(error: BaseException) -> str:
    message = getattr(error, "strerror", None) or str(error)
    return _printable(message) if message else type(error).__name__


def _printable(text: str) -> str:
    """Return a server's text, or an address, without what a terminal would obey."""
    return text[:200] if text.isascii() and text.isprintable() else ascii(text[:60])
