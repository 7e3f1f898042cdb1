"""Whole sweeps in this process: what is written, what a resume finds, what is confirmed."""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
import sys
import threading
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from types import SimpleNamespace

import pytest
from fixtures.fault_counts import CountFaults, scaled
from fixtures.search_files import stopped_at
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tensorboard.plugins.hparams.plugin_data_pb2 import HParamsPluginData

from qipo_ray.cli.main import main
from qipo_ray.config.evaluations import score_name
from qipo_ray.data.load import load
from qipo_ray.data.transitions import Dataset
from qipo_ray.errors import UserError
from qipo_ray.evaluation.generate import generate
from qipo_ray.leaderboard import Leaderboard
from qipo_ray.store.artefacts import ArtefactStore
from qipo_ray.store.intents import read_intents
from qipo_ray.store.lease import Lease
from qipo_ray.store.records import read_records
from qipo_ray.store.rung_log import RungLog
from qipo_ray.study.search_file import SearchSpec, load_search_file
from qipo_ray.study.trial import DatasetRef, Trial
from qipo_ray.sweep.run import Options, run_sweep
from qipo_ray.sweep.search_state import SearchState
from qipo_ray.tracking import dispatcher
from qipo_ray.train.run_record import RunContext
from qipo_ray.verify import verify

pytestmark = pytest.mark.slow  # one sweep of some seconds serves all

CONTEXT = RunContext("tiny", None, "search", None, "qipo-ray sweep", "2026-01-01T00:00:00+00:00")


class Quiet:
    """A screen that keeps what was said."""

    def __init__(self) -> None:
        self.said: list[str] = []

    def line(self, words: str) -> None:
        self.said.append(words)

    def update(self, share: float, left: float | None, detail: str) -> None:
        """Nothing."""


TINY = Path(__file__).with_name("tiny.yaml")
Sweep = Callable[..., tuple[Leaderboard, Quiet]]


