"""Tasks: D4RL's and OGBench's ids, generated twins, the toy task ``point``, and users' own.

Each is made by ``from_document`` of the same plain document: the table's by the table's file, an
own one by the user's (``study.task_file``), which is checked first.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any, Literal

from qipo_ray.data import ogbench_table
from qipo_ray.data.ogbench_table import SingleTask, single_task
from qipo_ray.errors import UserError, nearest

Family = Literal["locomotion", "antmaze", "maze2d", "adroit", "kitchen", "ogbench", "point", "own"]
RewardRule = Literal["return-range", "minus-one", "raw"]

_OTHER_SUITES = ("bullet-", "carla-", "flow-", "minigrid-")
# What this version can generate; `evaluation.generate` holds one generator for each.
_POLICIES = ("expert", "medium", "medium-expert", "medium-replay", "random")
GENERATORS = (
    *(f"{name}-{policy}" for name in ("halfcheetah", "hopper") for policy in _POLICIES),
    *("maze2d-large", "maze2d-medium", "maze2d-umaze", "point"),
    *(f"walker2d-{policy}" for policy in _POLICIES),
    *(task.id for task in ogbench_table.made()),
)

MINARI = "minari:"  # before the id of a data set in Minari's own folder
BUCKETS = ("s3:/", "gs:/")  # before the place of a file in one; `Path` drops a slash
NEWER = "D4RL has a newer version"  # how the note of an older version begins
_OWN_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}@[0-9a-f]{8}")
NO_ENVIRONMENT = "nothing is rolled out: the task has no environment"
RAW_RETURNS = "scores are raw returns"
# Of OGBench. The version is its package's, whose 1.2.0 changed what is judged.
SUCCESS_RATES = "scores are success rates in %, by OGBench 1.2"
_TWIN_NOTE = "generated data: no score on it is comparable with a published one"

# Mean returns over 1e6 episodes each (25 steps, uniform starts, dynamics of the task with noise
# .01 N(0, I)). Lowest: the behaviour that generates the data, uniform over 8 directions of length
# .9 plus .15 N(0, I), clipped; standard error .012. Highest: a = (goal - x) / .15, clipped to the
# box, which reaches the goal as fast as the box allows; standard error .003. Both are averages
# over start states, so a score over few starts can lie above 100.
_POINT_REF_MIN = -27.01
_POINT_REF_MAX = -3.669


@dataclass(frozen=True)
class OwnTask:
    """What the file of a user's own task says beyond what every task has.

    Actions lie between ``low`` and ``high`` in the environment's unit, one number for all or one
    for each; data and policies are scaled to [-1, 1] and back.
    """

    document: str  # JSON: all that the file says, but for where its data lie
    environment: str | None  # a Gymnasium id or module:factory; None: nothing is rolled out
    arguments: str  # JSON: keyword arguments of the environment
    low: tuple[float, ...]
    high: tuple[float, ...]
    observations: tuple[str, ...]  # keys of a dictionary to flatten, in this order
    success: str | None  # key of ``info``
    discount: float | None
    raw: bool  # scores are raw returns
    data: str | None  # path
    # The user's file. None for a copy in a results folder, which may be a stranger's: nothing that
    # it names is imported.
    file: str | None

    @property
    def scaled(self) -> bool:
        """Whether the environment's unit of actions is another than ours."""
        return {*self.low} != {-1.0} or {*self.high} != {1.0}


