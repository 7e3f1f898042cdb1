from __future__ import annotations

import random
import statistics
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import optuna
import pytest
from optuna.trial import TrialState as OptunaState

from qipo_ray.config import config_hash, to_dict
from qipo_ray.store.intents import trial_id
from qipo_ray.study.search_spec import SearchSpec
from qipo_ray.study.trial import Trial, TrialState
from qipo_ray.sweep.task_study import End, Study, Suggestion
from qipo_ray.sweep.tpe import TPESampler, TrialFacts

CONDITIONAL = """\
paper: {policy.beta: 3}
space:
  behaviour.path: {choice: [ot, vp]}
  policy.beta: {loguniform: [5, 60]}
  sampler.evaluations: {int: [2, 12], when: {behaviour.path: ot}}
"""
SMALL = """\
space:
  behaviour.path: {choice: [ot, vp]}
  policy.rounds: {int: [1, 3]}
"""
GRID = """\
paper: {policy.rounds: 2, critic.layer_norm: true}
space:
  policy.rounds: {grid: [1, 2, 3]}
  behaviour.path: {grid: [ot, vp]}
  policy.beta: {uniform: [5, 60]}
"""


class Store:
    """What a sweep writes down: intents, rung values and ends, in order."""

    def __init__(self) -> None:
        self.intents: list[dict[str, Any]] = []
        self.entries: list[dict[str, Any]] = []
        self.ended: dict[str, End] = {}


def trials_of(intents: Iterable[dict[str, Any]]) -> list[Trial]:
    return [Trial.from_intent(intent) for intent in intents]


def identity(study: Study, suggestion: Suggestion) -> str:
    return trial_id(study.spec.name, study.task, config_hash(suggestion.config))


def advance(study: Study, store: Store, steps: int, parallel: int = 3) -> None:
    """Ask and tell like a sweep with several trials at once; results depend on the trial alone."""
    for _ in range(steps):
        running = [one for one in store.intents if one["id"] not in store.ended]
        if len(running) < parallel:
            suggestion = study.ask()
            if suggestion is not None:
                store.intents.append(
                    {
                        "id": identity(study, suggestion),
                        "task": study.task,
                        "position": len(store.intents),
                        "params": suggestion.params,
                        "config": to_dict(suggestion.config),
                        "config_hash": config_hash(suggestion.config),
                        "seeds": [0],
                        "rungs": [1, 2, 3],
                        "origin": suggestion.origin,
                        "written": "",
                    }
                )
                continue
        if not running:
            return
        trial = running[0]["id"]
        draw = random.Random(trial)
        kind = draw.choice(["finished", "finished", "pruned", "failed"])
        for rung in range({"finished": 3, "pruned": 1, "failed": 0}[kind]):
            value = draw.gauss(50, 10)
            store.entries.append({"trial": trial, "rung": rung, "value": value})
            study.report(trial, rung, value)
            store.ended[trial] = (TrialState(kind), value, rung)
        store.ended.setdefault(trial, (TrialState.FAILED, None, None))
        study.tell(trial, *store.ended[trial])


@pytest.mark.slow
@pytest.mark.parametrize("lines", [CONDITIONAL, SMALL, GRID])
@pytest.mark.parametrize("cut", [1, 9, 14])
def test_a_study_that_was_broken_off_asks_on_as_it_would_have(
    make_spec: Callable[..., SearchSpec], lines: str, cut: int
) -> None:
    spec = make_spec(lines)
    whole, parts = Store(), Store()
    advance(Study(spec, "point"), whole, 40)
    advance(Study(spec, "point"), parts, cut)
    again = Study(spec, "point")
    running = again.restore(trials_of(reversed(parts.intents)), parts.entries, parts.ended)
    expected = [one["params"] for one in parts.intents if one["id"] not in parts.ended]
    assert [trial.params for trial in running] == expected
    advance(again, parts, 40 - cut)
    assert parts.intents == whole.intents and parts.ended == whole.ended


def test_the_paper_s_configuration_comes_first(make_spec: Callable[..., SearchSpec]) -> None:
    study = Study(make_spec(CONDITIONAL), "point")
    first = study.ask()
    assert first is not None and first.origin == "paper" and first.config == study.spec.paper
    assert first.params == {
        "behaviour.path": "ot",
        "policy.beta": 3.0,
        "sampler.evaluations": 10,
    }
    second = study.ask()
    assert second is not None and second.origin == "search"


def test_no_configuration_comes_twice_and_a_small_space_is_walked_to_its_end(
    make_spec: Callable[..., SearchSpec],
) -> None:
    study = Study(make_spec(SMALL, trials=50), "point")
    seen = []
    while (suggestion := study.ask()) is not None:
        seen.append(suggestion.config)
        study.tell(identity(study, suggestion), TrialState.FINISHED, 10.0 * len(seen), 2)
    assert len(set(seen)) == len(seen) == 6
    assert study.ask() is None


def test_the_number_of_trials_is_kept(make_spec: Callable[..., SearchSpec]) -> None:
    study = Study(make_spec(trials=4), "point")
    assert [study.ask() is None for _ in range(6)] == [False] * 4 + [True] * 2


