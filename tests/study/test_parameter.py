"""A parameter there and back; what the points of a space are is tested with the search file."""

from __future__ import annotations

from typing import Any

import pytest

from qipo_ray.study.parameter import Parameter, points

LINES: dict[str, dict[str, Any]] = {
    "behaviour.path": {"grid": ["ot", "vp"]},
    "policy.beta": {"loguniform": [0.5, 20.0]},
    "sampler.evaluations": {"choice": [6, 10], "when": {"behaviour.path": ["ot"]}},
    "policy.rounds": {"int": [1, 3]},
}


def test_a_document_comes_back() -> None:
    found = [Parameter.from_document(key, line, "here") for key, line in LINES.items()]
    assert {one.key: one.document() for one in found} == LINES
    finite = [one for one in found if one.options is not None]
    assert len(list(points(finite))) == (2 + 1) * 3


@pytest.mark.parametrize(
    "line",
    [
        {},
        {"grid": [1], "choice": [1]},
        {"grid": 3},
        {"choice": [1], "when": [2]},
        {"choice": [1], "when": {"behaviour.path": "ot"}},
        {"other": [1]},
        {"int": ["a", 3]},
        {"uniform": [1.0]},
        [1],
    ],
)
def test_what_is_no_parameter_is_refused(line: Any) -> None:
    with pytest.raises(ValueError, match="policy.beta: no (parameter|bounds)"):
        Parameter.from_document("policy.beta", line, "here")
