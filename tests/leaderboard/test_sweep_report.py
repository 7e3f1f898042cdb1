"""The report is one inert file: read back as HTML here, and opened in a browser."""

from __future__ import annotations

import html
import json
import re
import shutil
from collections.abc import Callable, Iterator
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
import yaml

from qipo_ray.cli.main import main
from qipo_ray.errors import UserError
from qipo_ray.leaderboard.sweep_report import duration, read_report
from qipo_ray.store.records import write_record

Build = Callable[..., dict[str, Any]]
PAYLOAD = '"><script>document.title="owned"</script><img src=x onerror=alert(1)>{{7*7}}'
BROWSER = [
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--window-size=1280,1000",
]


class Tags(HTMLParser):
    """The start tags of a page with their attributes."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))


@pytest.fixture(scope="module")
def sweep(tmp_path_factory: pytest.TempPathFactory, make_record: Build) -> Path:
    """A sweep's folder whose names would do harm on a careless page."""
    root = tmp_path_factory.mktemp("results") / "s"
    for number in range(4):
        one = make_record(
            10.0 * number, purpose="search", name="search", sweep=PAYLOAD, beta=1.0 + number
        )
        one["scores"] = [dict(one["final"]["last"], episodes=20)]
        write_record(root, one)
    for seed, last in enumerate((20.0, 90.0)):
        one = make_record(
            last, seed=seed, name=PAYLOAD, sweep=PAYLOAD, departures=(PAYLOAD,), purpose="confirm",
            best=95.0, cloning=70.0,
        )  # fmt: skip
        one["data"]["notes"] = [PAYLOAD]
        one["provenance"]["command"] = PAYLOAD
        write_record(root, one)
    (root / "sweep.yaml").write_text(
        yaml.safe_dump({"space": {"policy.beta": {"uniform": [1, 9]}}, "hash": PAYLOAD})
    )
    return root


@pytest.fixture(scope="module")
def page(sweep: Path) -> str:
    return read_report(sweep).html()


def test_names_are_shown_and_never_carried_out(page: str) -> None:
    tags = Tags(page).found
    assert [tag for tag, _ in tags].count("script") == 1
    assert "img" not in dict(tags)
    assert not any(name.startswith("on") for _, attributes in tags for name in attributes)
    assert html.escape(PAYLOAD, quote=False)[:30].split("&")[0] in page
    assert page.count("{{7*7}}") > 3


def test_nothing_is_loaded_from_elsewhere(page: str) -> None:
    for tag, attributes in Tags(page).found:
        for name in ("src", "href", "xlink:href", "action"):
            value = attributes.get(name) or "#"
            assert value.startswith(("#", "data:")), f"{tag} {name}={value}"
    assert "@import" not in page and not re.search(r"url\((?!#)", page)


def test_identities_are_used_once(page: str) -> None:
    found = [one["id"] for _, one in Tags(page).found if one.get("id")]
    assert len(found) == len(set(found)) > 20


def test_every_section_says_something(page: str) -> None:
    for words in ("Leaderboard", "Best configurations", "qipo-ray verify s", "policy.beta"):
        assert words in page
    assert "below the behaviour cloning" in page and "the best against the others" in page
    assert "4 needed" not in page and "6 needed, 1 trained" in page


def test_a_folder_without_specification_has_a_report(tmp_path: Path, make_record: Build) -> None:
    write_record(tmp_path, make_record(10.0))
    text = read_report(tmp_path).html()
    assert "source1-intervals" in text and "trials per task" not in text


def test_a_damaged_specification_is_named(tmp_path: Path, make_record: Build) -> None:
    write_record(tmp_path, make_record(10.0))
    for damage in ("space: [", "- 1", "space: 3"):
        (tmp_path / "sweep.yaml").write_text(damage)
        with pytest.raises(UserError, match="sweep.yaml"):
            read_report(tmp_path)


@pytest.mark.slow
def test_the_command(sweep: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["report", str(sweep), "--output", str(tmp_path / "a" / "r.html")]) == 0
    assert (tmp_path / "a" / "r.html").read_text().startswith("<!DOCTYPE html>")
    assert main(["report", str(sweep), "--output", str(tmp_path)]) == 2
    assert main(["report", str(tmp_path / "none")]) == 2
    assert capsys.readouterr().err.count("error: ") == 2


def test_durations() -> None:
    assert [duration(s) for s in (1.24, 61, 3725)] == ["1.2 s", "1 min 01 s", "1 h 02 min"]


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """A headless Chromium with a fresh profile."""
    chromium, driver = shutil.which("chromium"), shutil.which("chromedriver")
    if chromium is None or driver is None:
        pytest.skip("no chromium and chromedriver: apt-get install chromium chromium-driver")
    from selenium import webdriver
    from selenium.webdriver.chrome.service import Service

    options = webdriver.ChromeOptions()
    options.binary_location = chromium
    for argument in BROWSER:
        options.add_argument(argument)
    options.add_argument(f"--user-data-dir={tmp_path_factory.mktemp('profile')}")
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    opened = webdriver.Chrome(options=options, service=Service(driver))
    yield opened
    opened.quit()


@pytest.mark.slow
def test_in_a_browser(browser: Any, page: str, tmp_path: Path) -> None:
    (tmp_path / "report.html").write_text(page)
    browser.get((tmp_path / "report.html").as_uri())
    assert browser.title.startswith("Report: ")
    run = browser.execute_script
    assert run("return performance.getEntriesByType('resource').length") == 0

    button = browser.find_element("css selector", "th.number button")
    scores = "const first = document.querySelector('th.number').cellIndex;"
    scores += "return [...document.querySelector('table').tBodies[0].rows]"
    scores += ".map(row => row.cells[first].textContent)"
    before = run(scores)
    button.send_keys("\ue007")  # Enter: the keyboard is enough
    down = run(scores)
    button.click()
    up = run(scores)
    numbers = [float(words.split()[0]) for words in down if words != "–"]
    assert sorted(before) == sorted(down) and numbers == sorted(numbers, reverse=True)
    assert up == down[::-1] and len(set(up)) > 2
    assert run("return document.querySelector('th.number').ariaSort") == "ascending"

    colour = "return getComputedStyle(document.body).backgroundColor"
    ink = "return getComputedStyle(document.querySelector('svg text')).fill"
    light, dark_ink = run(colour), run(ink)
    browser.find_element("id", "theme").click()
    assert run(colour) != light and run(ink) != dark_ink
    browser.execute_cdp_cmd(
        "Emulation.setEmulatedMedia",
        {"features": [{"name": "prefers-color-scheme", "value": "dark"}]},
    )
    browser.refresh()
    assert run(colour) != light
    assert browser.get_log("browser") == []


def test_the_report_of_records_alone_is_plain_data(sweep: Path) -> None:
    found = read_report(sweep)
    assert json.loads(found.board.document("json"))["left_out"] == {"search": 4}


def test_the_best_is_called_as_in_the_tables_and_copies_are_said(
    tmp_path: Path, make_record: Build
) -> None:
    records = [make_record(10.0 * beta, beta=beta, name="search, best") for beta in (1.0, 2.0)]
    for number, record in enumerate([*records, records[0], make_record(9.0, beta=2.0, name="x")]):
        write_record(tmp_path / str(number), record)
    page = read_report(tmp_path).html()
    name = f"QIPO-OT, search, best {records[1]['config_hash'][:8]}"
    assert f"<h3>maze2d-umaze (generated): {name}</h3>" in page
    assert "Left out: 1 copied record, recognised by id and data." in page
    assert "Left out: 1 earlier attempt at a run, with other numbers" in page
