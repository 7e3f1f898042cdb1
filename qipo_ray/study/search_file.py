"""The search file: from YAML to a ``SearchSpec``; every fault is one line with its place."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

from qipo_ray.config import (
    Config,
    Document,
    FieldError,
    field_names,
    load_config,
    parse_yaml,
    preset_names,
    read_yaml,
)
from qipo_ray.config.evaluations import rung_updates
from qipo_ray.config.loading import settings_named
from qipo_ray.config.own_methods import use_named
from qipo_ray.config.validation import read_document
from qipo_ray.config.values import show
from qipo_ray.data.tasks import BUCKETS, MINARI, Task
from qipo_ray.errors import UserError, nearest
from qipo_ray.study.acting_reader import check_acting, read_acting
from qipo_ray.study.corners import corners
from qipo_ray.study.objective import SCORE, SIGNALS, Objective
from qipo_ray.study.objective_reader import check_objective, measuring
from qipo_ray.study.parameter import Parameter, points
from qipo_ray.study.parameter_reader import check_key, read_parameters
from qipo_ray.study.search_file_schema import SearchFile
from qipo_ray.study.search_overrides import replaced, with_report_seeds, with_space_lines
from qipo_ray.study.search_spec import Baseline, Resources, SearchSpec, changed
from qipo_ray.study.selection import PAPER, SEARCHED
from qipo_ray.study.task_file import find_task

__all__ = ["SearchSpec", "find_search_file", "load_search_file"]

FOLDER = "search_spaces"


def find_search_file(name_or_path: str | Path) -> Path:
    """Return the path of a search file: one that exists, or one that comes with the program.

    ``quickstart``, ``quickstart.yaml`` and ``search_spaces/quickstart.yaml`` name the same file
    wherever the command runs. ``UserError`` with the nearest name if there is none.
    """
    path = Path(name_or_path)
    if path.is_file():
        return path
    package = Path(__file__).resolve().parents[1]
    folders = [package / FOLDER, package.parent / FOLDER]  # in a wheel; in a checkout
    paths_by_name = {
        file.stem: file for folder in reversed(folders) for file in folder.glob("*.yaml")
    }
    named = path.name.removesuffix(".yaml")
    if path.parent in (Path(), Path(FOLDER)) and named in paths_by_name:
        return paths_by_name[named]
    raise UserError(
        f"no search file {str(name_or_path)!r}{nearest(named, paths_by_name)}; give a path, or "
        f"one of {', '.join(sorted(paths_by_name)) or 'none that came with this program'}"
    )


def load_search_file(
    path: str | Path,
    *,
    tasks: Sequence[str] | None = None,
    data: Sequence[str] = (),
    sets: Sequence[str] = (),
    space: Sequence[str] = (),
    trials: int | None = None,
    objective: str | None = None,
    report_seeds: str | None = None,
) -> SearchSpec:
    """Return the specification in a search file; ``UserError`` with file and line of any fault.

    ``tasks``, ``trials``, ``objective`` and ``report_seeds`` replace those of the file; ``data``,
    ``task=file``, come before its own; ``sets``, ``section.key=value``, change its base, and
    ``space`` lines of its space (see ``with_space_lines``). A task may be a file: those of the
    search file lie as seen from its folder.
    """
    folder = Path(path).parent if tasks is None else Path()
    document = read_yaml(Path(path))
    if tasks is not None:
        document = replaced(document, "tasks", list(tasks), "--task")
    if trials is not None:
        document = replaced(document, "trials", trials, "--trials")
    if objective is not None:
        document = replaced(document, "objective", objective, "--objective")
    if report_seeds is not None:
        document = with_report_seeds(document, report_seeds)
    document = with_space_lines(document, space)
    file = read_document(SearchFile, document, "a search file")
    _use_methods(file, sets, Path(document.source).parent)
    parameters = read_parameters(file.space, document)
    searched = _tasks(file.tasks, folder, document, file.objective)
    base, origins = _base(file, parameters, sets, document, searched)
    base = measuring(base, file.objective)
    spec = SearchSpec(
        name=file.name,
        tasks=tuple(task.id for task in searched),
        own_tasks={task.id: task for task in searched if task.own is not None},
        data=_data(file, data, searched, document),
        base=base,
        preset=_preset(file.preset, document),
        origins=origins,
        paper=None if file.paper is None else _fixed(base, file.paper, document, "paper"),
        baselines=tuple(
            Baseline(name, _fixed(base, changes, document, "baselines", name))
            for name, changes in file.baselines.items()
        ),
        acting=read_acting(file.acting, document),
        objective=file.objective,
        parameters=parameters,
        warm_start=_beside(file.warm_start, document),
        trials=file.trials,
        search_seeds=tuple(file.seeds.search),
        report_seeds=tuple(file.seeds.report),
        shares=tuple(file.rungs.shares),
        reduction=file.rungs.reduction,
        top=file.confirm.top,
        race=tuple(file.confirm.race or ()),
        resources=Resources(**file.resources.model_dump()),
        source=document.source,
    )
    _check_seeds(spec, document)
    _check_shares(spec, document)
    _check_size(spec, document)
    _check_corners(spec, document)
    return spec


def _use_methods(file: SearchFile, sets: Sequence[str], folder: Path) -> None:
    """Import the methods that the file, or the command line, names: the user runs both."""
    given = dict(text.partition("=")[::2] for text in sets)
    for named in (file.changes, file.space, file.paper or {}, *file.baselines.values(), given):
        use_named(named, folder)


def _base(
    file: SearchFile,
    parameters: Sequence[Parameter],
    sets: Sequence[str],
    document: Document,
    tasks: Sequence[Task],
) -> tuple[Config, dict[str, str]]:
    """Return the preset with the changes of the file, then those of the command line.

    What nobody names is the discount of the tasks' own files. With it the places of all changes.
    """
    searched = {parameter.key: parameter for parameter in parameters}
    changes: dict[str, Any] = dict(file.changes)
    locations = {key: f"{document.location('set', key)}: set" for key in changes}
    for text in sets:
        key, equals, value = text.partition("=")
        source = f"--set {text:.80}"
        if not equals:
            raise UserError(f"{source}: expected section.key=value, such as policy.beta=3")
        changes[key], locations[key] = parse_yaml(value, source).value, source
    for key in changes:
        if key not in field_names():
            raise UserError(
                f"{locations[key]}: unknown key {show(key)}{nearest(key, field_names())}"
            )
        if key in searched:
            raise UserError(f"{locations[key]}: {key} is searched ({searched[key].location})")
    origin = _preset(file.preset, document)
    preset = load_config(origin)
    asked = {key for task in tasks for key in task.settings}
    for key in sorted(asked - {*searched, *changes, *settings_named(origin)}):
        changes[key] = _asked(key, tasks, preset, document)
        locations[key] = document.location("tasks")
    return _changed(preset, changes, locations), locations


def _asked(key: str, tasks: Sequence[Task], preset: Config, document: Document) -> float:
    """Return the value that the tasks ask for; those that ask for none take the preset's."""
    section, name = key.split(".")
    usual: float = getattr(getattr(preset, section), name)
    asked = {task.settings.get(key, usual) for task in tasks}
    if len(asked) > 1:
        raise UserError(
            f"{document.location('tasks')}: the tasks ask for {key} of "
            f"{', '.join(map(str, sorted(asked)))}; name one as {key} in `set`"
        )
    return asked.pop()