@dataclass(frozen=True)
class Task:
    """What a task id stands for.

    ``ref_min`` and ``ref_max`` are raw returns; a normalised score is
    ``100 * (R - ref_min) / (ref_max - ref_min)``. ``horizon`` is in steps, ``bytes`` the size of
    the published file. ``reward_rule`` is the paper's adjustment of rewards (see
    ``transitions.adjusted_rewards``). ``notes`` say how the simulator differs from D4RL's. A
    simulator may be named here that this release cannot run; its data can be read all the same.
    """

    id: str
    family: Family
    simulator: str
    horizon: int
    ref_min: float
    ref_max: float
    reward_rule: RewardRule
    url: str | None = None
    filename: str | None = None
    bytes: int | None = None
    sha256: str | None = None
    notes: tuple[str, ...] = ()
    twin_of: str | None = None
    own: OwnTask | None = None  # None: a task of the table

    @property
    def scored(self) -> bool:
        """Whether policies can be rolled out."""
        return self.own is None or self.own.environment is not None

    @property
    def raw(self) -> bool:
        """Whether its scores are raw returns."""
        return self.own is not None and self.own.raw

    @property
    def by_success(self) -> bool:
        """Whether its scores are success rates in per cent."""
        return self.family == "ogbench"

    @property
    def scores(self) -> str | None:
        """What its scores are, where they are not D4RL's normalised ones."""
        if self.by_success:
            return SUCCESS_RATES
        return RAW_RETURNS if self.raw else None

    @property
    def settings(self) -> dict[str, float]:
        """What is set for its runs unless the user sets it: a task file's discount, the protocol.

        OGBench's scores are published over 50 episodes.
        """
        if self.by_success:
            return {"evaluation.final_episodes": 50}
        if self.own is None or self.own.discount is None:
            return {}
        return {"critic.discount": self.own.discount}

    @property
    def group(self) -> str:
        """What it is reported together with: its family, or of OGBench the tasks of a data set."""
        single = single_task(self.id)
        return single.domain if single else self.family

    @property
    def has_generator(self) -> bool:
        """True where this version can make the task's data: ``qipo-ray data make``."""
        return self.id in GENERATORS

    @property
    def generated(self) -> bool:
        """True for tasks whose data this project makes: ``point`` and generated twins."""
        return self.twin_of is not None or self.family == "point"

    @property
    def sizes(self) -> tuple[int, int] | None:
        """The numbers of an observation and of an action; None for an id outside the table."""
        if self.family == "point":
            return 2, 2
        environment = single.facts if (single := single_task(self.id)) else _environment(self.id)
        return (environment["state_size"], environment["action_size"]) if environment else None


def get_task(task_id: str) -> Task:
    """Return the task of an id, or of an alias of OGBench's.

    Raises:
        UserError: unknown id; the line names the nearest one, the versions that exist, or the
            suite that is not supported.
    """
    single = single_task(task_id)
    task = _table().get(single.id if single else task_id)
    if task is None:
        raise UserError(_refusal(task_id))
    return task


def is_own(task_id: str) -> bool:
    """Return whether an id is that of a user's own task: a name, @, and a hash of its content."""
    return _OWN_ID.fullmatch(task_id) is not None