def test_settings_of_equal_effect_are_one_trial(make_spec: Callable[..., SearchSpec]) -> None:
    spec = make_spec("space: {sampler.solver: {choice: [auto, midpoint, heun]}}\n")
    study = Study(spec, "point")
    solvers = []
    while (suggestion := study.ask()) is not None:
        solvers.append(suggestion.config.solver)
        study.tell(identity(study, suggestion), TrialState.FINISHED, 1.0, 2)
    assert sorted(solvers) == ["heun", "midpoint"]


def test_every_point_of_a_grid_is_tried_first(make_spec: Callable[..., SearchSpec]) -> None:
    study = Study(make_spec(GRID), "point")
    asked = [study.ask() for _ in range(7)]
    assert all(asked)
    origins = [suggestion.origin for suggestion in asked if suggestion]
    assert origins == ["paper"] + ["grid"] * 5 + ["search"]  # the paper's is a point of the grid
    grid = [(s.params["policy.rounds"], s.params["behaviour.path"]) for s in asked[:6] if s]
    assert sorted(grid) == [(rounds, path) for rounds in (1, 2, 3) for path in ("ot", "vp")]
    assert len({s.params["policy.beta"] for s in asked[1:6] if s}) == 5


def test_floats_are_short_and_inside(make_spec: Callable[..., SearchSpec]) -> None:
    study = Study(make_spec(trials=30), "point")
    while (suggestion := study.ask()) is not None:
        beta = suggestion.params["policy.beta"]
        assert 5 <= beta <= 60 and float(f"{beta:.4g}") == beta


@pytest.mark.slow
def test_steps_scales_and_ranges_are_drawn_as_they_are_asked_for(
    make_spec: Callable[..., SearchSpec],
) -> None:
    """With ends told, so that TPE chooses; each suggestion is within the space of the file."""
    spec = make_spec(
        """
        space:
          policy.method: {choice: [qipo, fql, cloning]}
          policy.rounds: {int: [3, 15], step: 4, when: {policy.method: [qipo, fql]}}
          policy.beta: {uniform: [1, 3], step: 0.25}
          policy.renew_every: {int: [10, 10000], log: true, when: {policy.beta: {min: 2}}}
        """,
        trials=24,
    )
    study, drawn = Study(spec, "point"), []
    for number in range(24):
        suggestion = study.ask()
        assert suggestion is not None
        params = suggestion.params
        drawn.append(params)
        assert spec.configuration(params) == suggestion.config
        assert ("policy.rounds" in params) == (params["policy.method"] != "cloning")
        assert params.get("policy.rounds", 3) in (3, 7, 11, 15)
        assert (params["policy.beta"] * 4).is_integer() and 1 <= params["policy.beta"] <= 3
        assert ("policy.renew_every" in params) == (params["policy.beta"] >= 2)
        study.tell(identity(study, suggestion), TrialState.FINISHED, float(number % 5), 1)
    renewals = sorted(p["policy.renew_every"] for p in drawn if "policy.renew_every" in p)
    assert len(renewals) > 3 and renewals[0] < 1000  # on a log scale, not 5,000 in the mean
    assert {type(value) for value in renewals} == {int}


def test_it_learns(make_spec: Callable[..., SearchSpec]) -> None:
    study = Study(make_spec(trials=40), "point")
    seen = []
    while (suggestion := study.ask()) is not None:
        params = suggestion.params
        value = 50.0 * (params["behaviour.path"] == "vp") + params["policy.beta"]
        seen.append(value)
        study.tell(identity(study, suggestion), TrialState.FINISHED, value, 2)
    assert statistics.fmean(seen[-15:]) > statistics.fmean(seen[:10]) + 10
    assert max(seen) > 105


def facts(study: Study) -> list[optuna.trial.FrozenTrial]:
    return TPESampler(study.spec, study.task, study._facts.values())._study.trials


def test_optuna_is_told_the_truth(make_spec: Callable[..., SearchSpec]) -> None:
    study = Study(make_spec(CONDITIONAL), "point")
    asked = [study.ask() for _ in range(7)]
    trials = [identity(study, suggestion) for suggestion in asked if suggestion]
    study.tell(trials[0], TrialState.FINISHED, 99.0, 2)  # the paper's: outside of the space
    study.report(trials[1], 0, 20.0)
    study.report(trials[1], 0, 77.0)
    study.report(trials[1], 1, float("nan"))
    study.tell(trials[1], TrialState.PRUNED, 20.0, 0)
    study.tell(trials[1], TrialState.FINISHED, 90.0, 2)  # too late
    study.tell(trials[2], TrialState.FAILED)
    study.tell(trials[3], TrialState.FINISHED, 60.0, 2)
    study.tell(trials[4], TrialState.PRUNED, None, 0)
    study.tell(trials[5], TrialState.FINISHED, float("nan"), 2)
    told = facts(study)
    assert [trial.state for trial in told] == [
        OptunaState.PRUNED,
        OptunaState.FAIL,
        OptunaState.COMPLETE,
        OptunaState.FAIL,
        OptunaState.FAIL,
        OptunaState.RUNNING,
    ]
    assert told[0].intermediate_values == {0: 20.0} and told[0].value == 20.0
    assert told[2].value == 60.0
    assert all(trial.params == s.params for trial, s in zip(told, asked[1:], strict=True) if s)


