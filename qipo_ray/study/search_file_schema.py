"""The schema of a search file: its keys and their types, before anything is made of them."""

from __future__ import annotations

from fractions import Fraction
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field

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


def _seeds(value: object) -> object:
    """Return the list of ``100-104``; a list stays as it is."""
    return read_seeds(value) if isinstance(value, str) else value


class _Schema(BaseModel):
    model_config = ConfigDict(
        extra="forbid", strict=True, allow_inf_nan=False, validate_default=True
    )


_Whole = Annotated[int, Field(ge=1, le=1_000_000)]
_SeedList = Annotated[
    list[Annotated[int, Field(ge=0, lt=2**32)]], Field(min_length=1), BeforeValidator(_seeds)
]


_Share = Annotated[Any, AfterValidator(_share)]


class _Seeds(_Schema):
    search: _SeedList
    report: _SeedList


class _Rungs(_Schema):
    shares: Annotated[list[_Share], Field(min_length=1)] = [1 / 9, 1 / 3, 1.0]
    reduction: Annotated[int, Field(ge=2, le=1000)] = 3


class _Confirm(_Schema):
    top: _Whole = 1


class _Resources(_Schema):
    workers: Annotated[Any, AfterValidator(_workers)] = "auto"
    cpus: Annotated[float, Field(gt=0)] = 1.0
    gpus: Annotated[float, Field(ge=0)] = 0.0
    slots: _Whole = 1


_Label = Annotated[str, Field(min_length=1, max_length=64)]
_File = Annotated[str, Field(min_length=1, max_length=4096)]


class SearchFile(_Schema):
    """A search file's contents; what its values mean is checked later."""

    name: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_-]*(\.[a-z0-9_-]+)*$", max_length=64)]
    tasks: Annotated[list[str], Field(min_length=1)]
    data: dict[str, _File] = {}
    preset: str
    changes: dict[str, Any] = Field({}, alias="set")
    space: dict[str, Any]
    paper: dict[str, Any] | None = None
    baselines: dict[_Label, dict[str, Any]] = {}
    trials: _Whole
    seeds: _Seeds
    rungs: _Rungs = _Rungs()
    confirm: _Confirm = _Confirm()
    resources: _Resources = _Resources()
