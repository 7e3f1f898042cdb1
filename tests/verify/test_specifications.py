"""`sweep.yaml`, damaged or forged: one line for each, and never a traceback."""

from __future__ import annotations

import hashlib
import json
import random
from collections.abc import Callable, Iterator
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest
import yaml

from qipo_ray.study.saved_spec import read_spec
from qipo_ray.verify import verify

Faults = Callable[[Path], list[tuple[str, str]]]


@pytest.mark.slow_after(4)
@pytest.mark.parametrize(
    ("content", "what"),
    [
        (b"", "expected a mapping; got a NoneType"),
        (b"- 1\n- 2\n", "expected a mapping; got a list"),
        (b"just words\n", "expected a mapping; got a str"),
        (b"hash: 0\n", "does not match the hash"),
        (b"{", "expected the node content"),
        (b"a: &x [*x]\n", "Circular reference"),
        (b"a: .nan\n", "not JSON compliant"),
        (b"a: 2026-01-01\n", "date is not JSON serializable"),
        (b"? [1, 2]\n: 3\n", "unhashable"),
        (b"1: a\nb: c\n", "not supported between"),
        (b"a: 2026-13-45\n", "month must be in 1..12"),
        (b"a: !!python/object:os.system x\n", "could not determine a constructor"),
        (b"[" * 1_000, "nested too deeply"),
        (b"\xff\xfe\x00binary", "can't decode byte"),
        (b"a: " + b"9" * 9999, "digits"),
        (b"# x\n" * 300_000, "larger than 1,000,000 bytes"),
        (random.Random(0).randbytes(999), ""),
    ],
)
def test_what_is_no_specification_is_a_fault(
    root: Path, faults: Faults, content: bytes, what: str
) -> None:
    (root / "sweep.yaml").write_bytes(content)
    ((place, words),) = faults(root)
    assert place == "sweep.yaml" and "damaged, so its runs cannot be counted: " in words
    assert what in words and "\n" not in words
    assert verify(root).counts is None


def test_one_that_is_gone_is_missed_where_there_are_trials(root: Path, faults: Faults) -> None:
    (root / "sweep.yaml").unlink()
    assert faults(root) == [
        ("sweep.yaml", "missing, though there are trials; the runs cannot be counted")
    ]


def test_a_change_that_leaves_the_hash(root: Path, faults: Faults) -> None:
    path = root / "sweep.yaml"
    path.write_text(path.read_text().replace("trials: 4", "trials: 40"))
    ((place, what),) = faults(root)
    assert place == "sweep.yaml" and "does not match the hash in its first line" in what


def resealed(root: Path, document: dict[str, Any]) -> None:
    """Write a specification with the hash that it then has."""
    plain = {key: v for key, v in document.items() if key not in ("hash", "data", "resources")}
    text = json.dumps(plain, sort_keys=True, separators=(",", ":"))
    document["hash"] = hashlib.sha256(text.encode()).hexdigest()[:16]
    (root / "sweep.yaml").write_text(yaml.safe_dump(document, sort_keys=False))


def test_resources_may_differ(root: Path, faults: Faults) -> None:
    document = yaml.safe_load((root / "sweep.yaml").read_text())
    document["resources"]["workers"] = 99
    resealed(root, document)
    assert faults(root) == []


def places(tree: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Yield the path of every value of a document."""
    items = tree.items() if isinstance(tree, dict) else enumerate(tree)
    for key, value in items:
        yield (*path, key)
        if isinstance(value, dict | list):
            yield from places(value, (*path, key))


STRANGE: list[Any] = [None, [], {}, -1, 10**9, 0.5, "x", "", [None], {"a": 1}, [[1], {}], True]


@pytest.mark.slow
def test_a_forged_one_of_any_shape_is_judged(root: Path) -> None:
    """Every value in turn is gone or something strange, and the hash is made to fit.

    Nothing raises, and nothing counts to a thousand million. What no run shows stays unseen: the
    bounds of the space.
    """
    whole = yaml.safe_load((root / "sweep.yaml").read_text())
    dice, judged, seen = random.Random(1), 0, 0
    for path in places(whole):
        document = deepcopy(whole)
        part = document
        for key in path[:-1]:
            part = part[key]
        strange = dice.choice([*STRANGE, ...])
        if strange is ...:
            part.pop(path[-1])
        else:
            part[path[-1]] = strange
        resealed(root, document)
        verdict = verify(root)
        seen += bool(verdict.faults or verdict.remarks)
        judged += document != whole and path[0] not in ("hash", "resources")
    assert judged > 60 and seen > 0.9 * judged


def test_settings_of_another_version_are_a_remark(root: Path) -> None:
    document = yaml.safe_load((root / "sweep.yaml").read_text())
    document["base"]["policy"]["gamma"] = document["base"]["policy"].pop("beta")
    resealed(root, document)
    verdict = verify(root)
    assert verdict.faults == () and verdict.counts is None
    assert verdict.remarks[0].what == (
        "its runs cannot be counted: sweep.base: unknown key 'policy.gamma' "
        "(did you mean 'policy.beta'?)"
    )


def test_what_is_read(root: Path) -> None:
    saved = read_spec(root / "sweep.yaml")
    spec = saved.spec
    assert (spec.name, spec.tasks, spec.trials, spec.top) == ("books", ("point",), 4, 1)
    assert (spec.search_seeds, spec.report_seeds) == ((0, 1), (100, 101))
    assert spec.paper is not None and spec.paper.policy.beta == 3.0
    assert spec.configuration({"policy.beta": 7}).policy.beta == 7 and saved.data["point"]
    assert not spec.exhausted_by({"0" * 16})  # a continuum never is
