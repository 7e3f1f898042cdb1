"""A sweep on Ray whose results are in a bucket: two nodes that share nothing but the bucket."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest
from fixtures.s3_server import S3Server

from qipo_ray.cli.main import main

pytestmark = [pytest.mark.ray, pytest.mark.faults]

LIMIT_S = 900.0
# The scratch folder of a node lies below its own TMPDIR.
DRIVER = """
import sys
from ray.cluster_utils import Cluster
from qipo_ray.cli.main import main

search, first, second = sys.argv[1:]
head = {"num_cpus": 1, "env_vars": {"TMPDIR": first}}
nodes = Cluster(initialize_head=True, head_node_args=head)
nodes.add_node(num_cpus=1, env_vars={"TMPDIR": second})
code = main(["sweep", search, "--results", "s3://bucket/ray", "--trials", "3",
             "--address", nodes.address, "--insecure-cluster"])
nodes.shutdown()
sys.exit(code)
"""


def test_two_nodes_that_share_nothing_but_the_bucket(
    s3_server: S3Server,
    tiny_search: str,
    tmp_path: Path,
    marked_env: dict[str, str],
    marked: object,  # ends what a failed test leaves
    capsys: pytest.CaptureFixture[str],
) -> None:
    search = tmp_path / "tiny.yaml"
    search.write_text(tiny_search.replace("workers: 1", "workers: 2"))
    scratch = [tmp_path / "first", tmp_path / "second"]
    for folder in scratch:
        folder.mkdir()
    command = [sys.executable, "-c", DRIVER, search, *scratch]
    log = tmp_path / "driver.log"
    # Paths of Ray's sockets have at most 107 bytes.
    short = tempfile.TemporaryDirectory(prefix="qipo", dir="/tmp", ignore_cleanup_errors=True)
    with log.open("wb") as file, short as sockets:
        env = {**marked_env, **os.environ, "RAY_TMPDIR": sockets}
        driver = subprocess.run(command, env=env, stdout=file, stderr=file, timeout=LIMIT_S)
    assert driver.returncode == 0, log.read_text()[-3000:]
    jobs = "qipo-ray-*/s3/bucket/ray/tiny/artefacts/*"
    assert all([*folder.glob(jobs)] for folder in scratch), "both have trained"
    assert main(["verify", "s3://bucket/ray/tiny"]) == 0
    assert "nothing is wrong" in capsys.readouterr().out
