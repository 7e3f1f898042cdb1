from __future__ import annotations

from qipo_ray.leaderboard.statistics.ranks import mean_ranks


def test_equal_values_share_their_mean_rank() -> None:
    assert mean_ranks([10.0, 30.0, 10.0, 20.0, 10.0]).tolist() == [2.0, 5.0, 2.0, 4.0, 2.0]
    assert mean_ranks([1.0, 1.0]).tolist() == [1.5, 1.5]
    assert mean_ranks([]).tolist() == []


def test_anything_with_an_order_has_ranks() -> None:
    assert mean_ranks([(2, 0.5), (1, 9.0), (2, 0.1)]).tolist() == [3.0, 1.0, 2.0]
