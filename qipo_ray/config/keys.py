"""What identifies a run and its stages: hashes of exactly what each depends on.

A stage's own total length is not in its key, since a longer job continues a shorter one; the key
*and length* of what it builds on are.
"""

from __future__ import annotations

import hashlib
import json
from typing import Any

from qipo_ray.config.loading import to_dict
from qipo_ray.config.schema import AUTO_PREDICTS, AUTO_SOLVER, LATER, Config

KEY_SCHEMA = 1  # raise it when the meaning of a setting changes, so that old artefacts are left
STAGES = ("behaviour", "critic", "policy")


def stage_keys(config: Config, task_id: str, data_sha256: str, seed: int) -> dict[str, str]:
    """Return the key of each stage, 16 hex digits; jobs of equal key and length are one job."""
    settings, lengths = _effective(config), stage_updates(config)
    compute = settings.get("compute", {})
    precision = {k: v for k, v in compute.items() if k == "precision"}

    def key(stage: str, needs: dict[str, Any], *but: str) -> str:
        """Return the hash of a stage's settings ``but`` some, and of what it builds on."""
        return _digest(
            {
                "schema": KEY_SCHEMA,
                "stage": stage,
                "task": task_id,
                "data": data_sha256,
                "seed": seed,
                "settings": {k: v for k, v in settings[stage].items() if k not in but},
                **{k: v for k, v in needs.items() if v},
            }
        )

    seen = {"observations": settings["data"]["observations"], "compute": precision}
    behaviour = key("behaviour", seen, "updates", "weights")
    cloned = {
        "behaviour": [behaviour, lengths["behaviour"]],
        "weights": settings["behaviour"].get("weights"),
        "sampler": settings["sampler"],
        "compute": compute,
    }
    critic = key("critic", {**cloned, "reward": settings["data"]["reward"]}, "updates")
    policy = key("policy", {**cloned, "critic": [critic, lengths["critic"]]}, "rounds")
    return {"behaviour": behaviour, "critic": critic, "policy": policy}


def stage_updates(config: Config) -> dict[str, int]:
    """Return the total length of each stage in updates."""
    return {
        "behaviour": config.behaviour.updates,
        "critic": config.critic.updates,
        "policy": config.policy.updates,
    }


def config_hash(config: Config) -> str:
    """Return 16 hex digits that are equal for configurations of equal effect.

    Solver and prediction count as resolved, and ``behaviour.blocks`` only where the network
    has blocks.
    """
    return _digest(_effective(config))


def path_label(config: Config) -> str:
    """Return ``OT`` or ``Diff``, the paper's name of the straight path and of diffusions."""
    return "OT" if config.behaviour.path == "ot" else "Diff"


def departures(config: Config) -> tuple[str, ...]:
    """Return a short label for every switch that leaves the paper's algorithm.

    Scales (sizes, rates, lengths, beta, M) are settings, not departures. docs/departures.md has
    a line for each.
    """
    return tuple(label for label, left in departure_labels(config).items() if left)


def departure_labels(config: Config) -> dict[str, bool]:
    """Return all labels that there are, and whether the configuration departs in this way."""
    data, critic, policy = config.data, config.critic, config.policy
    return {
        "standard-observations": data.observations != "raw",
        "raw-reward": data.reward != "paper",
        "trig-path": config.behaviour.path == "trig",
        f"predicts={config.predicts}": config.predicts != AUTO_PREDICTS[config.behaviour.path],
        "residual-network": config.behaviour.network != "unet",
        "averaged-behaviour": config.behaviour.weights != "online",
        f"solver={config.solver}": config.solver != AUTO_SOLVER[config.behaviour.path],
        "layer-norm": critic.layer_norm,
        "returns-init": 0 < critic.returns_updates < critic.updates,
        "returns-critic": critic.returns_updates >= critic.updates,  # no Bellman update at all
        f"critic-pool={critic.pool}": critic.pool > 0 and critic.returns_updates < critic.updates,
        f"expectile={critic.expectile:g}": critic.target == "expectile",
        "no-data-action": not policy.data_action,
        f"beta-growth={policy.beta_growth:g}": policy.beta_growth != 1 and not policy.target_ess,
        f"target-ess={policy.target_ess:g}": policy.target_ess > 0,
        f"trust={policy.trust}": policy.trust > 0,
        f"loss-actions={policy.loss_actions}": policy.loss_actions > 0,
        "online-sampler": policy.sampler != "ema",
        f"policy-pool={policy.pool}": policy.pool > 0,
        "clipped-actions": config.sampler.clip,
        "bfloat16": config.compute.precision == "bfloat16",
        "half-support": config.compute.support == "float16",
        "ema-evaluation": config.evaluation.weights != "online",
    }


def _effective(config: Config) -> dict[str, dict[str, Any]]:
    """Return the settings with ``auto`` resolved and without those that have no effect."""
    settings = to_dict(config)
    settings["behaviour"]["predicts"] = config.predicts
    settings["sampler"]["solver"] = config.solver
    if config.behaviour.network != "residual":
        del settings["behaviour"]["blocks"]
    idle = {
        "critic": ["expectile" if config.critic.target == "softmax" else "temperature"],
        "policy": ["beta", "beta_growth"] if config.policy.target_ess else [],
    }
    for section, names in idle.items():
        for name in names:
            del settings[section][name]
    for section, neutral in LATER.items():
        for name, value in neutral.items():
            if settings[section].get(name) == value:
                del settings[section][name]
    return {section: values for section, values in settings.items() if values}


def _digest(content: dict[str, Any]) -> str:
    """Return 16 hex digits of the SHA-256 of the canonical JSON of ``content``."""
    text = json.dumps(content, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()[:16]
