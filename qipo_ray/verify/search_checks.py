"""Check that intents, rung log and search records agree with each other and the specification."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from qipo_ray.config.evaluations import rung_updates, scored_at, signals_at
from qipo_ray.errors import UserError
from qipo_ray.store.rung_log import LOG_FILE
from qipo_ray.study import asha
from qipo_ray.study.asha import Decision
from qipo_ray.study.objective import SCORE, measured, merit
from qipo_ray.study.search_spec import SearchSpec
from qipo_ray.study.selection import PAPER_ORIGIN
from qipo_ray.study.trial import BROKEN, Trial, TrialState
from qipo_ray.verify.audit import Audit
from qipo_ray.verify.record_checks import TOLERANCE
from qipo_ray.verify.sweep_plan import Record, SweepPlan

Logged = Mapping[str, Mapping[int, float | None]]  # value by trial and rung


def check_search(plan: SweepPlan, audit: Audit) -> None:
    """Note the trials, log lines and records of the search that do not agree."""
    for trial in plan.trials.values():
        problems = [_unplanned(trial, saved.spec) for saved in (plan.saved, *plan.earlier)]
        if None not in problems:
            path = audit.intent_path(trial.id)
            audit.fault(path, f"the sweep did not plan this trial: {problems[0]}")
    logged = _check_log(plan, audit)
    intent_ids = {intent["id"] for intent in audit.intents}
    runs: defaultdict[str, list[Record]] = defaultdict(list)
    for record in audit.records:
        if record["purpose"] != "search" or record["sweep"] != plan.spec.name:
            continue
        if record["trial"] not in intent_ids:
            path = audit.record_path(record["id"])
            audit.fault(path, f"its trial {record['trial']} has no intent")
        elif record["trial"] in plan.trials:
            runs[record["trial"]].append(record)
            for problem in _problems(record, plan.trials[record["trial"]], logged):
                audit.fault(audit.record_path(record["id"]), problem)
    reductions = {saved.spec.reduction for saved in (plan.saved, *plan.earlier)}
    replays = [asha.replay(audit.entries, reduction) for reduction in reductions]
    for name, records in runs.items():
        _check_trial(plan.trials[name], records, logged[name], audit)
        if (breach := _against_rule(plan.trials[name], records, replays)) is not None:
            audit.fault(audit.intent_path(name), breach)


def _unplanned(trial: Trial, spec: SearchSpec) -> str | None:
    """Return why a specification would not make a trial, or None."""
    if trial.task not in spec.tasks:
        return f"{trial.task} is none of its tasks"
    if trial.objective != spec.objective:
        return f"objective {trial.objective}, not {spec.objective}"
    if trial.seeds != spec.search_seeds:
        return f"seeds {_listed(trial.seeds)}, not {_listed(spec.search_seeds)}"
    try:
        if trial.rungs != rung_updates(trial.config, spec.shares):
            return f"rungs at {_listed(trial.rungs)} updates are not its shares of the stage"
    except UserError as problem:
        return str(problem)
    keys = {parameter.key for parameter in spec.parameters}
    unknown = sorted(trial.params.keys() - keys)
    if trial.origin == PAPER_ORIGIN:
        planned = spec.paper
    else:
        params = {key: value for key, value in trial.params.items() if key in keys}
        try:
            planned = spec.configuration(params)
        except UserError:  # a value outside of the space, or none where one is due
            planned = None
    if planned != trial.config:
        return "its configuration is not the base with its parameters"
    return f"{', '.join(unknown)} is not searched" if unknown else None


def _check_log(plan: SweepPlan, audit: Audit) -> Logged:
    """Return the logged values, after checking each line against its trial."""
    log = audit.root / LOG_FILE
    logged: defaultdict[str, dict[int, float | None]] = defaultdict(dict)
    intent_ids = {intent["id"] for intent in audit.intents}
    unknown_trials = set()
    for entry in audit.entries:
        name, rung = entry["trial"], entry["rung"]
        logged[name][rung] = entry["value"]
        if name not in intent_ids:
            unknown_trials.add(name)
        elif name in plan.trials and not _fits(entry, plan.trials[name]):
            audit.fault(log, f"rung {rung + 1} of trial {name} is not as its intent says")
    for name in sorted(unknown_trials):
        audit.fault(log, f"trial {name} has no intent")
    return logged


def _fits(entry: Mapping[str, Any], trial: Trial) -> bool:
    """Return whether task and updates of a log entry are those of its trial's rung."""
    rung = trial.rungs[entry["rung"] : entry["rung"] + 1]
    return entry["task"] == trial.task and rung == (entry["updates"],)


