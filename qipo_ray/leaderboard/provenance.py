"""What a record says of the hardware it was made on, by name and in words."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

HARDWARE = {
    "machine": "machine",
    "cpu": "CPU",
    "device": "device",
    "accelerator": "accelerator",
    "threads": "threads",
}


def hardware_of(provenance: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the hardware by name; of older records, which hold one word, the machine alone."""
    found: Any = provenance["hardware"]
    if isinstance(found, str):
        return {} if found == "unknown" else {"machine": found}
    return dict(found)


def hardware_text(hardware: Any) -> str:
    """Return a record's ``provenance.hardware`` as words."""
    found = hardware_of({"hardware": hardware})
    words = [str(found[key]) for key in HARDWARE if key != "threads" and found.get(key)]
    if found.get("threads"):
        words.append(f"{found['threads']} threads" if found["threads"] > 1 else "1 thread")
    if found.get("torch"):
        words.append(f"torch {found['torch']}")
    also = [hardware_text(one) for one in found.get("also", [])]
    return "; also ".join([", ".join(words) or "unknown", *also])
