"""Work beside the block: it ends with the block, and its failure interrupts it."""

from __future__ import annotations

import threading

import pytest

from qipo_ray.store.background import aside, background


def test_work_ends_with_the_block() -> None:
    seen = []

    def work(over: threading.Event) -> None:
        over.wait(30)
        seen.append(over.is_set())

    with background(work):
        pass
    assert seen == [True]


def test_a_failure_interrupts_the_block_even_two_deep() -> None:
    """The inner block waits for ever; the outer work's failure is what is raised."""

    def fails(over: threading.Event) -> None:
        raise ValueError("the lease is lost")

    def waits(over: threading.Event) -> None:
        over.wait(30)

    never = threading.Event()
    with (
        pytest.raises(ValueError, match="the lease is lost"),
        background(fails),
        background(waits),
    ):
        never.wait(30)


def test_an_error_of_the_block_goes_on() -> None:
    with pytest.raises(KeyError), background(lambda over: None):
        raise KeyError


def test_what_is_done_aside_is_a_value_or_an_error_of_any_kind() -> None:
    assert aside(lambda: 7).result(30) == 7
    for error in (OSError("gone"), SystemExit(3), KeyboardInterrupt()):

        def fails(error: BaseException = error) -> None:
            raise error

        assert aside(fails).exception(30) is error
