"""Killed runs: SIGKILL at drawn moments of each stage; gone on from disk, they end bit for bit."""

from __future__ import annotations

import json
import random
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from fixtures.fault_counts import CountFaults, scaled

from qipo_ray.agent.pack import stream
from qipo_ray.data.transitions import Dataset
from qipo_ray.store.artefacts import ArtefactStore
from qipo_ray.store.records import read_records
from qipo_ray.train.checkpoint import from_bytes, to_bytes
from qipo_ray.train.metrics import read_metrics

pytestmark = pytest.mark.faults
KILLS = "kill of a training process"
STAGES = ("behaviour", "critic", "policy")
LENGTHS = {"behaviour": 40, "critic": 60, "policy": 60}
SETTINGS = (
    "behaviour.width=16",
    "behaviour.blocks=1",
    "behaviour.batch_size=32",
    "behaviour.updates=40",
    "critic.width=16",
    "critic.layers=2",
    "critic.batch_size=32",
    "critic.updates=60",
    "critic.returns_updates=15",  # then three support sets
    "critic.refresh_every=15",
    "critic.support_size=3",
    "critic.pool=100",
    "policy.batch_size=16",
    "policy.support_size=4",
    "policy.pool=50",
    "policy.rounds=3",
    "policy.renew_every=20",
    "sampler.evaluations=4",
    "evaluation.every=20",
    "evaluation.episodes=1",
    "evaluation.final_episodes=2",
)
# The policy stage by its other switches; in its first round the policy rests.
SWITCHED = (
    *SETTINGS,
    "behaviour.path=vp",
    "behaviour.weights=ema",
    "policy.sampler=ema",
    "policy.loss_actions=1",
    "policy.target_ess=0.3",
    "policy.trust=1",
    "evaluation.weights=ema",
)


