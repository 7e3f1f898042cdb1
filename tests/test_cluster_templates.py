"""The templates of `cluster/`, offline: validators pass each, and fail it with a broken key."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from copy import deepcopy
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

ROOT = Path(__file__).resolve().parents[1]
CLUSTER = ROOT / "cluster"
BIN = Path(sys.executable).parent
KUBERAY = json.loads((ROOT / "tests/fixtures/kuberay.json").read_text())
KUBERNETES = "1.34"  # whose schema judges pods
SCRIPTS = ("local.sh", "slurm/sweep.sbatch", "slurm/array.sbatch")
RESOURCES = ("results.yaml", "raycluster.yaml", "rayjob.yaml")


def read(name: str) -> dict[str, Any]:
    document: dict[str, Any] = yaml.safe_load((CLUSTER / name).read_text())
    return document


def pods(document: Any) -> Iterator[dict[str, Any]]:
    """Yield every pod template in a document."""
    inner = document.values() if isinstance(document, dict) else document
    if isinstance(document, dict) and "template" in document:
        yield document["template"]
    if isinstance(document, (dict, list)):
        for value in inner:
            yield from pods(value)


def judge_launcher(document: dict[str, Any]) -> None:
    """Raise what `ray up` raises before it asks the cloud for anything."""
    from ray.autoscaler._private.util import prepare_config, validate_config

    validate_config(prepare_config(deepcopy(document)))


def judge_resource(document: dict[str, Any]) -> None:
    """Raise what is wrong with a resource of Kubernetes, or of KubeRay and its pods."""
    import kubernetes_validate

    if document["kind"] == "PersistentVolumeClaim":
        kubernetes_validate.validate(document, KUBERNETES, strict=True)
        return
    schema = KUBERAY
    if document["kind"] == "RayCluster":
        schema = {
            "properties": {"spec": KUBERAY["properties"]["spec"]["properties"]["rayClusterSpec"]}
        }
    jsonschema.validate(document, schema)
    templates = list(pods(document["spec"]))
    assert len(templates) == 3
    for template in templates:
        wrapped = {"apiVersion": "v1", "kind": "PodTemplate", "template": template}
        kubernetes_validate.validate(wrapped, KUBERNETES, strict=True)


def judge_script(path: Path) -> subprocess.CompletedProcess[str]:
    subprocess.run(["bash", "-n", path], check=True)
    return subprocess.run([BIN / "shellcheck", path], capture_output=True, text=True)


def judge_dockerfile(path: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run([BIN / "hadolint", path], capture_output=True, text=True)


@pytest.mark.parametrize("name", ["aws.yaml", "gcp.yaml"])
@pytest.mark.slow
def test_launcher_files_pass_and_a_broken_key_does_not(name: str) -> None:
    document = read(name)
    judge_launcher(document)
    with pytest.raises(jsonschema.ValidationError, match="max_worker"):
        judge_launcher({**document, "max_worker": 3})
    types = document["available_node_types"]
    spot = [kind for kind, told in types.items() if "spot" in json.dumps(told).lower()]
    assert spot == ["cpu", "gpu"] and all(types[kind]["min_workers"] == 0 for kind in spot)
    images = [re.search("ImageId|sourceImage", json.dumps(told)) for told in types.values()]
    assert all(images)  # Ray's own default for AWS has a Python that is too old
    for command in (*document["head_start_ray_commands"], *document["worker_start_ray_commands"]):
        assert "ray start" not in command or "RAY_AUTH_MODE=token" in command
        assert "--dashboard-host" not in command


def _misspell(document: dict[str, Any]) -> None:
    spec = document["spec"]
    cluster = spec.get("rayClusterSpec", spec)
    if "workerGroupSpecs" in cluster:
        cluster["workerGroupSpecs"][0]["minReplica"] = 0
    else:
        spec["accessMode"] = []


def _break_pod(document: dict[str, Any]) -> None:
    spec = document["spec"]
    cluster = spec.get("rayClusterSpec", spec)
    containers = cluster["headGroupSpec"]["template"]["spec"]["containers"]
    containers[0]["volumeMount"] = []


@pytest.mark.parametrize("name", RESOURCES)
@pytest.mark.slow
def test_resources_pass_and_a_broken_key_does_not(name: str) -> None:
    document = read(f"kubernetes/{name}")
    judge_resource(document)
    breaks: list[Callable[[dict[str, Any]], None]] = [_misspell]
    breaks += [_break_pod] if "Ray" in document["kind"] else []
    for spoil in breaks:
        spoiled = deepcopy(document)
        spoil(spoiled)
        with pytest.raises(jsonschema.ValidationError, match="Additional properties"):
            judge_resource(spoiled)


def test_clusters_on_kubernetes_are_one_and_ask_for_the_token() -> None:
    cluster = read("kubernetes/raycluster.yaml")["spec"]
    assert read("kubernetes/rayjob.yaml")["spec"]["rayClusterSpec"] == cluster
    assert cluster["authOptions"] == {"mode": "token", "secretName": "qipo-token"}
    assert [group["minReplicas"] for group in cluster["workerGroupSpecs"]] == [0, 0]


@pytest.mark.parametrize("name", SCRIPTS)
@pytest.mark.slow
def test_scripts_pass_and_a_broken_one_does_not(name: str, tmp_path: Path) -> None:
    judged = judge_script(CLUSTER / name)
    assert judged.returncode == 0, judged.stdout
    broken = tmp_path / "broken.sh"
    text = (CLUSTER / name).read_text()
    broken.write_text(text.replace('"$@"', "$@"))
    assert {"SC2068", "SC2206"} & set(re.findall(r"SC\d+", judge_script(broken).stdout))
    broken.write_text(text + "if true; then\n")
    with pytest.raises(subprocess.CalledProcessError):
        judge_script(broken)


def test_the_dockerfile_passes_and_a_broken_one_does_not(tmp_path: Path) -> None:
    file = CLUSTER / "Dockerfile"
    judged = judge_dockerfile(file)
    assert judged.returncode == 0 and not judged.stdout, judged.stdout
    broken = tmp_path / "Dockerfile"
    broken.write_text(file.read_text().replace("WORKDIR /home/ray", "WORKDIR home/ray"))
    assert "DL3000" in judge_dockerfile(broken).stdout


def test_versions_are_those_of_the_constraints() -> None:
    pins = dict(
        line.split("==") for line in (ROOT / "constraints.txt").read_text().splitlines()
        if "==" in line and "#" not in line
    )  # fmt: skip
    ray = pins["ray"]
    assert f"rayproject/ray:{ray}-py311-cpu" in (CLUSTER / "Dockerfile").read_text()
    assert read("kubernetes/raycluster.yaml")["spec"]["rayVersion"] == ray


def run_array(tmp_path: Path, index: int) -> subprocess.Popen[str]:
    """Start the body of the array's script as Slurm does, with programs that say what they do."""
    programs = tmp_path / "venv" / "bin"
    programs.mkdir(parents=True, exist_ok=True)
    (programs / "activate").write_text(f"PATH={programs}:$PATH\n")
    python = '#!/bin/bash\necho "$@" >> said; [[ $* != *point* ]] || exec sleep 60\n'
    for name, body in {"python": python, "scontrol": '#!/bin/bash\necho "$@" >> said\n'}.items():
        (programs / name).write_text(body)
        (programs / name).chmod(0o755)
    slurm = {"SLURM_SUBMIT_DIR": str(tmp_path), "SLURM_ARRAY_JOB_ID": "7"}
    env = {
        **os.environ,
        **slurm,
        "SLURM_ARRAY_TASK_ID": str(index),
        "RESULTS": "/shared",
        "VENV": "venv",
    }
    command = [CLUSTER / "slurm/array.sbatch", "my_task.yaml", "point"]
    return subprocess.Popen(["bash", *command], env=env, stderr=subprocess.PIPE, text=True)


def test_an_element_of_the_array_drives_its_task_and_queues_itself_again(tmp_path: Path) -> None:
    said = tmp_path / "said"
    sweep = "-m qipo_ray.sweep locomotion --task {} --results /shared/{} --executor local\n"
    first = run_array(tmp_path, 0)
    assert first.communicate(timeout=20)[1] == "" and first.returncode == 0
    assert said.read_text() == sweep.format("my_task.yaml", "my_task")
    said.unlink()
    second = run_array(tmp_path, 1)
    while not said.exists() or not said.read_text():
        assert second.poll() is None
    second.send_signal(signal.SIGUSR1)  # as Slurm before the end of its time
    assert second.communicate(timeout=20)[1] == "" and second.returncode == 0
    assert said.read_text() == sweep.format("point", "point") + "requeue 7_1\n"
    third = run_array(tmp_path, 2)
    assert "element 2 of the array, but 2 tasks: --array=0-1" in third.communicate(timeout=20)[1]
    assert third.returncode == 2
