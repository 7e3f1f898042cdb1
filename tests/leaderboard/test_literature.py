from __future__ import annotations

from collections import defaultdict
from statistics import mean

import pytest

from qipo_ray.data.tasks import get_task
from qipo_ray.errors import UserError
from qipo_ray.leaderboard.aggregate import family_of
from qipo_ray.leaderboard.literature import literature_for, packaged, parse

SMALL = """\
sources:
  one:
    citation: A paper, Table 1
    url: https://example.org/1
results:
  - method: IQL
    source: one
    protocol: 10 seeds
    note: quoted
    scores:
      hopper-medium-v2: [66.3, 1.5]
      walker2d-medium-v2: 78
"""


def test_a_row_carries_its_source_and_protocol() -> None:
    first, second = parse(SMALL, "small.yaml")
    assert (first.task, first.method) == ("hopper-medium-v2", "IQL")
    assert (first.score, first.plus_minus) == (66.3, 1.5)
    assert (second.score, second.plus_minus) == (78.0, None)
    assert (first.source, first.citation) == ("one", "A paper, Table 1")
    assert first.url == "https://example.org/1"
    assert (first.protocol, first.note, first.grade) == ("10 seeds", "quoted", None)
    graded = SMALL.replace("    url:", "    grade: secondary\n    url:")
    assert parse(graded, "small.yaml")[0].grade == "secondary"
    with pytest.raises(UserError, match="sources.one.grade expected one of"):
        parse(graded.replace("secondary", "third"), "small.yaml")


def test_rows_come_by_task_in_the_order_asked_and_once() -> None:
    tasks = ["walker2d-medium-v2", "antmaze-umaze-v2", "walker2d-medium-v2", "kitchen-complete-v0"]
    rows = literature_for(tasks)
    assert list(dict.fromkeys(row.task for row in rows)) == tasks[:2]
    assert len(set(rows)) == len(rows) > 10


def test_every_packaged_row_is_of_a_published_task_and_cites_its_source() -> None:
    for row in packaged():
        assert row.source == "qam" or not get_task(row.task).generated
        assert row.url.startswith("https://")
        assert "arXiv" in row.citation or "commit" in row.citation
        assert -5 < row.score < 160


# The averages that the sources print under their columns: a check of every cell above them.
AVERAGES = {
    ("QGPO", "doser", "v2"): 86.6,
    ("IQL", "doser", "v2"): 77.0,
    ("SfBC", "doser", "v2"): 75.6,
    ("IDQL", "doser", "v2"): 82.1,
    ("SRPO", "doser", "v2"): 87.1,
    ("DTQL", "doser", "v2"): 88.7,
    ("Diffusion-QL", "ofql", "locomotion"): 87.9,
    ("EDP", "ofql", "locomotion"): 82.4,
    ("FQL", "ofql", "v2"): 79.2,
    ("RTB", "rtb", "v2"): 83.0,
    ("GMPO (VP-SDE)", "generativerl", "v2"): 80.2,
    ("GMPO (GVP)", "generativerl", "v2"): 82.7,
    ("GMPO (ICFM)", "generativerl", "v2"): 76.2,
    ("GMPG (VP-SDE)", "generativerl", "v2"): 87.3,
    ("GMPG (GVP)", "generativerl", "v2"): 84.2,
    ("GMPG (ICFM)", "generativerl", "v2"): 83.4,
    ("FAWAC", "fql", "v2"): 44.5,
    ("ReBRAC", "rebrac", "v2"): 76.8,
    ("DOSER", "doser", "locomotion"): 93.2,
    ("A2PR", "doser", "locomotion"): 93.0,
    ("OFQL", "ofql", "locomotion"): 92.5,
    ("OFQL", "ofql", "antmaze"): 84.6,
    ("OFQL", "ofql", "kitchen"): 67.0,
    ("Decision Diffuser", "ofql", "kitchen"): 65.8,
}


@pytest.mark.parametrize(("method", "source", "family"), AVERAGES)
def test_columns_have_the_averages_that_their_sources_print(
    method: str, source: str, family: str
) -> None:
    scores = [
        row.score
        for row in packaged()
        if (row.method, row.source) == (method, source)
        and family in (row.task.rpartition("-")[2], family_of(row.task))
    ]
    assert mean(scores) == pytest.approx(AVERAGES[method, source, family], abs=0.1)


def test_cells_that_nobody_could_read_are_absent() -> None:
    cells = defaultdict(set)
    for row in packaged():
        cells[row.method].add(row.task)
    assert cells["QIPO"] == {
        "halfcheetah-medium-v2",
        "walker2d-medium-v2",
        "hopper-medium-replay-v2",
        "walker2d-medium-replay-v2",
        "antmaze-umaze-diverse-v2",
    }
    assert not any(task.startswith("antmaze") for task in cells["QGPO"])  # known by hearsay alone