@dataclass
class Lives:
    """A warm process that forks lives (see lives.py), and a run that was never broken off."""

    process: subprocess.Popen[str]
    settings: tuple[str, ...]
    folder: Path
    unbroken: Path
    moments: dict[str, int] = field(default_factory=dict)  # of the unbroken run, by region
    runs: int = 0

    def live(self, root: Path, region: str | None = None, at: int = 0) -> bool:
        """Train until the run is through, or until moment ``at`` of a region: then False."""
        order = {"root": str(root), "settings": self.settings, "region": region, "at": at}
        assert self.process.stdin is not None and self.process.stdout is not None
        self.process.stdin.write(json.dumps(order) + "\n")
        self.process.stdin.flush()
        end = json.loads(self.process.stdout.readline())
        assert end["code"] in (0, -9), end
        self.moments = self.moments or end["moments"]
        return end["code"] == 0

    def begin(self, stage: str) -> Path:
        """Return a new run that has come to the beginning of a stage."""
        self.runs += 1
        root = self.folder / f"run-{self.runs}"
        for done in STAGES[: STAGES.index(stage)]:
            (folder,) = self.unbroken.glob(f"artefacts/{done}-*")
            shutil.copytree(folder, root / "artefacts" / folder.name)
        return root

    def kill(self, stage: str, region: str, times: int) -> None:
        """Kill runs of a stage so many times, at moments drawn from the first third that is left.

        What gets through, and the last one, must end as the unbroken run did.
        """
        dice = random.Random(f"{stage}, {region}")
        root, deaths = self.begin(stage), 0
        while deaths < times:
            if self.live(root, region, dice.randint(1, self.moments[region] // 3)):
                assert_equal_ends(root, self.unbroken)
                root = self.begin(stage)
            else:
                deaths += 1
        assert self.live(root)
        assert_equal_ends(root, self.unbroken)


@pytest.fixture(scope="module")
def warm(point: Dataset) -> Iterator[subprocess.Popen[str]]:
    script = Path(__file__).with_name("lives.py")
    process = subprocess.Popen(
        [sys.executable, str(script), str(point.path), json.dumps(SETTINGS)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    with process:
        yield process
        assert process.stdin is not None
        process.stdin.close()
        assert process.wait() == 0


@pytest.fixture(scope="module")
def lives(warm: subprocess.Popen[str], tmp_path_factory: pytest.TempPathFactory) -> Lives:
    return begun(warm, SETTINGS, tmp_path_factory.mktemp("lives"))


@pytest.fixture(scope="module")
def switched(warm: subprocess.Popen[str], tmp_path_factory: pytest.TempPathFactory) -> Lives:
    return begun(warm, SWITCHED, tmp_path_factory.mktemp("switched"))


def begun(process: subprocess.Popen[str], settings: tuple[str, ...], folder: Path) -> Lives:
    lives = Lives(process, settings, folder, folder / "unbroken")
    assert lives.live(lives.unbroken)
    return lives


def ends_of(root: Path) -> dict[str, Any]:
    """Return what must not depend on kills: final and kept checkpoints, metrics, scores, record.

    A checkpoint's bytes hold weights, averages, moments and the state of the random stream.
    """
    found: dict[str, Any] = {}
    for path in root.glob("artefacts/*/*"):
        stage = path.parent.name.split("-")[0]
        if path.suffix == ".pt" and path.name.startswith(f"{LENGTHS[stage]:09d}"):
            found[f"{stage} weights"] = path.read_bytes()
        elif path.suffix == ".csv" or path.name.startswith("note-"):
            found[f"{stage} {path.name}"] = path.read_bytes()
    (record,) = read_records(root)
    for name in ("attempt", "cost", "provenance"):
        del record[name]
    del record["final"]["action_latency_ms"]
    return {**found, "record": record}


def assert_equal_ends(root: Path, unbroken: Path) -> None:
    one, other = ends_of(root), ends_of(unbroken)
    assert one.keys() == other.keys()
    assert [name for name in other if one[name] != other[name]] == []
    left = [*root.rglob("*.tmp"), *root.rglob("*.corrupt")]
    assert left == []


def test_the_unbroken_run_holds_what_is_compared(lives: Lives) -> None:
    """Else two empty folders would be equal. The regions of kills are really passed."""
    names = ends_of(lives.unbroken)
    for stage, length in LENGTHS.items():
        assert {f"{stage} weights", f"{stage} metrics.csv"} <= names.keys()
        assert len(names[f"{stage} metrics.csv"].splitlines()) == 1 + length // 10
    assert [score["updates"] for score in names["record"]["scores"]] == [20, 40, 60]
    assert min(lives.moments.values()) > 10_000
    assert {"score", *STAGES, *(f"save {stage}" for stage in STAGES)} <= lives.moments.keys()


@pytest.mark.parametrize(
    ("stage", "settings"),
    [("behaviour", "lives"), ("critic", "lives"), ("policy", "switched")],
)
def test_kills_change_no_bit(
    stage: str, settings: str, request: pytest.FixtureRequest, count_faults: CountFaults
) -> None:
    """Most anywhere in the stage, from its admission on, and some in the middle of a save."""
    lives: Lives = request.getfixturevalue(settings)
    anywhere, saving = scaled(60), scaled(25)
    lives.kill(stage, stage, anywhere)
    lives.kill(stage, f"save {stage}", saving)
    count_faults(KILLS, anywhere + saving)


def test_the_switched_policy_rests_in_one_round_and_moves_in_the_others(switched: Lives) -> None:
    (folder,) = switched.unbroken.glob("artefacts/policy-*")
    beta = {row["updates"]: row["beta"] for row in read_metrics(folder)}
    assert [beta[updates] > 0 for updates in (20, 40, 60)] == [False, True, True]


def test_kills_in_an_evaluation_change_no_bit(lives: Lives, count_faults: CountFaults) -> None:
    lives.kill("policy", "score", scaled(45))
    count_faults(KILLS, scaled(45))


def test_the_comparison_sees_a_forgotten_stream(lives: Lives) -> None:
    """What was killed goes on with the stream of a fresh member: its end is another."""
    root = lives.begin("policy")
    assert not lives.live(root, "policy", lives.moments["policy"] // 2)
    (folder,) = root.glob("artefacts/policy-*")
    store, key = ArtefactStore(root), folder.name.removeprefix("policy-")
    newest = store.newest("policy", key)
    assert newest is not None and 0 < newest[0].updates < LENGTHS["policy"]
    checkpoint = from_bytes(newest[1])
    checkpoint.state["generator"] = stream(0, "policy", "draws").get_state()
    attempt = store.claim("policy", key)
    store.write("policy", key, newest[0].updates, to_bytes(checkpoint), attempt=attempt)
    assert lives.live(root)
    one, other = ends_of(root), ends_of(lives.unbroken)
    assert {n for n in other if one[n] != other[n]} >= {"policy weights", "policy metrics.csv"}
