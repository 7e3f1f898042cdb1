from __future__ import annotations

import copy
import math
from typing import Any

import pytest
from fixtures.valid_records import SCORE, put, record

from qipo_ray.store.record_schema import RecordError
from qipo_ray.store.records import validate


def leaves(node: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    if isinstance(node, dict):
        return [leaf for key, value in node.items() for leaf in leaves(value, (*path, key))]
    return [path]


def test_null_where_nothing_was_measured() -> None:
    validate(
        record(
            state="failed",
            reason="out of memory",
            trial=None,
            behaviour_cloning=None,
            scores=[],
            final={"last": None, "last3": None, "best": None, "action_latency_ms": None},
            cost=dict.fromkeys(("wall_s", "device_s", "updates_per_s", "reused_s")),
            pack={"size": 8, "composition": None},
        )
    )


@pytest.mark.parametrize("path", leaves(record()), ids=lambda path: ".".join(path))
def test_every_field_is_needed_and_checked(path: tuple[Any, ...]) -> None:
    whole = record()
    free = path[0] in ("config",) or path[:2] in (
        ("provenance", "packages"),
        ("provenance", "hardware"),
        ("pack", "composition"),
    )
    for wrong in (
        math.nan,
        math.inf,
        -math.inf,
        object(),
        {1: 2},
        b"x",
        *([] if free else [-1.5]),
    ):
        if wrong == -1.5 and path[-1] in ("mean", "normalised", "last3"):
            continue  # any finite number is fine there
        with pytest.raises(RecordError) as caught:
            validate(put(whole, path, wrong))
        assert str(caught.value).startswith("record." + ".".join(path))
        assert "\n" not in str(caught.value)
    if not free or path == ("pack", "composition"):
        broken = copy.deepcopy(whole)
        below: Any = broken
        for key in path[:-1]:
            below = below[key]
        del below[path[-1]]
        with pytest.raises(RecordError, match=rf"^record\.{'.'.join(path)}: missing$"):
            validate(broken)


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        (("schema",), 2, "record.schema: expected one of 1; got 2"),
        (("schema",), True, "record.schema"),
        (("extra",), 1, "record: unknown field 'extra'"),
        (("final", "lsat"), 1, "record.final: unknown field 'lsat' (did you mean 'last'?)"),
        (("state",), "done", "record.state: expected one of 'finished', 'pruned'"),
        (("seed",), True, "record.seed: expected a whole number of at least 0; got True"),
        (("seed",), 1, "record.id: not the hash"),
        (("id",), "0" * 16, "record.id: not the hash"),
        (("state",), "diverged", "record.reason: missing for a run that diverged"),
        (("scores",), [SCORE, {**SCORE, "std": -1}], "record.scores.1.std: expected a finite"),
        (("provenance", "started"), "2026-01-31T12:00:00", "record.provenance.started"),
        (("provenance", "started"), "2026-01-31T12:00:00+01:00", "record.provenance.started"),
        (("provenance", "ended"), "yesterday", "expected a UTC time"),
        (("data", "source"), "D4RL", "record.data.source"),
        (("config",), {"a": [1, {"b": math.nan}]}, "record.config.a.1.b: expected a finite"),
        (("protocol", "env_seeds"), [1001, 1.5], "record.protocol.env_seeds"),
    ],
)
def test_wrong_values_are_named(path: tuple[str, ...], value: Any, message: str) -> None:
    with pytest.raises(RecordError) as caught:
        validate(put(record(), path, value))
    assert message in str(caught.value)


@pytest.mark.parametrize("value", [None, [], "x", 3, {}])
def test_no_record_at_all(value: Any) -> None:
    with pytest.raises(RecordError):
        validate(value)


CRITIC_REPORT = {
    "updates": 3, "rows": 2, "actions": 16, "warnings": ["little to select by: so"],
    "best_of": dict(SCORE), "correlation": -0.5,
    **dict.fromkeys(("action_std", "q_std", "disagreement", "error"), 1.0),
    **dict.fromkeys(("q_mean", "return_mean", "return_std")),
}  # fmt: skip
POLICY_REPORT = {
    "updates": 3, "rows": 2, "actions": 16, "warnings": [], "drift": 1.5,
    **dict.fromkeys(("action_std", "q_mean", "q_best", "q_std")),
}  # fmt: skip


def test_a_part_that_came_later_is_checked_and_may_be_missing() -> None:
    validate(record())
    new = record(critic_report=CRITIC_REPORT)
    new["cost"] = {**new["cost"], "cpu_s": 1.5}
    validate(new)
    pairs = {"pairs": 3, "spread": 0.5, "advantage": -0.1, "deviation": None, "share": 0.4}
    validate(record(critic_report={**CRITIC_REPORT, "agreement": pairs}))
    with pytest.raises(RecordError, match="record.critic_report.rows: expected a whole number"):
        validate(record(critic_report={**CRITIC_REPORT, "rows": 0}))
    health = {"behaviour": {"updates": 3.0, "loss": 0.5}, "critic": None, "policy": None}
    validate(record(policy_report=POLICY_REPORT, health=health))
    with pytest.raises(RecordError, match="record.policy_report.drift: expected"):
        validate(record(policy_report={**POLICY_REPORT, "drift": -1.0}))
