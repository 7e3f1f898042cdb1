"""The tables that follow from the marks beside the fields, against what they were by hand."""

from __future__ import annotations

from qipo_ray.config import (
    field_names,
    from_dict,
    load_config,
    to_dict,
    to_document,
)
from qipo_ray.config.facts import field_notes, later_settings, marked, marks, pack_columns
from qipo_ray.config.keys import departure_labels
from qipo_ray.config.notes import Departure, Note, Since, SupportSize
from qipo_ray.config.schema import SECTIONS
from qipo_ray.config.section import field_types
from qipo_ray.config.values import conform

# As the records of the first releases hold them.
LABELS = (
    "standard-observations", "raw-reward", "trig-path", "predicts", "residual-network",
    "averaged-behaviour", "solver", "layer-norm", "returns-init", "returns-critic", "critic-pool",
    "expectile", "no-data-action", "beta-growth", "target-ess", "trust", "loss-actions",
    "online-sampler", "policy-pool", "clipped-actions", "bfloat16", "half-support",
    "ema-evaluation",
)  # fmt: skip


LATE_SECTIONS = ("iql", "td3bc", "fql", "bestofn", "qgpo", "distil")


def test_every_setting_has_one_note_and_marks_name_settings() -> None:
    assert [dotted for dotted, _ in marks(Note)] == list(field_names()) == list(field_notes())
    assert all(mark.after in ("", *field_names()) for _, mark in marks(Departure))


def test_labels_stand_in_the_order_of_the_first_records() -> None:
    labels = [label.split("=")[0] for label in departure_labels(load_config("paper"))]
    assert [label for label in labels if label in LABELS] == list(LABELS)
    assert len(labels) == len(set(labels))


def test_values_of_old_records_are_of_the_settings_type() -> None:
    for dotted, since in marks(Since):
        section, key = dotted.split(".")
        assert conform(field_types(SECTIONS[section])[key], since.value) == since.value
    assert later_settings()["policy"] == {
        "beta_growth": 1.0, "target_ess": 0.0, "trust": 0, "evidence": 0.0, "data_updates": 0,
        "data_weight": "return", "data_ess": 0.3, "data_uniform": 0.0, "data_common": 1.0,
        "data_learning_rate": 0.0,
        "data_alone": False, "refit_updates": 0, "method": "qipo",
    }  # fmt: skip
    assert later_settings()["behaviour"] == {
        "ema_rate": 1.0, "weights": "online", "best_episodes": 1.0,
    }  # fmt: skip


def test_members_of_a_pack_differ_in_rates_lengths_and_switches() -> None:
    assert pack_columns("behaviour") == {
        "learning_rate", "ema_rate", "weights", "updates", "best_episodes",
    }  # fmt: skip
    assert pack_columns("critic") == {
        "learning_rate", "temperature", "expectile", "polyak", "updates", "returns_updates",
        "refresh_every", "judge", "kappa",
    }  # fmt: skip
    assert pack_columns("policy") == {
        "learning_rate", "beta", "beta_growth", "target_ess", "trust", "ema_rate", "rounds",
        "renew_every", "sampler", "evidence", "data_weight", "data_ess",
        "data_uniform", "data_common", "data_learning_rate", "data_alone",
    }  # fmt: skip


def test_the_memory_of_support_sets_follows_from_their_sizes() -> None:
    assert marked(SupportSize) == {
        "behaviour.width", "critic.pool", "critic.support_size", "critic.returns_updates",
        "policy.pool", "policy.support_size", "policy.data_action", "compute.support",
        "qgpo.pool", "qgpo.support_size",
    }  # fmt: skip


def test_files_are_written_as_before_until_a_later_setting_is_used() -> None:
    """Of what came later the first nine are written all the same, as they always were."""
    paper = load_config("paper")
    settings, document = to_dict(paper), to_document(paper)
    assert document.keys() == settings.keys() - {*LATE_SECTIONS}
    silent = {f"{s}.{key}" for s in document for key in settings[s].keys() - document[s].keys()}
    assert silent == {
        "behaviour.best_episodes", "sampler.noise", "sampler.best_of", "sampler.one_step",
        "critic.n_step", "critic.held_out", "critic.pairs", "critic.judge", "critic.kappa",
        "policy.evidence",
        "policy.data_updates", "policy.data_weight", "policy.data_ess",
        "policy.data_uniform", "policy.data_common",
        "policy.data_learning_rate", "policy.data_alone", "policy.refit_updates",
        "policy.method",
        "evaluation.signals", "evaluation.fqe_updates", "evaluation.timeout", "compute.graphs",
    }  # fmt: skip
    assert from_dict(to_document(paper), "file") == paper
    later = (
        "sampler.noise=0",
        "critic.held_out=0.2",
        "policy.evidence=1",
        "policy.data_updates=9",
    )
    used = load_config("paper", [*later, "behaviour.best_episodes=0.1", "iql.beta=10"])
    assert to_document(used).keys() == settings.keys() - {*LATE_SECTIONS} | {"iql"}
    assert to_document(used)["iql"] == {"beta": 10.0}
    assert from_dict(to_document(used), "file") == used
    written = {dotted for dotted, since in marks(Since) if since.written}
    assert written == {
        "behaviour.ema_rate", "behaviour.weights", "critic.target", "critic.expectile",
        "policy.beta_growth", "policy.target_ess", "policy.trust", "compute.precision",
        "compute.support",
    }  # fmt: skip
