"""What `method check` sees in the page's method once it is broken; before, it is content."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest

from qipo_ray.cli.main import main
from qipo_ray.train.method_check import check_method

Write = Callable[..., str]
SMALL = ("awr.width=8", "awr.batch_size=16", "awr.learning_rate=0.01")
MEAN = "loss = (weight * (acting - actions).square().sum(-1)).mean(1)"
START = "    def _start(self, member, upstream):"
LOUD = """\
class Loud(own.DirectPolicy):
    def __init__(self, config, states, actions):
        super().__init__(states, actions, 8, 1, spread=False)

    def __call__(self, params, states, noise=None):
        return 9 + super().__call__(params, states)


class AWR("""


def problems(named: str) -> list[str]:
    return [finding.problem for finding in check_method(named, SMALL) if finding.problem]


def test_the_pages_method_keeps_all_promises(
    own_module: Write, capsys: pytest.CaptureFixture[str]
) -> None:
    sets = [part for change in SMALL for part in ("--set", change)]
    assert main(["method", "check", own_module(), *sets]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert main(["method", "check", "my_awr:AWR", *sets, "--json"]) == 0
    assert [p["problem"] for p in json.loads(capsys.readouterr().out)] == [""] * 6
    assert len(lines) == 6 and all(line.startswith("ok     ") for line in lines)
    assert lines[0] == "ok     8 settings, each with a note and a valid value"


@pytest.mark.slow
@pytest.mark.parametrize("method", ["qipo", "cloning", "iql", "td3bc", "fql", "bestofn", "qgpo"])
def test_the_built_in_methods_keep_them(method: str) -> None:
    small = (f"{method}.width=8",) if method in ("iql", "td3bc", "fql", "qgpo") else ()
    assert [f.problem for f in check_method(method, small) if f.problem] == []


@pytest.mark.slow_after(6)
@pytest.mark.parametrize(
    ("change", "problem"),
    [
        (
            ("return loss + q_loss", "return (loss + q_loss).mean()"),
            "AWRPack._losses must return a loss (N,), here (2,), and such a metric for each of "
            "loss, q_loss, q_data, advantage; got the shape ()",
        ),
        (("metrics = [loss, ", "metrics = ["), "q_data, advantage; got 3 metrics"),
        ((MEAN, f"{MEAN} / 0"), "policy weights are not finite at update 1"),
        (
            ("rows = self.rows(", "rows = self.row("),
            "method my_awr:AWR: AttributeError in _losses",
        ),
        (("= self.column(", "= self.columns("), "my_awr.py:40: 'AWRPack' object has no attribute"),
        (
            (
                START,
                "    def __init__(self, config, data):\n"
                "        super().__init__(config, data)\n"
                "        wider = {**self.actor.shapes, 'more': (1, 32)}\n"
                "        self.online = self._stack('online', wider, trainable=True)\n\n" + START,
            ),
            "the stack 'online' is (1, 192), not (1, 160)",
        ),
        (
            (
                MEAN,
                "self.count = getattr(self, 'count', 0) + 1\n" + " " * 8 + MEAN + " * self.count",
            ),
            "continues differently: a part of the pack is not saved",
        ),
        (
            ("weight = (advantage", "weight = torch.rand_like(advantage) * (advantage"),
            "continues differently: a part of the pack is not saved",
        ),
        (
            (MEAN, MEAN.replace("actions", "actions.mean(0)")),
            "the stack 'online' of one is off by",
        ),
        (
            ("self.column([s.temperature for s in settings])", "settings[0].temperature"),
            "of one is off by up to",
        ),
        (
            ("own.direct_policy, False", "staticmethod(lambda *sizes: Loud(*sizes)), False"),
            "an action is ",
        ),
    ],
)
def test_a_broken_one_is_seen_in_one_line(
    own_module: Write, change: tuple[str, str], problem: str
) -> None:
    first, *_ = problems(own_module(change, ("class AWR(", LOUD)))
    assert problem in first and "\n" not in first
