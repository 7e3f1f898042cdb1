"""What a record says of the hardware it was made on, by name and as text."""

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
    hardware: Any = provenance["hardware"]
    if isinstance(hardware, str):
        return {} if hardware == "unknown" else {"machine": hardware}
    return dict(hardware)


def hardware_text(hardware: Any) -> str:
    """Return a record's ``provenance.hardware`` as text."""
    fields = hardware_of({"hardware": hardware})
    parts = [str(fields[key]) for key in HARDWARE if key != "threads" and fields.get(key)]
    if fields.get("threads"):
        parts.append(f"{fields['threads']} threads" if fields["threads"] > 1 else "1 thread")
    if fields.get("torch"):
        parts.append(f"torch {fields['torch']}")
    machines = [", ".join(parts) or "unknown", *map(hardware_text, fields.get("also", []))]
    return "; also ".join(machines)
