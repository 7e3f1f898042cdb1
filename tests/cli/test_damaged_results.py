"""Every kind of file of a finished sweep x every kind of damage x every verb that reads it.

No traceback, no silent second search, no row that was invented or that vanished without a word,
nothing called sound that is not.
"""

from __future__ import annotations

import errno
import json
import os
import random
import re
import shutil
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from fixtures.fault_counts import CountFaults, scaled

from qipo_ray.cli import export
from qipo_ray.cli.main import main
from qipo_ray.store.intents import read_intents
from qipo_ray.store.records import read_records
from qipo_ray.sweep import run

pytestmark = pytest.mark.faults

Damage = Callable[[Path], object]
SEARCH = Path(__file__).parents[1] / "sweep" / "tiny.yaml"
# What no number rests on; the others must be told of by `verify`, or be as good as before.
SHOWN = ("leaderboard", "tensorboard", "study", "driver/", "attempt-", "metrics.csv", "trained-on")


def cut(share: float) -> Damage:
    def act(path: Path) -> None:
        whole = path.read_bytes()
        path.write_bytes(whole[: min(int(share * len(whole)), len(whole) - 1)])

    return act


def flip(path: Path) -> None:
    whole = bytearray(path.read_bytes())
    whole[len(whole) * 2 // 3] ^= 4
    path.write_bytes(whole)


def swap(path: Path) -> None:
    """Put another file of its kind, or of its ending, in its place."""
    root = next(folder for folder in path.parents if (folder / "sweep.yaml").exists())
    others = [one for one in sorted(root.rglob(f"*{path.suffix}")) if one.is_file()]
    near = [one for one in others if kind(one) == kind(path) and one != path]
    others = [one for one in others if one != path]
    path.write_bytes((near or others)[0].read_bytes() if others else b"another: 1\n")


def folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


def link(target: str) -> Damage:
    def act(path: Path) -> None:
        path.unlink()
        path.symlink_to(target or path.name)

    return act


unreadable: list[str] = []  # paths that nobody may open: also not root, whom no mode stops


def _guard(event: str, arguments: tuple[Any, ...]) -> None:
    if event == "open" and unreadable and str(arguments[0]) in unreadable:
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(arguments[0]))


CANARY = "canary-5f1b"  # the value of every secret while the sweep ran
SECRETS = ("WANDB_API_KEY", "AWS_SECRET_ACCESS_KEY", "HF_TOKEN", "RAY_AUTH_TOKEN", "GITHUB_TOKEN")
WAYS: dict[str, Damage] = {
    "empty": cut(0),
    "cut in the middle": cut(0.5),
    "cut at its end": cut(1),
    "flipped": flip,
    "zeroed": lambda path: path.write_bytes(bytes(path.stat().st_size)),
    "gone": lambda path: path.unlink(),
    "swapped": swap,
    "a folder": folder,
    "a link to nothing": link("nowhere"),
    "a link to itself": link(""),
    "unreadable": lambda path: unreadable.append(str(path)),
}


def kind(path: Path) -> str:
    """Return what files of one kind share: the start of their folder's name, and of their own."""
    name = re.sub(r"[0-9a-f]{9,}|[0-9]+", "0", path.name)
    return f"{path.parent.name.partition('-')[0]} {name.partition('-')[0]}"


