from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from fixtures.own_tasks import PENDULUM
from fixtures.search_files import BODY, SPACE

import qipo_ray
from qipo_ray.config import load_config
from qipo_ray.errors import UserError
from qipo_ray.study.search_file import find_search_file, load_search_file
from qipo_ray.study.search_spec import Acting, Resources, SearchSpec, changed
from qipo_ray.study.task_file import read_task

SPACES = Path(qipo_ray.__file__).parents[1] / "search_spaces"


@pytest.mark.parametrize("path", sorted(SPACES.glob("*.yaml")), ids=lambda path: path.stem)
def test_the_files_that_ship_are_sound(path: Path) -> None:
    spec = load_search_file(path)
    assert spec.name == path.stem
    assert spec.paper is not None and len(spec.report_seeds) >= 3 and spec.trials >= 8
    assert {"behaviour.path", "policy.beta"} <= {p.key for p in spec.parameters}


def test_the_quickstart_has_the_paper_s_form() -> None:
    spec = load_search_file(find_search_file("quickstart"))
    assert spec.paper is not None and spec.paper.policy.sampler == "ema"
    assert spec.paper.policy.beta == 3 and spec.paper.critic.returns_updates == 0
    assert spec.tasks == ("maze2d-umaze",) and spec.params_of(spec.paper) is None


def test_what_is_left_out_has_a_sensible_value(make_spec: Callable[..., SearchSpec]) -> None:
    spec = make_spec()
    assert spec.shares == (1 / 9, 1 / 3, 1.0) and (spec.reduction, spec.top) == (3, 1)
    assert spec.resources == Resources("auto", 1.0, 0.0, 1)
    assert spec.paper is None and spec.base == load_config("quickstart")


def test_everything_in_the_file_arrives(make_spec: Callable[..., SearchSpec]) -> None:
    spec = make_spec("""\
        set: {evaluation.episodes: 7}
        paper: {policy.beta: 3}
        baselines:
          best tenth: {policy.method: cloning, behaviour.best_episodes: 0.1}
          IQL: {policy.method: iql}
        acting: {mode: {sampler.noise: 0}, best of 16: {sampler.best_of: 16}}
        rungs: {shares: [1/4, 0.5, 1], reduction: 2}
        confirm: {top: 2}
        resources: {workers: 3, cpus: 2, gpus: 0.5, slots: 8, max_share: 0.5, wait: true}
        space:
          sampler.evaluations: {choice: [6, 10], when: {behaviour.path: [ot]}}
          behaviour.path: {choice: [ot, vp]}
        """)
    assert spec.base.evaluation.episodes == 7
    assert spec.paper == changed(spec.base, {"policy.beta": 3.0})
    assert [baseline.name for baseline in spec.baselines] == ["best tenth", "IQL"]
    assert spec.baselines[0].config.behaviour.best_episodes == 0.1
    assert spec.baselines[1].config == changed(spec.base, {"policy.method": "iql"})
    assert spec.acting == (
        Acting("mode", (("sampler.noise", 0.0),)),
        Acting("best of 16", (("sampler.best_of", 16),)),
    )
    assert (spec.shares, spec.reduction, spec.top) == ((0.25, 0.5, 1.0), 2, 2)
    assert spec.resources == Resources(3, 2.0, 0.5, 8, 0.5, True)
    assert [p.key for p in spec.parameters] == ["behaviour.path", "sampler.evaluations"]
    assert spec.parameters[1].when == (("behaviour.path", ("ot",)),)


def test_the_command_line_changes_tasks_trials_and_base(
    make_spec: Callable[..., SearchSpec],
) -> None:
    spec = make_spec(
        tasks=["hopper-medium-v2"], trials=3, sets=["critic.updates=70", "critic.updates=80"]
    )
    assert (spec.tasks, spec.trials, spec.base.critic.updates) == (("hopper-medium-v2",), 3, 80)


def test_data_lie_where_the_file_or_the_command_line_says(
    make_spec: Callable[..., SearchSpec], tmp_path: Path
) -> None:
    lines = "data: {point: sub/mine.hdf5}\n" + SPACE
    assert make_spec(lines).data == {"point": tmp_path / "sub" / "mine.hdf5"}
    assert make_spec(lines) == make_spec() and make_spec(lines).hash == make_spec().hash
    for given in ("point=a.hdf5", "a.hdf5"):  # there is one task
        assert make_spec(lines, data=[given]).data == {"point": Path("a.hdf5")}
    (odd := tmp_path / "beta=3.hdf5").touch()
    assert make_spec(data=[str(odd)]).data == {"point": odd}
    two = {"tasks": ["point", "maze2d-umaze"], "data": ["point=~/a", "maze2d-umaze=minari:x/y-v0"]}
    data = {"point": Path("~/a").expanduser(), "maze2d-umaze": Path("minari:x/y-v0")}
    assert make_spec(**two).data == data
    minari = make_spec("data: {point: minari:x/y-v0}\n" + SPACE)
    assert minari.data == {"point": Path("minari:x/y-v0")}
    bucket = make_spec("data: {point: s3://b/x.hdf5}\n" + SPACE)
    assert bucket.data == {"point": Path("s3://b/x.hdf5")}  # not in the search file's folder


