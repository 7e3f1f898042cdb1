"""A search file's objective: what is measured for it, and what it cannot compare."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from fixtures.search_files import SPACE

from qipo_ray.errors import UserError
from qipo_ray.study.search_file import load_search_file


@pytest.mark.parametrize(
    ("lines", "words"),
    [
        (
            f"objective: fge\n{SPACE}",
            "search.yaml:6: objective expected one of 'score', 'fqe', 'td_error', "
            "'behaviour_loss'; got 'fge'",
        ),
        (
            "objective: fqe\nspace: {critic.discount: {choice: [0.9, 0.99]}}",
            "search.yaml:6: objective: fqe is in the unit of rewards and discount, so it cannot "
            "choose critic.discount (",
        ),
        (
            "objective: td_error\nspace: {policy.method: {choice: [qipo, iql]}}",
            "search.yaml:6: objective: td_error is that of the run's critic, and policy.method "
            "iql trains none; fqe and behaviour_loss compare all methods",
        ),
    ],
)
def test_an_objective_that_cannot_compare_is_one_line(
    lines: str, words: str, write_file: Callable[[str], Path]
) -> None:
    with pytest.raises(UserError) as error:
        load_search_file(write_file(f"{lines}\n"))
    assert words in str(error.value) and "\n" not in str(error.value)


def test_what_an_objective_needs_is_measured(write_file: Callable[[str], Path]) -> None:
    path = write_file(SPACE)
    for objective, signals in (("score", "none"), ("td_error", "errors"), ("fqe", "fqe")):
        spec = load_search_file(path, objective=objective)
        assert (spec.objective, spec.base.evaluation.signals) == (objective, signals)
        assert ("objective" in spec.document()) == (objective != "score")
    more = load_search_file(path, objective="td_error", sets=["evaluation.signals=fqe"])
    assert more.base.evaluation.signals == "fqe"
