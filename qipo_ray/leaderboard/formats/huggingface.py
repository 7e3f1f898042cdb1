"""Results in the shape that leaderboards on Hugging Face read: one JSON file per model.

The shape is that of the results data set behind their leaderboard template: ``config`` names the
model, ``results`` holds metrics by task. Readers merge files of one model name, and show a metric
times 100: so a name says data source and protocol, and a score of 54.2 is the share 0.542.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Sequence

from qipo_ray.leaderboard.aggregate import Aggregate, aggregates
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
    for _, group in by_setting(rows):
        for config in aggregates(group)[0]:
            if config.method.kind != "data":
                time = re.sub(r"\D", "-", max(row.ended for row in config.rows)[:19])
                name = f"results_{time[:10]}T{time[11:]}.000000.json"
                files[f"{FOLDER}/{ORGANISATION}/{_model(config)}/{name}"] = _document(config)
    return files


def _protocol(config: Aggregate) -> dict[str, object]:
    """Return how the numbers of one model were measured."""
    method = config.method
    setting = method.setting
    return {
        "checkpoint": "last",
        "episodes": method.episodes,
        "env_seeds": setting.env_seeds,
        "sampler": method.sampler,
        "steps": method.steps,
        "best_of": method.best_of,
        "clip": setting.clip,
    }


def _model(config: Aggregate) -> str:
    """Return a model's name: what it is, and a hash of all that must not be merged with it."""
    method = config.method
    identity = [
        *(method.setting.origin, method.setting.episodes, method.name, config.label),
        *(None if config.tuned else method.config, _protocol(config)),
    ]
    digest = hashlib.sha256(json.dumps(identity).encode()).hexdigest()[:8]
    name = f"{method.name} {config.label or ''} {method.setting.origin}"
    return f"{re.sub('[^A-Za-z0-9]+', '-', name).strip('-')[:80]}-{digest}"


def _document(config: Aggregate) -> str:
    method = config.method
    document = {
        "config": {
            "model_name": f"{ORGANISATION}/{_model(config)}",
            "model_dtype": PRECISION,
            "model_sha": NO_REVISION,
            "method": method.name,
            "configuration": config.label,
            "source": method.setting.origin,
            "protocol": _protocol(config),
        },
        "results": {row.method.task: _metrics(row) for row in config.rows},
        "details": {row.method.task: _details(row) for row in config.rows},
    }
    return json.dumps(document, indent=2, allow_nan=False) + "\n"


def _metrics(row: Row) -> dict[str, float]:
    """Return the metrics of one task; a share of 1 is the task's upper reference.

    A task without references has its raw return instead, one of OGBench the share of successes.
    """
    name, unit = ("return", 1) if row.method.setting.raw else ("normalised", 100)
    if row.method.setting.by_success:
        name = "success"
    metrics = {name: row.last.mean / unit}
    if row.last.std is not None:
        metrics[f"{name}_std"] = row.last.std / unit
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
