"""Where a run is scored, under which protocol, and under which name a score is kept."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Sequence
from fractions import Fraction
from typing import Any

from qipo_ray.config.method import ActionSampling
from qipo_ray.config.run_methods import (
    acting_weights,
    distil_updates,
    method_of,
    stage_updates,
)
from qipo_ray.config.schema import Config
from qipo_ray.errors import UserError

ONE_STEP = "one-step"  # where others name a solver
LONGEST = 55  # of a name: the store takes 64, and `diverged-` may stand before it
Scored = tuple[int, int]  # after so many updates of the stage, over so many episodes


def scored_at(
    config: Config, rungs: Sequence[int] = (), *, at_end: bool = False
) -> dict[str, tuple[Scored, ...]]:
    """Return per stage where a run is scored, in rising order.

    A run of a search is scored at its ``rungs``, policy updates, over few episodes. Any other is
    scored every ``evaluation.every`` updates, and at its end, as is the cloning that it builds on,
    over many; its critic is scored over few, acting by the best of the actions that the behaviour
    proposes. One that only acts otherwise than a run that has trained is scored ``at_end`` alone,
    and so is one that acts in one step, beside its cloning and its critic: what acts is made last.
    Stages that the method does not train are not there.
    """
    settings, lengths = config.evaluation, stage_updates(config)
    scored: dict[str, tuple[Scored, ...]] = dict.fromkeys(lengths, ())
    if rungs:
        return {**scored, "policy": tuple((updates, settings.episodes) for updates in rungs)}
    last = (lengths["policy"], settings.final_episodes)
    if at_end:
        return {**scored, "policy": (last,)}
    if "critic" in lengths:
        scored["behaviour"] = ((lengths["behaviour"], settings.final_episodes),)
        scored["critic"] = ((lengths["critic"], settings.episodes),)
    between = range(settings.every, lengths["policy"], settings.every)
    if not method_of(config).learns or config.sampler.one_step:  # all equal; not there yet
        between = range(0)
    scored["policy"] = (*((updates, settings.episodes) for updates in between), last)
    return scored


def signals_at(config: Config, rungs: Sequence[int] = ()) -> tuple[int, ...]:
    """Return at which policy updates a run's signals are measured: its rungs, or its end."""
    if config.evaluation.signals == "none":
        return ()
    return tuple(rungs) or (stage_updates(config)["policy"],)


def fitted_q_updates(config: Config) -> int:
    """Return how long fitted Q evaluation learns; 0 where it is not asked for."""
    evaluation = config.evaluation
    return evaluation.fqe_updates if evaluation.signals == "fqe" else 0


def flow_sampling(config: Config, stage: str = "policy") -> ActionSampling:
    """Return how a configuration's policy makes one action of noise; before it, the clone."""
    s = config.sampler
    clone = ActionSampling(config.solver, s.evaluations, s.clip, s.noise)
    return clone if stage != "policy" else method_of(config).sampling(config, clone)


def action_sampling(config: Config, stage: str = "policy") -> ActionSampling:
    """Return how the policy of a configuration makes an action; before it, how the clone does."""
    sampling, s = flow_sampling(config, stage), config.sampler
    if stage != "policy":
        return sampling
    if s.one_step:
        sampling = sampling._replace(solver=ONE_STEP, evaluations=1, clip=True)
    return sampling if s.best_of == 1 else sampling._replace(best_of=s.best_of)


def distil_key(config: Config, policy: str, updates: int) -> str:
    """Return the key of the one-step network of a policy, by the policy's key and length.

    It holds all that distilling depends on but its length: its settings, and how the policy acts.
    """
    return _digest(json.dumps([policy, updates, *_taught(config)]))[:16]


def _taught(config: Config) -> tuple[Any, ...]:
    """Return what a one-step network of a given policy depends on, beside its length."""
    settings = {name: value for name, value in vars(config.distil).items() if name != "updates"}
    return settings, acting_weights(config), flow_sampling(config)


