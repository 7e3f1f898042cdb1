from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

import pytest

from qipo_ray.data.tasks import NO_ENVIRONMENT, RAW_RETURNS, SUCCESS_RATES
from qipo_ray.leaderboard.aggregate import family_of
from qipo_ray.leaderboard.board import from_records
from qipo_ray.leaderboard.rows import Row, by_setting, collect
from qipo_ray.leaderboard.views.config import by_config
from qipo_ray.leaderboard.views.family import by_family

Build = Callable[..., dict[str, Any]]


def rows_of(kind: str, rows: list[Row]) -> list[Row]:
    return [row for row in rows if row.method.kind == kind]


def test_one_configuration_over_seeds(make_record: Build) -> None:
    lasts, clonings, bests = (40.0, 50.0, 63.0), (10.0, 30.0, 20.0), (45.0, 51.0, 66.0)
    records = [
        make_record(last, seed=seed, cloning=cloning, best=best)
        for seed, (last, cloning, best) in enumerate(zip(lasts, clonings, bests, strict=True))
    ]
    rows, left_out = collect(records)
    data, cloning_row, qipo = rows
    assert not left_out
    assert [row.method.name for row in rows] == ["data", "behaviour cloning (OT)", "QIPO-OT"]
    assert (qipo.last.mean, qipo.last.count, qipo.seeds) == (51.0, 3, (0, 1, 2))
    assert qipo.last.std == pytest.approx((133.0) ** 0.5)  # (121 + 1 + 144) / 2
    # Paired: 30, 20, 43. The mean is that of unpaired scores, the deviation is not.
    assert qipo.gain is not None and qipo.best is not None
    assert qipo.gain.mean == pytest.approx(31.0)
    assert qipo.gain.std == pytest.approx((133.0) ** 0.5)
    assert (qipo.best.mean, qipo.best_episodes) == (54.0, (20,))
    assert (cloning_row.last.mean, cloning_row.gain, cloning_row.best) == (20.0, None, None)
    assert (data.last.mean, data.last.std, data.seeds, data.method.episodes) == (5.0, None, (), 7)


def test_gain_is_paired_by_run_and_not_a_difference_of_means(make_record: Build) -> None:
    records = [make_record(20.0, seed=0, cloning=10.0), make_record(40.0, seed=1, cloning=None)]
    rows, _ = collect(records)
    (qipo,) = rows_of("run", rows)
    assert qipo.gain is not None
    assert (qipo.gain.mean, qipo.gain.count, qipo.last.count) == (10.0, 1, 2)


def test_no_gain_over_cloning_that_was_measured_otherwise(make_record: Build) -> None:
    one = make_record(20.0)
    one["behaviour_cloning"]["episodes"] = 10
    rows, _ = collect([one])
    (qipo,) = rows_of("run", rows)
    (cloning,) = rows_of("cloning", rows)
    assert qipo.gain is None
    assert (qipo.method.episodes, cloning.method.episodes) == (100, 10)


@pytest.mark.parametrize(
    "other",
    [
        {"episodes": 10},
        {"env_seeds": "1..100"},
        {"sampler": "heun"},
        {"steps": 20},
        {"best_of": 8},
        {"clip": False},
        {"physics": 1},
        {"selection_episodes": 5000},
        {"source": "d4rl"},
        {"sha256": "b" * 64},
        {"task": "point"},
        {"beta": 30.0},
        {"departures": ("layer-norm",)},
        {"name": "tuned"},
        {"path": "vp"},
    ],
    ids=lambda other: next(iter(other)),
)
def test_what_differs_is_never_averaged(make_record: Build, other: dict[str, Any]) -> None:
    rows, _ = collect([make_record(10.0, seed=0), make_record(90.0, seed=1, **other)])
    assert sorted(row.last.mean for row in rows_of("run", rows)) == [10.0, 90.0]


def test_other_seeds_and_sweeps_are_averaged(make_record: Build) -> None:
    rows, _ = collect([make_record(10.0, seed=0), make_record(90.0, seed=1, sweep="two")])
    assert [row.last.mean for row in rows_of("run", rows)] == [50.0]


def test_configurations_share_the_row_of_their_cloning(make_record: Build) -> None:
    records = [
        make_record(50.0 + beta, seed=seed, beta=beta, cloning=10.0 + seed)
        for beta in (1.0, 3.0, 10.0)
        for seed in (0, 1)
    ]
    rows, _ = collect(records)
    (cloning,) = rows_of("cloning", rows)
    assert (cloning.last.mean, cloning.last.count, cloning.repeats) == (10.5, 2, 0)
    assert len(rows_of("run", rows)) == 3


