"""Task files: what is read, what is refused, and what is kept in a results folder."""

from __future__ import annotations

import json
from dataclasses import fields
from pathlib import Path

import pytest
from fixtures.own_tasks import PENDULUM, REACH

from qipo_ray.data.tasks import NO_ENVIRONMENT, RAW_RETURNS, get_task, is_own, physics, task_ids
from qipo_ray.errors import UserError
from qipo_ray.study.task_file import find_task, given_task, kept_path, kept_task, read_task


def written(folder: Path, text: str, name: str = "task.yaml") -> Path:
    path = folder / name
    path.write_text(text)
    return path


def test_what_a_file_says(tmp_path: Path) -> None:
    task = read_task(written(tmp_path, REACH + "notes: [a note]\n"))
    assert task.own is not None and task.sizes is None
    assert (task.family, task.horizon, task.reward_rule) == ("own", 40, "raw")
    assert (task.own.low, task.own.high) == ((-2.5, 0.0), (2.5, 2.0)) and task.own.scaled
    assert task.own.observations == ("point", "goal") and task.own.success == "near"
    assert task.own.discount == 0.9 and json.loads(task.own.arguments) == {"limit": 2.5}
    assert task.own.data == str(tmp_path / "reach.hdf5")
    assert task.raw and (task.ref_min, task.ref_max) == (0, 100)  # a score is the return
    assert task.notes == ("a note", RAW_RETURNS)
    scored = read_task(written(tmp_path, PENDULUM))
    assert (scored.ref_min, scored.ref_max, scored.raw) == (-1500, -100, False)
    bucket = read_task(written(tmp_path, PENDULUM.replace(": pendulum.hdf5", ": s3://b/x.hdf5")))
    assert bucket.own is not None and bucket.own.data == "s3://b/x.hdf5"
    bare = read_task(written(tmp_path, REACH.replace("reacher_env:Reacher", "none")))
    assert not bare.scored and NO_ENVIRONMENT in bare.notes


def test_the_id_is_of_the_content(tmp_path: Path) -> None:
    task = read_task(written(tmp_path, PENDULUM))
    assert is_own(task.id) and task.id.startswith("pendulum@")
    same = (
        PENDULUM.replace("data: pendulum.hdf5", "data: /elsewhere.hdf5\nnotes: [new]"),
        "# a comment\nrewards: raw\n" + PENDULUM.replace("[-2, 2]", "[[-2.0], [2]]"),
    )
    assert {read_task(written(tmp_path, text)).id for text in same} == {task.id}
    others = (
        PENDULUM.replace("200", "199"),
        PENDULUM.replace("-1500", "-1501"),
        PENDULUM.replace("[-2, 2]", "[-2, 3]"),
        PENDULUM + "arguments: {g: 9}\n",
        PENDULUM + "success: there\n",
        PENDULUM.replace("0.9", "0.8"),
        PENDULUM + "rewards: minus-one\n",
    )
    ids = {read_task(written(tmp_path, text)).id for text in others}
    assert len(ids) == len(others) and task.id not in ids


def test_a_name_like_a_built_in_task_is_still_ones_own(tmp_path: Path) -> None:
    hopper = read_task(written(tmp_path, PENDULUM.replace("task: pendulum", "task: hopper-mine")))
    assert physics("hopper-medium-v2") == 2 and physics(hopper.id) == 1
    assert find_task("point") == get_task("point")


@pytest.mark.parametrize(
    ("before", "after", "words"),
    [
        (
            "horizon",
            "horison",
            ":4: unknown key 'horison' (did you mean 'horizon'?); allowed: task",
        ),
        ("horizon: 200\n", "", ": missing key 'horizon'"),
        ("200", "0", ":4: horizon must be"),
        ("[-2, 2]", "[-2, .inf]", ":6: actions must be [low, high] of finite numbers"),
        ("[-2, 2]", "[2, -2]", ":6: actions must rise"),
        ("[-2, 2]", "[[-2], [2, 2]]", ":6: actions must be [low, high]"),
        ("[-1500, -100]", "[-100, -1500]", ":5: references must rise"),
        ("[-1500, -100]", "normalised", ":5: references must be raw, or two finite returns"),
        ("0.9", "1", ":7: discount must be less than 1; got 1"),
        (
            "Pendulum-v1",
            "a b:c",
            ":3: environment must be a Gymnasium id, module:factory, or none",
        ),
        ("task: pendulum", "task: ../pendulum", ":1: task must"),
        ("discount: 0.9", "observations: [a, a]", ":7: observations: 'a' is given twice"),
        ("discount: 0.9", "rewards: paper", ":7: rewards expected one of 'raw'"),
        ("discount: 0.9", "arguments: {g: .nan}", ":7: arguments.g expected a finite number"),
        ("discount: 0.9", "horizon: 3", "key 'horizon' is given twice (first on line 4)"),
    ],
)
def test_faults_name_line_and_key(before: str, after: str, words: str, tmp_path: Path) -> None:
    path = written(tmp_path, PENDULUM.replace(before, after))
    with pytest.raises(UserError) as error:
        read_task(path)
    assert str(path) in str(error.value) and words in str(error.value)


