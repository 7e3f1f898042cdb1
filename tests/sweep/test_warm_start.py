"""A search that begins with the trials of another: what is taken over, and what is refused."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import optuna
import pytest
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend
from optuna.trial import TrialState as OptunaState
from synthetic_sweep import SEARCH, SyntheticSweep, complete

from qipo_ray.errors import UserError
from qipo_ray.study.saved_spec import read_spec
from qipo_ray.study.search_spec import SearchSpec
from qipo_ray.study.trial import TrialState
from qipo_ray.sweep.run import Options, check_start
from qipo_ray.sweep.spec_guard import settle_specification
from qipo_ray.sweep.task_study import Study
from qipo_ray.sweep.tpe import TrialFacts
from qipo_ray.sweep.warm_start import prior_facts, with_prior

LINES = """\
space: {policy.beta: {loguniform: [1, 60]}}
rungs: {shares: [1/3, 1]}
warm_start: books
"""
LOCAL = Options("local", False, None, None)
DATA: Any = {"point": SimpleNamespace(sha256="a" * 64)}
Make = Callable[..., SearchSpec]


@pytest.fixture(scope="module")
def books(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Another sweep, complete; three of its trials came to the end, and one was stopped."""
    sweep = SyntheticSweep(tmp_path_factory.mktemp("other") / "books")
    sweep.specify()
    return complete(sweep).root


@pytest.fixture
def make(make_spec: Make, books: Path, tmp_path: Path) -> Make:
    """A specification beside which the other sweep lies."""
    shutil.copytree(books, tmp_path / "books")
    return make_spec


def test_configurations_and_values_enter_the_study_as_trials_before_its_own(make: Make) -> None:
    spec = with_prior(make(LINES))
    facts = prior_facts(spec, "point", [])
    known = {(f.params["policy.beta"], f.state, f.value) for f in facts if f.params}
    assert known == {
        (20.0, TrialState.FINISHED, 40.0), (3.0, TrialState.FINISHED, 30.0),
        (10.0, TrialState.FINISHED, 29.0), (30.0, TrialState.PRUNED, 5.0),
    }  # fmt: skip
    journal = Path(spec.source).with_name("point.journal")
    suggestion = Study(spec, "point", journal).ask()
    assert suggestion is not None and suggestion.origin == "search"
    storage = JournalStorage(JournalFileBackend(str(journal)))
    (name,) = optuna.study.get_all_study_names(storage)
    shown = optuna.load_study(study_name=name, storage=storage).trials
    assert [trial.state for trial in shown[:4]].count(OptunaState.COMPLETE) == 3
    assert [trial.user_attrs.get("warm_start", "") for trial in shown] == [
        "books 0", "books 1", "books 2", "books 3", "",
    ]  # fmt: skip


def test_a_stopped_trial_of_other_rungs_is_left_aside(make: Make) -> None:
    spec = with_prior(make(LINES.replace("[1/3, 1]", "[1/9, 1/3, 1]")))
    assert len(prior_facts(spec, "point", [])) == 3


def test_values_of_another_task_come_to_the_mean_and_spread_of_its_own(make: Make) -> None:
    spec = with_prior(make(LINES, tasks=["pen-human-v1"]))
    own = [TrialFacts({}, TrialState.FINISHED, value) for value in (100.0, 300.0)]
    before = [facts.value for facts in prior_facts(spec, "pen-human-v1", own[:1])]
    assert before == [40.0, 30.0, 29.0, 5.0]
    best, *others = [facts.value for facts in prior_facts(spec, "pen-human-v1", own)]
    # The finished ones, 29, 30 and 40, have the mean 33 and the deviation 4.967.
    assert best == pytest.approx(200 + 7 * 100 / 4.9665, abs=0.01)
    assert others[0] == pytest.approx(200 - 3 * 100 / 4.9665, abs=0.01)


def test_they_are_kept_in_the_specification_whatever_becomes_of_the_other_sweep(
    make: Make, tmp_path: Path
) -> None:
    spec, root = make(LINES), tmp_path / "R"
    settled = settle_specification(spec, root, DATA, extend=False)
    assert settled.prior is not None and len(settled.prior.trials) == 4
    assert read_spec(root / "sweep.yaml").spec.prior == settled.prior
    assert settled.hash != spec.hash
    shutil.rmtree(tmp_path / "books")
    again = settle_specification(spec, root, DATA, extend=False)
    assert again.prior == settled.prior and again.hash == settled.hash
    with pytest.raises(UserError, match=r"prior.sweep: books -> nothing; .* add --extend"):
        settle_specification(replace(spec, warm_start=None), root, DATA, extend=False)


@pytest.mark.parametrize(
    ("old", "new", "options", "words"),
    [
        ("[1, 60]", "[1, 90]", {}, r"space.policy.beta: .*60\]} -> .*90\]}$"),
        ("warm", "objective: td_error\nwarm", {}, "objective: score -> td_error$"),
        (": books", ": s3://B/books", {}, "s3://B/books' is in a bucket; copy that sweep's fol"),
        (": books", ": nowhere", {}, "no sweep in .*nowhere: it has no sweep.yaml$"),
    ],
)
def test_a_sweep_that_says_nothing_here_is_one_line(
    make: Make, old: str, new: str, options: dict[str, Any], words: str, tmp_path: Path
) -> None:
    root = tmp_path / "R"
    with pytest.raises(UserError, match=rf"search.yaml.*: warm_start: .*{words}") as problem:
        check_start(LOCAL, make(LINES.replace(old, new), **options), root)
    assert "\n" not in str(problem.value) and not root.exists()


def test_a_sweep_of_several_other_tasks_has_no_one_scale(make: Make, tmp_path: Path) -> None:
    tasks = ["point", "pen-human-v1"]
    data: Any = dict.fromkeys(tasks, DATA["point"])
    (tmp_path / "books" / "sweep.yaml").unlink()
    several = replace(make(LINES, tasks=tasks), warm_start=None)
    settle_specification(several, tmp_path / "books", data, extend=False)
    spec = replace(several, tasks=("pen-cloned-v1",), warm_start=tmp_path / "books")
    with pytest.raises(UserError, match=r"several tasks \(point, pen-human-v1\), and pen-cloned"):
        with_prior(spec)


@pytest.mark.parametrize(("space", "betas"), [("[5, 60]", {10, 20, 30}), ("[15, 60]", {20, 30})])
def test_what_lies_outside_of_the_space_is_left_aside(
    make_spec: Make, tmp_path: Path, space: str, betas: set[float]
) -> None:
    """The paper's form, and a trial of before the space was narrowed."""
    sweep = SyntheticSweep(tmp_path / "books")
    sweep.specify(SEARCH.replace("[1, 60]", space))
    complete(sweep)
    spec = with_prior(make_spec(LINES.replace("[1, 60]", space)))
    facts = prior_facts(spec, "point", [])
    assert {f.params["policy.beta"] for f in facts if f.params} == betas
    assert Study(spec, "point").ask() is not None


def test_equal_scores_of_its_own_leave_those_of_another_task_apart(make: Make) -> None:
    spec = with_prior(make(LINES, tasks=["pen-human-v1"]))
    own = [TrialFacts({}, TrialState.FINISHED, 0.0) for _ in range(2)]
    values = [facts.value for facts in prior_facts(spec, "pen-human-v1", own)]
    assert values == pytest.approx([7.0, -3.0, -4.0, -28.0])