def test_methods_on_one_clone_share_its_row_and_the_table(make_record: Build) -> None:
    """Whatever they are called, and however many actions one of them draws per state."""
    records = [make_record(20.0), make_record(30.0, beta=1.0, best_of=32)]
    records[1]["label"]["method"] = "SfBC (OT)"
    rows, _ = collect(records)
    assert [row.method.name for row in rows] == [
        "data", "behaviour cloning (OT)", "QIPO-OT", "SfBC (OT)",
    ]  # fmt: skip
    assert len(list(by_setting(rows))) == 1


def test_cloning_of_another_network_has_its_own_row(make_record: Build) -> None:
    rows, _ = collect(
        [make_record(50.0, cloning=10.0), make_record(60.0, cloning=20.0, width=512)]
    )
    assert sorted(row.last.mean for row in rows_of("cloning", rows)) == [10.0, 20.0]


def test_a_repeated_seed_counts_once(make_record: Build) -> None:
    records = [
        make_record(10.0, seed=0),
        make_record(20.0, seed=0, sweep="again"),
        make_record(40.0, seed=1),
    ]
    rows, _ = collect(records)
    (qipo,) = rows_of("run", rows)
    assert (qipo.last.mean, qipo.last.count, qipo.repeats) == (27.5, 2, 1)


def test_copies_are_known_by_their_id_and_the_highest_attempt_stays(make_record: Build) -> None:
    records = [make_record(10.0), make_record(20.0, attempt=3), make_record(15.0, attempt=2)]
    for order in itertools.permutations(records):
        rows, left_out = collect(order)
        (qipo,) = rows_of("run", rows)
        assert (qipo.last.mean, qipo.last.count) == (20.0, 1)
        assert left_out == {"differing copy": 2}


def test_two_files_under_one_id_are_two_rows(make_record: Build) -> None:
    one, other = make_record(10.0), make_record(90.0, sha256="b" * 64)
    assert one["id"] == other["id"]
    rows, left_out = collect([one, other])
    assert sorted(row.last.mean for row in rows_of("run", rows)) == [10.0, 90.0]
    assert not left_out


def test_copies_with_the_same_numbers_and_with_others_are_told_apart(make_record: Build) -> None:
    records = [make_record(10.0), make_record(10.0, attempt=2), make_record(11.0, attempt=3)]
    assert collect(records)[1] == {"differing copy": 2}
    assert collect(records[:2])[1] == {"copy": 1}


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"state": "pruned"}, "pruned"),
        ({"state": "diverged"}, "diverged"),
        ({"state": "failed"}, "failed"),
        ({"purpose": "search"}, "search"),
        ({"purpose": "search", "state": "pruned"}, "search"),
        ({"last": None}, "unscored"),
    ],
)
def test_only_whole_reported_runs_enter(
    make_record: Build, change: dict[str, Any], reason: str
) -> None:
    other = make_record(**({"last": 99.0, "seed": 1} | change))
    rows, left_out = collect([make_record(10.0), other])
    assert [row.last.mean for row in rows_of("run", rows)] == [10.0]
    assert [row.last.mean for row in rows_of("cloning", rows)] == [10.0]
    assert left_out == {reason: 1}


def test_scores_that_could_not_be_normalised_are_not_made_up(make_record: Build) -> None:
    whole, bare = make_record(10.0), make_record(90.0, seed=1)
    whole["behaviour_cloning"]["normalised"] = None
    whole["data"]["score"]["normalised"] = None
    bare["final"]["last"]["normalised"] = None
    rows, left_out = collect([whole, bare])
    assert [(row.method.name, row.last.mean, row.gain) for row in rows] == [
        ("QIPO-OT", 10.0, None)
    ]
    assert left_out == {"unscored": 1}


def test_averaged_cloning_has_its_own_row_and_says_so(make_record: Build) -> None:
    """Not so in records from before, whose cloning was scored by the network itself."""
    records = [make_record(50.0, cloning=float(place), beta=float(place)) for place in range(4)]
    for record, weights, rate in zip(
        records, ("online", "ema", "online", "ema"), (None, None, 0.005, 0.005), strict=True
    ):
        average = {} if rate is None else {"ema_rate": rate}
        record["config"]["behaviour"] |= {"updates": 300, **average}
        record["config"]["evaluation"] = {"weights": weights}
    rows = rows_of("cloning", collect(records)[0])
    words = "300 updates, raw observations"
    found = [(row.method.preset, sorted(row.scores)) for row in rows]
    assert found == [(words, [1.0]), (f"{words}, averaged", [3.0])]


