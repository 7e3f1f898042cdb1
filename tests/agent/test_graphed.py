"""Updates as programs: captured and replayed without Python, they equal plain calls bit for bit.

The capture here records the operations of one update with the memory that they work on, as a CUDA
graph does, and replays those alone: whatever the update takes from anywhere else stays as it was.
"""

from __future__ import annotations

import gc
import weakref
from collections.abc import Callable

import pytest
import torch
from torch.fx.experimental.proxy_tensor import make_fx

from qipo_ray.agent import Member, Pack, State
from qipo_ray.agent.graphed import WARM, CapturedProgram, GraphedPack
from qipo_ray.config import Config

from .conftest import upstream_of
from .test_packs import assert_equal_states

Trained = Callable[..., tuple[Pack, dict[str, State]]]
# A stage, its settings, and how often it is captured: a critic on returns, then on Q.
QGPO = (
    "policy.method=qgpo",
    "qgpo.width=16",
    "qgpo.layers=2",
    "qgpo.batch_size=16",
    "qgpo.pool=50",
)
CASES: list[tuple[str, tuple[str, ...], int]] = [
    ("behaviour", (), 1),
    ("critic", (), 2),
    ("critic", ("critic.target=value",), 2),
    ("policy", (), 1),
    ("policy", QGPO, 1),
]


class Recorded:
    """Operations on fixed memory; they were done once, as they were recorded."""

    def __init__(self, function: Callable[[], None]) -> None:
        self.replays = 0
        self.operations = make_fx(
            lambda: (function(), torch.zeros(()))[1], _error_on_data_dependent_ops=False
        )()

    def replay(self) -> None:
        """Do them, but for the first time."""
        self.replays += 1
        if self.replays > 1:
            self.operations()


class RecordingCapture:
    """Stands for CUDA graphs on a CPU."""

    def __init__(self) -> None:
        self.warmed, self.captured = 0, []

    def warm(self, function: Callable[[], None]) -> None:
        self.warmed += 1
        function()

    def __call__(self, function: Callable[[], None]) -> CapturedProgram:
        self.captured.append(Recorded(function))
        return self.captured[-1]


def pair(trained: Trained, stage: str, members: list[tuple[int, Config]]) -> list[GraphedPack]:
    """Return a plain pack and one that records, both before their first update."""
    packs = []
    for _ in range(2):
        pack, _ = trained(stage, members, 0)
        assert isinstance(pack, GraphedPack)
        packs.append(pack)
    packs[1].program.capture = RecordingCapture()
    return packs


@pytest.mark.slow
@pytest.mark.parametrize(("stage", "settings", "captures"), CASES)
def test_a_replayed_update_is_a_plain_one(
    stage: str,
    settings: tuple[str, ...],
    captures: int,
    trained: Trained,
    configure: Callable[..., Config],
) -> None:
    config = configure("critic.returns_updates=5", *settings)
    members = [(seed, config) for seed in range(2)]
    plain, recording = pair(trained, stage, members)
    for _ in range(4 * WARM):
        plain.update()
        recording.update()
    capture = recording.program.capture
    assert isinstance(capture, RecordingCapture)
    assert capture.warmed + sum(graph.replays for graph in capture.captured) == 4 * WARM
    for i in range(2):
        assert_equal_states(recording.state(i), plain.state(i))
        assert recording.metrics(i) == plain.metrics(i)
    assert len(capture.captured) == captures


@pytest.mark.slow
def test_it_is_captured_anew_where_memory_moves(
    trained: Trained, configure: Callable[..., Config]
) -> None:
    """A member comes, one goes, and each goes on from the data to rounds at another rate."""
    config = configure("policy.data_updates=12", "policy.data_learning_rate=0.02")
    plain, recording = pair(trained, "policy", [(0, config)])
    upstream = upstream_of("policy", config, plain.data)
    for update in range(26):
        for pack in (plain, recording):
            if update == 5:
                pack.admit(Member(config, 1), upstream, None)
            if update == 22:
                pack.drop(0)
            pack.update()
    capture = recording.program.capture
    assert isinstance(capture, RecordingCapture) and len(capture.captured) >= 3
    assert_equal_states(recording.state(0), plain.state(0))


def test_a_pack_is_freed_as_it_is_let_go(
    trained: Trained, configure: Callable[..., Config]
) -> None:
    """Support sets are large: the next pack must not wait for Python's collector of cycles."""
    packs = [trained(stage, [(0, configure())], 1)[0] for stage in ("behaviour", "critic")]
    held = [weakref.ref(pack) for pack in packs]
    gc.disable()
    try:
        packs.clear()
        assert [pack() for pack in held] == [None, None]
    finally:
        gc.enable()


def test_a_cpu_has_plain_calls(trained: Trained, configure: Callable[..., Config]) -> None:
    pack, _ = trained("behaviour", [(0, configure("compute.graphs=true"))], 1)
    assert isinstance(pack, GraphedPack) and pack.program.capture is None