def test_kitchen_and_adroit_say_who_ran_what() -> None:
    """A score that a table quotes is marked so; one that its authors ran has their protocol."""
    rows = literature_for(["kitchen-mixed-v0", "pen-expert-v1", "relocate-cloned-v1"])
    assert {row.grade for row in rows} == {"primary"}
    assert all((row.protocol is None) == (row.note is not None) for row in rows)
    cells = {(row.task, row.method): (row.score, row.plus_minus) for row in rows}
    assert cells["kitchen-mixed-v0", "IDQL"] == (60.5, 4.1)
    assert cells["pen-expert-v1", "ReBRAC"] == (152.0, None)
    quoted = {row.method for row in rows if row.note and "quoted" in row.note}
    assert {"IQL", "ReBRAC", "Diffuser"} < quoted and not {"OFQL", "IFQL"} & quoted


def test_a_task_of_ogbench_brings_the_means_over_its_data_set() -> None:
    tasks = [f"cube-double-play-singletask-task{number}-v0" for number in (1, 2)]
    rows = literature_for(tasks)
    assert {row.task for row in rows} == {"cube-double-play-v0"} and len(rows) == 9
    assert all("mean of five tasks" in str(row.protocol) for row in rows)
    cells = {row.method: (row.score, row.plus_minus) for row in rows}
    assert cells["FAWAC"] == (1.8, 0.7)
    # There the authors trained on 100 million rows, which are other data.
    others = ("puzzle-4x4-play", "cube-quadruple-play")
    assert literature_for([f"{name}-singletask-task1-v0" for name in others]) == ()
    assert literature_for(["cube-double-noisy-singletask-task1-v0"]) == ()


def test_sources_that_disagree_are_both_kept() -> None:
    rows = literature_for(["halfcheetah-medium-v2"])
    found = {row.source: row.score for row in rows if row.method == "Diffusion-QL"}
    assert found == {"ofql": 51.1, "doser": 51.5}


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("source: one", "source: onne", "small.yaml:7: unknown source 'onne' (did you mean 'one'"),
        (
            "scores:",
            "score:",
            "small.yaml:10: unknown key 'results.0.score' (did you mean 'scores'?)",
        ),
        ("    url: https://example.org/1\n", "", "small.yaml:2: missing key 'sources.one.url'"),
        (
            "  - method: IQL\n    source",
            "  - source",
            "small.yaml:6: missing key 'results.0.method'",
        ),
        ("walker2d-medium-v2: 78", "walker2d-medum-v2: 78", "did you mean 'walker2d-medium-v2'"),
        ("walker2d-medium-v2: 78", "walker2d-medium: 78", "is no task or data set with"),
        (
            "78",
            "about 78",
            "walker2d-medium-v2 must be a score such as 54.2, or [54.2, 0.4]; got 'about 78'",
        ),
        ("78", ".nan", "small.yaml:12: results.0.scores.walker2d-medium-v2 must be"),
        ("78", "true", "small.yaml:12: results.0.scores.walker2d-medium-v2 must be"),
        (
            "[66.3, 1.5]",
            "[66.3, -1.5]",
            "small.yaml:11: results.0.scores.hopper-medium-v2 must be",
        ),
        (
            "[66.3, 1.5]",
            "[66.3, 1.5, 2]",
            "small.yaml:11: results.0.scores.hopper-medium-v2 must be",
        ),
        ("10 seeds", "10", "small.yaml:8: results.0.protocol must be a valid string; got 10"),
        ("IQL", "''", "small.yaml:6: results.0.method must have at least 1 character; got ''"),
        ("walker2d-medium-v2: 78", "hopper-medium-v2: 78", "small.yaml:12: key"),
        (
            "citation:",
            "citatoin:",
            "small.yaml:3: unknown key 'sources.one.citatoin' (did you mean",
        ),
        ("results:", "results: 3\nelse:", "small.yaml:6: unknown key 'else'"),
    ],
)
def test_a_fault_is_one_line_with_its_place(old: str, new: str, message: str) -> None:
    assert old in SMALL
    with pytest.raises(UserError) as caught:
        parse(SMALL.replace(old, new, 1), "small.yaml")
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_cell_may_stand_once() -> None:
    twice = SMALL + SMALL[SMALL.index("  - method") :]
    with pytest.raises(UserError, match="hopper-medium-v2 / IQL / one stands 2 times"):
        parse(twice, "small.yaml")


@pytest.mark.parametrize("text", ["", "[]", "3", "sources: {}\nresults: {}"])
def test_another_shape_is_refused(text: str) -> None:
    with pytest.raises(UserError, match=r"small\.yaml.* must be a "):
        parse(text, "small.yaml")