def _preset(name: str, document: Document) -> str | Path:
    """Return a preset's name, or the path of a file beside the search file."""
    if name in preset_names():
        return name
    beside = Path(document.source).parent / name
    if not beside.is_file():
        raise UserError(
            f"{document.location('preset')}: no preset or file {show(name)}"
            f"{nearest(name, preset_names())}; presets: {', '.join(preset_names())}"
        )
    return beside


def _fixed(base: Config, changes: Mapping[str, Any], document: Document, *path: str) -> Config:
    """Return a configuration that is confirmed as it stands, whatever is searched."""
    locations = {key: document.location(*path, key) for key in changes}
    title = ".".join(path)
    for key in changes:
        check_key(key, locations[key], title)
    return _changed(
        base, changes, {key: f"{location}: {title}" for key, location in locations.items()}
    )


def _changed(config: Config, changes: Mapping[str, Any], locations: Mapping[str, str]) -> Config:
    try:
        return changed(config, changes)
    except FieldError as problem:
        first = next(key for key in problem.fields if key in changes)
        raise UserError(f"{locations[first]}: {problem}") from None


def _tasks(
    names: Sequence[str], folder: Path, document: Document, objective: Objective
) -> list[Task]:
    """Return the tasks, each known, given once, and with an environment if it takes one."""
    tasks: list[Task] = []
    for i, name in enumerate(names):
        location = document.location("tasks", str(i))
        try:
            task = find_task(name, folder)
        except UserError as problem:
            raise UserError(f"{location}: {problem}") from None
        if any(task.id == other.id for other in tasks):
            raise UserError(f"{location}: task {show(name)} is given twice")
        if not task.scored and objective == SCORE:
            raise UserError(
                f"{location}: task {show(name)} has no environment, and this search goes by the "
                f"scores of rollouts; give it an objective, one of {', '.join(SIGNALS)}"
            )
        tasks.append(task)
    return tasks


