"""What a GPU makes of the paper's form, meant to take at most eight minutes: `make gpu`.

    python benchmarks/gpu.py [--device cuda] [--seconds 6] [--small] [--output FOLDER]

Updates per second of each stage, eager and as CUDA graphs, of one member and of sixteen; support
actions per second; packs whose members come and go against members alone; a run that is killed
and goes on; peak memory. From these the paper's whole schedule is projected. Each row is printed
as it is there, and `gpu.json` and `gpu.md` are written anew with it. On a CPU the same code runs,
without graphs.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from random_transitions import random_tensors

from qipo_ray.agent import BehaviourPack, Member, Pack, State, Tensors, pack_of
from qipo_ray.agent.graphed import CudaCapture, GraphedPack
from qipo_ray.agent.pack import stream
from qipo_ray.agent.sampling import ActionSampler
from qipo_ray.agent.support import support_actions
from qipo_ray.config import Config, load_config
from qipo_ray.study.search_spec import changed

STAGES = ("behaviour", "critic", "policy")
PACKED = 16
SMALL = (
    "behaviour.width=32", "behaviour.batch_size=64", "behaviour.network=residual",
    "critic.width=32", "critic.batch_size=64", "critic.support_size=4",
    "policy.support_size=4", "policy.batch_size=32",
)  # fmt: skip
SHORT = (  # some seconds on a CPU
    "behaviour.updates=500", "critic.updates=300", "critic.returns_updates=300",
    "policy.rounds=1", "policy.renew_every=300", "evaluation.every=100",
    "evaluation.final_episodes=5",
)  # fmt: skip
SET_STATES = 4096  # of the sets that updates draw from; the paper's have all rows
CLOSE = 1e-4  # weights of a member in a pack, and alone


@dataclass
class Check:
    """What was measured so far; every row is printed and written."""

    device: str
    output: Path
    rows: list[tuple[str, str, str]] = field(default_factory=list)  # what, measured, to reach
    raw: dict[str, Any] = field(default_factory=dict)

    def add(self, what: str, measured: str, goal: str = "", **raw: Any) -> None:
        """Keep a row with the numbers behind it."""
        self.rows.append((what, measured, goal))
        self.raw |= raw
        print(f"{what}: {measured}" + (f" (to reach: {goal})" if goal else ""), flush=True)
        self.output.mkdir(parents=True, exist_ok=True)
        (self.output / "gpu.json").write_text(json.dumps(self.raw, indent=1) + "\n")
        lines = ["| what | measured | to reach |", "|---|---|---|"]
        lines += [f"| {' | '.join(row)} |" for row in self.rows]
        (self.output / "gpu.md").write_text("\n".join(lines) + "\n")


def waited(device: str) -> float:
    """Return the time once the device has done all that it was told."""
    if device.startswith("cuda"):
        torch.cuda.synchronize()
    return time.perf_counter()


def rate(act: Callable[[], object], seconds: float, device: str) -> float:
    """Return how often a second ``act`` is done, after some first times."""
    for _ in range(8):
        act()
    count, step, began = 0, 1, waited(device)
    while (now := waited(device)) < began + seconds:
        for _ in range(step):
            act()
        count += step
        step = max(step, int(count * 0.1))
    return count / (now - began)


def paper(small: bool) -> Config:
    """Return the paper's form with sets of few states, or its shape with small networks."""
    sets = (f"critic.pool={SET_STATES}", f"policy.pool={SET_STATES}")
    return load_config("paper", [*sets, *(SMALL if small else ())])


def packed(stage: str, config: Config, data: Tensors, members: int) -> tuple[Pack, dict[str, Any]]:
    """Return a pack of fresh members, and what all of them build on."""
    upstream: dict[str, State] = {}
    for earlier in STAGES[: STAGES.index(stage)]:
        pack = pack_of(earlier, config, data)
        pack.admit(Member(config, 0), dict(upstream), None)
        upstream[earlier] = pack.state(0)
    pack = pack_of(stage, config, data)
    for seed in range(members):
        pack.admit(Member(config, seed), upstream, None)
    return pack, upstream


def rates(check: Check, config: Config, data: Tensors, seconds: float) -> dict[str, float]:
    """Measure updates of each stage, and return the best of one member, by stage."""
    best = {}
    modes = ("eager", "graphed") if check.device.startswith("cuda") else ("eager",)
    for stage in STAGES:
        measured = {}
        for members in (1, PACKED):
            pack, _ = packed(stage, config, data, members)
            assert isinstance(pack, GraphedPack)
            for mode in modes:
                pack.program.forget()
                pack.program.capture = CudaCapture() if mode == "graphed" else None
                measured[mode, members] = rate(pack.update, seconds, check.device)
                name = f"{stage}, {members} in a pack, {mode}"
                value = measured[mode, members]
                check.add(name, f"{value:,.1f} updates/s", **{name: value})
            del pack
        alone, last = measured["eager", 1], modes[-1]
        best[stage] = measured[last, 1]
        if last == "graphed":
            gain = best[stage] / alone
            check.add(f"{stage}: graphed, one member", f"{gain:.1f} x eager", "3 x")
        gain = PACKED * measured[last, PACKED] / alone
        check.add(f"{stage}: sixteen in a pack", f"{gain:.1f} x sixteen alone, eager", "8 x")
    return best


