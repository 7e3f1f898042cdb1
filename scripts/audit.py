"""Whether a pinned package has a known vulnerability: pip-audit, whose silence is no answer.

``python scripts/audit.py [PINS] [options of pip-audit]``. pip-audit ends with 0 also where its
advisory service cannot be reached or knows no package. Here each pin is counted, and one that was
not audited fails as a vulnerable one does.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
PINS = ROOT / "constraints.txt"
BESIDE = ROOT / ".venv" / "audit" / "bin" / "pip-audit"  # `make audit` installs it there


def main(arguments: Sequence[str], program: str = str(BESIDE)) -> int:
    """Return 0 if every pin was audited and none is vulnerable, else 1, and say so."""
    named = [Path(argument) for argument in arguments if not argument.startswith("-")]
    pins = named[0] if named and named[0].is_file() else PINS
    options = [argument for argument in arguments if argument != str(pins)]
    wanted = [line.partition(";")[0].strip() for line in pins.read_text().splitlines()]
    wanted = [pin for pin in wanted if pin and not pin.startswith("#")]
    line = [program, "--requirement", str(pins), "--no-deps", "--disable-pip", "--format", "json"]
    run = subprocess.run([*line, *options], capture_output=True, text=True, check=False)
    try:
        packages = json.loads(run.stdout)["dependencies"]
    except (ValueError, KeyError):
        packages = []
    return report(packages, wanted, run.stderr)


def report(packages: list[dict[str, Any]], wanted: Sequence[str], errors: str) -> int:
    """Print what was audited; return the exit code."""
    audited = [package for package in packages if "vulns" in package]
    for package in audited:
        for one in package["vulns"]:
            mended = ", ".join(one.get("fix_versions", ())) or "no version yet"
            pin = f"{package['name']} {package['version']}"
            print(f"VULNERABLE {pin}: {one['id']}, mended in {mended}")
    print(f"audited {len(audited)} of {len(wanted)} pinned packages")
    if not audited:
        print(f"NOTHING WAS AUDITED: the advisory service gave no answer. {errors[-500:].strip()}")
    elif len(audited) < len(wanted):
        missing = {package["name"] for package in packages} - {one["name"] for one in audited}
        print(f"NOT AUDITED: {', '.join(sorted(missing)) or 'see the difference above'}")
    sound = len(audited) >= len(wanted) and not any(package["vulns"] for package in audited)
    return 0 if wanted and sound else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