@pytest.fixture(scope="module")
def point(tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    path = generate("point", tmp_path_factory.mktemp("data") / "point.hdf5", rows=1500)
    return load("point", path)


@pytest.fixture(scope="module")
def spec() -> SearchSpec:
    return load_search_file(TINY)


@pytest.fixture(scope="module")
def ended(
    spec: SearchSpec, sweep: Sweep, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Path, Leaderboard, Quiet]:
    """An unbroken sweep; tests that go on from it work on a copy."""
    root = tmp_path_factory.mktemp("ended") / "R"
    return root, *sweep(spec, root)


@pytest.fixture(scope="module")
def sweep(point: Dataset, without_report: None) -> Sweep:
    def run(
        spec: SearchSpec, root: Path, *, extend: bool = False, services: tuple[str, ...] = ()
    ) -> tuple[Leaderboard, Quiet]:
        screen = Quiet()
        options = Options("local", extend, None, None, services)
        return run_sweep(spec, root, {"point": point}, CONTEXT, options, screen), screen

    return run


def facts(root: Path) -> dict[str, object]:
    """What must be equal in two sweeps, however often they were broken off."""
    records = [
        {k: r[k] for k in ("id", "state", "reached", "scores", "final", "behaviour_cloning")}
        for r in read_records(root)
    ]
    for record in records:
        record["final"] = {k: v for k, v in record["final"].items() if k != "action_latency_ms"}
    intents = [{k: v for k, v in one.items() if k != "written"} for one in read_intents(root)]
    log = [(e["trial"], e["rung"], e["value"]) for e in RungLog(root / "rungs.jsonl").read()]
    return {"records": records, "intents": intents, "rungs": log}


def test_a_sweep_ends_with_all_that_the_specification_asks(
    spec: SearchSpec, ended: tuple[Path, Leaderboard, Quiet]
) -> None:
    root, board, screen = ended
    intents, records = read_intents(root), read_records(root)
    assert [one["origin"] for one in intents][:3] == ["paper", "grid", "grid"]
    assert len(intents) == 6 and len({one["config_hash"] for one in intents}) == 6

    search = [r for r in records if r["purpose"] == "search"]
    assert {(r["trial"], r["seed"]) for r in search} == {
        (one["id"], seed) for one in intents for seed in (0, 1)
    }
    entries = RungLog(root / "rungs.jsonl").read()
    stopped = stopped_at(entries, {one["id"]: 3 for one in intents}, spec.reduction)
    for record in search:
        rung = stopped[record["trial"]]
        assert record["state"] == ("finished" if rung is None else "pruned")
        assert record["reached"]["rung"] == (2 if rung is None else rung)
    assert {r["state"] for r in search} == {"finished", "pruned"}

    confirmed = [r for r in records if r["purpose"] == "confirm"]
    names = [(r["label"]["method"], r["label"]["name"], r["seed"]) for r in confirmed]
    assert sorted(names) == sorted(
        (method, name, seed)
        for seed in (100, 101)
        for method, name in (
            ("QIPO-OT", "paper form"), ("QIPO-OT", "search, best"), ("QIPO-Diff", "search, best"),
        )
    )  # fmt: skip
    searched, reported = ({r["jobs"][s] for r in some for s in r["jobs"]}
                          for some in (search, confirmed))  # fmt: skip
    assert not searched & reported  # confirm shares nothing with search
    episodes = {r["label"]["name"]: r["protocol"]["selection_episodes"] for r in confirmed}
    jobs = {root / "artefacts" / f"policy-{r['jobs']['policy']}" for r in search}
    notes = [note for job in jobs for note in job.glob("note-score-*.json")]
    spent = sum(json.loads(note.read_text())["note"]["episodes"] for note in notes)
    # Seeds run ahead of a trial that is stopped: that is spent, too.
    assert episodes == {"paper form": 0, "search, best": spent}
    assert spent > 3 * 2 * len(entries)
    methods = {row.method.name for row in board.rows}
    assert methods >= {"data", "behaviour cloning (OT)", "behaviour cloning (Diff)", "QIPO-Diff"}
    assert (root / "leaderboard" / "leaderboard.md").read_text() == board.document("md")
    assert any("PRUNED" in words for words in screen.said)


def test_the_same_again_does_nothing_and_another_specification_is_refused(
    spec: SearchSpec, sweep: Sweep, ended: tuple[Path, Leaderboard, Quiet], tmp_path: Path
) -> None:
    root = tmp_path / "R"
    shutil.copytree(ended[0], root)
    before = facts(root)
    _, screen = sweep(spec, root)
    assert screen.said == [f"nothing to do: the sweep at {root} is complete"]

    (tmp_path / "more.yaml").write_text(TINY.read_text().replace("trials: 6", "trials: 7"))
    more = load_search_file(tmp_path / "more.yaml")
    with pytest.raises(UserError, match="another specification: trials: 6 -> 7; add --extend"):
        sweep(more, root)
    assert facts(root) == before
    sweep(more, root, extend=True)
    after = read_intents(root)
    assert len(after) == 7
    assert [one["id"] for one in after[:6]] == [one["id"] for one in read_intents(ended[0])]
    verdict = verify(root)
    assert verdict.faults == () and verdict.remarks == ()


def test_an_extension_that_is_broken_off_leaves_nothing_wrong(
    spec: SearchSpec, sweep: Sweep, ended: tuple[Path, Leaderboard, Quiet], tmp_path: Path
) -> None:
    root = tmp_path / "R"
    shutil.copytree(ended[0], root)
    (tmp_path / "more.yaml").write_text(
        TINY.read_text().replace("trials: 6", "trials: 8").replace("[100, 101]", "[101, 102]")
    )
    more = load_search_file(tmp_path / "more.yaml")
    for seconds in (0.3, 1.0, 1.5, 2.0):
        _killed_after(seconds, lambda: sweep(more, root, extend=True))
        assert verify(root).faults == ()
    sweep(more, root, extend=True)
    verdict = verify(root)
    assert verdict.faults == () and verdict.planned == len(read_records(root))
    (earlier,) = (root / "specifications").iterdir()
    assert earlier.read_bytes() == (ended[0] / "sweep.yaml").read_bytes()


def test_an_extension_may_leave_a_task(
    spec: SearchSpec, point: Dataset, ended: tuple[Path, Leaderboard, Quiet], tmp_path: Path
) -> None:
    """Its trials stay in the folder and are not gone on with."""
    root = tmp_path / "R"
    shutil.copytree(ended[0], root)
    next((root / "records").glob("*.json")).unlink()
    other = replace(spec, tasks=("maze2d-umaze",))
    search = SearchState(other, root, 2, {"maze2d-umaze": point}, CONTEXT, lambda words: None)
    assert search.trials == {} and search.trials_left == 6


def test_a_score_that_comes_in_late_does_not_tear_a_row_apart(
    spec: SearchSpec, sweep: Sweep, ended: tuple[Path, Leaderboard, Quiet], tmp_path: Path
) -> None:
    """A worker may still score a run of the search while the confirm step has begun."""
    root = tmp_path / "R"
    shutil.copytree(ended[0], root)
    records = read_records(root)
    chosen = [r for r in records if r["label"]["name"] == "search, best" and r["seed"] == 101]
    for record in chosen:
        (root / "records" / f"{record['id']}.json").unlink()
    scored = {(r["trial"], r["seed"], s["updates"]) for r in records for s in r["scores"]}
    artefacts = ArtefactStore(root)
    for trial in (Trial.from_intent(one) for one in read_intents(root)):
        for run in trial.runs(DatasetRef("", chosen[0]["data"]["sha256"])):
            for one in run.jobs[-1].evaluations:
                if (trial.id, run.seed, one.updates) not in scored:
                    name = score_name(trial.config, one.updates, one.episodes)
                    artefacts.write_sidecar("policy", run.jobs[-1].key, name, {"episodes": 3})
    sweep(spec, root)
    again = {r["id"]: r["protocol"]["selection_episodes"] for r in read_records(root)}
    assert again == {r["id"]: r["protocol"]["selection_episodes"] for r in records}
    assert verify(root).faults == ()


def test_event_files_hold_each_step_once_and_one_hparams_entry(
    ended: tuple[Path, Leaderboard, Quiet],
) -> None:
    """A trial that was stopped may show more than its record: seeds run ahead of each other."""
    root, _, _ = ended
    for record in read_records(root):
        kind = record["purpose"]
        folder = root / "tensorboard" / "point" / record["trial"] / f"{kind}-{record['seed']}"
        events = EventAccumulator(str(folder))
        events.Reload()
        steps = [event.step for event in events.Scalars("score/normalised")]
        assert steps == sorted(set(steps))
        scored = [score["updates"] for score in record["scores"]]
        expected = ([0] if kind == "confirm" else []) + scored
        assert steps[: len(expected)] == expected
        assert record["state"] == "pruned" or steps == expected
    for intent in read_intents(root):
        events = EventAccumulator(str(root / "tensorboard" / "point" / intent["id"]))
        events.Reload()
        content = events.summary_metadata["_hparams_/session_start_info"].plugin_data.content
        session = HParamsPluginData.FromString(content).session_start_info
        assert set(session.hparams) == {*intent["params"], "task", "trial.origin", "trial.state"}
        means = [
            r["final"]["last"]["normalised"]
            for r in read_records(root)
            if r["purpose"] == "confirm" and r["trial"] == intent["id"]
        ]
        scalars = {tag: events.Scalars(tag) for tag in events.Tags()["scalars"]}
        assert len(scalars["hparam/last_rung"]) == 1
        assert ("hparam/confirmed" in scalars) == bool(means)
        if means:
            (score,) = scalars["hparam/confirmed"]
            assert score.value == pytest.approx(sum(means) / len(means), rel=1e-5)


def test_one_page_describes_all_parameters(ended: tuple[Path, Leaderboard, Quiet]) -> None:
    """Read back with TensorBoard's own reader: no configuration's columns hide another's."""
    root, _, _ = ended
    events = EventAccumulator(str(root / "tensorboard"))
    events.Reload()
    content = events.summary_metadata["_hparams_/experiment"].plugin_data.content
    experiment = HParamsPluginData.FromString(content).experiment
    names = {info.name for info in experiment.hparam_infos}
    assert names >= {key for intent in read_intents(root) for key in intent["params"]}
    assert [info.name.tag for info in experiment.metric_infos] == [
        "hparam/confirmed",
        "hparam/last_rung",
    ]
    assert "custom_scalars__config__" in events.Tags()["tensors"]


def test_the_books_of_a_sweep_balance_also_when_it_was_broken_off(
    spec: SearchSpec, sweep: Sweep, ended: tuple[Path, Leaderboard, Quiet], tmp_path: Path
) -> None:
    """Killed at five moments: every run is counted once, and nothing counts as wrong."""
    whole = verify(ended[0])
    assert whole.faults == () and whole.counts is not None
    assert whole.counts["interrupted"] == whole.counts["never started"] == 0
    assert whole.planned == len(read_records(ended[0]))
    root = tmp_path / "broken"
    for seconds in (0.5, 0.9, 1.3, 1.7, 2.1):
        _killed_after(seconds, lambda: sweep(spec, root))
        if not (root / "sweep.yaml").exists():
            continue
        verdict = verify(root)
        assert verdict.counts is not None
        ends = verdict.planned - verdict.counts["interrupted"] - verdict.counts["never started"]
        assert ends == len(read_records(root)), verdict
        assert verdict.faults == ()


@pytest.mark.faults
def test_killed_sweeps_end_like_an_unbroken_one(
    sweep: Sweep, tmp_path: Path, count_faults: CountFaults
) -> None:
    """SIGKILL at random moments of 20 trials; the same call again; equal facts at the end.

    What was written down once is never written again.
    """
    (tmp_path / "long.yaml").write_text(TINY.read_text().replace("trials: 6", "trials: 20"))
    spec = load_search_file(tmp_path / "long.yaml")
    sweep(spec, tmp_path / "unbroken")
    expected, rng, kills, times = facts(tmp_path / "unbroken"), random.Random(1), 0, {}
    root = tmp_path / "0"
    while kills < scaled(100):
        if _killed_after(rng.uniform(0.1, 1.2), partial(sweep, spec, root)):
            kills += 1
            for path in (*root.glob("records/*.json"), *root.glob("trials/*.json")):
                written = path.stat().st_mtime_ns
                assert times.setdefault(path, written) == written
        else:
            assert facts(root) == expected
            root = tmp_path / str(kills)
    sweep(spec, root)
    assert facts(root) == expected and verify(root).faults == ()
    count_faults("kill of a sweep", kills)


def _killed_after(seconds: float, work: Callable[[], object]) -> bool:
    """Run ``work`` in a forked child that a timer kills with SIGKILL; False if it came through."""
    pid = os.fork()
    if pid == 0:
        signal.signal(signal.SIGALRM, lambda number, frame: os.kill(os.getpid(), signal.SIGKILL))
        signal.setitimer(signal.ITIMER_REAL, seconds)
        try:
            work()
        except BaseException:
            sys.excepthook(*sys.exc_info())
            os._exit(1)
        os._exit(0)
    code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    assert code in (0, -signal.SIGKILL)
    return code != 0


def test_a_second_driver_is_refused_at_once(
    spec: SearchSpec, sweep: Sweep, tmp_path: Path
) -> None:
    lease = Lease.take(tmp_path / "R")
    with pytest.raises(UserError, match=f"driven by process {os.getpid()}"):
        sweep(spec, tmp_path / "R")
    lease.release()


def test_services_that_hang_or_fail_change_nothing(
    spec: SearchSpec,
    sweep: Sweep,
    ended: tuple[Path, Leaderboard, Quiet],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """One never answers, one is broken, and TensorBoard's folder is a file."""
    over = threading.Event()

    def find(name: str) -> SimpleNamespace:
        def act(logged_run: object) -> object:
            over.wait(0 if name == "mlflow" else None)
            raise OSError("broken pipe")

        return SimpleNamespace(make_logger=act, shutdown=lambda: None)

    monkeypatch.setattr(dispatcher, "find_service", find)
    monkeypatch.setattr(dispatcher, "CLOSE_S", 1.0)
    (tmp_path / "tensorboard").touch()
    sweep(spec, tmp_path, services=("wandb", "mlflow"))
    over.set()
    assert facts(tmp_path) == facts(ended[0])
    told = sorted(words.split(" is switched off: ")[0] for words in caplog.messages)
    assert told == ["TensorBoard", "mlflow", "wandb"]


def test_records_of_a_sweep_are_reproduced_to_the_last_bit(
    point: Dataset,
    ended: tuple[Path, Leaderboard, Quiet],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """A trial that was stopped at a rung, one that was not, and a confirmed run."""
    records = read_records(ended[0])
    for purpose, state in (("search", "pruned"), ("search", "finished"), ("confirm", "finished")):
        one = next(r for r in records if (r["purpose"], r["state"]) == (purpose, state))
        line = ["reproduce", str(ended[0] / "records" / f"{one['id']}.json"), "--run"]
        line += ["--data", str(point.path), "--results", str(tmp_path / one["id"])]
        assert main(line) == 0
        assert "equal to the last bit" in capsys.readouterr().out