def own_id(document: Mapping[str, Any]) -> str:
    """Return the id of an own task: what changes a score is in it; data and notes are not."""
    content = {key: document[key] for key in document if key not in ("task", "data", "notes")}
    text = json.dumps(content, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return f"{document['task']}@{hashlib.sha256(text.encode()).hexdigest()[:8]}"


def task_ids() -> tuple[str, ...]:
    """Return every id, sorted: D4RL's, OGBench's, generated twins (no version) and ``point``."""
    return tuple(sorted(_table()))


@cache
def physics(task_id: str) -> int:
    """Return the number of a simulator's physics: scores of one number compare.

    1 as it was in version 0.1.0; 2 with the contacts of MuJoCo 3.4, whichever is installed.
    """
    number: int = (_environment(task_id) or {}).get("physics", 1)
    return number


def _refusal(task_id: str) -> str:
    name = task_id if len(task_id) <= 64 else task_id[:61] + "..."
    if is_own(task_id):
        return f"task {name!r} is a user's own: name its file, such as my_task.yaml"
    if task_id.startswith(_OTHER_SUITES):
        return (
            f"task {name!r} belongs to a D4RL suite that is not supported; supported are "
            "locomotion, antmaze, maze2d, adroit, kitchen, OGBench's single tasks and point"
        )
    versions = sorted(name for name in _facts()["tasks"] if _base(name) == _base(task_id))
    if versions:
        return f"task {name!r} does not exist in D4RL; its versions are {', '.join(versions)}"
    return (
        f"unknown task {name!r}{nearest(name, task_ids())}; "
        "a task is an id of D4RL or OGBench, a D4RL name without version, 'point', or a file of "
        "your own (.yaml)"
    )


@cache
def _facts() -> dict[str, Any]:
    text = Path(__file__).with_name("d4rl.json").read_text(encoding="utf-8")
    facts: dict[str, Any] = json.loads(text)
    return facts


@cache
def _table() -> dict[str, Task]:
    newest = {_base(task_id): task_id for task_id in sorted(_facts()["tasks"])}
    published = {task_id: _published(task_id, newest) for task_id in _facts()["tasks"]}
    twins = {base: _twin(base, published[task_id]) for base, task_id in newest.items()}
    singles = {task.id: _single(task) for task in ogbench_table.published()}
    for made in ogbench_table.made():
        twins[made.id] = _twin(made.id, singles[f"{made.id}-v0"])
    return {**published, **singles, **twins, "point": _point()}


def _single(task: SingleTask) -> Task:
    name, _ = ogbench_table.files(task.domain)
    url = ogbench_table.table()["host"] + name
    return from_document(ogbench_table.document(task), task.id, "ogbench", url=url, filename=name)


def _published(task_id: str, newest: dict[str, str]) -> Task:
    row = dict(zip(_facts()["columns"], _facts()["tasks"][task_id], strict=True))
    path = row.pop("path")
    environment = _environment(task_id) or {}
    notes = list(environment["notes"])
    if newest[_base(task_id)] != task_id:
        notes.append(f"{NEWER}: {newest[_base(task_id)]}")
    document = {
        "task": task_id,
        "environment": environment["simulator"] or _base(task_id),
        "horizon": row.pop("horizon"),
        "references": [row.pop("ref_min"), row.pop("ref_max")],
        "rewards": environment["reward_rule"],
        "notes": notes,
    }
    file = {"url": _facts()["host"] + path, "filename": path.rpartition("/")[2]}
    return from_document(document, task_id, environment["family"], **file, **row)


def _twin(base: str, newest: Task) -> Task:
    return replace(
        newest,
        id=base,
        url=None,
        filename=None,
        bytes=None,
        sha256=None,
        notes=(*newest.notes, _TWIN_NOTE),
        twin_of=newest.id,
    )


def _point() -> Task:
    document = {
        "task": "point",
        "environment": "point",
        "horizon": 25,
        "references": [_POINT_REF_MIN, _POINT_REF_MAX],
        "notes": [
            "a toy task of this project: 0 is the behaviour in the data, 100 the best control"
        ],
    }
    return from_document(document, "point", "point")


def from_document(document: Mapping[str, Any], task_id: str, family: Family, **facts: Any) -> Task:
    """Return the task of a document whose keys are those of a task file; ``facts`` stand beside.

    The document is trusted to be whole: the table is the program's own, and a user's was checked.
    """
    # Of raw returns: with references 0 and 100 a normalised score is the return itself.
    low, high = (0.0, 100.0) if document["references"] == "raw" else document["references"]
    return Task(
        id=task_id,
        family=family,
        simulator=document["environment"],
        horizon=document["horizon"],
        ref_min=low,
        ref_max=high,
        reward_rule=document.get("rewards", "raw"),
        notes=tuple(document.get("notes", ())),
        **facts,
    )


def _base(task_id: str) -> str:
    return re.sub(r"-v\d+$", "", task_id)


def _environment(task_id: str) -> dict[str, Any] | None:
    """Return the row of ``environments`` with the longest prefix of the id."""
    if is_own(task_id) or single_task(task_id):
        return None
    rows: dict[str, dict[str, Any]] = _facts()["environments"]
    fitting = [name for name in rows if f"{task_id}-".startswith(f"{name}-")]
    return rows[max(fitting, key=len)] if fitting else None