def score_name(
    config: Config, updates: int, episodes: int, physics: int = 1, stage: str = "policy"
) -> str:
    """Return the name under which a score of a stage is kept beside its snapshot.

    It holds all that a score depends on beside what is in the stage's key: the updates, the
    episodes, which weights, and the sampler; the scale of the noise, `sampler.best_of` and the
    number of the simulator's physics where they are not 1. With guidance, a choice or in one step
    all of them are a short hash: the name has an end.
    """
    s, kind = action_sampling(config, stage), "score" if physics == 1 else f"score{physics}"
    clip = ("clip" if s.clip else "free") + ("" if s.noise == 1 else f"-n{s.noise:g}")
    chosen = config.sampler.best_of if stage == "policy" else 1
    if stage == "policy" and config.sampler.one_step:
        form = json.dumps([chosen, distil_updates(config), *_taught(config)])
        clip = f"{clip[:4]}-d{_digest(form)[:6]}"
    elif chosen != 1:
        clip = f"{clip[:4]}-b{_digest(f'{s.noise!r} {s.guidance!r} {chosen}')[:5]}"
    elif s.guidance != 1:
        clip = f"{clip[:4]}-x{_digest(f'{s.noise!r} {s.guidance!r}')[:6]}"
    parts = (kind, f"{updates:09d}", f"{episodes}ep", acting_weights(config), s.solver)
    return _ended("-".join([*parts, f"{s.evaluations}", clip]).replace("_", ""))


def signals_name(config: Config, updates: int) -> str:
    """Return the name under which a policy's signals are kept beside its snapshot.

    They are of how it acts, as a score is; the discount is in no key of a run without a critic.
    """
    length, name = fitted_q_updates(config), score_name(config, updates, 0)
    if not length:
        return name.replace("score-", "errors-", 1)
    c = config.critic
    network = (c.width, c.layers, c.layer_norm, c.pairs)
    rates = (c.discount, c.learning_rate, c.batch_size, c.polyak)
    learned = _digest(repr((length, *network, *rates)))[:8]
    return _ended(name.replace("score-", f"signals{learned}-", 1))


def _ended(name: str) -> str:
    """Return a name, or of one that is too long its beginning and a short hash of all."""
    return name if len(name) <= LONGEST else f"{name[: LONGEST - 13]}-{_digest(name)[:12]}"


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def report_name(config: Config, stage: str, length: int) -> str:
    """Return the name of a stage's report: that of a policy is of what acts, as it is scored."""
    name, guidance = f"{stage}-report-{length:09d}", action_sampling(config).guidance
    if stage != "policy":
        return name
    return f"{name}-{acting_weights(config)}" + ("" if guidance == 1 else f"-g{guidance:g}")


def final_episodes(config: Config, *, search: bool) -> int:
    """Return over how many episodes the last score of a run is taken, in a search or beside it."""
    return config.evaluation.episodes if search else config.evaluation.final_episodes


def protocol_settings(config: Config, *, search: bool) -> dict[str, Any]:
    """Return what a record's ``protocol`` says of the last score that follows from the settings.

    ``best_of`` actions are drawn per state, in ``steps`` network evaluations each, and one of
    them is executed.
    """
    sampling = action_sampling(config)
    return {
        "episodes": final_episodes(config, search=search),
        "sampler": sampling.solver,
        "steps": sampling.evaluations,
        "best_of": sampling.best_of,
        "clip": sampling.clip,
    }


def rung_updates(config: Config, shares: Sequence[float]) -> tuple[int, ...]:
    """Return the policy updates of each rung: rising, the last one the whole stage.

    ``UserError`` if the stage is too short to tell the rungs apart.
    """
    length = stage_updates(config)["policy"]
    exact = [Fraction(share).limit_denominator(1_000_000) for share in shares]
    updates = tuple(math.ceil(share * length) for share in exact)
    if len(set(updates)) < len(updates):
        raise UserError(
            f"a policy stage of {length} updates is too short for {len(updates)} rungs at "
            f"{', '.join(map(str, exact))} of it"
        )
    return updates
