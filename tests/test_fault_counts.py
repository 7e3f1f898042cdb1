"""A run of the fault tests fails where it caused too few; a failed test has caused none."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from fixtures.fault_counts import ALWAYS, SCALED, scaled, table, wanted

TESTS = """
import pytest

@pytest.mark.parametrize("number", range(4))
def test_kills(count_faults, number):
    count_faults("poisoned run", 5)
    assert number < GOOD
"""


def test_a_row_for_each_kind() -> None:
    assert scaled(1) == 1 and scaled(1000) >= scaled(100) > 1
    enough = {kind: number + 1 for kind, number in wanted().items()}
    assert [row[0] for row in table(enough)] == [*SCALED, *ALWAYS]
    assert {row[-1] for row in table(enough)} == {"held"}
    enough["poisoned run"] = 0
    assert [row[0] for row in table(enough) if row[-1] != "held"] == ["poisoned run"]


def test_the_page_has_the_table() -> None:
    page = (Path(__file__).parents[1] / "docs" / "reliability.md").read_text()
    for kind, number in {**SCALED, **ALWAYS}.items():
        assert f"| {kind} | {number:,} | " in page


@pytest.mark.slow
@pytest.mark.parametrize("good", [4, 3])
def test_a_run_with_too_few_faults_fails(good: int, tmp_path: Path) -> None:
    (tmp_path / "test_it.py").write_text(TESTS.replace("GOOD", str(good)))
    code = (
        "import fixtures.fault_counts as counts, pytest, sys; counts.ALWAYS.clear();"
        "counts.SCALED.clear(); counts.SCALED['poisoned run'] = 20;"
        "sys.exit(pytest.main(sys.argv[1:], [counts]))"
    )
    env = os.environ | {"QIPO_FAULTS_SCALE": "1", "QIPO_RELIABILITY": "reliability.json"}
    env |= {"PYTHONPATH": str(Path(__file__).parent)}
    line = [sys.executable, "-c", code, "test_it.py", "-p", "no:cacheprovider"]
    run = subprocess.run(line, cwd=tmp_path, env=env, capture_output=True, text=True)
    written = json.loads((tmp_path / "reliability.json").read_text())["faults"]["poisoned run"]
    assert written == {
        "caused": 5 * good,
        "wanted": 20,
        "outcome": "held" if good == 4 else "too few",
    }
    assert (run.returncode == 0) == (good == 4)
    assert f"{5 * good:>8,} {20:>8,}  " in run.stdout
