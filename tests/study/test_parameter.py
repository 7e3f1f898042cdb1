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
SCALED: dict[str, dict[str, Any]] = {
    "policy.rounds": {"int": [1, 9], "step": 4},
    "policy.beta": {"uniform": [0.1, 0.7], "step": 0.2, "when": {"policy.rounds": {"min": 5}}},
    "policy.renew_every": {"int": [10, 1000], "log": True},
    "critic.polyak": {"uniform": [0.1, 0.2], "when": {"policy.beta": {"min": 0.2, "max": 0.4}}},
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


def test_steps_scales_and_ranges_come_back_and_span_points() -> None:
    rounds, beta, renewal, polyak = (
        Parameter.from_document(key, line, "here") for key, line in SCALED.items()
    )
    scaled = (rounds, beta, renewal, polyak)
    assert {one.key: one.document() for one in scaled} == SCALED
    assert list(rounds.options or ()) == [1, 5, 9]
    assert list(beta.options or ()) == [0.1, 0.3, 0.5, 0.7]  # no 0.30000000000000004
    assert polyak.options is None
    assert len(list(points([rounds, beta]))) == 1 + 2 * 4
    assert polyak.active({"policy.beta": 0.3}) and not polyak.active({"policy.beta": 0.5})
    assert not polyak.active({})
    assert beta.check(0.5) == 0.5 and rounds.check(9) == 9
    with pytest.raises(ValueError, match=r"must be 0\.1 or steps of 0\.2 above; got 0\.4"):
        beta.check(0.4)
    with pytest.raises(ValueError, match="must be 1 or steps of 4 above; got 4"):
        rounds.check(4)
    with pytest.raises(ValueError, match="policy.rounds: no bounds"):
        Parameter.from_document("policy.rounds", {"int": [1, 9], "step": "x"}, "here")
