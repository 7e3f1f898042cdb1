"""What identifies a run and its stages: hashes of exactly what each depends on.

A stage's own total length is not in its key, since a longer job continues a shorter one; the key
*and length* of what it builds on are.
"""

from __future__ import annotations

import hashlib
import json
from typing import Any

from qipo_ray.config.evaluations import fitted_q_updates
from qipo_ray.config.facts import departure_marks, field_notes, later_settings, marked
from qipo_ray.config.loading import to_dict
from qipo_ray.config.notes import ActingOnly
from qipo_ray.config.run_methods import (
    acting_weights,
    distil_updates,
    goes_on_from_returns,
    method_of,
    stage_updates,
)
from qipo_ray.config.schema import Config

KEY_SCHEMA = 1  # raise it when the meaning of a setting changes, so that old artefacts are left
Settings = dict[str, dict[str, Any]]
SUPPORT = ("support_size", "refresh_every", "pool")  # of the critic, where it draws actions

# Of `policy`, without effect where it has no updates on the data's own actions.
OF_DATA_UPDATES = (
    "data_weight", "data_ess", "data_uniform", "data_common", "data_learning_rate", "data_alone",
)  # fmt: skip


def stage_keys(config: Config, task_id: str, data_sha256: str, seed: int) -> dict[str, str]:
    """Return the key of each stage, 16 hex digits; jobs of equal key and length are one job."""
    settings, lengths = trained(_effective(config)), stage_updates(config)
    compute = settings.get("compute", {})
    program = {k: v for k, v in compute.items() if k != "support"}  # of every update

    def key(stage: str, needs: dict[str, Any], *but: str) -> str:
        """Return the hash of a stage's settings ``but`` some, and of what it builds on."""
        return _digest(
            {
                "schema": KEY_SCHEMA,
                "stage": stage,
                "task": task_id,
                "data": data_sha256,
                "seed": seed,
                "settings": {k: v for k, v in settings.get(stage, {}).items() if k not in but},
                **{k: v for k, v in needs.items() if v},
            }
        )

    inputs = {"observations": settings["data"]["observations"], "compute": program}
    method, reward = method_of(config), {"reward": settings["data"]["reward"]}
    own: dict[str, Any] = {  # of a baseline
        section: {k: v for k, v in settings.get(section, {}).items() if k != "updates"}
        for section in method.own_sections()
    }
    if own:
        own |= reward
    if method.stages == ("policy",):  # it builds on nothing but the data
        return {"policy": key("policy", {**inputs, **own})}
    behaviour = key("behaviour", inputs, "updates", "weights")
    cloned = {
        "behaviour": [behaviour, lengths["behaviour"]],
        "weights": settings["behaviour"].get("weights"),
        "sampler": settings["sampler"],
        "compute": compute,
    }
    if "critic" not in method.stages:
        return {"behaviour": behaviour, "policy": key("policy", {**cloned, **own})}
    kept = bool(config.critic.held_out) and goes_on_from_returns(config)  # Q of the returns, too
    critic = key("critic", {**cloned, **reward, "returns": kept}, "updates")
    judged = {**cloned, "critic": [critic, lengths["critic"]], **own}
    policy = key("policy", judged, "rounds")
    return {"behaviour": behaviour, "critic": critic, "policy": policy}


def trained(settings: Settings) -> Settings:
    """Return nested settings without those that only change how a trained policy acts."""
    return {
        section: {k: v for k, v in values.items() if f"{section}.{k}" not in marked(ActingOnly)}
        for section, values in settings.items()
    }


def config_hash(config: Config) -> str:
    """Return 16 hex digits that are equal for configurations of equal effect.

    Solver and prediction count as resolved, and ``behaviour.blocks`` only where the network
    has blocks.
    """
    return _digest(_effective(config))


def departures(config: Config) -> tuple[str, ...]:
    """Return a short label for every switch that leaves the paper's algorithm.

    Scales (sizes, rates, lengths, beta, M) are settings, not departures. docs/departures.md has
    a line for each.
    """
    return tuple(label for label, left in departure_labels(config).items() if left)


def departure_labels(config: Config) -> dict[str, bool]:
    """Return all labels that there are, and whether the configuration departs in this way."""
    labels, settings = {}, _resolved(config)
    used = _read(settings, config)
    for dotted, mark in departure_marks():
        section, key = dotted.split(".")
        if section not in settings:  # of a method that became known later
            continue
        value, paper = settings[section][key], field_notes()[dotted].value
        departs = bool(mark.when(config, value)) if mark.when else value != paper
        labels[mark.label.format(value)] = departs and key in used.get(section, {})
    return labels


def _resolved(config: Config) -> Settings:
    """Return the settings with what ``auto`` stands for."""
    settings = to_dict(config)
    settings["behaviour"]["predicts"] = config.predicts
    settings["sampler"]["solver"] = config.solver
    return settings


def _effective(config: Config) -> Settings:
    """Return the resolved settings without those that have no effect."""
    settings = _read(_resolved(config), config)
    idle = {
        "behaviour": [] if config.behaviour.network == "residual" else ["blocks"],
        "critic": [
            "expectile" if config.critic.target == "softmax" else "temperature",
            *(SUPPORT if config.critic.target == "value" else ()),
            *([] if config.critic.pairs > 1 else ["judge"]),
            *([] if config.critic.pairs > 1 and config.critic.judge == "lower" else ["kappa"]),
        ],
        "policy": [
            *(["beta", "beta_growth"] if config.policy.target_ess else []),
            *([] if config.policy.data_updates else OF_DATA_UPDATES),
        ],
        "evaluation": [] if fitted_q_updates(config) else ["fqe_updates"],
    }
    for section, names in idle.items():
        for name in names:
            settings.get(section, {}).pop(name, None)
    for section, later in later_settings().items():
        for name, value in later.items():
            if settings.get(section, {}).get(name) == value:
                del settings[section][name]
    return {section: values for section, values in settings.items() if values}


def _read(settings: Settings, config: Config) -> Settings:
    """Return the settings that the configuration's method reads."""
    method = method_of(config)
    distil = ("distil",) if distil_updates(config) else ()
    sections = {*method.sections(), *distil, "evaluation"}
    used = {
        section: {k: v for k, v in values.items() if f"{section}.{k}" not in method.deaf}
        for section, values in settings.items()
        if section in sections
    }
    if acting_weights(config) != config.evaluation.weights:  # there is but one network
        used["evaluation"] = {k: v for k, v in used["evaluation"].items() if k != "weights"}
    named: dict[str, Any] = {"method": config.policy.method}
    if method.version != 1:
        named["version"] = method.version
    return {**used, "policy": used.get("policy", named)}


def _digest(content: dict[str, Any]) -> str:
    """Return 16 hex digits of the SHA-256 of the canonical JSON of ``content``."""
    text = json.dumps(content, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()[:16]
