"""Lines of a space on the command line: they replace and add, and a fault names the option."""

from __future__ import annotations

from pathlib import Path

import pytest

from qipo_ray.errors import UserError
from qipo_ray.study.search_file import load_search_file
from qipo_ray.study.search_spec import SearchSpec

SMALL = Path(__file__).parents[2] / "search_spaces" / "small.yaml"


def loaded(*space: str) -> SearchSpec:
    return load_search_file(SMALL, space=space)


def test_lines_replace_and_add() -> None:
    spec = loaded(
        "policy.beta=loguniform(0.1, 3e1)",
        " policy.rounds = choice( 1,2 )",
        "policy.trust=choice(0, 16)",
        "behaviour.network=grid(unet, residual)",
        "policy.loss_actions=int(1, 9, step=4)",
        "behaviour.width=int(16, 64, log = true)",
    )
    lines = {parameter.key: parameter.document() for parameter in spec.parameters}
    assert lines == {
        "behaviour.path": {"grid": ["ot", "vp"]},
        "policy.beta": {"loguniform": [0.1, 30.0]},
        "policy.rounds": {"choice": [1, 2]},
        "policy.trust": {"choice": [0, 16]},
        "behaviour.network": {"grid": ["unet", "residual"]},
        "policy.loss_actions": {"int": [1, 9], "step": 4},
        "behaviour.width": {"int": [16, 64], "log": True},
    }


def test_a_line_keeps_its_when(tmp_path: Path) -> None:
    file = tmp_path / "mine.yaml"
    text = SMALL.read_text("utf-8")
    old, new = "{loguniform: [5, 50]}", "{loguniform: [5, 50], when: {behaviour.path: ot}}"
    assert old in text
    file.write_text(text.replace(old, new))
    spec = load_search_file(file, space=["policy.beta=uniform(1,2)"])
    (beta,) = [parameter for parameter in spec.parameters if parameter.key == "policy.beta"]
    assert beta.document() == {"uniform": [1.0, 2.0], "when": {"behaviour.path": ["ot"]}}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("policy.beta", r"--space policy\.beta: expected KEY=KIND\(VALUES\)"),
        ("policy.beta=loguni(1,2)", r"unknown kind 'loguni' \(did you mean 'loguniform'\?\)"),
        ("policy.bta=uniform(1,2)", r"--space .*: unknown key 'policy\.bta' \(did you mean"),
        ("policy.beta=uniform(2,1)", r"--space .*must be its lowest and its highest value"),
        ("policy.beta=uniform(1,{)", r"--space policy\.beta=uniform\(1,\{\):1: "),
        (
            "policy.beta=loguniform(1,2,step=1)",
            r"--space .*: space\.policy\.beta\.step: goes with",
        ),
        ("policy.beta=uniform()", r"--space .*must be a list of values; got a list"),
        ("evaluation.every=int(1,2)", r"--space .*says how runs are measured"),
    ],
)
def test_a_fault_is_one_line_with_the_option(text: str, said: str) -> None:
    with pytest.raises(UserError, match=said) as caught:
        loaded(text)
    assert "\n" not in str(caught.value)
