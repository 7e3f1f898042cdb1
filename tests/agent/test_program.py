"""Programs of other libraries: what they are told, how they go on, and where they break."""

from __future__ import annotations

import fcntl
import os
import signal
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from fixtures.own_methods import page_blocks

from qipo_ray import load_policy
from qipo_ray.agent import Member, Pack, Tensors, pack_of, program_method
from qipo_ray.agent.program_files import packed, unpack
from qipo_ray.agent.program_method import end, started
from qipo_ray.agent.program_policy import ProgramPolicy
from qipo_ray.cli.main import main
from qipo_ray.config import Config, load_config
from qipo_ray.errors import Failure, Lost, UserError
from qipo_ray.store.records import read_records

Write = Callable[..., str]
PYTHON = ('"python3", ', f"{sys.executable!r}, ")
COUNTING = """\
import os, sys
print("at work", flush=True)
path = os.path.join(os.environ["QIPO_OUTPUT"], "count")
count = int(open(path).read()) if os.path.exists(path) else 0
while count < int(os.environ["QIPO_UPDATES"]):
    count += 1
    open(path, "w").write(str(count))
    if count == 5 and os.environ.get("BREAKS"):
        sys.exit("broke at 5")
open(path + "s", "a").write(f"{count} ")
"""
ENDLESS = "import threading\nprint('on', flush=True)\nthreading.Event().wait()"
LATE = "import threading\nthreading.Event().wait(20)\npipe.write('still there')"
ECHO = """\
import os, sys
size = int(os.environ["QIPO_STATE_DIM"])
while header := sys.stdin.buffer.read(4):
    count = int.from_bytes(header, "little")
    sys.stdin.buffer.read(4 * count * size)
    sys.stdout.buffer.write(header + bytes(4 * count * int(os.environ["QIPO_ACTION_DIM"])))
    sys.stdout.buffer.flush()
"""


@pytest.fixture
def configured(own_module: Write) -> Callable[..., Config]:
    """A configuration of the page's program, whose files are two programs of a test."""

    def configure(train: str = COUNTING, act: str = ECHO, *changes: tuple[str, str]) -> Config:
        Path("train.py").write_text(train)
        Path("act.py").write_text(act)
        named = own_module(
            PYTHON,
            ('"ridge.py", "train"', '"train.py",'),
            ('"ridge.py", "act"', '"act.py",'),
            *changes,
            name="my_program",
            block=1,
        )
        return load_config("quickstart", [f"policy.method={named}"])

    return configure


def trained(config: Config, data: Tensors, folder: Path, updates: int = 3) -> Pack:
    pack = pack_of("policy", config, data)
    pack.admit(Member(config, 4, folder=folder), {}, None)
    for _ in range(updates):
        pack.update()
    pack.check(0)
    return pack


@pytest.mark.slow
def test_the_pages_program_from_training_to_acting(
    own_module: Write, capsys: pytest.CaptureFixture[str]
) -> None:
    named = own_module(PYTHON, name="my_program", block=1)
    Path("ridge.py").write_text(page_blocks()[2])
    assert main(["method", "check", named]) == 0
    assert capsys.readouterr().out.count("ok     ") == 2
    settings = (f"policy.method={named}", "evaluation.every=600", "evaluation.final_episodes=3")
    sets = [part for change in settings for part in ("--set", change)]
    assert main(["train", "--task", "point", *sets, "--results", "R"]) == 0
    (record,) = read_records(Path("R"))
    assert [score["updates"] for score in record["scores"]] == [600, 1000]
    assert record["label"]["method"] == "ridge regression"
    assert record["health"]["policy"].keys() == {"updates", "error"}
    weights = np.load(next(Path("R").glob("programs/*/output/weights.npy")))
    (path,) = Path("R", "records").glob("*.json")
    policy, state = load_policy(path), np.array([0.3, -0.2], np.float32)
    scale = load_policy(path)._policy.normaliser
    inputs = scale(torch.from_numpy(state)).numpy()
    np.testing.assert_allclose(policy.act(state), [*inputs, 1] @ weights, rtol=1e-4, atol=1e-5)
    assert main(["verify", "R"]) == 0 and main(["evaluate", str(path)]) == 0
    assert main(["export", str(path), "policy.pt2"]) == 2
    assert "cannot be exported as .pt2" in capsys.readouterr().err


