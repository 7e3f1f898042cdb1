from __future__ import annotations

import pytest

from qipo_ray.study.job import CheckpointRef
from qipo_ray.study.job_events import EventKind, JobEvent

REF = CheckpointRef("policy", "a" * 16, 300)


@pytest.mark.parametrize(
    ("kind", "ended", "leaves_slot", "lasting"),
    [
        ("progress", False, False, False),
        ("score", False, False, True),
        ("signals", False, False, True),
        ("dropped", False, True, False),
        ("finished", True, True, True),
        ("diverged", True, True, True),
        ("failed", True, True, True),
    ],
)
def test_what_a_kind_means(kind: EventKind, ended: bool, leaves_slot: bool, lasting: bool) -> None:
    event = JobEvent(kind, REF, 100, 1.0)
    assert (event.ended, event.leaves_slot, event.lasting) == (ended, leaves_slot, lasting)


def test_scores_at_other_updates_or_over_other_episodes_are_topics_of_their_own() -> None:
    scores = [
        JobEvent("score", REF, updates, 1.0, score={"episodes": episodes})
        for updates, episodes in ((100, 3), (100, 5), (200, 3), (100, 3))
    ]
    assert len({event.topic for event in scores}) == 3


def test_a_job_ends_once_however_it_ends() -> None:
    assert JobEvent("failed", REF, 0, 0.0).topic == JobEvent("finished", REF, 300, 9.0).topic
    assert JobEvent("progress", REF, 0, 0.0).topic != JobEvent("finished", REF, 300, 9.0).topic