def test_the_preset_may_be_a_file_beside_it(tmp_path: Path, write_file: Callable) -> None:
    (tmp_path / "mine.yaml").write_text("preset: quickstart\npolicy: {support_size: 4}\n")
    path = write_file()
    path.write_text(path.read_text().replace("preset: quickstart", "preset: mine.yaml"))
    assert load_search_file(path).base.policy.support_size == 4


FAULTS = {  # extra lines (the file's own five go before), then the line that the user sees
    "confirm: {tops: 1}": "6: unknown key 'confirm.tops' (did you mean 'top'?)",
    "rungs: {shares: [1/3, 1/9, 1]}": "6: rungs.shares must rise from above 0 to 1; got 0.3333",
    "rungs: {shares: [1/3, 1/2]}": "6: rungs.shares must rise from above 0 to 1",
    "rungs: {shares: [0, 1]}": "6: rungs.shares must rise from above 0 to 1",
    "set: {policy.betta: 3}": "6: set: unknown key 'policy.betta' (did you mean 'policy.beta'?)",
    "set: {critic.width: 0}": "6: set: critic.width must be a whole number at least 1",
    "set: {policy.beta: 3}": "6: set: policy.beta is searched (",
    "paper: {policy.beta: -3}": "6: paper: policy.beta must be a finite number at least 0",
    "baselines: {IQL: {iql.beta: -1}}": "6: baselines.IQL: iql.beta must be a finite number at",
    "baselines: {IQL: {policy.metod: iql}}": "6: baselines.IQL: unknown key 'policy.metod' (did",
    "baselines: {'search, best': {}}": "6: 'search, best' is the name of another row; give",
    "baselines: {paper form: {}}": "6: 'paper form' is the name of another row; give",
    "data: {piont: a.hdf5}": "6: data: 'piont' is none of the tasks (did you mean 'point'?)",
    "data: {point: 3}": "6: data.point must be",
    "baselines: {a: {sampler.noise: 0}}": "6: baselines.a: sampler.noise says how runs are",
    "acting: {a: {sampler.nois: 0}}": "6: acting.a: 'sampler.nois' is unknown (did you mean 'samp",
    "acting: {a: {policy.beta: 9}}": "6: acting.a: 'policy.beta' trains; a way to act changes",
    "acting: {a: {sampler.noise: x}}": "6: acting.a: sampler.noise must be",
    "acting: {a: {sampler.noise: 0, sampler.best_of: 4}}": "6: acting.a: sampler.best_of needs",
    "acting: {a: {sampler.noise: 1}}": "6: acting.a: it changes nothing of how what is searched",
    "acting: {a: {sampler.noise: 0}, b: {sampler.noise: 0.0}}": "6: acting.b: it is 'a' again; a",
    "acting: {a: {sampler.best_of: 4}, b: {sampler.noise: 1, sampler.best_of: 4}}": "6: acting.b:",
    "paper: {evaluation.episodes: 3}": "6: paper: evaluation.episodes says how runs are measured",
    "set: {distil.updates: 9, sampler.one_step: true}": "6: set: sampler.one_step: rungs score",
    "baselines: {a: {distil.updates: 9}}": "6: baselines.a: distil.updates says how runs are",
    "paper: {sampler.noise: 0}": "6: paper: sampler.noise says how runs are measured",
    "paper: {policy.renew_every: 1, policy.rounds: 1}": "6: a policy stage of 1 updates is too",
}


@pytest.mark.parametrize("lines", FAULTS)
def test_a_fault_is_one_line_with_its_place(make_spec: Callable, lines: str) -> None:
    space = "\nspace: {behaviour.path: {choice: [ot, vp]}, policy.beta: {uniform: [1, 2]}}\n"
    with pytest.raises(UserError) as caught:
        make_spec(lines + space)
    assert f"search.yaml:{FAULTS[lines]}" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_seeds_may_be_a_range(write_file: Callable[..., Path]) -> None:
    path = write_file()
    path.write_text(path.read_text().replace("report: [100, 101]", "report: 100-104"))
    assert load_search_file(path).report_seeds == (100, 101, 102, 103, 104)
    assert load_search_file(path, report_seeds="7,9-11").report_seeds == (7, 9, 10, 11)


