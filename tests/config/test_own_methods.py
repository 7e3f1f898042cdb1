"""Methods that users bring: what makes one known, what never does, and what is refused."""

from __future__ import annotations

import json
import pickle
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from qipo_ray.config import (
    METHODS,
    config_hash,
    departures,
    field_names,
    from_dict,
    load_config,
    method_of,
    method_title,
    override,
    stage_keys,
    to_document,
    use_method,
)
from qipo_ray.config.facts import field_notes
from qipo_ray.config.own_methods import _installed, as_read
from qipo_ray.errors import UserError

Write = Callable[..., str]


def test_a_setting_makes_it_known_with_its_own_settings(own_module: Write) -> None:
    before = load_config("auto")
    named = own_module()
    config = load_config("auto", [f"policy.method={named}", "awr.updates=700"])
    assert method_title(config) == "AWR" and method_of(config) is METHODS[named]
    assert config.section("awr").updates == 700  # type: ignore[attr-defined]
    assert "awr.temperature" in field_names() and "awr.temperature" in field_notes()
    assert to_document(config)["awr"] == {"updates": 700, "temperature": 1.0}
    assert from_dict(to_document(config), "file") == config
    warm = override(config, ["awr.temperature=2"])
    keys, other = (stage_keys(c, "point", "d" * 64, 0) for c in (config, warm))
    assert keys.keys() == {"policy"} and keys != other
    assert stage_keys(override(config, ["awr.updates=9"]), "point", "d" * 64, 0) == keys
    assert departures(config) == ("standard-observations",) == departures(before)[:1]
    qipo = load_config("auto", ["awr.temperature=3"])
    assert config_hash(qipo) == config_hash(before) == config_hash(as_read(qipo))
    assert to_document(as_read(qipo)) == to_document(before) == to_document(load_config("auto"))
    with pytest.raises(UserError, match=r"^--set awr\.temperature=0: awr\.temperature must be a"):
        load_config("auto", ["awr.temperature=0"])
    with pytest.raises(UserError, match=r"unknown key 'awr\.temp' \(did you mean 'awr\.temper"):
        load_config("auto", ["awr.temp=1"])


def test_another_version_of_its_code_has_other_keys(own_module: Write) -> None:
    config = load_config("auto", [f"policy.method={own_module()}"])
    keys = stage_keys(config, "point", "d" * 64, 0)
    method_of(config).version = 2
    assert stage_keys(config, "point", "d" * 64, 0) != keys


def test_no_document_and_no_preset_file_imports_a_module(own_module: Write) -> None:
    own_module(("import torch\n", "raise SystemExit('imported')\n"))
    document = to_document(load_config("auto"))
    document["policy"]["method"] = "my_awr:AWR"
    Path("theirs.yaml").write_text("preset: auto\npolicy: {method: 'my_awr:AWR'}\n")
    for read in (lambda: from_dict(document, "record 1"), lambda: load_config("theirs.yaml")):
        with pytest.raises(UserError, match=r"not imported unasked: .* --use my_awr:AWR"):
            read()
    with pytest.raises(UserError, match=r"^record 1: unknown key 'awr'; settings of a method of "):
        from_dict({**to_document(load_config("auto")), "awr": {}}, "record 1")
    assert "my_awr" not in sys.modules


@pytest.mark.slow
def test_it_goes_to_another_process_by_its_name(own_module: Write, tmp_path: Path) -> None:
    config = load_config("auto", [f"policy.method={own_module()}", "awr.temperature=2"])
    Path("config.pickle").write_bytes(pickle.dumps(config))
    assert pickle.loads(Path("config.pickle").read_bytes()) == config
    code = (
        "import json, pickle, sys\n"
        f"config = pickle.load(open({str(tmp_path / 'config.pickle')!r}, 'rb'))\n"
        "from qipo_ray.config import config_hash, method_title\n"
        "json.dump([method_title(config), config_hash(config)], sys.stdout)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd="/", capture_output=True, text=True, check=True
    )
    assert json.loads(done.stdout) == ["AWR", config_hash(config)]


