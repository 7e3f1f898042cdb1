"""docs/departures.md and the code name the same departures from the paper, each exactly once."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path

from qipo_ray.config import load_config
from qipo_ray.config.keys import departure_labels

ROOT = Path(__file__).parents[1]
PAGE = (ROOT / "docs" / "departures.md").read_text(encoding="utf-8")
ROWS = [line.strip("|\n").split(" | ") for line in PAGE.splitlines() if line.startswith("| D")]
NUMBERS = [row[0].strip() for row in ROWS]


def in_code() -> Counter[str]:
    files = [*(ROOT / "qipo_ray").rglob("*.py"), *(ROOT / "qipo_ray" / "presets").glob("*.yaml")]
    files += (ROOT / "search_spaces").glob("*.yaml")
    text = "\n".join(path.read_text(encoding="utf-8") for path in files)
    return Counter(re.findall(r"# Departure ([DB]\d+): \S", text))


def test_every_number_stands_once_in_the_code_and_once_on_the_page() -> None:
    baselines = re.findall(r"^\| (B\d+) \|", PAGE, flags=re.MULTILINE)
    assert in_code() == Counter([*NUMBERS, *baselines])
    assert [f"D{i + 1}" for i in range(len(NUMBERS))] == NUMBERS
    assert [f"B{i + 1}" for i in range(len(baselines))] == baselines


def test_every_line_says_what_why_and_how_to_go_back() -> None:
    for row in ROWS:
        assert len(row) == 6 and all(cell.strip() for cell in row), row


def test_every_label_of_the_tables_stands_on_the_page() -> None:
    printed = {label.split("=")[0] for label in departure_labels(load_config("paper"))}
    listed = re.findall(r"`([^`]+)`", " ".join(row[5] for row in ROWS))
    assert {label.removesuffix("=…") for label in listed} == printed


def test_every_switch_that_leads_back_can_be_set() -> None:
    switches = [found for row in ROWS for found in re.findall(r"`(\w+\.\w+): ([^`]+)`", row[4])]
    assert len(switches) > 20
    for key, value in switches:
        load_config("paper", [f"{key}={value}"])


def test_the_page_names_what_the_paper_preset_does() -> None:
    """A number without a label holds for every row; the others of the preset are its defaults."""
    text = PAGE.split("The preset `paper`")[1].split(", and has")[0]
    named = set()
    for first, last in re.findall(r"D(\d+)(?:\s+to D(\d+))?", text):
        named |= {f"D{i}" for i in range(int(first), int(last or first) + 1)}
    assert {row[0].strip() for row in ROWS if row[5].strip() == "none"} <= named