def test_it_is_told_what_it_trains_on(
    configured: Callable[..., Config], data: Tensors, tmp_path: Path
) -> None:
    keep = (
        "import os, shutil\n"
        "shutil.copy(os.environ['QIPO_DATA'], os.environ['QIPO_OUTPUT'])\n"
        "told = [os.environ['QIPO_' + name] for name in ('SEED', 'UPDATES', 'SETTINGS')]\n"
        "open(os.environ['QIPO_OUTPUT'] + '/told', 'w').write(' '.join(told))"
    )
    trained(configured(keep), data, tmp_path / "W")
    output = tmp_path / "W" / "output"
    assert (output / "told").read_text() == '4 3 {"updates": 1000, "ridge": 0.001}'
    given = np.load(output / "data.npz")
    for name, tensor in (
        ("observations", data.states), ("actions", data.actions), ("rewards", data.rewards),
        ("next_observations", data.next_states), ("terminals", data.terminals),
        ("episodes", data.episodes),
    ):  # fmt: skip
        np.testing.assert_array_equal(given[name], tensor.numpy())
    assert not (tmp_path / "W" / "data.npz").exists()


def test_it_goes_on_from_its_own_files_here_and_elsewhere(
    configured: Callable[..., Config],
    data: Tensors,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Broken in the middle it finds what it wrote; from a checkpoint, what is in that."""
    config, here = configured(), tmp_path / "W"
    pack = trained(config, data, here)
    saved = pack.state(0)
    assert saved["updates"] == 3
    with pytest.MonkeyPatch.context() as broken:
        broken.setenv("BREAKS", "1")
        for _ in range(4):
            pack.update()
        with pytest.raises(Failure, match=r"exit code 1 after .*: broke at 5 \(.*log.txt\)"):
            pack.check(0)
    assert (here / "output" / "count").read_text() == "5" and pack.state(0)["updates"] == 3
    for folder, counts in ((here, "3 7 "), (tmp_path / "other", "3 7 ")):
        again = pack_of("policy", config, data)
        again.admit(Member(config, 4, folder=folder), {}, saved)
        for _ in range(4):
            again.update()
        again.check(0)
        assert (folder / "output" / "counts").read_text() == counts
        assert torch.equal(again.state(0)["files"], packed(folder / "output"))
    assert (here / "log.txt").read_text().count("at work") == 3


def test_what_it_says_in_json_are_metrics(
    configured: Callable[..., Config], data: Tensors, tmp_path: Path
) -> None:
    """Of the updates that it was to make; what is no such line stays in its log alone."""
    says = """import os
print('{"step": 1, "loss": 0.5}', 'loud', '{"step": true}', '{', '{"step": 2}', sep='\\n')
print('{"step": 3, "loss": NaN}', '{"step": 9, "loss": 1}', sep='\\n')
print('{"step": 3, "loss": 2, "name": "a", "updates": 7, "ok": true}')
open(os.environ['QIPO_OUTPUT'] + '/model', 'w').close()
"""
    pack = trained(configured(says), data, tmp_path)
    assert pack.reports(0) == [(1, {"loss": 0.5}), (3, {"loss": 2.0})] and pack.reports(0) == []
    for _ in range(6):
        pack.update()
    pack.check(0)
    assert pack.reports(0) == [(9, {"loss": 1.0})]
    assert "loud" in (tmp_path / "log.txt").read_text()


def test_an_update_that_was_not_written_down_is_done_anew(
    configured: Callable[..., Config], data: Tensors, tmp_path: Path
) -> None:
    """As a kill leaves it, or a disk that was full: the checkpoint knows what was reached."""
    config = configured()
    saved = trained(config, data, tmp_path).state(0)
    (tmp_path / "reached").write_text("")
    again = pack_of("policy", config, data)
    again.admit(Member(config, 4, folder=tmp_path), {}, saved)
    again.update()
    again.check(0)
    assert (tmp_path / "output" / "counts").read_text() == "3 4 "
    assert (tmp_path / "reached").read_text() == "4"


def test_what_was_reached_is_written_in_one_step(
    configured: Callable[..., Config],
    data: Tensors,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    config = configured()
    pack = trained(config, data, tmp_path)
    pack.update()
    with monkeypatch.context() as broken:
        broken.setattr(os, "replace", None)  # nothing after what is before it
        with pytest.raises(TypeError):
            pack.check(0)
    assert (tmp_path / "reached").read_text() == "3"


def test_a_program_that_died_over_what_it_was_told_is_ended(
    configured: Callable[..., Config], tmp_path: Path
) -> None:
    pipe, command = subprocess.PIPE, (sys.executable, "-c", "")
    process = started(configured(), command, tmp_path, {}, stdin=pipe, stdout=pipe)
    assert process.stdin is not None and process.stdout is not None
    assert process.stdout.read() == b""
    os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
    process.stdin.write(b"x")  # waits in the buffer, which is written as the pipe is closed
    end(process)
    assert process.returncode == 0


@pytest.mark.slow_after(1)
@pytest.mark.parametrize(
    ("stdin", "waits"),
    [
        (subprocess.PIPE, "sys.stdin.read()"),
        (subprocess.DEVNULL, "signal.sigwait([signal.SIGTERM])"),
    ],
)
def test_a_program_is_told_to_end_and_then_killed(
    configured: Callable[..., Config], tmp_path: Path, stdin: int, waits: str
) -> None:
    """It may write what it has to, and has no more than its time."""
    text = f"""import signal, sys
signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTERM])
print(flush=True)
{waits}
open("last", "w").close()
signal.pause()
"""
    command, config = (sys.executable, "-c", text), configured()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(program_method, "END_S", 1.0)
        process = started(config, command, tmp_path, {}, stdin=stdin, stdout=subprocess.PIPE)
        assert process.stdout is not None
        process.stdout.read(1)
        end(process)
    assert process.returncode == -signal.SIGKILL and Path("last").exists()


def test_a_folder_in_which_another_process_trains_is_left_alone(
    configured: Callable[..., Config], data: Tensors, tmp_path: Path
) -> None:
    with (tmp_path / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        with pytest.raises(Lost, match=f"another process trains in {tmp_path}$"):
            trained(configured(), data, tmp_path)
    assert trained(configured(), data, tmp_path).state(0)["updates"] == 3


@pytest.mark.slow_after(3)
@pytest.mark.parametrize(
    ("train", "change", "line"),
    [
        ("import sys\nsys.exit('two\\nlines')", None, "ended with exit code 1 after 0 s: lines ("),
        ("raise SystemExit(7)", None, "ended with exit code 7 after 0 s: it said nothing"),
        ("pass", None, "must leave files in QIPO_OUTPUT, at most 1024 MiB; "),
        (ENDLESS, ("limit_minutes = 30", "limit_minutes = 0.02"), "not end in 0.02 minutes: on"),
        ("", ("train = (", "train = ('/nowhere/python', "), "cannot run /nowhere/python: No such"),
        ("", ("    act = ", "    fact = "), "a program needs the commands `train` and `act`"),
        ("", ("    act = ", "    stages = ('behaviour', 'policy')\n    act = "), "no other stage"),
    ],
)
def test_a_training_program_that_breaks_is_one_line(
    configured: Callable[..., Config],
    data: Tensors,
    tmp_path: Path,
    train: str,
    change: tuple[str, str] | None,
    line: str,
) -> None:
    config = configured(train, ECHO, *([change] if change else []))
    with pytest.raises((Failure, UserError)) as caught:
        trained(config, data, tmp_path / "W")
    assert line in str(caught.value) and "\n" not in str(caught.value)


@pytest.mark.slow_after(2)
@pytest.mark.parametrize(
    ("act", "line"),
    [
        ("raise SystemExit('no model')", "ended with exit code 1: no model"),
        ("print('hello', flush=True)\n" + ECHO, "with 1819043176 actions: prints it to stdout?"),
        (ENDLESS.replace("'on'", "''"), "did not answer in 0.5 s: it said nothing"),
    ],
)
def test_an_acting_program_that_breaks_is_one_line(
    configured: Callable[..., Config], data: Tensors, tmp_path: Path, act: str, line: str
) -> None:
    config = configured(COUNTING, act, ("limit_minutes = 30", "answer_s = 0.5"))
    policy = ProgramPolicy(config, 2, 2)
    policy.load(trained(config, data, tmp_path / "W").state(0)["files"])
    with pytest.raises(Failure) as caught:
        policy({}, torch.zeros(1, 5, 2), torch.zeros(1, 5, 2))
    assert line in str(caught.value) and "\n" not in str(caught.value)


@pytest.mark.slow
def test_it_ends_with_the_process_that_started_it(
    configured: Callable[..., Config], tmp_path: Path
) -> None:
    """However that ends: a pipe of the program's, which it holds until its own end, is closed."""
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    configured(f"pipe = open({str(pipe)!r}, 'w')\npipe.write('up\\n')\npipe.flush()\n{LATE}")
    command = ["train", "--task", "point", "--set", "policy.method=my_program:Ridge"]
    driver = subprocess.Popen(
        [sys.executable, "-m", "qipo_ray", *command],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    with driver, pipe.open() as end:
        assert end.readline() == "up\n"
        driver.kill()
        assert end.read() == ""


def test_files_are_the_same_bytes_each_time_and_stay_in_their_folder(tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / name / "deep").mkdir(parents=True)
        (tmp_path / name / "deep" / "x").write_bytes(b"x")
        (tmp_path / name / "run").write_text("#!/bin/sh\n")
        (tmp_path / name / "run").chmod(0o700)
    os.utime(tmp_path / "b" / "run", (0, 0))
    files = packed(tmp_path / "a")
    assert torch.equal(files, packed(tmp_path / "b"))
    unpack(files, tmp_path / "c")
    assert (tmp_path / "c" / "deep" / "x").read_bytes() == b"x"
    forged = tmp_path / "forged.zip"
    with zipfile.ZipFile(forged, "w") as archive:
        archive.writestr("../out", "x")
    unpack(torch.from_numpy(np.fromfile(forged, np.uint8)), tmp_path / "d")
    assert not (tmp_path / "out").exists() and (tmp_path / "d" / "out").exists()
