"""Intents, rung log and search records, each held to the others and to the specification."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from statistics import fmean

from qipo_ray.config.evaluations import rung_updates, scored_at
from qipo_ray.errors import UserError
from qipo_ray.store import intents
from qipo_ray.study import asha
from qipo_ray.study.asha import Decision
from qipo_ray.study.search_spec import SearchSpec
from qipo_ray.study.selection import PAPER_ORIGIN
from qipo_ray.study.trial import BROKEN, Trial, TrialState
from qipo_ray.verify.audit import Audit
from qipo_ray.verify.record_checks import TOLERANCE
from qipo_ray.verify.sweep_plan import Record, SweepPlan

Logged = Mapping[str, Mapping[int, float | None]]  # value by trial and rung


def check_search(plan: SweepPlan, found: Audit) -> None:
    """Note what does not fit in the books of the search."""
    for trial in plan.trials.values():
        problems = [_unplanned(trial, saved.spec) for saved in (plan.saved, *plan.earlier)]
        if None not in problems:
            path = found.root / intents.FOLDER / f"{trial.id}.json"
            found.fault(path, f"the sweep did not plan this trial: {problems[0]}")
    logged = _check_log(plan, found)
    known = {intent["id"] for intent in found.intents}
    runs: defaultdict[str, list[Record]] = defaultdict(list)
    for record in found.records:
        if record["purpose"] != "search" or record["sweep"] != plan.spec.name:
            continue
        if record["trial"] not in known:
            path = found.record_path(record["id"])
            found.fault(path, f"its trial {record['trial']} has no intent")
        elif record["trial"] in plan.trials:
            runs[record["trial"]].append(record)
            for problem in _problems(record, plan.trials[record["trial"]], logged):
                found.fault(found.record_path(record["id"]), problem)
    reductions = {saved.spec.reduction for saved in (plan.saved, *plan.earlier)}
    replays = [asha.replay(found.entries, reduction) for reduction in reductions]
    for name, records in runs.items():
        _check_trial(plan.trials[name], records, logged[name], found)
        if (breach := _against_rule(plan.trials[name], records, replays)) is not None:
            found.fault(found.root / intents.FOLDER / f"{name}.json", breach)


def _unplanned(trial: Trial, spec: SearchSpec) -> str | None:
    """Return why a specification would not make a trial, or None."""
    if trial.task not in spec.tasks:
        return f"{trial.task} is none of its tasks"
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


def _check_log(plan: SweepPlan, found: Audit) -> Logged:
    """Return the logged values, after holding each line to its trial."""
    log = found.root / "rungs.jsonl"
    logged: defaultdict[str, dict[int, float | None]] = defaultdict(dict)
    known = {intent["id"] for intent in found.intents}
    strangers = set()
    for entry in found.entries:
        name, rung = entry["trial"], entry["rung"]
        logged[name][rung] = entry["value"]
        if name not in known:
            strangers.add(name)
        elif name in plan.trials and (entry["task"], entry["updates"]) != _place(
            plan.trials[name], rung
        ):
            found.fault(log, f"rung {rung + 1} of trial {name} is not as its intent says")
    for name in sorted(strangers):
        found.fault(log, f"trial {name} has no intent")
    return logged


def _place(trial: Trial, rung: int) -> tuple[str, int | None]:
    return trial.task, trial.rungs[rung] if rung < len(trial.rungs) else None


def _problems(record: Record, trial: Trial, logged: Logged) -> Iterator[str]:
    """Yield what is wrong with a record of a search, by its trial and the log."""
    for key, ours in (
        ("task", trial.task), ("config_hash", trial.config_hash), ("label.name", trial.origin),
    ):  # fmt: skip
        value = record["label"]["name"] if key == "label.name" else record[key]
        if value != ours:
            yield f"{key}: {value!r}, its trial has {ours!r}"
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
    reached = [one for one in scored_at(trial.config, trial.rungs)["policy"] if one[0] <= updates]
    if scored != reached and not (state in BROKEN and set(scored) <= set(reached)):
        yield "scores: not at each rung that it reached, over the episodes of a search"


def _check_trial(
    trial: Trial, records: Sequence[Record], logged: Mapping[int, float | None], found: Audit
) -> None:
    """Hold the runs of a trial to each other, and the log to what they scored."""
    log = found.root / "rungs.jsonl"
    ends = {(record["state"], record["reached"]["rung"]) for record in records}
    if len(ends) > 1:
        path = found.root / intents.FOLDER / f"{trial.id}.json"
        found.fault(path, "its runs ended in different ways, though a trial ends as a whole")
    reached = max((int(rung) for _, rung in ends if rung is not None), default=-1)
    for rung in range(min(reached + 1, len(trial.rungs))):
        if rung not in logged:
            found.fault(log, f"rung {rung + 1} of trial {trial.id} is missing")
            continue
        scores = {
            record["seed"]: score["normalised"]
            for record in records
            for score in record["scores"]
            if score["updates"] == trial.rungs[rung]
        }
        value, values = logged[rung], list(scores.values())
        if scores.keys() != set(trial.seeds) or None in values or value is None:
            continue
        mean = fmean(values)
        if not math.isclose(mean, value, rel_tol=TOLERANCE, abs_tol=TOLERANCE):
            what = f"rung {rung + 1} of trial {trial.id}: {value}, records say {mean}"
            found.fault(log, what)


def _against_rule(
    trial: Trial, records: Sequence[Record], replays: Sequence[Mapping[tuple[str, int], Decision]]
) -> str | None:
    """Return where a trial did not end as the stopping rule says, None if it did.

    ``replays`` are what the rule says with each reduction that the sweep has had; a trial that
    broke is not judged.
    """
    ends = {(record["state"], record["reached"]["rung"]) for record in records}
    state, reached = ends.pop()
    if ends or state in BROKEN or reached not in range(len(trial.rungs)):
        return None  # other checks have more to say of it
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
