"""``qipo-ray schema``: what an editor needs to know of search files."""

from __future__ import annotations

import json

from qipo_ray.cli import output as out
from qipo_ray.study.json_schema import search_file_schema


def schema() -> None:
    """Print the JSON Schema of search files, on one line."""
    out.write(json.dumps(search_file_schema(), separators=(",", ":")))
