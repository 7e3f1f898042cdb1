"""Heads that cannot be used are named in one line, within a time limit."""

from __future__ import annotations

import socket

import pytest

from qipo_ray.distributed import cluster
from qipo_ray.errors import UserError


def refusal(address: str) -> str:
    with pytest.raises(UserError) as refused:
        cluster.check_head(address)
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
    monkeypatch.setattr(cluster, "ANSWER_S", 2.0)
    with socket.create_server(("127.0.0.1", 0)) as mute:
        assert "did not answer in 2 s" in refusal(f"127.0.0.1:{mute.getsockname()[1]}")


def test_a_client_address_is_refused_with_the_way_to_do_it() -> None:
    assert "ray job submit" in refusal("ray://127.0.0.1:10001")