def drawing(check: Check, config: Config, data: Tensors, seconds: float) -> float:
    """Return how many support actions a second are drawn from a clone."""
    sampler = ActionSampler(config, data.state_dim, data.action_dim)
    pack, _ = packed("behaviour", config, data, 1)
    assert isinstance(pack, BehaviourPack)
    params = pack.online.slice(0, 1)
    size, generator = config.policy.support_size, stream(0, "benchmark", device=data.device)
    pool = torch.arange(min(data.rows, 1 << 15), device=data.device)

    def draw() -> None:
        support_actions(sampler, params, data.states, pool, size, generator)

    draw()
    count, began = 0, waited(check.device)
    while (now := waited(check.device)) < began + seconds:
        draw()
        count += len(pool) * size
    check.add("support actions", f"{count / (now - began):,.0f}/s", support=count / (now - began))
    return count / (now - began)


def mixed(check: Check, config: Config, data: Tensors) -> None:
    """Hold members of a pack, of which one comes late and one goes, against members alone.

    The pack's updates are graphs where there are any, those of the members alone are not.
    """
    worst, graphed = 0.0, changed(config, {"compute.graphs": True})
    for stage in STAGES:
        pack, upstream = packed(stage, graphed, data, 2)
        for update in range(60):
            if update == 20:
                pack.admit(Member(graphed, 7), upstream, None)
            if update == 40:
                pack.drop(0)
            pack.update()
        for i, (seed, updates) in enumerate(((1, 60), (7, 40))):
            alone = pack_of(stage, config, data)
            alone.admit(Member(config, seed), upstream, None)
            for _ in range(updates):
                alone.update()
            ends = (p.state(j)["weights"]["online"] for p, j in ((pack, i), (alone, 0)))
            first, second = ends
            worst = max(worst, float((first - second).abs().max()))
    check.add("mixed packs: farthest weight", f"{worst:.1e}", f"{CLOSE:g}", mixed=worst)


def killed(check: Check) -> None:
    """Kill a small run in its policy stage, and say whether the same command ends it."""
    with tempfile.TemporaryDirectory() as folder:
        command = [
            sys.executable, "-m", "qipo_ray", "train", "--task", "point", "--jobs", "1",
            "--device", check.device, "--results", folder,
        ]  # fmt: skip
        command += [part for setting in SHORT for part in ("--set", setting)]
        silent = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        first = subprocess.Popen(command, start_new_session=True, **silent)
        while first.poll() is None and not list(Path(folder).glob("artefacts/policy-*/attempt-*")):
            time.sleep(0.1)
        was_running = first.poll() is None
        if was_running:
            os.killpg(first.pid, signal.SIGKILL)
        first.wait()
        code = subprocess.run(command, check=False, **silent).returncode
        records = len(list((Path(folder) / "records").glob("*.json")))
        told = "killed" if was_running else "ended before it could be killed"
        ends = f"{told}, then exit code {code}, {records} record"
        raw = {"killed": was_running, "code": code, "records": records}
        goal = "killed, then exit code 0, 1 record"
        check.add("SIGKILL, and the same command", ends, goal, killed=raw)


def projected(check: Check, best: dict[str, float], drawn: float) -> None:
    """Project the paper's schedule on a million rows from what was measured."""
    c = load_config("paper")
    policy = c.policy.rounds * c.policy.renew_every
    lengths = {"behaviour": c.behaviour.updates, "critic": c.critic.updates, "policy": policy}
    minutes = {stage: count / best[stage] / 60 for stage, count in lengths.items()}
    sets = -(-c.critic.updates // c.critic.refresh_every) + c.policy.rounds
    minutes["support actions"] = sets * 1_000_000 * c.policy.support_size / drawn / 60
    parts = ", ".join(f"{name} {value:,.1f}" for name, value in minutes.items())
    total = sum(minutes.values())
    check.add(
        "projected: one paper run", f"{total:,.1f} minutes ({parts})", "10", projection=minutes
    )


def main() -> None:
    """Measure all of it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--seconds", type=float, default=6)
    parser.add_argument("--small", action="store_true", help="small networks: does it run?")
    parser.add_argument("--output", type=Path, default=Path("benchmarks/results"))
    given = parser.parse_args()
    if given.device.startswith("cuda") and not torch.cuda.is_available():
        sys.exit(f"error: --device {given.device}: torch {torch.__version__} sees no GPU")
    check, config = Check(given.device, given.output), paper(given.small)
    cuda = given.device.startswith("cuda")
    name = torch.cuda.get_device_name() if cuda else "CPU, one thread"
    torch.set_num_threads(1)
    check.add("device", f"{name}, torch {torch.__version__}", device=name, small=given.small)
    data = random_tensors(20_000 if given.small else 1_000_000, given.device)
    best = rates(check, config, data, given.seconds)
    drawn = drawing(check, config, data, given.seconds)
    projected(check, best, drawn)
    mixed(check, config, data)
    if cuda:
        peak = torch.cuda.max_memory_allocated() / 2**30
        check.add("peak memory of all this", f"{peak:.1f} GiB", peak_gib=peak)
    killed(check)


if __name__ == "__main__":
    main()
