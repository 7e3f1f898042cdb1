"""The environment of a user's own task: made by Gymnasium or by a factory, with our conventions.

Nothing is imported for a task that a results folder names: only for one whose file the user gave.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from qipo_ray.data.tasks import OwnTask, Task
from qipo_ray.errors import Failure, UserError, nearest
from qipo_ray.evaluation.env import EnvStep, RestorableFrom
from qipo_ray.user_modules import import_from

SETTER = "set_observation"  # a method of the environment that takes the state of an observation
_Result = TypeVar("_Result")


class OwnEnv:
    """One environment of an own task, without time limit: the rollout keeps the task's horizon."""

    restorable_from: RestorableFrom = "any_row"

    def __init__(self, task: Task) -> None:
        """Make the environment; ``UserError`` says why it cannot be, or does not fit its file."""
        own = task.own
        if own is None or own.file is None:
            raise UserError(
                f"task {task.id} is known from a results folder alone, which makes no environment"
            )
        if own.environment is None:
            raise UserError(f"{own.file}: environment: none, so nothing can be rolled out")
        self._own, self._file, self._name = own, own.file, own.environment
        self._environment = self._guarded(lambda: _made(own), UserError)
        space = self._guarded(lambda: self._environment.action_space, UserError)
        self._low, self._high = self._bounds(space)
        self._dtype = space.dtype
        self.action_size = len(self._low)
        self.observation_size = self._size(self._environment.observation_space)
        self.success_steps = 1 if own.success else 0
        self.success_seen = False  # whether ``info`` ever had the key

    def reset(self, seed: int) -> NDArray[np.floating]:
        """Return the first observation ``(S,)``."""
        return self._guarded(lambda: self._flat(self._environment.reset(seed=seed)[0]))

    def step(self, action: NDArray[np.floating]) -> EnvStep:
        """Return what an action ``(A,)`` in [-1, 1] does; a time limit of its own ends it, too."""
        given = (self._low + (action + 1) / 2 * (self._high - self._low)).astype(self._dtype)
        given = np.clip(given, self._low, self._high, dtype=self._dtype)
        return self._guarded(lambda: self._read(self._environment.step(given)))

    def _read(self, step: Any) -> EnvStep:
        """Return what the environment's ``step`` gave, in our types."""
        observation, reward, terminated, truncated, info = step
        said = info or {}  # None stands for it here and there
        self.success_seen |= self._own.success in said
        success = bool(said.get(self._own.success, False))
        ended = bool(terminated or truncated)
        return EnvStep(self._flat(observation), self._number(reward), ended, success)

    def _number(self, reward: Any) -> float:
        """Return a reward, be it a float or an array of one; ``UserError`` for anything else."""
        try:
            number = float(np.asarray(reward, dtype=np.float64).item())
        except (TypeError, ValueError):
            number = math.nan
        if not math.isfinite(number):
            shown = " ".join(repr(reward).split())
            raise UserError(
                f"{self._file}: environment: a reward of {self._name} is {shown:.80}; expected is "
                "a finite number"
            )
        return number

    def set_state(self, observation: NDArray[np.floating]) -> bool:
        """Take a recorded state ``(S,)``; False where the environment cannot be set to it."""
        core = self._environment.unwrapped
        setter = getattr(core, SETTER, None)
        if setter is not None:
            self._guarded(lambda: setter(observation))
            return True
        model = getattr(core, "model", None)  # MuJoCo's, or anything of that name
        positions, speeds = getattr(model, "nq", None), getattr(model, "nv", None)
        setting = all(hasattr(core, name) for name in ("set_state", "_get_obs"))
        if not setting or positions is None or speeds is None:
            return False
        hidden = positions + speeds - len(observation)  # positions that are not observed
        if not 0 <= hidden < positions:
            return False
        state = np.concatenate([np.zeros(hidden), observation]).astype(np.float64)
        self._guarded(lambda: core.set_state(state[:positions], state[positions:]))
        # Whether observations are positions and speeds at all, this says.
        shown = self._guarded(lambda: self._flat(core._get_obs()))
        return bool(np.allclose(shown, observation, rtol=1e-4, atol=1e-4))

    def render(self) -> NDArray[np.uint8]:
        """Return how the state looks now, ``(H, W, 3)``."""
        frame: NDArray[np.uint8] | None = self._guarded(lambda: self._environment.render())
        if frame is None:
            raise UserError(
                f"{self._file}: {self._name} draws nothing; with `arguments: "
                "{render_mode: rgb_array}` Gymnasium's own environments do"
            )
        return frame

    def close(self) -> None:
        """Close the environment."""
        self._environment.close()

    def _guarded(
        self, act: Callable[[], _Result], line: type[UserError | Failure] = Failure
    ) -> _Result:
        """Return what the user's code returns; what it raises is one line with its file.

        Where it is made, that is a mistake in the file; at work, a failure.
        """
        try:
            return act()
        except (UserError, Failure):
            raise
        except Exception as problem:
            text = " ".join(str(problem).split())
            raise line(
                f"{self._file}: environment: {self._name} raised {type(problem).__name__}: "
                f"{text:.300}"
            ) from problem

    def _bounds(self, space: Any) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return the ends of an action, ``(A,)`` each, if they are those of the file."""
        from gymnasium.spaces import Box

        where = f"{self._file}: actions: those of {self._name} are"
        if not isinstance(space, Box) or not np.issubdtype(space.dtype, np.floating):
            raise UserError(f"{where} {space}; only continuous ones (a Box of floats) are trained")
        if len(space.shape) != 1 or not np.isfinite([space.low, space.high]).all():
            raise UserError(f"{where} {space}; expected a vector and finite bounds")
        low, high = space.low.astype(np.float64), space.high.astype(np.float64)
        size = len(low)
        fits = len(self._own.low) in (1, size)
        if not fits or not np.allclose([low, high], self._ends(size), rtol=1e-6, atol=1e-6):
            raise UserError(f"{where} {_in_yaml(low, high)}, not {self._stated()}")
        return low, high

    def _ends(self, size: int) -> list[NDArray[np.float64]]:
        return [np.broadcast_to(end, size) for end in (self._own.low, self._own.high)]

    def _stated(self) -> str:
        return _in_yaml(np.array(self._own.low), np.array(self._own.high))

    def _size(self, space: Any) -> int:
        """Return the numbers of a flattened observation; ``UserError`` for what cannot be one."""
        from gymnasium.spaces import Box, Dict

        keys = self._own.observations
        if not isinstance(space, Dict):
            if keys:
                raise UserError(
                    f"{self._file}: observations: those of {self._name} are no dictionary with "
                    f"keys {', '.join(keys)}"
                )
            parts = {"": space}
        else:
            names = list(space.spaces)
            for key in keys:
                if key not in names:
                    raise UserError(
                        f"{self._file}: observations: {self._name} has no {key!r}"
                        f"{nearest(key, names)}; it has {', '.join(names)}"
                    )
            if not keys:
                raise UserError(
                    f"{self._file}: observations: those of {self._name} are a dictionary; list "
                    f"the keys in the order of the data's columns, of {', '.join(names)}"
                )
            parts = {key: space.spaces[key] for key in keys}
        for key, part in parts.items():
            if not isinstance(part, Box):
                name = f" {key!r}" if key else ""
                raise UserError(
                    f"{self._file}: observations: {self._name} has{name} {part}; a Box is read"
                )
        return sum(int(np.prod(part.shape)) for part in parts.values())

    def _flat(self, observation: Any) -> NDArray[np.floating]:
        """Return an observation as numbers ``(S,)``, the keys of a dictionary as the file says."""
        keys = self._own.observations
        parts = [observation[key] for key in keys] if keys else [observation]
        flat = np.concatenate([np.asarray(part, dtype=np.float64).ravel() for part in parts])
        if len(flat) != self.observation_size or not np.isfinite(flat).all():
            raise UserError(
                f"{self._file}: environment: an observation of {self._name} has {len(flat)} "
                f"numbers; expected are {self.observation_size} finite ones"
            )
        return flat


def _made(own: OwnTask) -> Any:
    """Return the environment of a Gymnasium id, ``module:Id-v0`` or ``module:factory``."""
    import gymnasium

    name, arguments = str(own.environment), json.loads(own.arguments)
    module, colon, attribute = name.rpartition(":")
    if colon:
        beside = Path(str(own.file)).parent
        names = vars(import_from(module, [beside], f"{own.file}: environment"))
        if attribute in names:
            return names[attribute](**arguments)
        if attribute.isidentifier():  # an id ends in a version: Arm-v0
            raise UserError(
                f"{own.file}: environment: {module} has no {attribute!r}"
                f"{nearest(attribute, names)}"
            )
    identity = attribute if colon else name
    try:
        return gymnasium.make(
            identity, max_episode_steps=-1, disable_env_checker=True, **arguments
        )
    except (gymnasium.error.UnregisteredEnv, ModuleNotFoundError) as problem:
        if isinstance(problem, ModuleNotFoundError):
            problem_text = f"needs {problem.name}, which is not installed"
        else:
            problem_text = (
                f"is no id that Gymnasium knows here{nearest(identity, gymnasium.registry)}; "
                "install its package, and name it as module:Id if it registers on being imported"
            )
        raise UserError(f"{own.file}: environment: {name!r} {problem_text}") from None


def _in_yaml(low: NDArray[np.float64], high: NDArray[np.float64]) -> str:
    """Return bounds as a task file writes them."""
    ends = [low.tolist(), high.tolist()]
    if all(len(set(end)) == 1 for end in ends):
        return f"[{ends[0][0]:g}, {ends[1][0]:g}]"
    return "[" + ", ".join("[" + ", ".join(f"{n:g}" for n in end) + "]" for end in ends) + "]"