def test_an_installed_package_names_its_method(
    own_module: Write, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    own_module()
    info = tmp_path / "my_awr-1.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: my-awr\nVersion: 1\n")
    (info / "entry_points.txt").write_text("[qipo_ray.methods]\nawr = my_awr:AWR\n")
    monkeypatch.syspath_prepend(tmp_path)
    _installed.cache_clear()
    try:
        Path("mine.yaml").write_text("preset: auto\npolicy: {method: awr}\nawr: {updates: 7}\n")
        config = load_config("mine.yaml", ["awr.temperature=3"])
        assert method_title(config) == "AWR"
        assert from_dict(to_document(config), "record") == config
        with pytest.raises(UserError, match=r"expected module:Class, or .*awr \(did you mean 'aw"):
            use_method("awrr")
    finally:
        _installed.cache_clear()


@pytest.mark.parametrize(
    ("change", "line"),
    [
        (
            ("import torch\n", "import torhc\n"),
            "cannot be imported: ModuleNotFoundError: No module",
        ),
        (("name, title, settings", "label_, title, settings"), "it has no name"),
        (('= "awr", "AWR"', '= "A.W", "AWR"'), "small letters, digits and _; got 'A.W'"),
        (('= "awr", "AWR"', '= "iql", "AWR"'), "the name 'iql' is taken by this program"),
        (
            ("class AWR(own.RunMethod)", "class AWR"),
            "expected a subclass of RunMethod; got <class",
        ),
        ((", own.direct_policy, False", ", own.direct_policy, True"), "through the clone's flow"),
        (('settings = "awr", "AWR", Settings', "settings = 'awr', 'AWR', AWRPack"), "must be a"),
        (('settings = "awr", "AWR", Settings', "stages = 'awr', 'AWR', ()"), "its stages must"),
        (
            ('settings = "awr", "AWR", Settings', "_ = 'awr', 'AWR', 0"),
            "it has no settings, of which",
        ),
        (("own.Ours(1.0, ", "('note', "), "its setting temperature has no note, such as Ours(3.0"),
        (("Ours(1.0, ", "Ours(0.0, "), "its setting temperature, by its note: must be a finite"),
        (("        float,\n", "        list,\n"), "must be a bool, an int, a float or a"),
        (("(own.DirectMethod):", ":"), "its settings must be a dataclass of Section; got"),
    ],
)
def test_what_is_no_method_is_refused_in_one_line(
    own_module: Write, change: tuple[str, str], line: str
) -> None:
    named = own_module(change)
    with pytest.raises(UserError) as caught:
        use_method(named)
    text = str(caught.value)
    assert text.startswith("method my_awr:AWR: ") and line in text and "\n" not in text
    assert named not in METHODS and "awr.temperature" not in field_names()


def test_two_of_one_name_are_one_too_many(own_module: Write) -> None:
    use_method(own_module())
    with pytest.raises(UserError, match="the name 'awr' is taken by my_awr:AWR"):
        use_method(own_module(name="again"))


def test_another_module_of_the_same_name_is_never_taken(
    own_module: Write, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither one in another folder that is named, nor the one in the current folder."""
    named, other = own_module(), tmp_path / "other"
    method = use_method(named)
    other.mkdir()
    (other / "my_awr.py").write_text((tmp_path / "my_awr.py").read_text())
    monkeypatch.chdir(other)
    for folders in ((other,), ()):
        with pytest.raises(UserError, match="was imported before under that name") as caught:
            use_method(named, *folders)
        text = str(caught.value)
        assert text.startswith(f"method {named}: my_awr is {other / 'my_awr.py'} there, and ")
        assert str(tmp_path / "my_awr.py") in text
    assert use_method(named, tmp_path) is method
