"""What signals are worth where there is a simulator, too: how they would have chosen."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from statistics import fmean
from typing import Any, NamedTuple

import numpy as np

from qipo_ray.leaderboard.aggregate import generator
from qipo_ray.leaderboard.rows import exclusion_reason, lookup, origin_of
from qipo_ray.leaderboard.statistics.best_arm import bandit_regrets
from qipo_ray.leaderboard.statistics.ranks import mean_ranks
from qipo_ray.leaderboard.tables import Cell, Column, Table, counted
from qipo_ray.study.objective import SIGNALS, measured, merit

Record = Mapping[str, Any]
LEAST = 3  # policies or configurations: of two, any signal is right half the time
EACH = (1, 2, 5, 10)  # episodes that a bandit has for each policy
MEAN_Q = "mean Q of the policy report"
COLUMNS = (
    Column("task", "task"),
    Column("compared", "compared"),
    Column("chosen_by", "chosen by"),
    Column("spearman", "Spearman"),
    Column("regret", "regret"),
    Column("chance", "regret of chance"),
)
NOTES = (
    "Spearman: rank correlation with the online score, turned round where less of a signal is"
    " better: 1 ranks as the score does. Regret: the best score less that of the one that is best"
    " by the signal, in points. At rungs configurations are compared, means over the search seeds,"
    " on the scores of the rung, which carry the noise of few episodes; confirmed are single"
    " policies, on their last scores.",
    "UCB: a bandit that tries the confirmed policies online for so many episodes in all, drawn"
    " from their recorded ones; expected regret of the one that it then holds best.",
)


class _Pair(NamedTuple):
    """The online score of a configuration or a policy; by title its signals: more is better."""

    score: float
    worths: Mapping[str, float | None]


def signal_table(source: str, records: Iterable[Record]) -> Table | None:
    """Return how signals would have chosen on the records of one source; None without both."""
    tasks: defaultdict[tuple[str, str], list[Record]] = defaultdict(list)
    for record in records:
        if record.get("signals") and record["scores"]:
            tasks[record["task"], record["data"]["sha256"]].append(record)
    rows = [row for (task, _), group in sorted(tasks.items()) for row in _rows(task, group)]
    if not rows:
        return None
    return Table(
        title=f"Data source: {source}, choosing without a simulator",
        caption="How signals that need no simulator would have chosen, against the online score.",
        source=source,
        columns=COLUMNS,
        rows=tuple(rows),
        notes=NOTES,
        kind="comparison",
    )


def signal_tables(records: Sequence[Record]) -> list[Table]:
    """Return the tables of unique records, one for each source of scores."""
    tables = (
        signal_table(source, (record for record in records if origin_of(record) == source))
        for source in sorted(set(map(origin_of, records)))
    )
    return [table for table in tables if table is not None]


def _rows(task: str, records: Sequence[Record]) -> Iterator[tuple[Cell, ...]]:
    searched = [record for record in records if record["purpose"] == "search"]
    for rung in range(max((len(record["signals"]) for record in searched), default=0)):
        pairs = list(_at(searched, rung))
        compared = f"rung {rung + 1}, {counted(len(pairs), 'configuration')}"
        yield from _lines(task, compared, pairs)
    confirmed = [record for record in records if exclusion_reason(record) is None]
    pairs = [_confirmed(record) for record in confirmed]
    compared = f"confirmed, {len(pairs)} policies"
    yield from _lines(task, compared, pairs)
    episodes = [record["final"]["last"].get("each") for record in confirmed]
    if len(pairs) >= LEAST and None not in episodes:
        budgets = [count * len(episodes) for count in EACH]
        regrets = bandit_regrets(episodes, budgets, generator())
        for budget, regret in zip(budgets, regrets, strict=True):
            yield task, compared, f"UCB, {budget} episodes", None, f"{regret:.1f}", _chance(pairs)


def _at(records: Iterable[Record], rung: int) -> Iterator[_Pair]:
    """Yield each configuration's means over seeds at a rung, where it came so far."""
    groups: defaultdict[str, list[tuple[float, Record]]] = defaultdict(list)
    for record in (record for record in records if len(record["signals"]) > rung):
        signals = record["signals"][rung]
        at = signals["updates"]
        score = next((s for s in record["scores"] if s["updates"] == at), None)
        if score is not None:
            groups[record["config_hash"]].append((score["normalised"], signals))
    for group in groups.values():
        worths = {
            title: merit(name, [measured(name, signals) for _, signals in group])
            for name, title in SIGNALS.items()
        }
        yield _Pair(fmean(score for score, _ in group), worths)


def _confirmed(record: Record) -> _Pair:
    last = record["signals"][-1]
    worths = {title: merit(name, [measured(name, last)]) for name, title in SIGNALS.items()}
    worths[MEAN_Q] = lookup(record, ("policy_report", "q_mean"))
    return _Pair(record["final"]["last"]["normalised"], worths)


def _lines(task: str, compared: str, pairs: Sequence[_Pair]) -> Iterator[tuple[Cell, ...]]:
    """Yield a line for each signal that all pairs have."""
    titles = pairs[0].worths if len(pairs) >= LEAST else ()
    scores = [pair.score for pair in pairs]
    for title in titles:
        worths = [worth for pair in pairs if (worth := pair.worths[title]) is not None]
        if len(worths) < len(pairs):
            continue
        chosen = max(range(len(worths)), key=worths.__getitem__)
        rank = spearman(worths, scores)
        regret = f"{max(scores) - scores[chosen]:.1f}"
        yield (
            task,
            compared,
            title,
            None if rank is None else f"{rank:+.2f}",
            regret,
            _chance(pairs),
        )


def _chance(pairs: Sequence[_Pair]) -> str:
    scores = [pair.score for pair in pairs]
    return f"{max(scores) - fmean(scores):.1f}"


def spearman(first: Sequence[float], second: Sequence[float]) -> float | None:
    """Return the rank correlation, ties at their mean ranks; None where one does not vary."""
    if any(len(set(values)) < 2 for values in (first, second)):
        return None
    return float(np.corrcoef(mean_ranks(first), mean_ranks(second))[0, 1])
