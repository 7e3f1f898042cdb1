from __future__ import annotations

import dataclasses
import math
from typing import Literal, get_origin

import pytest

from qipo_ray.config import Config, FieldError, field_names, load_config
from qipo_ray.config.schema import SECTIONS
from qipo_ray.config.section import field_types
from qipo_ray.config.values import unfold

PAPER = load_config("paper")


def section_of(config: Config, name: str) -> object:
    return getattr(config, name)


def wrong_values(hint: object) -> list[object]:
    common: list[object] = [None, [], {}, b"x"]
    if get_origin(hint) is Literal:
        return [*common, "no-such-choice", 1, True, ""]
    if hint is bool:
        return [*common, 0, 1, "true", "no"]
    return [*common, True, "3", math.nan, math.inf, -math.inf, -1, 10**400, 1e300 * 10]


@pytest.mark.parametrize("dotted", field_names())
def test_every_field_refuses_wrong_values(dotted: str) -> None:
    name, key = dotted.split(".")
    hint, _ = unfold(field_types(SECTIONS[name])[key])
    for value in wrong_values(hint):
        with pytest.raises(FieldError, match=rf"^{dotted} must be ") as caught:
            dataclasses.replace(section_of(PAPER, name), **{key: value})  # type: ignore[type-var]
        assert "\n" not in str(caught.value) and len(str(caught.value)) < 200


def test_every_section_has_its_class_and_no_default() -> None:
    assert [field.name for field in dataclasses.fields(Config)] == [*SECTIONS, "own"]
    for name, section in SECTIONS.items():
        assert section.__name__.lower() == name
        for field in dataclasses.fields(section):
            assert field.default is dataclasses.MISSING
            assert field.default_factory is dataclasses.MISSING


def test_numbers_are_normalised() -> None:
    policy = dataclasses.replace(PAPER.policy, beta=-0.0, rounds=1e1)  # type: ignore[arg-type]
    assert math.copysign(1, policy.beta) == 1
    assert policy.rounds == 10 and type(policy.rounds) is int
    assert type(dataclasses.replace(PAPER.policy, beta=3).beta) is float
    with pytest.raises(FieldError, match="whole number"):
        dataclasses.replace(PAPER.policy, rounds=1.5)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("dotted", "low", "high"),
    [
        ("policy.beta", 0, 1e9),
        ("critic.discount", 0, 0.999999),
        ("critic.polyak", 1e-12, 1),
        ("policy.support_size", 1, 999_999_999),
        ("critic.returns_updates", 0, 999_999_999),
        ("sampler.evaluations", 1, 10_000),
    ],
)
def test_range_ends_are_allowed(dotted: str, low: float, high: float) -> None:
    name, key = dotted.split(".")
    for value in (low, high):
        changed = dataclasses.replace(section_of(PAPER, name), **{key: value})  # type: ignore
        assert getattr(changed, key) == value


@pytest.mark.parametrize(
    ("dotted", "value"),
    [("critic.discount", 1), ("critic.polyak", 0), ("policy.learning_rate", 1.01)],
)
def test_open_and_upper_ends_are_refused(dotted: str, value: float) -> None:
    name, key = dotted.split(".")
    with pytest.raises(FieldError, match="finite number"):
        dataclasses.replace(section_of(PAPER, name), **{key: value})  # type: ignore[type-var]


def test_loss_actions_fit_the_support_set() -> None:
    policy = dataclasses.replace(PAPER.policy, support_size=4, data_action=True, loss_actions=5)
    assert policy.loss_actions == 5
    with pytest.raises(FieldError, match=r"at most 4 .* got 5"):
        dataclasses.replace(policy, data_action=False)


def test_policy_stage_has_an_end() -> None:
    with pytest.raises(FieldError, match="policy.renew_every"):
        dataclasses.replace(PAPER.policy, rounds=10**5, renew_every=10**5)


def test_sampler_pays_for_one_step() -> None:
    one = dataclasses.replace(PAPER.sampler, evaluations=1)
    with pytest.raises(FieldError, match="at least 2 for the solver midpoint"):
        dataclasses.replace(PAPER, sampler=one)
    vp = dataclasses.replace(PAPER.behaviour, path="vp")
    assert dataclasses.replace(PAPER, sampler=one, behaviour=vp).solver == "dpmpp_2m"


def test_unet_width_can_be_halved_twice() -> None:
    odd = dataclasses.replace(PAPER.behaviour, width=130)
    with pytest.raises(FieldError, match="multiple of 4"):
        dataclasses.replace(PAPER, behaviour=odd)
    residual = dataclasses.replace(odd, network="residual")
    assert dataclasses.replace(PAPER, behaviour=residual).behaviour.width == 130


def test_frozen() -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        PAPER.policy.beta = 1.0  # type: ignore[misc]