SEEDS = {
    "{search: [0], report: 9-7}": "5: seeds.report the range 9-7 must rise, and hold at most",
    "{search: [0, 1], report: [1, 2]}": "5: seeds.report shares 1 with seeds.search",
    "{search: [0, 0], report: [1]}": "5: seeds.search has 0 twice",
    "{search: [0], report: [1, 2, 1]}": "5: seeds.report has 1 twice",
}


@pytest.mark.parametrize("seeds", SEEDS)
def test_seeds_are_checked(write_file: Callable[..., Path], seeds: str) -> None:
    path = write_file()
    path.write_text(path.read_text().replace("{search: [0], report: [100, 101]}", seeds))
    with pytest.raises(UserError) as caught:
        load_search_file(path)
    assert f"search.yaml:{SEEDS[seeds]}" in str(caught.value)


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"tasks": ["hoper-medium-v2"]}, "--task: unknown task 'hoper-medium-v2' (did you mean"),
        ({"tasks": ["point", "point"]}, "--task: task 'point' is given twice"),
        ({"trials": 0}, "--trials: trials must be greater than or equal to 1; got 0"),
        ({"sets": ["policy.betta=3"]}, "--set policy.betta=3: unknown key 'policy.betta'"),
        ({"sets": ["critic.width=x"]}, "--set critic.width=x: critic.width must be a whole"),
        ({"sets": ["policy.beta=3"]}, "--set policy.beta=3: policy.beta is searched ("),
        ({"report_seeds": "9-7"}, "--report-seeds 9-7: seeds.report the range 9-7 must rise"),
        ({"report_seeds": "0,1"}, "--report-seeds 0,1: seeds.report shares 0 with seeds.search"),
        ({"sets": ["policy"]}, "--set policy: expected section.key=value"),
        ({"data": ["piont=a.hdf5"]}, "--data piont=a.hdf5: 'piont' is none of the tasks (did you"),
        (
            {"tasks": ["point", "maze2d-umaze"], "data": ["a.hdf5"]},
            "--data a.hdf5: expected TASK=FILE, for there are several tasks",
        ),
    ],
)
def test_faults_of_the_command_line_name_the_option(
    make_spec: Callable, options: dict, text: str
) -> None:
    with pytest.raises(UserError) as caught:
        make_spec(**options)
    assert str(caught.value).startswith(text)


@pytest.mark.parametrize("text", ["", "3", "[1]", "name: a", "a: [", "name: A/b\ntasks: [point]"])
def test_what_is_no_search_file_is_one_line(tmp_path: Path, text: str) -> None:
    (tmp_path / "x.yaml").write_text(text)
    with pytest.raises(UserError, match=r"x\.yaml") as caught:
        load_search_file(tmp_path / "x.yaml")
    assert "\n" not in str(caught.value)


def test_unknown_tasks_and_presets_have_a_line(write_file: Callable[..., Path]) -> None:
    path = write_file()
    text = path.read_text()
    for old, new, expected in (
        ("[point]", "[piont]", ":2: unknown task 'piont' (did you mean 'point'?)"),
        ("preset: quickstart", "preset: quickstat", ":3: no preset or file 'quickstat' (did you"),
    ):
        path.write_text(text.replace(old, new))
        with pytest.raises(UserError) as caught:
            load_search_file(path)
        assert expected in str(caught.value)


