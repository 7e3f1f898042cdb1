from __future__ import annotations

from typing import Any

import pytest

from qipo_ray.config import Document
from qipo_ray.config.validation import read_document
from qipo_ray.errors import UserError
from qipo_ray.study.search_file_schema import SearchFile

FILE: dict[str, Any] = {
    "name": "little",
    "tasks": ["point"],
    "preset": "quickstart",
    "space": {"policy.beta": {"uniform": [1, 2]}},
    "trials": 12,
    "seeds": {"search": [0], "report": [100, 101]},
}
LINES = {("confirm",): "search.yaml:6", ("seeds", "search"): "search.yaml:5"}


def read(changes: dict[str, Any]) -> Any:
    return read_document(
        SearchFile, Document(FILE | changes, "search.yaml", LINES), "a search file"
    )


def test_what_is_left_out_has_its_default() -> None:
    form = read({"rungs": {"shares": ["1/4", 0.5, 1]}})
    assert form.rungs.shares == [0.25, 0.5, 1.0] and form.rungs.reduction == 3
    assert (form.confirm.top, form.resources.workers, form.changes) == (1, "auto", {})


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"trails": 3}, ": unknown key 'trails' (did you mean 'trials'?); allowed: name, tasks, "),
        ({"changes": {}}, ": unknown key 'changes'"),
        (
            {"confirm": {"tops": 1}},
            ":6: unknown key 'confirm.tops' (did you mean 'top'?); allowed: top",
        ),
        ({"confirm": {"top": 0}}, ":6: confirm.top must be greater than or equal to 1; got 0"),
        ({"confirm": {"top": 1.0}}, ":6: confirm.top must be a valid integer; got 1.0"),
        ({"confirm": 3}, ":6: confirm must be a valid dictionary"),
        ({"rungs": {"shares": ["1/9", "1/0"]}}, ": rungs.shares.1 must be a number or a fraction"),
        ({"rungs": {"reduction": 1}}, ": rungs.reduction must be greater than or equal to 2; got"),
        (
            {"resources": {"workers": "many"}},
            ": resources.workers must be a whole number of at least 1, or auto; got 'many'",
        ),
        (
            {"resources": {"gpus": 1.5}},
            ": resources.gpus must be a whole number, or part of one GPU; got 1.5",
        ),
        ({"resources": {"max_share": 0}}, ": resources.max_share must be greater than 0; got 0"),
        ({"resources": {"gpus": -1}}, ": resources.gpus must be greater than or equal to 0"),
        ({"seeds": {"search": [], "report": [1]}}, ":5: seeds.search must have at least 1 item"),
        (
            {"seeds": {"search": [-1], "report": [1]}},
            ":5: seeds.search.0 must be greater than or equal to 0; got -1",
        ),
        (
            {"seeds": {"search": [True], "report": [1]}},
            ":5: seeds.search.0 must be a valid integer; got True",
        ),
        ({"seeds": {"search": [0]}}, ": missing key 'seeds.report'"),
        ({"name": "A b"}, ": name must match pattern"),
        ({"set": []}, ": set must be a valid dictionary; got a list"),
    ],
)
def test_the_first_fault_is_one_line_with_its_location(
    changes: dict[str, Any], message: str
) -> None:
    with pytest.raises(UserError) as caught:
        read(changes)
    assert str(caught.value).startswith(f"search.yaml{message}")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("value", [None, 3, [1], "x"])
def test_what_is_no_mapping_is_said(value: Any) -> None:
    with pytest.raises(UserError, match=r"^x\.yaml: a search file must be a mapping; got "):
        read_document(SearchFile, Document(value, "x.yaml"), "a search file")
