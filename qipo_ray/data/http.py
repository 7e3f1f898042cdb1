"""One HTTP answer, from allowed hosts alone, in limited time.

Straight to the host: proxies of the environment are not used, and nothing is unpacked on the way.
"""

from __future__ import annotations

import http.client
import re
import socket
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from urllib.parse import urljoin, urlsplit

from qipo_ray.data.catalogue import allowed
from qipo_ray.errors import UserError

REDIRECTS = 5
STALL_S = 30.0  # without a byte
BLOCK = 2**18  # bytes, at most, of one read

_MOVED = (301, 302, 303, 307, 308)
_FAILED = (http.client.HTTPException, OSError)  # of a connection; another try may help


class Broken(Exception):
    """The connection failed or was cut; what came so far is good, and another try may help."""


class Changed(Exception):
    """What the server has is not what was begun with."""


@dataclass(frozen=True)
class Body:
    """A file from byte ``start`` on; ``total`` is its whole size, where the server says it."""

    start: int
    total: int | None
    response: http.client.HTTPResponse

    def blocks(self) -> Iterator[bytes]:
        """Yield what comes; ``Broken`` where the connection ends it."""
        try:
            while block := self.response.read1(BLOCK):
                yield block
        except _FAILED as error:
            raise Broken(f"cut off ({type(error).__name__})") from error


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
                f"{_shown(url)} is not among the hosts that data may come from: "
                f"{', '.join(origins)}"
            )
        with _answer(url, start, seconds) as response:
            if response.status in _MOVED:
                url = _next(url, response.headers.get("Location", ""))
                continue
            yield _body(url, start, response)
            return
    raise UserError(f"{_shown(url)}: more than {REDIRECTS} redirects")


@contextmanager
def _answer(url: str, start: int, seconds: float) -> Iterator[http.client.HTTPResponse]:
    parts = urlsplit(url)
    secure = parts.scheme == "https"
    kind = http.client.HTTPSConnection if secure else http.client.HTTPConnection
    connection = kind(parts.netloc, timeout=min(STALL_S, seconds))
    place = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    headers = {"User-Agent": "qipo-ray", "Accept-Encoding": "identity"}
    if start:
        headers["Range"] = f"bytes={start}-"
    alarm: threading.Timer | None = None
    try:
        try:
            connection.connect()
            alarm = threading.Timer(seconds, _cut, (connection.sock,))
            alarm.start()
            connection.request("GET", place, headers=headers)
            response = connection.getresponse()
        except _FAILED as error:
            raise Broken(f"cannot be reached ({_reason(error)})") from error
        with response:
            yield response
    finally:
        if alarm is not None:
            alarm.cancel()
            alarm.join()
        connection.close()


def _body(url: str, start: int, response: http.client.HTTPResponse) -> Body:
    status, headers = response.status, response.headers
    if status >= 500 or status == 429:
        raise Broken(f"the server is in trouble (HTTP {status})")
    if headers.get("Content-Encoding", "identity") != "identity":
        raise UserError(f"{_shown(url)}: the server packs its answer, which was not asked for")
    span = re.fullmatch(r"bytes (\d{1,18})-\d{1,18}/(\d{1,18})", headers.get("Content-Range", ""))
    if status == 200:
        return Body(0, response.length, response)
    if start and status == 206 and span and int(span[1]) == start:
        return Body(start, int(span[2]), response)
    if start and status == 416:
        raise Changed
    raise UserError(f"{_shown(url)}: HTTP {status} {_shown(response.reason)}, no file")


def _next(url: str, location: str) -> str:
    try:
        return urljoin(url, location)
    except ValueError:
        return location


def _cut(link: socket.socket) -> None:
    with suppress(OSError):
        link.shutdown(socket.SHUT_RDWR)


def _reason(error: Exception) -> str:
    words = getattr(error, "strerror", None) or str(error)
    return _shown(words) if words else type(error).__name__


def _shown(words: str) -> str:
    """Return words of a server, or an address, without what a terminal would obey."""
    return words[:200] if words.isascii() and words.isprintable() else ascii(words[:60])
