"""The services that ``--log`` names: which are known, and which are refused."""

from __future__ import annotations

import threading

import pytest

from qipo_ray.errors import UserError
from qipo_ray.tracking import loggers
from qipo_ray.tracking.loggers import parse_services


def test_names_are_checked() -> None:
    assert parse_services(None) == () == parse_services("")
    with pytest.raises(UserError, match=r"--log wanb \(did you mean 'wandb'\?\): expected wandb"):
        parse_services("wanb")


class Service:
    """A service's module whose check raises something or takes forever."""

    def __init__(self, error: BaseException | None) -> None:
        self.error = error
        self.ended = threading.Event()

    def check(self) -> None:
        if self.error is not None:
            raise self.error
        self.ended.wait()


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (
            ModuleNotFoundError("No module named 'mlflow'"),
            "needs the extra: pip install 'qipo_ray",
        ),
        (RuntimeError("no\nlogin"), "--log mlflow: no login$"),
        (ConnectionRefusedError(111, "Connection refused"), "Connection refused$"),
        (SystemExit(), "--log mlflow: SystemExit$"),
        (None, "--log mlflow: no answer in 0 s$"),
    ],
)
def test_a_service_that_cannot_be_used_is_refused_before_anything_is_trained(
    error: BaseException | None, words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    service = Service(error)
    monkeypatch.setattr(loggers, "import_module", lambda name: service)
    if error is None:
        monkeypatch.setattr(loggers, "CHECK_S", 0.01)
    with pytest.raises(UserError, match=words):
        parse_services("mlflow")
    service.ended.set()
