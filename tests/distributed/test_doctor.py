"""Checks of a machine, each seen to fail, and those of many machines in one list."""

from __future__ import annotations

import resource
from dataclasses import replace
from pathlib import Path

import pytest
from fixtures.s3_server import S3Server

from qipo_ray.distributed import doctor
from qipo_ray.distributed.doctor import Check, check_machine, check_storage, merged
from qipo_ray.distributed.node_checks import check_room
from qipo_ray.store import bucket
from qipo_ray.study.search_spec import Resources


@pytest.fixture
def failing(monkeypatch: pytest.MonkeyPatch) -> dict[str, Check]:
    """The checks of this machine by name, after all was taken from it that can be."""
    monkeypatch.setattr(doctor, "OLDEST_PYTHON", (9, 0))
    monkeypatch.setattr(doctor.shutil, "which", lambda name: f"/bin/{name}")
    monkeypatch.setattr(doctor, "RENDER", "raise SystemExit(1)")
    monkeypatch.setattr(doctor, "_installed", lambda name, fix: Check(name, "fail", "no", fix))
    monkeypatch.setattr(doctor, "_is_here", lambda package: package != "wandb")
    monkeypatch.setattr(resource, "getrlimit", lambda kind: (256, 1024))
    monkeypatch.setenv("RAY_TMPDIR", "/etc/passwd/x")
    return {check.name: check for check in check_machine()}


def test_each_check_says_what_to_do(failing: dict[str, Check]) -> None:
    fixes = {name: check.fix for name, check in failing.items() if check.state == "fail"}
    assert fixes == {
        "python": "install Python 3.10 or newer",
        "ray": "pip install 'ray[default,train,tune]'",
        "mujoco": "pip install 'gymnasium[mujoco]'",
        "shared memory": "set RAY_TMPDIR to a folder that can, or use --executor local",
        "open files": "raise it in limits.conf: 65536",
    }
    assert failing["rendering"].state == "note" and "libegl1" in failing["rendering"].fix
    assert "wandb" in failing["extras"].fix and "onnx" in failing["extras"].message


def test_the_token_is_its_owners_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    token = tmp_path / "token"
    monkeypatch.setenv("RAY_AUTH_TOKEN_PATH", str(token))
    assert doctor._token().state == "note"
    token.write_text("x")
    token.chmod(0o640)
    assert doctor._token() == Check(
        "token", "fail", f"{token} may be read by others (0640)", f"chmod 600 {token}"
    )
    token.chmod(0o600)
    assert doctor._token().state == "ok"


def test_results_must_be_writable_roomy_and_the_same_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert check_storage(tmp_path / "new").state == "ok" and (tmp_path / "new").is_dir()
    assert list((tmp_path / "new").iterdir()) == []
    (tmp_path / "file").touch()
    refused = check_storage(tmp_path / "file" / "below")
    assert refused.state == "fail" and "cannot be written (Not a directory)" in refused.message
    apart = check_storage(tmp_path, "what-the-driver-wrote")
    assert apart.state == "fail" and "another folder than the driver's" in apart.message
    monkeypatch.setattr(doctor, "DISK", 2**70)
    assert check_storage(tmp_path).fix == "make space"


@pytest.mark.slow
def test_a_bucket_must_answer_and_take_what_is_put(s3_server: S3Server) -> None:
    folder = Path("s3://bucket/sweeps")
    assert check_storage(folder) == Check("storage", "ok", "results s3://bucket/sweeps")
    assert bucket.names(bucket.scratch_of(folder)) == []
    missing = check_storage(Path("s3://nothing/sweeps"))
    assert missing.state == "fail" and missing.message.endswith("no bucket s3://nothing")
    assert missing.fix == "make it, or correct it"


def test_machines_are_told_once_where_they_agree_and_versions_must() -> None:
    def machine(ray: str, token: str, free: str = "1 GB") -> list[Check]:
        state = "ok" if token == "0600" else "fail"
        return [
            Check("ray", "ok", ray), Check("token", state, token, "chmod"), Check("m", "ok", free),
        ]  # fmt: skip

    one = machine("2.60.0", "0600")
    assert merged({"a": one, "b": one}) == one
    nodes = {f"10.0.0.{i}": machine("2.60.0", "0644", f"{i} GB") for i in range(5)}
    ray, token, memory = merged({"driver": machine("2.61.0", "0600"), **nodes})
    on = "10.0.0.0, 10.0.0.1, 10.0.0.2 and 2 more"
    assert ray.state == "fail" and ray.message == f"2.61.0 on driver; 2.60.0 on {on}"
    assert token == Check("token", "fail", f"{on}: 0644", "chmod")
    assert memory == Check("m", "ok", "1 GB; in order on all machines")


def test_room_is_counted_as_the_sweep_will() -> None:
    few = Resources(workers=4, cpus=2.0, gpus=0.0, slots=1)
    check = check_room(few, [{"CPU": 4.0}])
    assert (
        check.state == "fail" and "4 workers x 2 CPUs = 8 CPUs, but the cluster" in check.message
    )
    assert check.fix.startswith("ask for fewer")
    assert check_room(few, [{"CPU": 4.0}, {"CPU": 4.0}]) == Check(
        "resources", "ok", "room for 4 workers"
    )
    assert check_room(replace(few, wait=True), []).state == "ok"  # an autoscaler is asked
