from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from fixtures.fault_counts import CountFaults

CALLS = ("open", "write", "fsync", "replace", "link", "unlink", "rename", "mkdir")


class Disk:
    """Counts the calls that change the disk, and does something at the n-th."""

    def __init__(self) -> None:
        self.real = {name: getattr(os, name) for name in CALLS}
        self.count = 0
        self.busy = False

    @contextmanager
    def at(self, n: int, action: Callable[[str, tuple[Any, ...]], None]) -> Iterator[Disk]:
        """Run ``action(call, arguments)`` just before the n-th call, counted from 1."""
        self.count = 0

        def wrapped(name: str) -> Callable[..., Any]:
            def call(*args: Any, **kwargs: Any) -> Any:
                if not self.busy:
                    self.count += 1
                    if self.count == n:
                        self.busy = True
                        try:
                            action(name, args)
                        finally:
                            self.busy = False
                return self.real[name](*args, **kwargs)

            return call

        for name in CALLS:
            setattr(os, name, wrapped(name))
        try:
            yield self
        finally:
            for name, real in self.real.items():
                setattr(os, name, real)

    def reached(self, n: int) -> bool:
        """Whether the last block came to its n-th call."""
        return self.count >= n


@pytest.fixture
def disk() -> Disk:
    return Disk()


def _crashes(n: int, disk: Disk, act: Callable[[], object]) -> bool:
    """Run ``act`` in a child that dies at the n-th call; False once it has fewer calls."""

    def die(name: str, args: tuple[Any, ...]) -> None:
        if name == "write":
            disk.real["write"](args[0], bytes(args[1])[: len(args[1]) // 2])
        os._exit(137)

    child = os.fork()
    if child == 0:
        code = 1
        try:
            with disk.at(n, die):
                act()
            code = 0
        finally:
            os._exit(code)
    status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    assert status in (0, 137)
    return status == 137


@pytest.fixture
def crash_points(
    disk: Disk, count_faults: CountFaults
) -> Callable[[Callable[[], object]], Iterator[int]]:
    """Yield after each crash of ``act``, at every point where it touches the disk."""

    def points(act: Callable[[], object]) -> Iterator[int]:
        n = 1
        while _crashes(n, disk, act):
            yield n
            n += 1
        count_faults("crash point of a durable write", n - 1)

    return points


@pytest.fixture
def race() -> Callable[[int, Callable[[int], int]], list[int]]:
    """Run ``act(i)`` in n children that start together; returns what each returned (0..250)."""

    def run(n: int, act: Callable[[int], int]) -> list[int]:
        ready, go = os.pipe()
        children = []
        for i in range(n):
            child = os.fork()
            if child == 0:
                code = 251
                try:
                    os.close(go)
                    os.read(ready, 1)  # returns when the parent closes its end
                    code = act(i)
                finally:
                    os._exit(code)
            children.append(child)
        os.close(ready)
        os.close(go)
        codes = [os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in children]
        assert 251 not in codes
        return codes

    return run
