"""Ways to act in a sweep's folder: the same again, or refused; test_search_file reads files."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from qipo_ray.errors import UserError
from qipo_ray.study.acting_reader import acting_keys, saved_acting
from qipo_ray.study.saved_spec import read_spec, spec_document
from qipo_ray.study.search_spec import SearchSpec, differences


def test_a_folder_keeps_the_ways_only_where_there_are_any(
    make_spec: Callable[..., SearchSpec], tmp_path: Path
) -> None:
    space = "\nspace: {policy.beta: {choice: [1, 2]}}\n"
    plain, more = make_spec(space), make_spec("acting: {mode: {sampler.noise: 0}}" + space)
    assert "acting" not in plain.document() and plain.hash != more.hash
    assert differences(plain.document(), more.document()) == [
        "acting.mode.sampler.noise: nothing -> 0"
    ]
    for spec in (plain, more):
        path = tmp_path / "sweep.yaml"
        data = dict.fromkeys(spec.tasks, "a" * 64)
        path.write_text(yaml.safe_dump(spec_document(spec, data), sort_keys=False))
        again = read_spec(path).spec
        assert again.acting == spec.acting and again.document() == spec.document() | {
            "resources": again.document()["resources"]
        }


def test_ways_of_another_version_are_refused_by_the_key() -> None:
    assert acting_keys() == [
        "qgpo.guidance", "sampler.best_of", "sampler.noise", "sampler.one_step",
    ]  # fmt: skip
    with pytest.raises(UserError, match=r"sweep.acting.a: unknown key 'sampler.later'"):
        saved_acting({"a": {"sampler.later": 1}})
    with pytest.raises(ValueError, match="must be a whole number"):
        saved_acting({"a": {"sampler.best_of": 0}})