def _data(
    file: SearchFile, given: Sequence[str], tasks: Sequence[Task], document: Document
) -> dict[str, Path]:
    """Return the files of tasks' data: the search file's, from its folder, then ``TASK=FILE``.

    An own task goes by its name, its id, or what the search file calls it.
    """
    folder = Path(document.source).parent
    ids = {task.id.partition("@")[0]: task.id for task in tasks}
    ids |= {task.id: task.id for task in tasks}
    ids |= {name: task.id for name, task in zip(file.tasks, tasks, strict=True)}
    data, locations = {}, {}
    for task, name in file.data.items():
        here = not name.startswith((MINARI, *BUCKETS))
        data[task] = folder / Path(name).expanduser() if here else Path(name)
        locations[task] = f"{document.location('data', task)}: data"
    for text in given:
        task, _, name = text.partition("=")
        if len(tasks) == 1 and ("=" not in text or Path(text).exists()):
            task, name = tasks[0].id, text
        if not name:
            raise UserError(f"--data {text:.200}: expected TASK=FILE, for there are several tasks")
        data[task], locations[task] = Path(name).expanduser(), f"--data {text:.200}"
    for task in data:
        if task not in ids:
            raise UserError(
                f"{locations[task]}: {show(task)} is none of the tasks{nearest(task, ids)}; "
                f"tasks: {', '.join(file.tasks)}"
            )
    return {ids[task]: path for task, path in data.items()}


def _beside(warm_start: str | None, document: Document) -> Path | None:
    """Return the folder of the other sweep, as seen from the file."""
    if warm_start is None:
        return None
    if warm_start.startswith(BUCKETS):
        raise UserError(
            f"{document.location('warm_start')}: warm_start: {show(warm_start)} is in a bucket; "
            "copy that sweep's folder to a path"
        )
    return Path(document.source).parent / Path(warm_start).expanduser()


def _check_seeds(spec: SearchSpec, document: Document) -> None:
    lists = {
        ("seeds", "search"): spec.search_seeds,
        ("seeds", "report"): spec.report_seeds,
        ("confirm", "race"): spec.race,
    }
    for path, seeds in lists.items():
        title = f"{document.location(*path)}: {'.'.join(path)}"
        doubled = next((seed for seed in seeds if seeds.count(seed) > 1), None)
        if doubled is not None:
            raise UserError(f"{title} has {doubled} twice")
        both = ", ".join(map(str, sorted({*spec.search_seeds} & {*seeds})))
        if both and path != ("seeds", "search"):
            raise UserError(
                f"{title} shares {both} with seeds.search; a configuration's score on a seed "
                "that chose it is too good"
            )
    if both := ", ".join(map(str, sorted({*spec.report_seeds} & {*spec.race}))):
        raise UserError(
            f"{document.location('confirm', 'race')}: confirm.race shares {both} with "
            "seeds.report; it names the seeds that come after those"
        )
    if spec.race and spec.objective != SCORE:
        raise UserError(
            f"{document.location('confirm', 'race')}: confirm.race compares scores of rollouts, "
            f"and this search goes by {spec.objective}; leave it out"
        )


def _check_shares(spec: SearchSpec, document: Document) -> None:
    shares = spec.shares
    rising = all(low < high for low, high in zip((0.0, *shares), shares, strict=False))
    if not rising or shares[-1] != 1:
        raise UserError(
            f"{document.location('rungs', 'shares')}: rungs.shares must rise from above 0 to 1; "
            f"got {', '.join(f'{share:.4g}' for share in shares)}"
        )


def _check_size(spec: SearchSpec, document: Document) -> None:
    """Refuse a space of one point, and fewer trials than the grids need."""
    single = spec.finite and len(list(islice(points(spec.parameters), 2))) == 1
    if not spec.parameters or (single and spec.trials > 1):
        raise UserError(
            f"{document.location('space')}: space has nothing to search: "
            f"{'one configuration' if spec.parameters else 'it is empty'}"
        )
    grids = [parameter for parameter in spec.parameters if parameter.kind == "grid"]
    if not grids:
        return
    outside = spec.paper is not None and spec.params_of(spec.paper) is None
    needed = outside + sum(1 for _ in islice(points(grids), spec.trials + 1))
    if needed > spec.trials:
        paper = " and the paper's configuration" if outside else ""
        raise UserError(
            f"{document.location('trials')}: trials: {spec.trials} are too few for every point of "
            f"the grid{paper}"
        )


def _check_corners(spec: SearchSpec, document: Document) -> None:
    """Refuse values that the settings do not allow together, or that leave rungs no room."""
    if spec.paper is not None:
        _check_rungs(spec.paper, spec.shares, document.location("paper"))
    if spec.base.sampler.one_step:
        raise UserError(
            f"{document.location('set', 'sampler.one_step')}: set: sampler.one_step: rungs score "
            "policies that are not distilled yet; give it in a way under 'acting'"
        )
    for baseline in spec.baselines:
        if baseline.name == PAPER or baseline.name.startswith(SEARCHED):
            location = document.location("baselines", baseline.name)
            raise UserError(
                f"{location}: {show(baseline.name)} is the name of another row; give the "
                "baseline a name of its own"
            )
    configs = [spec.configuration(params) for params in corners(spec.parameters)]
    for config in configs:
        _check_rungs(config, spec.shares, document.location("space"))
    check_acting(spec.acting, spec.base, configs, document)
    check_objective(spec, configs, document)


def _check_rungs(config: Config, shares: Sequence[float], location: str) -> None:
    try:
        rung_updates(config, shares)
    except UserError as problem:
        raise UserError(f"{location}: {problem}") from None