def test_a_task_is_named_by_its_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = written(tmp_path, PENDULUM, "pendulum.yaml")
    assert find_task(str(path)) == find_task("pendulum.yaml", tmp_path)
    with pytest.raises(UserError, match=r"no task file .*did you mean 'pendulum.yaml'"):
        find_task("pendulm.yaml", tmp_path)
    with pytest.raises(UserError, match="unknown task 'pendulum'.*file of your own"):
        find_task("pendulum")
    with pytest.raises(UserError, match="a user's own: name its file"):
        find_task("pendulum@00000000")


def test_a_package_brings_a_task_and_is_not_imported(robots: Path) -> None:
    assert find_task("arm").id == read_task(robots / "arm.yaml").id
    for name in ("gone", "none"):
        with pytest.raises(UserError, match=f"task '{name}' is said to be .*no such file"):
            find_task(name)


def test_a_kept_document_is_the_task_but_for_its_place(tmp_path: Path) -> None:
    task = read_task(written(tmp_path, PENDULUM))
    assert task.own is not None
    kept = kept_path(tmp_path, task.id)
    kept.parent.mkdir()
    kept.write_text(task.own.document)
    again = kept_task(tmp_path, task.id)
    assert again.own is not None and (again.own.file, again.own.data) == (None, None)
    for field in fields(task.own):
        if field.name not in ("file", "data"):
            assert getattr(again.own, field.name) == getattr(task.own, field.name)
    assert (again.id, again.horizon, again.ref_min) == (task.id, task.horizon, task.ref_min)
    kept.write_text(task.own.document.replace("200", "100"))
    with pytest.raises(UserError, match=f"its content is that of pendulum@.*, not of {task.id}"):
        kept_task(tmp_path, task.id)
    kept.unlink()
    with pytest.raises(UserError, match="cannot be read"):
        kept_task(tmp_path, task.id)
    with pytest.raises(UserError, match="unknown task"):
        kept_task(tmp_path, "/etc/../tmp@00000000")


@pytest.mark.parametrize("sign", [r"\x7f", r"\x85 ", r"\u2028", "é", "😀"])
def test_a_kept_document_holds_any_sign(sign: str, tmp_path: Path) -> None:
    task = read_task(
        written(tmp_path, f'{PENDULUM}success: "a{sign}b"\narguments: {{"{sign}": 1}}')
    )
    assert task.own is not None
    kept = kept_path(tmp_path, task.id)
    kept.parent.mkdir()
    kept.write_text(task.own.document)
    again = kept_task(tmp_path, task.id)
    assert again.own is not None
    assert (again.own.success, again.own.arguments) == (task.own.success, task.own.arguments)


def test_only_the_users_own_file_is_rolled_out(tmp_path: Path) -> None:
    task = read_task(written(tmp_path, PENDULUM))
    other = read_task(written(tmp_path, PENDULUM.replace("200", "100"), "other.yaml"))
    assert given_task(tmp_path, task.id, task) is task
    assert given_task(tmp_path, "point", None) == get_task("point")
    with pytest.raises(UserError, match=r"give its file, --task FILE.yaml"):
        given_task(tmp_path, task.id, None)
    with pytest.raises(UserError, match=r"other.yaml is task pendulum@.*: another content"):
        given_task(tmp_path, task.id, other)


def test_built_in_tasks_fit_the_same_keys(tmp_path: Path) -> None:
    """One document and one reader for all: what the table says is a task file's."""
    for task_id in task_ids()[::5]:
        task = get_task(task_id)
        document = {
            "task": task_id,
            "environment": task.simulator,
            "horizon": task.horizon,
            "references": [task.ref_min, task.ref_max],
            "rewards": task.reward_rule,
            "notes": list(task.notes),
        }
        text = json.dumps(document, ensure_ascii=False)
        read = read_task(written(tmp_path, text, "table.json"))
        for key in ("simulator", "horizon", "ref_min", "ref_max", "reward_rule", "notes"):
            assert getattr(read, key) == getattr(task, key), (task_id, key)
