"""JobStore in the shape that leaderboards on Hugging Face read: one JSON file per model.

The shape is that of the results data set behind their leaderboard template: ``config`` names the
model, ``results`` holds metrics by task. Readers merge files of one model name, and show a metric
times 100: so a name says data source and protocol, and a score of 54.2 is the share 0.542.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Sequence

from qipo_ray.leaderboard.aggregate import EVERYTHING, Aggregate, aggregates
from qipo_ray.leaderboard.rows import Row, by_setting

FOLDER = "huggingface"
ORGANISATION = "qipo_ray"
PRECISION = "torch.float32"
NO_REVISION = ""  # what readers take for the newest: our models are not on the hub


def results_files(rows: Sequence[Row]) -> dict[str, str]:
    """Return the files by their path; equal rows give equal files.

    One model is one configuration of one data source and protocol, as in the table by
    configuration. The names are those of results of their own time, so that folders of several
    machines can be laid together.
    """
    files = {}
    for _, some in by_setting(rows):
        found, _ = aggregates(some, lambda task: EVERYTHING)
        for one in found:
            if one.rows[0].method.kind != "data":
                time = re.sub(r"\D", "-", max(row.ended for row in one.rows)[:19])
                name = f"results_{time[:10]}T{time[11:]}.000000.json"
                files[f"{FOLDER}/{ORGANISATION}/{_model(one)}/{name}"] = _text(one)
    return files


def _protocol(one: Aggregate) -> dict[str, object]:
    """Return how the numbers of one model were measured."""
    method = one.rows[0].method
    setting = method.setting
    return {
        "checkpoint": "last",
        "episodes": method.episodes,
        "env_seeds": setting.env_seeds,
        "sampler": method.sampler,
        "steps": method.steps,
        "best_of": setting.best_of,
        "clip": setting.clip,
    }


def _model(one: Aggregate) -> str:
    """Return a model's name: what it is, and a hash of all that must not be merged with it."""
    method = one.rows[0].method
    unlike = [
        *(method.setting.source, method.setting.episodes, method.name, one.label),
        *(None if one.tuned else method.config, _protocol(one)),
    ]
    digest = hashlib.sha256(json.dumps(unlike).encode()).hexdigest()[:8]
    words = f"{method.name} {one.label or ''} {method.setting.source}"
    return f"{re.sub('[^A-Za-z0-9]+', '-', words).strip('-')[:80]}-{digest}"


def _text(one: Aggregate) -> str:
    method = one.rows[0].method
    document = {
        "config": {
            "model_name": f"{ORGANISATION}/{_model(one)}",
            "model_dtype": PRECISION,
            "model_sha": NO_REVISION,
            "method": method.name,
            "configuration": one.label,
            "source": method.setting.source,
            "protocol": _protocol(one),
        },
        "results": {row.method.task: _metrics(row) for row in one.rows},
        "details": {row.method.task: _details(row) for row in one.rows},
    }
    return json.dumps(document, indent=2, allow_nan=False) + "\n"


def _metrics(row: Row) -> dict[str, float]:
    """Return the metrics of one task; a share of 1 is the task's upper reference."""
    metrics = {"normalised": row.last.mean / 100}
    if row.last.std is not None:
        metrics["normalised_std"] = row.last.std / 100
    return metrics


def _details(row: Row) -> dict[str, object]:
    """Return what stands behind the numbers of one task."""
    method = row.method
    return {
        "training_seeds": list(row.seeds),
        "config_hash": method.config,
        "departures": list(method.departures),
        "selection_episodes": method.selection_episodes,
        "data_sha256": method.dataset,
        "data_notes": list(row.notes),
    }
