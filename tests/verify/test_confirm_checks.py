"""Which confirmed runs were planned: forged ones, and those of a sweep that was extended."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from synthetic_sweep import SEARCH

from qipo_ray.store.records import read_records
from qipo_ray.verify import verify

Record = dict[str, Any]
Faults = Callable[[Path], list[tuple[str, str]]]


@pytest.mark.slow_after(2)
@pytest.mark.parametrize(
    ("beta", "seed", "what"),
    [
        (10.0, 100, "its configuration is not among those that the search chose"),
        (30.0, 101, "its configuration is not among those that the search chose"),
        (44.0, 100, "its configuration is not among those that the search chose"),
        (20.0, 102, "102 is none of its report seeds 100, 101"),
        (3.0, 7, "7 is none of its report seeds"),
    ],
)
def test_a_run_that_the_sweep_did_not_plan(
    books: Any, faults: Faults, beta: float, seed: int, what: str
) -> None:
    """Whole in itself: keys, weights, notes and tables are there and fit."""
    books.confirm(beta, seed)
    books.tabulate()
    ((place, words),) = faults(books.root)
    assert place.startswith("records/") and f"did not plan this run: {what}" in words
    assert verify(books.root).planned == 12  # it is in no account


@pytest.mark.parametrize(
    ("edit", "what"),
    [
        ({"label": {"name": "tuned"}}, "label.name 'tuned', not 'search, best'"),
        ({"protocol": {"selection_episodes": 0}}, "protocol.selection_episodes 0, not 280"),
        ({"trial": None}, "trial None, not '"),
    ],
)
def test_a_run_that_says_otherwise_how_it_was_chosen(
    books: Any, forge: Any, faults: Faults, edit: dict[str, Any], what: str
) -> None:
    def change(record: Record) -> None:
        for key, value in edit.items():
            record[key] = record[key] | value if isinstance(value, dict) else value

    forge(change, "confirm", 20.0)
    books.tabulate()
    ((_, words),) = faults(books.root)
    assert what in words


def test_the_paper_form_used_no_episodes(books: Any, forge: Any, faults: Faults) -> None:
    forge(lambda record: record["protocol"].update(selection_episodes=280), "confirm", 3.0)
    books.tabulate()
    assert "protocol.selection_episodes 280, not 0" in faults(books.root)[0][1]


def test_selection_may_have_cost_more_than_what_decided(
    books: Any, forge: Any, faults: Faults
) -> None:
    """A seed of a trial that was stopped had run ahead: its episodes were spent as well."""
    score = {"updates": 3000, "episodes": 20, "normalised": 6.0}
    books.note(30.0, 0, "policy", score)
    for spent, words in (
        (280, None),
        (300, None),
        (279, "279, not 280 to 300"),
        (301, "301, not"),
    ):
        forge(lambda r, n=spent: r["protocol"].update(selection_episodes=n), "confirm", 20.0)
        books.tabulate()
        found = faults(books.root)
        assert [words in what for _, what in found] == ([True] if words else [])


@pytest.mark.slow
def test_a_search_record_that_is_missing_when_the_confirm_step_has_begun(
    books: Any, faults: Faults
) -> None:
    for record in read_records(books.root):
        if record["purpose"] == "search":
            path = books.root / "records" / f"{record['id']}.json"
            whole = path.read_bytes()
            path.unlink()
            books.tabulate()
            assert [place for place, _ in faults(books.root)] == [f"records/{path.name}"]
            path.write_bytes(whole)


def test_a_trial_of_which_nothing_is_left_shows_in_what_chose(books: Any, faults: Faults) -> None:
    """Intent, log and records are gone; its episodes were counted when others were chosen."""
    trial = books.trial(30.0)
    (books.root / "trials" / f"{trial}.json").unlink()
    for record in read_records(books.root):
        if record["trial"] == trial:
            (books.root / "records" / f"{record['id']}.json").unlink()
    log = books.root / "rungs.jsonl"
    lines = log.read_text().splitlines(keepends=True)
    log.write_text("".join(line for line in lines if trial not in line))
    books.tabulate()
    words = [what for _, what in faults(books.root)]
    assert len(words) == 2
    assert all("protocol.selection_episodes 280, not 240" in what for what in words)


MORE = SEARCH.replace("trials: 4", "trials: 5").replace("[100, 101]", "[101, 102]")


@pytest.mark.slow
def test_an_extended_sweep_is_sound_at_every_step(books: Any) -> None:
    """Another trial wins, and other report seeds: what was confirmed before was planned then."""
    ends = []
    books.specify(MORE)
    for step in (
        lambda: None,
        lambda: books.intend(25.0, minute=10),
        lambda: books.reach(25.0, 0, 13.0),
        lambda: (books.betas.pop(), books.reach(25.0, 1, 50.0)),
        lambda: finish(books),
        lambda: books.confirm(25.0, 101, selection=9 * 2 * 20, minute=20),
        lambda: books.confirm(25.0, 102, selection=9 * 2 * 20, minute=20),
        lambda: books.confirm(3.0, 102, minute=20),
    ):
        step()
        verdict = verify(books.root)
        assert verdict.faults == () and verdict.counts is not None
        ends.append((verdict.planned, sum(list(verdict.counts.values())[:4])))
    assert ends == [(14, 12)] * 4 + [(17, 14), (17, 15), (17, 16), (17, 17)]
    assert [one.place for one in verdict.remarks] == ["leaderboard"]
    assert "older than 5 records" in verdict.remarks[0].what
    books.tabulate()
    assert verify(books.root).remarks == ()


def finish(books: Any) -> None:
    """Leave the records of the trial that came in by the extension."""
    for seed in (0, 1):
        found = [
            {"updates": at, "episodes": 20, "mean": 1.0, "std": 1.0, "normalised": value,
             "success": None}
            for at, value in ((1000, 13.0), (3000, 50.0))
        ]  # fmt: skip
        books.end(25.0, seed, found, purpose="search", state="finished")


def test_without_the_specification_before_it_the_same_runs_were_never_planned(
    books: Any, faults: Faults
) -> None:
    books.specify(MORE)
    (path,) = (books.root / "specifications").iterdir()
    before = path.read_bytes()
    path.unlink()
    found = faults(books.root)
    assert len([words for _, words in found if "100 is none of its report seeds" in words]) == 2
    path.write_bytes(before.replace(b"top: 1", b"top: 2"))
    assert "does not match the hash" in dict(faults(books.root))[f"specifications/{path.name}"]


def test_a_run_confirmed_under_no_specification_of_an_extended_sweep(
    books: Any, faults: Faults
) -> None:
    books.specify(MORE)
    books.confirm(30.0, 100)
    ((_, words),) = [one for one in faults(books.root) if "did not plan" in one[1]]
    assert "100 is none of its report seeds 101, 102" in words