def test_a_configuration_of_any_shape_has_a_row(make_record: Build) -> None:
    """The schema of a record asks for a mapping, no more: other versions have other settings."""
    for config in ({}, {"behaviour": 3, "data": []}, {"behaviour": {"updates": "many"}}):
        rows, left_out = collect([make_record(1.0) | {"config": config}])
        assert len(rows) == 3 and not left_out
        assert [row.method.preset for row in rows if row.method.kind == "cloning"] == [None]


def test_environment_seeds_may_be_a_list(make_record: Build) -> None:
    rows, _ = collect([make_record(10.0, env_seeds=[1, 2, 5])])
    assert rows[0].method.setting.env_seeds == "1, 2, 5"


def test_confirmed_runs_enter(make_record: Build) -> None:
    rows, left_out = collect([make_record(10.0, purpose="confirm", selection_episodes=900)])
    (qipo,) = rows_of("run", rows)
    assert qipo.method.selection_episodes == 900
    assert not left_out


def test_the_order_of_rows(make_record: Build) -> None:
    records = [
        make_record(1.0, path="vp", departures=("layer-norm",)),
        make_record(2.0, path="ot", departures=("layer-norm",)),
        make_record(3.0, path="vp"),
        make_record(4.0, path="ot"),
        make_record(5.0, task="antmaze-umaze"),
    ]
    for order in itertools.permutations(records):
        rows, _ = collect(order)
        found = [(r.method.task, r.method.name, r.method.departures) for r in rows]
        assert found == [
            ("antmaze-umaze", "data", ()),
            ("antmaze-umaze", "behaviour cloning (OT)", ()),
            ("antmaze-umaze", "QIPO-OT", ()),
            ("maze2d-umaze", "data", ()),
            ("maze2d-umaze", "behaviour cloning (OT)", ()),
            ("maze2d-umaze", "behaviour cloning (Diff)", ()),
            ("maze2d-umaze", "QIPO-OT", ()),
            ("maze2d-umaze", "QIPO-Diff", ()),
            ("maze2d-umaze", "QIPO-OT", ("layer-norm",)),
            ("maze2d-umaze", "QIPO-Diff", ("layer-norm",)),
        ]


def test_own_tasks_of_one_name_and_raw_returns_stay_apart(make_record: Build) -> None:
    first, second = (make_record(9.0, task=f"pendulum@0000000{n}") for n in (1, 2))
    raw = make_record(-500.0, task="pendulum@00000003")
    raw["protocol"]["scores"] = RAW_RETURNS
    rows, _ = collect([first, second, raw])
    assert {row.method.task[-1]: row.method.setting.raw for row in rows if row.seeds} == {
        "1": False, "2": False, "3": True,
    }  # fmt: skip
    tables = {setting.raw: list(group) for setting, group in by_setting(rows)}
    columns = [
        [column.title for column in by_config(group[0].method.setting, group).columns]
        for group in (tables[False], tables[True])
    ]
    assert {"pendulum@00000001", "pendulum@00000002"} < {*columns[0]}
    assert "pendulum@00000003" in columns[1] and "pendulum@00000003" not in columns[0]
    captions = [by_config(g[0].method.setting, g).caption for g in tables.values()]
    assert [caption.startswith("Scores are raw returns, not") for caption in captions] == [
        *tables
    ]  # fmt: skip
    assert family_of("pendulum@00000001") == family_of("hopper-x@00000001") == "own"


def test_success_rates_of_a_data_sets_tasks_are_reported_together(make_record: Build) -> None:
    """A line by family; never with D4RL's scores."""
    records = [
        make_record(10.0 * number, task=f"cube-single-play-singletask-task{number}-v0")
        for number in range(1, 6)
    ]
    for record in records:
        record["protocol"]["scores"] = SUCCESS_RATES
    rows, _ = collect([*records, make_record(90.0)])
    tables = [by_family(setting, list(group)) for setting, group in by_setting(rows)]
    captions = {table.caption.split(",")[0]: table for table in tables}
    assert len(captions) == 2
    table = captions["Success rate in %"]
    names = [column.key for column in table.columns]
    line = next(row for row in table.rows if row[names.index("method")] == "QIPO-OT")
    assert line[names.index("family")] == "cube-single-play"
    assert line[names.index("mean")].value == pytest.approx(30.0)


def test_what_was_not_rolled_out_is_told(make_record: Build) -> None:
    record = make_record(1.0) | {"reason": NO_ENVIRONMENT}
    board = from_records([record])
    assert board.rows == () and board.left_out == {"not rolled out": 1}
    assert board.notes == (f"Left out: 1 finished run ({NO_ENVIRONMENT}).",)
