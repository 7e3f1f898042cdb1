"""The memory that a sweep's support sets take at most, said when it begins."""

from __future__ import annotations

import itertools
from collections.abc import Iterator

from qipo_ray.config import Config, FieldError
from qipo_ray.config.facts import marked
from qipo_ray.config.notes import SupportSize
from qipo_ray.data.transitions import Dataset
from qipo_ray.study.search_spec import SearchSpec, changed
from qipo_ray.train.memory import planned, support_needs


def memory_line(spec: SearchSpec, dataset: Dataset, jobs: int) -> str:
    """Return the arithmetic of the largest support sets of a task, with ``jobs`` at once."""
    device = "cuda" if spec.resources.gpus else "cpu"
    size = (dataset.rows, dataset.actions.shape[1], device)
    needs = [support_needs(config, *size) for config in _sizes(spec)]
    total = planned(needs or [support_needs(spec.base, *size)], jobs)
    return f"memory of {dataset.task_id}: up to {total}"


def _sizes(spec: SearchSpec) -> Iterator[Config]:
    """Yield configurations with all sizes that may occur, whatever is searched beside them."""
    if spec.paper is not None:
        yield spec.paper
    yield from (baseline.config for baseline in spec.baselines)
    searched = [parameter for parameter in spec.parameters if parameter.key in marked(SupportSize)]
    ends = [parameter.values for parameter in searched]  # options, or the lowest and the highest
    for values in itertools.product(*ends):
        try:
            yield changed(spec.base, dict(zip((p.key for p in searched), values, strict=True)))
        except FieldError:
            continue  # sizes that the space never joins
