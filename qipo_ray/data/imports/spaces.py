"""The parts of a Minari set's observations and actions, in the order of its environment.

Gymnasium sorts a dictionary's keys when Minari reads its space again, HDF5 lists names by the
alphabet; the text of ``metadata.json`` alone has the environment's order.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from qipo_ray.data.faults import Unusable, quoted
from qipo_ray.errors import nearest

_IMAGE = 32  # pixels at least, in both directions, of what Minari may store as JPEG


@dataclass(frozen=True)
class Part:
    """One array of a space: ``path`` are the keys that lead to it, none for a plain box."""

    path: tuple[str, ...]
    width: int
    numbered: tuple[bool, ...] = ()  # whether a key is the place in a tuple

    @property
    def name(self) -> str:
        """The keys as one name, ``robot/joints``."""
        return "/".join(self.path)

    @property
    def members(self) -> tuple[str, ...]:
        """The keys as Minari's HDF5 files have them."""
        pairs = zip(self.path, self.numbered, strict=True)
        return tuple(f"_index_{key}" if number else key for key, number in pairs)


def parts_of(metadata: dict[str, Any], key: str, chosen: Sequence[str] = ()) -> tuple[Part, ...]:
    """Return the parts of ``observation_space`` or ``action_space``, all or those chosen by name.

    Chosen parts come in the order in which they are named.

    Raises:
        Unusable: the set does not say its space, or a part is no box of numbers.
    """
    text = metadata.get(key)
    try:
        parts = tuple(_parts(json.loads(text or ""), Part((), 0), key))
    except (ValueError, LookupError, TypeError, AttributeError) as error:
        raise Unusable(f"metadata.json does not say its {key} as Minari writes it") from error
    if not chosen:
        return parts
    named = {part.name: part for part in parts}
    for name in chosen:
        if name not in named:
            listed = ", ".join(filter(None, named)) or "one array alone"
            hint = nearest(name, named)
            raise Unusable(f"{key} has no part {quoted(name)}{hint}; it has {listed}")
    return tuple(named[name] for name in chosen)


def _parts(space: dict[str, Any], above: Part, key: str) -> Iterator[Part]:
    kind = space["type"]
    if kind in ("Dict", "Tuple"):
        inner = space["subspaces"]
        pairs = inner.items() if kind == "Dict" else enumerate(inner)
        for name, subspace in pairs:
            numbered = (*above.numbered, kind == "Tuple")
            yield from _parts(subspace, Part((*above.path, str(name)), 0, numbered), key)
        return
    shape = tuple(space["shape"]) if kind == "Box" else ()
    image = len(shape) in (2, 3) and min(shape[:2]) >= _IMAGE and space["dtype"] == "uint8"
    if kind != "Box" or image:
        label = f"{key} {quoted(above.name)}" if above.path else key
        raise Unusable(
            f"{label} is {'an image' if image else str(kind)[:40]}; expected boxes of numbers"
            + (", and parts of them by --parts" if above.path else "")
        )
    yield Part(above.path, math.prod(shape), above.numbered)
