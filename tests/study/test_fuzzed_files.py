"""Search files and settings as a hand or a disk may spoil them: read, or refused in one line."""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml
from fixtures.fault_counts import CountFaults, scaled

from qipo_ray.cli.plain_signs import printable
from qipo_ray.config import load_config
from qipo_ray.errors import UserError
from qipo_ray.study.search_file import load_search_file

TEXT = (Path(__file__).parents[1] / "sweep" / "tiny.yaml").read_text()
STRANGE = (
    None, True, "no", "3e-4", "1e999", float("nan"), float("-inf"), -1, 0, 10**30, 0.1, "", " ",
    [], {}, [[]], {"a": 1}, [None, 2], "../x", "/etc/passwd", "a\0b", "x\ny", "\x1b[2J", "a" * 300,
    "\u202eevil", "${HOME}", "!!python/object/apply:os.system [true]", "CON", "-x", ".", "..",
    "module:Class", {"grid": []}, {"choice": [float("nan")]}, {"uniform": [2, 1]}, {"int": "a"},
)  # fmt: skip
KEYS = ("behaviour.updates", "critic.discount", "policy.beta", "policy.method", "sampler.noise",
        "policy.rounds", "behaviour.path", "evaluation.episodes", "compute.precision",
        "polcy.beta", "policy", "policy.", ".", "__class__", "policy.beta.x")  # fmt: skip
LITTER = ("\t", "- ", "&a ", "*a", "!!binary ", "{", "}", '"', "'", "\0", "\ufeff", "%", "? ",
          "---\n", "tasks: [point]\n", "<<: *a\n", "\x85", "\x1b[2J")  # fmt: skip


def other_value(dice: random.Random) -> str:
    """Return a file with a strange value in place of another, or under a new key."""
    document = yaml.safe_load(TEXT)
    place = document
    while True:
        key = dice.choice([*place, "unknown", *KEYS[:3]])
        if isinstance(place.get(key), dict) and dice.random() < 0.7:
            place = place[key]
        else:
            break
    place[key] = dice.choice(STRANGE)
    return yaml.safe_dump(document, allow_unicode=True)


def litter(dice: random.Random) -> str:
    """Return a file with signs that YAML gives a meaning, or without a part."""
    text = TEXT
    for _ in range(dice.randint(1, 3)):
        at, gone = dice.randrange(len(text)), dice.choice((0, 0, 1, 30))
        text = text[:at] + dice.choice(LITTER) + text[at + gone :]
    return text


def refusal(read: Callable[[], object]) -> str | None:
    """Return the line that a reader refuses with, None if it does not."""
    try:
        read()
    except UserError as error:
        line = printable(" ".join(str(error).splitlines()))  # as the command shows it
        assert line.replace("\t", " ").isprintable() and 0 < len(line) < 2000, repr(line)
        return line
    return None


@pytest.mark.faults
@pytest.mark.parametrize("spoil", [other_value, litter])
def test_a_spoilt_search_file_is_one_line(
    spoil: Callable[[random.Random], str], tmp_path: Path, count_faults: CountFaults
) -> None:
    dice, refused, path = random.Random(6), 0, tmp_path / "search.yaml"
    while refused < scaled(300):
        path.write_text(spoil(dice))
        line = refusal(lambda: load_search_file(path))
        if line is not None:
            assert line.startswith(str(path)), line
            refused += 1
    assert [*tmp_path.iterdir()] == [path]
    count_faults("fuzzed configuration or name", refused)


@pytest.mark.faults
def test_a_spoilt_setting_is_one_line(count_faults: CountFaults) -> None:
    dice, refused = random.Random(7), 0
    while refused < scaled(400):
        key, value = dice.choice(KEYS), dice.choice(STRANGE)
        change = f"{key}={value}"
        if dice.random() < 0.3:
            at = dice.randrange(len(change))
            change = change[:at] + dice.choice(LITTER) + change[at:]
        refused += refusal(lambda change=change: load_config("quickstart", [change])) is not None
    count_faults("fuzzed configuration or name", refused)
