"""A search file's ``objective``, read: what must be measured for it, and where it says nothing."""

from __future__ import annotations

from collections.abc import Iterable

from qipo_ray.config import Config, Document, method_of
from qipo_ray.errors import UserError
from qipo_ray.study.objective import SCORE, Objective
from qipo_ray.study.search_spec import SearchSpec, changed

# Values of another discount, or of other rewards, do not compare; nor do their errors.
UNITS = ("critic.discount", "data.reward")
IN_UNITS = ("fqe", "td_error")


def measuring(base: Config, objective: Objective) -> Config:
    """Return the configuration with the signals measured that the objective needs."""
    measured = base.evaluation.signals
    if objective == SCORE or measured == "fqe":
        return base
    if objective != "fqe" and measured == "errors":
        return base
    return changed(base, {"evaluation.signals": "fqe" if objective == "fqe" else "errors"})


def check_objective(spec: SearchSpec, configs: Iterable[Config], document: Document) -> None:
    """Refuse an objective by which the searched ``configs`` cannot be compared."""
    title = f"{document.location('objective')}: objective: {spec.objective}"
    if spec.objective not in IN_UNITS:
        return
    for parameter in spec.parameters:
        if parameter.key in UNITS:
            raise UserError(
                f"{title} is in the unit of rewards and discount, so it cannot choose "
                f"{parameter.key} ({parameter.location}); give that under 'set'"
            )
    if spec.objective != "td_error":
        return
    for config in (*configs, *([spec.paper] if spec.paper else [])):
        if "critic" not in method_of(config).stages:
            raise UserError(
                f"{title} is that of the run's critic, and policy.method {config.policy.method} "
                "trains none; fqe and behaviour_loss compare all methods"
            )
