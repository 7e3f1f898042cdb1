"""The preset ``paper`` against the fact sheet of the paper and its published code.

The third column says where the value stands there: its section (2.2 training script, 2.4
networks, 1.4 sampling, 4.1 the code it builds on) or the decision of an open point (A1 to A20);
``neutral`` where the paper has no such setting and the value leaves its algorithm as it is.
"""

from __future__ import annotations

import pytest

from qipo_ray.config import Plain, departures, field_names, load_config
from qipo_ray.config.facts import field_notes, marks
from qipo_ray.config.notes import Ours, Since

SHEET: dict[str, tuple[Plain, str]] = {
    "data.reward": ("paper", "4.1"),
    "data.observations": ("raw", "2.2 state normalisation: none"),
    "behaviour.path": ("ot", "1.3 QIPO-OT"),
    "behaviour.predicts": ("auto", "A1: velocity on ot; 1.2: noise on vp"),
    "behaviour.network": ("unet", "2.4"),
    "behaviour.width": (512, "2.4"),
    "behaviour.blocks": (3, "neutral"),  # no effect with the unet
    "behaviour.learning_rate": (1e-4, "2.2 phase 1"),
    "behaviour.batch_size": (4096, "2.2 phase 1"),
    "behaviour.updates": (600_000, "2.2 phase 1"),
    "behaviour.ema_rate": (0.005, "neutral"),  # no effect with the online weights
    "behaviour.weights": ("online", "2.2 phase 3"),
    "sampler.solver": ("auto", "A2, A3"),
    "sampler.evaluations": (15, "2.2 sampler"),
    "sampler.clip": (True, "A14"),
    "critic.width": (256, "2.4 twin Q"),
    "critic.layers": (3, "2.4 twin Q"),
    "critic.layer_norm": (False, "2.2"),
    "critic.learning_rate": (3e-4, "2.2 phase 2"),
    "critic.batch_size": (256, "2.2 phase 2"),
    "critic.updates": (500_000, "2.2 phase 2"),
    "critic.returns_updates": (0, "neutral"),
    "critic.discount": (0.99, "2.2"),
    "critic.temperature": (1, "2.2 q_alpha, A10"),
    "critic.polyak": (0.005, "2.2"),
    "critic.support_size": (64, "2.2 M, A6"),
    "critic.refresh_every": (100_000, "2.2 support refresh: every 100 epochs of 1000"),
    "critic.pool": (0, "2.2: all states"),
    "critic.target": ("softmax", "2.2 phase 2 target"),
    "critic.expectile": (0.7, "neutral"),  # no effect with the softmax
    "policy.beta": (3, "2.2, A5"),
    "policy.support_size": (64, "2.2 M, A6"),
    "policy.data_action": (True, "2.1 step 4, A4"),
    "policy.rounds": (10, "2.2 K_renew: 10 support sets"),
    "policy.renew_every": (10_000, "2.2 K_renew, A7"),
    "policy.learning_rate": (1e-4, "2.2 phase 3"),
    "policy.batch_size": (256, "2.2 phase 3"),
    "policy.loss_actions": (0, "neutral"),
    "policy.sampler": ("ema", "2.2 support sampler, A8"),
    "policy.ema_rate": (0.005, "2.2 support sampler"),
    "policy.pool": (0, "2.2: all states"),
    "policy.beta_growth": (1, "2.2: constant over rounds"),
    "policy.target_ess": (0, "neutral"),
    "policy.trust": (0, "neutral"),
    "compute.precision": ("float32", "neutral"),
    "compute.support": ("float32", "neutral"),
    "evaluation.episodes": (100, "2.2 evaluation"),
    "evaluation.every": (5000, "2.2 evaluation: every 5 epochs of 1000"),
    "evaluation.final_episodes": (100, "2.2 evaluation, A12"),
    "evaluation.weights": ("online", "2.2 evaluation, A8"),
}
DECIDED_OTHERWISE = {"sampler.clip"}  # the paper's code does not clip; the sheet decides to


def test_every_setting_has_a_line_of_the_sheet_or_is_neutral_there() -> None:
    """What came after the sheet leaves the paper as it is, and the preset need not name it."""
    later = {dotted: since.value for dotted, since in marks(Since)}
    for dotted in set(field_names()) - set(SHEET):
        section, key = dotted.split(".")
        note, value = field_notes()[dotted], getattr(getattr(load_config("paper"), section), key)
        assert isinstance(note, Ours) and note.value == value == later[dotted]


@pytest.mark.parametrize("dotted", SHEET)
def test_the_preset_has_the_value_of_the_sheet(dotted: str) -> None:
    section, key = dotted.split(".")
    value = getattr(getattr(load_config("paper"), section), key)
    assert value == SHEET[dotted][0] and isinstance(value, bool) == isinstance(
        SHEET[dotted][0], bool
    )


@pytest.mark.parametrize("dotted", SHEET)
def test_the_note_of_a_setting_says_the_value_of_the_sheet(dotted: str) -> None:
    note, (value, where) = field_notes()[dotted], SHEET[dotted]
    assert (note.value != value) == (dotted in DECIDED_OTHERWISE)
    assert where != "neutral" or isinstance(note, Ours)
    assert note.text and not note.text.endswith(".")


def test_the_preset_leaves_the_paper_only_where_the_sheet_decides_to() -> None:
    assert departures(load_config("paper")) == ("clipped-actions",)
    assert departures(load_config("paper", ["behaviour.path=vp"])) == ("clipped-actions",)
