"""The schema of a search file: its keys and their types, before anything is made of them."""

from __future__ import annotations

from fractions import Fraction
from typing import Annotated, Any

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    WithJsonSchema,
)

from qipo_ray.study.objective import SCORE, Objective
from qipo_ray.study.seeds import read_seeds


def _share(value: object) -> float:
    """Return a share given as a number or as ``1/9``."""
    try:
        if isinstance(value, str | int | float) and not isinstance(value, bool):
            return float(Fraction(value) if isinstance(value, str) else value)
    except (ValueError, ZeroDivisionError):
        pass
    raise ValueError("must be a number or a fraction such as 1/9")


def _workers(value: object) -> object:
    positive = isinstance(value, int) and not isinstance(value, bool) and value >= 1
    if value != "auto" and not positive:
        raise ValueError("must be a whole number of at least 1, or auto")
    return value


def _gpus(value: float) -> float:
    if value > 1 and value != int(value):
        raise ValueError("must be a whole number, or part of one GPU")
    return value


def _seeds(value: object) -> object:
    """Return the list of ``100-104``; a list stays as it is."""
    return read_seeds(value) if isinstance(value, str) else value


class _Schema(BaseModel):
    model_config = ConfigDict(
        extra="forbid", strict=True, allow_inf_nan=False, validate_default=True
    )


_Whole = Annotated[int, Field(ge=1, le=1_000_000)]
_Number = {"type": "integer", "minimum": 0, "exclusiveMaximum": 2**32}
_SeedList = Annotated[
    list[Annotated[int, Field(ge=0, lt=2**32)]],
    Field(min_length=1),
    BeforeValidator(_seeds),
    WithJsonSchema(
        {
            "anyOf": [
                {"type": "array", "items": _Number, "minItems": 1},
                {"type": "string", "pattern": r"^[\d ,-]+$"},
            ]
        }
    ),
]
_Share = Annotated[
    Any,
    AfterValidator(_share),
    WithJsonSchema({"anyOf": [{"type": "number"}, {"type": "string", "pattern": r"^\d+/\d+$"}]}),
]


class _Seeds(_Schema):
    """Training seeds: a list, or a range such as 100-104."""

    search: Annotated[_SeedList, Field(description="A trial trains on all of them.")]
    report: Annotated[_SeedList, Field(description="Of the confirm step alone.")]


class _Rungs(_Schema):
    """Where trials are compared, and how many go on."""

    shares: Annotated[
        list[_Share],
        Field(min_length=1, description="Of the policy stage, rising to 1: there it is scored."),
    ] = [1 / 9, 1 / 3, 1.0]
    reduction: Annotated[
        int, Field(ge=2, le=1000, description="At each rung but the last 1 in this many goes on.")
    ] = 3


class _Confirm(_Schema):
    """What is trained again on the report seeds."""

    top: Annotated[_Whole, Field(description="Configurations of each method and path.")] = 1
    race: Annotated[
        _SeedList | None,
        Field(description="More report seeds, for what is not clearly worse than the best."),
    ] = None


class _Resources(_Schema):
    """Where the sweep trains; it changes no result."""

    workers: Annotated[
        Any,
        AfterValidator(_workers),
        WithJsonSchema({"anyOf": [{"type": "integer", "minimum": 1}, {"const": "auto"}]}),
        Field(description="auto: as many as the CPUs or GPUs that there are."),
    ] = "auto"
    cpus: Annotated[float, Field(gt=0, description="Of each worker.")] = 1.0
    gpus: Annotated[
        float,
        Field(ge=0, description="Of each worker; 0.5 is half of one."),
        AfterValidator(_gpus),
    ] = 0.0
    slots: Annotated[_Whole, Field(description="Jobs that a worker trains at once, packed.")] = 1
    max_share: Annotated[
        float, Field(gt=0, le=1, description="Of the room for such workers on a cluster.")
    ] = 1.0
    wait: Annotated[
        bool, Field(description="Workers wait for room, and ask an autoscaler for it.")
    ] = False


_Label = Annotated[str, Field(min_length=1, max_length=64)]
_File = Annotated[str, Field(min_length=1, max_length=4096)]


class SearchFile(_Schema):
    """A search file's contents; what its values mean is checked later."""

    name: Annotated[
        str,
        Field(
            pattern=r"^[a-z0-9][a-z0-9_-]*(\.[a-z0-9_-]+)*$",
            max_length=64,
            description="Of the sweep: its results go to RESULTS/NAME.",
        ),
    ]
    tasks: Annotated[
        list[str],
        Field(min_length=1, description="Names or task files; each has a search of its own."),
    ]
    data: Annotated[
        dict[str, _File], Field(description="Of some tasks, the file of their data, or minari:ID.")
    ] = {}
    preset: Annotated[str, Field(description="What everything starts from: a name or a file.")]
    changes: Annotated[
        dict[str, Any], Field(alias="set", description="Changes to the preset.")
    ] = {}
    space: Annotated[dict[str, Any], Field(description="The settings that vary.")]
    paper: Annotated[
        dict[str, Any] | None,
        Field(description="The paper's form: changes to the base. First, and always confirmed."),
    ] = None
    baselines: Annotated[
        dict[_Label, dict[str, Any]],
        Field(description="By name, changes to the base: confirmed beside, never searched."),
    ] = {}
    acting: Annotated[
        dict[_Label, dict[str, Any]],
        Field(description="By name, ways to act in which what is found is scored, too."),
    ] = {}
    objective: Annotated[
        Objective, Field(description="What trials are compared and chosen by.")
    ] = SCORE
    warm_start: Annotated[
        _File | None,
        Field(description="The folder of another sweep, whose trials the search begins with."),
    ] = None
    trials: Annotated[_Whole, Field(description="Configurations to try for each task.")]
    seeds: _Seeds
    rungs: _Rungs = _Rungs()
    confirm: _Confirm = _Confirm()
    resources: _Resources = _Resources()
