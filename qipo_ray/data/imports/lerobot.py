"""LeRobot's data sets of versions 2 and 3: Parquet tables of frames, and ``meta/info.json``.

LeRobot keeps no observation after the last action of an episode. ``next.done`` marks ends for
whatever reason, and LeRobot's own replay buffer lets nothing follow it; so it is a terminal here,
where ``next.truncated`` does not say otherwise.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import numpy.typing as npt

from qipo_ray.data.faults import Unusable, quoted
from qipo_ray.data.imports import arrow_columns
from qipo_ray.data.imports.recording import Columns, Recording, episode, flags, json_of

_STATE, _ACTION, _REWARD, _EPISODE = "observation.state", "action", "next.reward", "episode_index"
_FRAME, _DONE, _CUT = "frame_index", "next.done", "next.truncated"
_OPTIONAL = (_FRAME, _DONE, _CUT)


def read(folder: Path) -> Recording:
    """Return the episodes of a data set's folder; pictures and videos are not opened."""
    info = json_of(folder / "meta" / "info.json")
    files = sorted((folder / "data").glob("chunk-*/*.parquet"), key=lambda path: path.parts[-2:])
    version, frames = str(info.get("codebase_version"))[:12], info.get("total_frames")
    if not files:
        raise Unusable(
            f"has no data/chunk-*/*.parquet; its layout is {version}, expected v2 or v3"
        )
    names = arrow_columns.names_of(files[0])
    missing = [name for name in (_STATE, _ACTION, _REWARD, _EPISODE) if name not in names]
    if missing:
        listed = ", ".join(map(quoted, names[:12]))
        raise Unusable(f"misses {', '.join(missing)}; its tables hold {listed}")
    features = info.get("features")
    unread = [key for key in features or () if key.startswith("observation.") and key != _STATE]
    notes = []
    if unread:
        notes.append(f"not read: {', '.join(map(quoted, sorted(unread)[:8]))}")
    if _DONE in names and _CUT not in names:
        notes.append("next.done is read as LeRobot does it: nothing follows; time limits, too")
    if _DONE not in names:
        notes.append("it has no next.done: every episode ends by a time limit")
    columns = [_STATE, _ACTION, _REWARD, _EPISODE, *(name for name in _OPTIONAL if name in names)]
    total = frames if isinstance(frames, int) else None
    origin = f"LeRobot's {folder.resolve().name} ({version}), imported"
    return Recording(origin, _episodes(files, columns, total), total, notes)


def _episodes(files: list[Path], columns: list[str], total: int | None) -> Iterator[Columns]:
    held: Columns = {}
    finished: set[int] = set()
    frames = 0
    for file in files:
        more = arrow_columns.columns(file, columns)
        frames += len(more[_EPISODE])
        held = {name: np.concatenate([held[name], more[name]]) for name in more} if held else more
        borders = np.flatnonzero(np.diff(held[_EPISODE])) + 1
        for start, stop in zip([0, *borders[:-1]], borders, strict=False):
            yield _rows({name: values[start:stop] for name, values in held.items()}, finished)
        if len(borders):
            held = {name: values[borders[-1] :] for name, values in held.items()}
    yield _rows(held, finished)
    if total not in (None, frames):
        raise Unusable(f"has {frames:,} frames; its meta/info.json says {total:,}")


def _rows(held: Columns, finished: set[int]) -> Columns:
    """Return the rows of one episode, which comes once, with all of its frames."""
    number, steps = int(held[_EPISODE][0]), len(held[_EPISODE])
    label = f"episode {number}"
    frames = held.get(_FRAME)
    if number in finished or (frames is not None and not np.array_equal(frames, np.arange(steps))):
        raise Unusable(f"{label} misses frames, or has them in another order")
    finished.add(number)
    cuts = _marks(label, held, _CUT)
    terminals = _marks(label, held, _DONE) & ~cuts
    return episode(label, held[_STATE], held[_ACTION], held[_REWARD], terminals, cuts)


def _marks(label: str, held: Columns, name: str) -> npt.NDArray[np.bool_]:
    if name not in held:
        return np.zeros(len(held[_EPISODE]), np.bool_)
    return flags(f"{label}/{name}", held[name])
