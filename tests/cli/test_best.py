"""``qipo-ray best``: what it prints is what ``train --preset`` takes."""

from __future__ import annotations

from pathlib import Path

import pytest

from qipo_ray.cli.main import main


@pytest.mark.slow
def test_the_printed_file_gives_the_score_again(
    point_run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["best", str(point_run), "--task", "point"]) == 0
    (tmp_path / "best.yaml").write_text(capsys.readouterr().out)
    line = ["train", "--task", "point", "--preset", str(tmp_path / "best.yaml")]
    assert main([*line, "--results", str(tmp_path / "R"), "--jobs", "1"]) == 0
    capsys.readouterr()
    printed = []
    for results in (point_run, tmp_path / "R"):
        assert main(["evaluate", str(results), "--best"]) == 0
        printed.append(capsys.readouterr().out.split()[-20:])
    assert printed[0][1:] == printed[1][1:]


def test_a_folder_without_runs_is_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["best", str(tmp_path)]) == 2
    assert f"error: {tmp_path}: no records" in capsys.readouterr().err
