"""A sweep's words for another process: read as the verb reads them, refused where it would."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from qipo_ray.cli.main import main
from qipo_ray.cli.sweep_line import read_line


def test_the_words_go_on_with_the_file_as_it_is_sent(
    write_file: Callable[[], Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = str(write_file())
    words = ["--results", "/r", "--trials", "9", "--set", "critic.updates=7"]
    line = read_line([file, *words], tmp_path)
    assert line.arguments == ("search.yaml", *words)
    assert line.spec.trials == 9 and line.results == Path("/r")
    monkeypatch.setenv("QIPO_RESULTS", "/from/the/shell")
    assert read_line(["quickstart"], tmp_path).arguments == (
        "quickstart", "--results", "/from/the/shell"
    )  # fmt: skip


def test_results_may_be_in_a_bucket(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("QIPO_RESULTS", "s3://bucket/sweeps")
    line = read_line(["quickstart"], tmp_path)
    assert line.arguments == ("quickstart", "--results", "s3://bucket/sweeps")
    assert line.place == "s3://bucket/sweeps"


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("quickstart", "--results results: a job runs in a folder that vanishes with it; give an"),
        (
            "quickstart --results out",
            "give an absolute path that all machines of the cluster share",
        ),
        ("quickstart --results s3://id:key@b/r", "error: s3://...@b holds a name or a password"),
        ("quickstrat --results /r", "no search file 'quickstrat' (did you mean 'quickstart'?)"),
        ("quickstart --results /r --plan", "--plan: not for a job"),
        ("quickstart --results /r --executor local", "--executor: a job runs on its cluster"),
        ("quickstart --results /r --trails 3", "No such option: --trails"),
        ("quickstart --results /r --trials 0", "Invalid value for '--trials': Input should be"),
        ("quickstart --results /r --set polcy.beta=3", "(did you mean 'policy.beta'?)"),
    ],
)
def test_what_the_sweep_would_refuse_is_refused_before_anything_is_sent(
    words: str, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["submit", "--address", "http://127.0.0.1:1", *words.split()]) == 2
    error = capsys.readouterr().err
    assert error.startswith("error: ") and error.count("\n") == 1 and said in error


def test_a_file_that_is_not_sent_is_refused(
    write_file: Callable[[], Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "project").mkdir()
    line = ["submit", str(write_file()), "--results", "/r"]
    assert main([*line, "--working-dir", str(tmp_path / "project")]) == 2
    assert "so it is not sent; give a folder that holds it" in capsys.readouterr().err