def test_find_spec(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("quickstart", "quickstart.yaml", "search_spaces/quickstart.yaml"):
        assert find_search_file(name) == SPACES / "quickstart.yaml"
    (tmp_path / "quickstart.yaml").write_text("mine")
    assert find_search_file("quickstart.yaml") == Path("quickstart.yaml")
    with pytest.raises(UserError, match=r"'quickstat' \(did you mean 'quickstart'\?\)"):
        find_search_file("quickstat")
    with pytest.raises(UserError, match="no search file 'elsewhere/quickstart.yaml'"):
        find_search_file("elsewhere/quickstart.yaml")


@pytest.mark.slow
def test_find_spec_in_an_installed_package(tmp_path: Path) -> None:
    package = Path(qipo_ray.__file__).parent
    installed = tmp_path / "site" / "qipo_ray"
    shutil.copytree(package, installed, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copytree(SPACES, installed / "search_spaces")
    code = "from qipo_ray.study import search_file as s; print(s.find_search_file('antmaze'))"
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "PYTHONPATH": str(tmp_path / "site")},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.strip() == str(installed / "search_spaces" / "antmaze.yaml")


def test_the_search_file_of_the_page_loads(tmp_path: Path) -> None:
    page = (Path(__file__).parents[2] / "docs" / "search-file.md").read_text("utf-8")
    (block,) = [part for part in page.split("```") if part.startswith("yaml\nname: my_space")]
    file = tmp_path / "my_space.yaml"
    file.write_text(block.removeprefix("yaml\n"))
    spec = load_search_file(file)
    assert spec.trials == 40 and len(spec.report_seeds) == 5
    (kinds,) = [part for part in page.split("```") if part.startswith("yaml\nspace:")]
    file.write_text(BODY + kinds.removeprefix("yaml\n"))
    kinds_of = {p.kind for p in load_search_file(file).parameters}
    assert kinds_of == {"choice", "int", "uniform", "loguniform"}


# ---- users' own tasks


def search_over(write_file: Callable[[str], Path], *files: Path, lines: str = SPACE) -> Path:
    path = write_file(lines)
    names = ", ".join(file.name for file in files)
    path.write_text(path.read_text().replace("tasks: [point]", f"tasks: [{names}]"))
    return path


def test_a_task_of_the_search_file_may_be_a_file_beside_it(
    write_file: Callable[[str], Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    own = tmp_path / "pendulum.yaml"
    own.write_text(PENDULUM)
    monkeypatch.chdir("/")
    path = search_over(write_file, own)
    spec = load_search_file(path)
    task = read_task(own)
    assert spec.tasks == (task.id,) and spec.task_facts(task.id) == task
    assert spec.base.critic.discount == 0.9  # the task's own
    assert load_search_file(path, sets=["critic.discount=0.8"]).base.critic.discount == 0.8
    (tmp_path / "mine.yaml").write_text("preset: quickstart\ncritic: {discount: 0.7}\n")
    text = path.read_text()
    path.write_text(text.replace("preset: quickstart", "preset: mine.yaml"))
    assert load_search_file(path).base.critic.discount == 0.7  # the user's file names it
    path.write_text(text)
    given = load_search_file(path, tasks=["point", str(own)], sets=["critic.discount=0.99"])
    assert given.tasks == ("point", task.id)
    for name in ("pendulum", task.id, str(own)):
        data = load_search_file(
            path,
            tasks=["point", str(own)],
            data=[f"{name}=other.hdf5"],
            sets=["critic.discount=0.9"],
        ).data
        assert data == {task.id: Path("other.hdf5")}
    own.write_text(PENDULUM.replace("200", "300"))
    assert load_search_file(path).hash != spec.hash


def test_tasks_of_ogbench_are_scored_over_as_many_episodes_as_published(
    write_file: Callable[[str], Path],
) -> None:
    path, maze = write_file(SPACE), "pointmaze-medium-navigate-singletask-v0"
    spec = load_search_file(path, tasks=[maze])
    assert spec.tasks == ("pointmaze-medium-navigate-singletask-task1-v0",)
    assert spec.base.evaluation.final_episodes == 50
    changes = ["evaluation.final_episodes=20"]
    given = load_search_file(path, tasks=[maze, "point"], sets=changes)
    assert given.base.evaluation.final_episodes == 20
    with pytest.raises(UserError, match="ask for evaluation.final_episodes of 50, 100; name one"):
        load_search_file(path, tasks=[maze, "point"])
    with pytest.raises(UserError, match="is given twice"):
        load_search_file(path, tasks=[maze, spec.tasks[0]])


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (("", ""), "search.yaml:2: task 'second.yaml' is given twice"),
        (("horizon: 200", "horizon: 0"), "search.yaml:2: {0}/second.yaml:4: horizon must be"),
        (("Pendulum-v1", "none"), "search.yaml:2: task 'second.yaml' has no environment, and"),
        (
            ("0.9", "0.95"),
            "search.yaml:2: the tasks ask for critic.discount of 0.9, 0.95; name one as",
        ),
        (
            ("discount: 0.9", ""),
            "search.yaml:2: the tasks ask for critic.discount of 0.9, 0.99; name",
        ),
    ],
)
def test_faults_of_own_tasks_in_a_search(
    change: tuple[str, str], words: str, write_file: Callable[[str], Path], tmp_path: Path
) -> None:
    for name, text in (("first", PENDULUM), ("second", PENDULUM.replace(*change))):
        (tmp_path / f"{name}.yaml").write_text(text)
    path = search_over(write_file, tmp_path / "first.yaml", tmp_path / "second.yaml")
    with pytest.raises(UserError) as error:
        load_search_file(path)
    assert words.format(tmp_path) in str(error.value)
