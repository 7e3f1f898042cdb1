"""Schema 1 of a record: every field with the check that its value must pass."""

from __future__ import annotations

from qipo_ray.store.checks import (
    COUNT,
    HEX16,
    MAPPING,
    NAME,
    PLAIN,
    SHA256,
    UTC,
    Either,
    Fields,
    Many,
    Maybe,
    number,
    one_of,
    text,
)

SCHEMA = 1
SCORE = Fields(
    {
        "updates": COUNT,
        "episodes": number(1, whole=True),
        "mean": Maybe(number()),  # return over the episodes
        "std": Maybe(number(0)),
        "normalised": Maybe(number()),  # percent
        "success": Maybe(number(0)),  # share from 0 to 1
    }
)
CRITIC_REPORT = Fields(
    {
        "updates": COUNT,
        "rows": number(1, whole=True),
        "actions": number(1, whole=True),  # support actions at each
        "action_std": Maybe(number(0)),  # of the support actions
        "q_std": Maybe(number(0)),  # of Q over the support actions
        "disagreement": Maybe(number(0)),
        "error": Maybe(number(0)),  # of Q against returns-to-go, as all that follows
        "correlation": Maybe(number(-1)),
        "q_mean": Maybe(number()),
        "return_mean": Maybe(number()),
        "return_std": Maybe(number(0)),
        "warnings": Many(text()),
        "best_of": Maybe(SCORE),  # of the best action by Q: online episodes that select nothing
    }
)
POLICY_REPORT = Fields(
    {
        "updates": COUNT,
        "rows": number(1, whole=True),
        "actions": number(1, whole=True),  # of the policy and of the behaviour at each
        "drift": Maybe(number(0)),  # from the behaviour, 1 for itself
        "action_std": Maybe(number(0)),
        "q_mean": Maybe(number()),  # of the policy's actions
        "q_best": Maybe(number()),  # of the behaviour's best
        "q_std": Maybe(number(0)),  # between the behaviour's
        "warnings": Many(text()),
    }
)
RECORD = Fields(
    {
        "schema": one_of(SCHEMA),
        "id": HEX16,
        "sweep": NAME,
        "trial": Maybe(NAME),
        "purpose": one_of("search", "confirm", "single"),
        "task": NAME,
        "seed": COUNT,
        "state": one_of("finished", "pruned", "diverged", "failed"),
        "reason": Maybe(text()),
        "attempt": number(1, whole=True),
        "config": MAPPING,
        "config_hash": HEX16,
        "label": Fields(
            {
                "method": one_of("QIPO-OT", "QIPO-Diff"),
                "departures": Many(NAME),
                "name": Maybe(NAME),
            }
        ),
        "jobs": Fields({stage: Maybe(HEX16) for stage in ("behaviour", "critic", "policy")}),
        "reached": Fields({"updates": COUNT, "rung": Maybe(number(0))}),
        "scores": Many(SCORE),
        "final": Fields(
            {
                "last": Maybe(SCORE),
                "last3": Maybe(number()),  # percent, mean of the last three training evaluations
                "best": Maybe(SCORE),
                "action_latency_ms": Maybe(number(0)),
            }
        ),
        "behaviour_cloning": Maybe(SCORE),
        "protocol": Fields(
            {
                "episodes": number(1, whole=True),
                "env_seeds": Either(NAME, Many(COUNT)),
                "sampler": NAME,
                "steps": number(1, whole=True),
                "best_of": number(1, whole=True),
                "clip": one_of(True, False),
                "selection_episodes": COUNT,
            }
        ),
        "data": Fields(
            {
                "task": NAME,
                "source": one_of("d4rl", "minari", "generated", "other"),
                "sha256": SHA256,
                "rows": number(1, whole=True),
                "notes": Many(text()),
                "score": Maybe(
                    Fields(
                        {
                            "mean": Maybe(number()),
                            "normalised": Maybe(number()),
                            "episodes": number(0, whole=True),
                        }
                    )
                ),
            }
        ),
        "cost": Fields(
            {
                name: Maybe(number(0))
                for name in ("wall_s", "device_s", "updates_per_s", "reused_s")
            },
            {"cpu_s": Maybe(number(0))},  # of training all stages of the run, shared ones too
        ),
        "provenance": Fields(
            {
                "version": NAME,
                "commit": Maybe(NAME),
                "dirty": Maybe(one_of(True, False)),
                "packages": MAPPING,
                "python": NAME,
                "hardware": Either(NAME, MAPPING),
                "command": Either(text(), Many(text(r"(?s).*", "text"))),
                "started": UTC,
                "ended": UTC,
            }
        ),
        "pack": Fields({"size": number(1, whole=True), "composition": Maybe(PLAIN)}),
    },
    later={
        "critic_report": Maybe(CRITIC_REPORT),
        "policy_report": Maybe(POLICY_REPORT),
        "health": Maybe(MAPPING),  # stage -> its last metrics
    },
)