@pytest.fixture(scope="module")
def ended(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A finished sweep of three trials, with its report; then reports are no longer drawn."""
    folder = tmp_path_factory.mktemp("damaged")
    text = SEARCH.read_text().replace("trials: 6", "trials: 3")
    text = text.replace("[0, 1]", "[0]").replace("[100, 101]", "[100]")
    (folder / "tiny.yaml").write_text(text)
    with pytest.MonkeyPatch.context() as patch:
        for name in SECRETS:
            patch.setenv(name, CANARY)
        main(["data", "make", "point"])
        assert main(["sweep", str(folder / "tiny.yaml"), *at(folder)]) == 0
    sys.addaudithook(_guard)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(run, "_report", lambda root, screen: None)
        patch.setattr(run, "intervals", lambda rows, _: SimpleNamespace(png=lambda: b""))
        patch.setattr(export, "export_policy", lambda *_: (b"", 0.0))
        yield folder / "tiny"


def at(results: Path) -> list[str]:
    return ["--executor", "local", "--results", str(results)]


Said = tuple[int, str, str]


@pytest.fixture
def say(
    capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> Callable[..., Said]:
    """A function that runs a command; returns its exit code and what it printed."""

    def act(*line: object) -> Said:
        capsys.readouterr()
        caplog.clear()
        code = main([*map(str, line)])
        out, err = capsys.readouterr()
        err += caplog.text  # in a process of its own the log is on stderr
        assert code in (0, 1, 2) and "Traceback" not in err
        assert code == 0 or out or err.strip()
        return code, out, err

    return act


def cases(root: Path) -> list[tuple[str, str]]:
    """Return a file of each kind with each way, in an order that is drawn."""
    (best,) = (one for one in read_records(root) if one["label"]["method"] == "QIPO-OT"
               and one["label"]["name"] == "search, best")  # fmt: skip
    read = {best["id"], *best["jobs"].values()}
    paths = sorted(path for path in root.rglob("*") if path.is_file())
    paths.sort(key=lambda path: any(name in str(path.relative_to(root)) for name in read))
    kinds = {kind(path): path for path in paths}
    drawn = [(str(path.relative_to(root)), way) for path in kinds.values() for way in WAYS]
    random.Random(8).shuffle(drawn)
    return drawn


def records(root: Path) -> dict[str, str]:
    """Return all records but what the clock says, by id."""
    found = read_records(root)
    for record in found:
        del record["cost"], record["attempt"], record["provenance"]
        (record["final"] or {}).pop("action_latency_ms", None)
    return {record["id"]: json.dumps(record, sort_keys=True) for record in found}


def reads(root: Path) -> dict[str, list[object]]:
    return {
        "leaderboard": ["leaderboard", root, "--json"],
        "report": ["report", root],
        "evaluate": ["evaluate", root, "--best", "--json"],
        "export": ["export", root, root.with_name("policy.pt2"), "--best"],
        "reproduce": ["reproduce", root, "--best"],
    }


def test_every_file_damaged_in_every_way(
    ended: Path, tmp_path: Path, say: Callable[..., Said], count_faults: CountFaults
) -> None:
    """What a verb answers with exit code 0 is what it answered before; else it says why not."""
    before, intents, root = records(ended), len(read_intents(ended)), tmp_path / "tiny"
    answers = {verb: say(*line) for verb, line in reads(ended).items() if verb != "report"}
    drawn = cases(ended)
    drawn = drawn[: scaled(250)]
    for number, (place, way) in enumerate(drawn):

        def damaged(place: str = place, way: str = way) -> None:
            unreadable.clear()
            shutil.rmtree(root, ignore_errors=True)
            shutil.copytree(ended, root)
            WAYS[way](root / place)

        case = f"{place}: {way}"
        for verb, line in reads(root).items():
            if verb == "report" and number % 8:
                continue  # it draws for seconds
            damaged()
            code, out, err = say(*line)
            same = verb == "report" or out == answers[verb][1].replace(str(ended), str(root))
            assert code or same or err.strip(), (case, verb)
        damaged()
        code, out, _ = say("verify", root)
        unreadable.clear()
        told = code == 1 or "note " in out
        # JSON does not need the line break at its end.
        untold = way == "cut at its end" or any(name in place for name in SHOWN)
        assert told or untold, (case, out)
        damaged()
        code, _, _ = say("sweep", ended.parent / "tiny.yaml", *at(tmp_path))
        unreadable.clear()
        after = records(root) if (root / "records").is_dir() else {}
        assert after.items() <= before.items(), case  # nothing was invented
        if code == 0:
            assert after == before and len(read_intents(root)) == intents, case
    count_faults("damaged file of a results folder", len(drawn))


def test_no_secret_of_the_environment_is_in_any_file(ended: Path) -> None:
    """Records, logs, tables, the report and TensorBoard's files."""
    files = [path for path in ended.rglob("*") if path.is_file()]
    assert len(files) > 80
    assert [path for path in files if CANARY.encode() in path.read_bytes()] == []


def test_damaged_weights_are_trained_again_without_their_records(
    ended: Path, tmp_path: Path, say: Callable[..., Said]
) -> None:
    root = shutil.copytree(ended, tmp_path / "tiny")
    before = records(root)
    finished = next(one for one in read_records(root) if one["state"] == "finished")
    flip(max(root.glob(f"artefacts/policy-{finished['jobs']['policy']}/*.pt")))
    named = set(re.findall(r"record ([0-9a-f]{16}) rests", say("verify", root)[1]))
    assert named
    for identity in named:
        (root / "records" / f"{identity}.json").unlink()
    assert say("sweep", ended.parent / "tiny.yaml", *at(tmp_path))[0] == 0
    assert records(root) == before and say("verify", root)[0] == 0
