"""What the sections of the settings share: kinds of numbers, and the check of every field."""

import functools
from typing import Annotated, Any, get_type_hints

from qipo_ray.config.values import Names, Range, conform_to, unfold

MOST = 999_999_999  # updates; nine digits, as in the names of snapshots
MOST_BETA = 9  # decimal digits; networks are float32
Count = Annotated[int, Range(1, MOST)]  # at least one of something
CountOrNone = Annotated[int, Range(0, MOST)]  # 0 has a meaning of its own
Width = Annotated[int, Range(1, 65_536)]  # neurons
Rate = Annotated[float, Range(0, 1, open_low=True)]  # a step size or an averaging rate
Weight = Annotated[float, Range(0, 1e9)]  # an inverse temperature; networks are float32


class FieldError(ValueError):
    """A value that a field, or several fields together, do not allow; ``fields`` are dotted."""

    def __init__(self, names: tuple[str, ...], problem: str) -> None:
        """Keep the dotted ``names``, the field to blame first."""
        super().__init__(f"{names[0]} {problem}")
        self.fields = names


@functools.cache
def field_types(section: type) -> dict[str, Any]:
    """Return the declared type of every field of a section, with its range and its note."""
    return get_type_hints(section, include_extras=True)


@functools.cache  # thousands of configurations are built for a large folder
def _unfolded(section: type) -> tuple[tuple[str, Any, Range | Names | None], ...]:
    return tuple((name, *unfold(hint)) for name, hint in field_types(section).items())


class Section:
    """Checks and normalises every field when a section is built."""

    called = ""  # its name in a configuration, where that is not the class's

    def __post_init__(self) -> None:
        """Conform every field to its type; ``FieldError`` where that cannot be."""
        section: type = type(self)
        for name, kind, limits in _unfolded(section):
            try:
                object.__setattr__(self, name, conform_to(kind, limits, getattr(self, name)))
            except ValueError as problem:
                dotted = f"{self.called or section.__name__.lower()}.{name}"
                raise FieldError((dotted,), str(problem)) from None