def _problems(record: Record, trial: Trial, logged: Logged) -> Iterator[str]:
    """Yield the disagreements of a search record with its trial and the log."""
    for key, expected in (
        ("task", trial.task), ("config_hash", trial.config_hash), ("label.name", trial.origin),
    ):  # fmt: skip
        value = record["label"]["name"] if key == "label.name" else record[key]
        if value != expected:
            yield f"{key}: {value!r}, its trial has {expected!r}"
    if record["seed"] not in trial.seeds:
        yield f"seed: {record['seed']} is none of its trial's, {_listed(trial.seeds)}"
    state, rung = record["state"], record["reached"]["rung"]
    last = len(trial.rungs) - 1
    if rung is None:
        if state not in BROKEN:
            yield f"{state}, but it reached no rung"
    elif rung not in range(last + 1):
        yield f"reached.rung: {rung}, its trial has {last + 1} rungs"
        return
    elif (state == "finished") != (rung == last):
        yield f"{state} at rung {rung + 1} of {last + 1}"
    elif state not in BROKEN and rung < max(logged.get(trial.id, {}), default=-1):
        yield f"{state} at rung {rung + 1}, but the log goes beyond it"
    updates = 0 if rung is None else trial.rungs[int(rung)]
    if record["reached"]["updates"] != updates:
        yield f"reached.updates: {record['reached']['updates']}, its rung is at {updates}"
    scored = [(score["updates"], score["episodes"]) for score in record["scores"]]
    points = scored_at(trial.config, trial.rungs)["policy"] if trial.objective == SCORE else ()
    reached = [point for point in points if point[0] <= updates]
    if scored != reached and not (state in BROKEN and set(scored) <= set(reached)):
        yield "scores: not at each rung that it reached, over the episodes of a search"
    signals = [signals["updates"] for signals in record.get("signals", ())]
    due = [at for at in signals_at(trial.config, trial.rungs) if at <= updates]
    if signals != due and not (state in BROKEN and set(signals) <= set(due)):
        yield "signals: not at each rung that it reached"


def _check_trial(
    trial: Trial, records: Sequence[Record], logged: Mapping[int, float | None], audit: Audit
) -> None:
    """Check that the runs of a trial ended alike, and that the log has their mean values."""
    log = audit.root / LOG_FILE
    ends = {(record["state"], record["reached"]["rung"]) for record in records}
    if len(ends) > 1:
        path = audit.intent_path(trial.id)
        audit.fault(path, "its runs ended in different ways, though a trial ends as a whole")
    reached = max((int(rung) for _, rung in ends if rung is not None), default=-1)
    for rung in range(min(reached + 1, len(trial.rungs))):
        if rung not in logged:
            audit.fault(log, f"rung {rung + 1} of trial {trial.id} is missing")
            continue
        kind = "scores" if trial.objective == SCORE else "signals"
        values = {
            record["seed"]: measured(trial.objective, numbers)
            for record in records
            for numbers in record.get(kind, ())
            if numbers["updates"] == trial.rungs[rung]
        }
        if values.keys() != set(trial.seeds):
            continue
        value, mean = logged[rung], merit(trial.objective, values.values())
        if mean is None or value is None:
            continue
        if not math.isclose(mean, value, rel_tol=TOLERANCE, abs_tol=TOLERANCE):
            message = f"rung {rung + 1} of trial {trial.id}: {value}, records say {mean}"
            audit.fault(log, message)


def _against_rule(
    trial: Trial, records: Sequence[Record], replays: Sequence[Mapping[tuple[str, int], Decision]]
) -> str | None:
    """Return at which rung a trial broke the stopping rule, None if it kept to it.

    ``replays`` are the rule's decisions with each reduction that the sweep has had. A trial that
    diverged or failed is not judged.
    """
    ends = {(record["state"], record["reached"]["rung"]) for record in records}
    state, reached = ends.pop()
    if ends or state in BROKEN or reached not in range(len(trial.rungs)):
        return None  # other checks report it
    for rung in range(int(reached) + 1):
        decisions = [replay[trial.id, rung] for replay in replays if (trial.id, rung) in replay]
        stopped = state == TrialState.PRUNED and rung == reached
        if rung == len(trial.rungs) - 1 or not decisions:
            continue
        if all(decision.stop != stopped for decision in decisions):
            verb = "stopped" if stopped else "went on"
            return f"it {verb} at rung {rung + 1}, against the rule: {decisions[0].reason}"
    return None


def _listed(numbers: Sequence[int]) -> str:
    return ", ".join(map(str, numbers))
