"""Errors of a user's method become one line; those of this program's own stay what they are."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from qipo_ray.agent import Diverged
from qipo_ray.agent.blaming import blaming
from qipo_ray.config import load_config
from qipo_ray.errors import Failure


def test_whose_code_it_is_decides(own_module: Callable[..., str]) -> None:
    own = load_config("auto", [f"policy.method={own_module()}"])
    with pytest.raises(Failure) as caught, blaming(own):
        raise IndexError("row 7\nof 5")
    assert str(caught.value).startswith("method my_awr:AWR: IndexError in test_whose_code_it_is_")
    assert "row 7 of 5; `qipo-ray method check my_awr:AWR` looks for more" in str(caught.value)
    with pytest.raises(Diverged, match="far"), blaming(own):
        raise Diverged("far")
    with pytest.raises(IndexError), blaming(load_config("auto")):
        raise IndexError("ours")