@pytest.mark.parametrize(
    "known",
    [
        TrialFacts({}, TrialState.FINISHED, 5.0, {0: 1.0, 2: 5.0}),
        TrialFacts({}, TrialState.PRUNED, 1.0, {0: 1.0}),
        TrialFacts({}, TrialState.FAILED),
        TrialFacts({}, TrialState.RUNNING),
    ],
)
def test_what_is_known_of_a_repeated_one_is_told(
    make_spec: Callable[..., SearchSpec], known: TrialFacts
) -> None:
    advice = TPESampler(make_spec(SMALL), "point", [])
    params, tell = advice.ask({"behaviour.path": "vp", "policy.rounds": 2})
    assert params == {"behaviour.path": "vp", "policy.rounds": 2}
    tell(known)
    (trial,) = advice._study.trials
    assert trial.state.name == {"finished": "COMPLETE", "pruned": "PRUNED", "failed": "FAIL"}.get(
        known.state, "RUNNING"
    )
    assert trial.value == known.value and trial.intermediate_values == known.at_rungs


def test_an_edited_space_keeps_the_old_trials_it_cannot_hold(
    make_spec: Callable[..., SearchSpec],
) -> None:
    store = Store()
    advance(Study(make_spec(SMALL), "point"), store, 12)
    wider = make_spec("space: {behaviour.path: {choice: [ot]}, policy.rounds: {int: [1, 4]}}\n")
    study = Study(wider, "point")
    study.restore(trials_of(store.intents), store.entries, store.ended)
    left = study.ask()
    assert left is not None and left.params["policy.rounds"] in (1, 2, 3, 4)
    inside = [one for one in store.intents if one["params"]["behaviour.path"] == "ot"]
    assert len(facts(study)) == len(inside) + 1 < len(store.intents) + 1


def test_other_tasks_are_left_aside(make_spec: Callable[..., SearchSpec]) -> None:
    store = Store()
    spec = make_spec(tasks=["point", "maze2d-umaze"])
    advance(Study(spec, "point"), store, 5)
    study = Study(spec, "maze2d-umaze")
    assert (
        study.restore(trials_of(store.intents), store.entries, store.ended) == []
        and facts(study) == []
    )


def test_tasks_have_searches_of_their_own(make_spec: Callable[..., SearchSpec]) -> None:
    spec = make_spec(tasks=["point", "maze2d-umaze"])
    first, second = (Study(spec, task).ask() for task in spec.tasks)
    assert first is not None and second is not None and first.params != second.params


def test_the_journal_mirrors_the_facts(
    make_spec: Callable[..., SearchSpec], tmp_path: Path
) -> None:
    path = tmp_path / "study" / "point.journal"
    spec, store = make_spec(CONDITIONAL), Store()
    advance(Study(spec, "point", path), store, 9)
    path.with_name("point.journal.lock").symlink_to(path)  # of a process that was killed
    study = Study(spec, "point", path)
    study.restore(trials_of(store.intents), store.entries, store.ended)
    advance(study, store, 20)
    storage = optuna.storages.JournalStorage(optuna.storages.journal.JournalFileBackend(str(path)))
    mirrored = optuna.load_study(study_name="little point", storage=storage).trials
    expected = facts(study)
    assert len(mirrored) == len(expected) > 8
    for one, other in zip(mirrored, expected, strict=True):
        assert (one.state, one.value, one.params) == (other.state, other.value, other.params)
        assert one.intermediate_values == other.intermediate_values
        assert one.user_attrs["trial"] in {intent["id"] for intent in store.intents}


def test_a_journal_that_cannot_be_written_stops_nothing(
    make_spec: Callable[..., SearchSpec], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "study").write_text("a file where a folder should be")
    study = Study(make_spec(), "point", tmp_path / "study" / "point.journal")
    assert study.ask() is not None and study.ask() is not None
    assert caplog.text.count("is written no further") == 1


def test_other_warnings_of_optuna_still_come_through(make_spec: Callable[..., SearchSpec]) -> None:
    Study(make_spec(CONDITIONAL), "point").ask()  # warnings are errors here
    with pytest.warns(optuna.exceptions.ExperimentalWarning):
        optuna.samplers.TPESampler(group=True, multivariate=True)


def test_no_call_of_ours_is_one_that_optuna_6_removes(
    make_spec: Callable[..., SearchSpec], tmp_path: Path
) -> None:
    """Asking, telling and the journal's picture of it; warnings are errors here."""
    advance(Study(make_spec(CONDITIONAL), "point", tmp_path / "point.journal"), Store(), 12)
    with pytest.raises(FutureWarning, match=r"6\.0\.0"):  # as it would be
        optuna.distributions.UniformDistribution(0.0, 1.0)
