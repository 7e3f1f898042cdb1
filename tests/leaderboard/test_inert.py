"""Names and values that try to be more than text, read back from every format."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Callable
from functools import cache
from html.parser import HTMLParser
from pathlib import Path
from typing import Any, get_args
from xml.etree import ElementTree

import pytest
from markdown_it import MarkdownIt

from qipo_ray.cli.score_tables import print_leaderboard
from qipo_ray.leaderboard import Leaderboard, from_records
from qipo_ray.leaderboard.figures.drawing import ReportFigure, empty_figure, short_label
from qipo_ray.leaderboard.figures.gallery import FigureGroup
from qipo_ray.leaderboard.figures.intervals import LONGEST_TICK, intervals
from qipo_ray.leaderboard.formats.csv import guard
from qipo_ray.leaderboard.formats.huggingface import results_files
from qipo_ray.leaderboard.sweep_report import SweepReport
from qipo_ray.leaderboard.tables import clean
from qipo_ray.leaderboard.views import By
from qipo_ray.store.records import validate

PAYLOADS = [
    # HTML
    "<script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    "\"><svg onload='alert(1)'>",
    "</td></tr></table><h1>gone</h1>",
    "<!-- hidden",
    "&lt;b&gt; &#60;i&#62;",
    "{{ 7 * 7 }}{% raw %}",
    "javascript:alert(1)//</style><style>*{display:none}",
    # Markdown
    "a | b | c",
    "[click](https://evil.example)",
    "![x](https://evil.example/x.png)",
    "https://evil.example and www.evil.example",
    "<https://evil.example>",
    "**bold** __bold__ *a* _b_ ~~c~~",
    "`code` ``` fence",
    "\\| \\\\ trailing \\",
    "# heading",
    "1. list - list + list",
    "$x$ $$y$$",
    "[ref]: https://evil.example",
    # LaTeX
    r"\input{/etc/passwd}",
    r"\write18{rm -rf /}",
    r"} \end{tabular} \newcommand{\x}{",
    "100% $a_b^c$ #1 & more ~",
    "^^5cinput{x}",
    "[1cm] * row",
    # CSV
    "=1+1",
    "=HYPERLINK(\"https://evil.example\",\"x\")",
    "@SUM(A1:A9)",
    "+cmd|' /C calc'!A0",
    "-2+3;=1+1,\"quoted\"",
    # terminals, direction of text
    "a\x9b31mred\u202egnp.exe\u200b",
]  # fmt: skip

SVG = r"(?s)<svg.*?</svg>"
VIEWS: tuple[By | None, ...] = (None, "family", "config")


@pytest.fixture(params=PAYLOADS, ids=lambda payload: payload[:20])
def payload(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def record(payload: str, make_record: Callable[..., dict[str, Any]]) -> dict[str, Any]:
    one = make_record(
        40.0,
        task=payload,
        name=payload,
        departures=(payload, "clipped-actions"),
        sampler=payload,
        env_seeds=payload,
    )
    one["data"]["notes"] = [payload]
    one["data"]["task"] = payload
    validate(one)
    return one


def boards(record: dict[str, Any]) -> list[Leaderboard]:
    return [from_records([record], by) for by in VIEWS]


class Reader(HTMLParser):
    """What a browser is told: tags with the names of their attributes, and text."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: set[tuple[str, ...]] = set()
        self.cells: list[str] = []
        self.inside = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add((tag, *(name for name, _ in attrs)))
        self.inside = tag == "td"
        if self.inside:
            self.cells.append("")

    def handle_endtag(self, tag: str) -> None:
        self.inside = False

    def handle_data(self, data: str) -> None:
        if self.inside:
            self.cells[-1] += data

    def handle_comment(self, data: str) -> None:
        self.tags.add(("comment", data))


def read_html(page: str) -> Reader:
    reader = Reader()
    reader.feed(page)
    reader.close()
    return reader


def test_there_are_thirty() -> None:
    assert len(set(PAYLOADS)) >= 30


@cache
def harmless_tags(make_record: Callable[..., dict[str, Any]]) -> list[set[tuple[str, ...]]]:
    """The tags of every view of a record that means no harm."""
    tame = make_record(40.0, task="maze2d-umaze", name="a long one " * 5)
    tame["data"]["notes"] = ["a note"]
    return [read_html(board.document("html")).tags for board in boards(tame)]


@pytest.mark.slow_after(6)
def test_html(
    payload: str, record: dict[str, Any], make_record: Callable[..., dict[str, Any]]
) -> None:
    for board, harmless in zip(boards(record), harmless_tags(make_record), strict=True):
        page = board.document("html")
        assert all(sign == "\n" or sign.isprintable() for sign in page)
        found = read_html(page)
        assert found.tags <= harmless
        assert clean(payload) in found.cells


def report_page(record: dict[str, Any], words: str, picture: ReportFigure) -> str:
    """Return a report with one picture, whose every name is ``words``."""
    plan = {"space": {"policy.beta": {}}, "hash": words, "trials": words}
    found = SweepReport(Path(words.replace("/", "-")), (record,), plan)
    found.__dict__["figure_groups"] = [FigureGroup(words, (picture,), words)]
    return found.html()


@pytest.mark.slow_after(6)
def test_report(
    payload: str, record: dict[str, Any], make_record: Callable[..., dict[str, Any]]
) -> None:
    tame = make_record(40.0, task="maze2d-umaze", name="a long one " * 5)
    for one, words in ((record, payload), (tame, "a long one " * 5)):
        one["data"]["notes"] = [words]
        one["provenance"]["command"] = words
    figure = empty_figure(1, 1)  # drawing has a test of its own
    found = read_html(report_page(record, payload, ReportFigure("p", payload, payload, figure)))
    harmless = ReportFigure("p", "harmless", "harmless", figure)
    assert found.tags <= read_html(report_page(tame, "harmless", harmless)).tags
    assert clean(payload) in found.cells


@pytest.mark.slow
@pytest.mark.parametrize("start", range(0, len(PAYLOADS), 12))
def test_pictures_in_a_report(start: int, make_record: Callable[..., dict[str, Any]]) -> None:
    """Twelve names at once: drawing takes its time."""
    some = PAYLOADS[start : start + 12]

    def page(names: list[str]) -> str:
        records = [
            make_record(float(place), name=name, beta=float(place), cloning=None, data=None)
            for place, name in enumerate(names)
        ]
        picture = intervals(from_records(records).rows, {})
        return report_page(records[0], "harmless", picture)

    found, harmless = page(some), page(["harmless", "of two lines of text " * 3] * len(some))
    assert read_html(found).tags <= read_html(harmless).tags
    drawn = (ElementTree.fromstring(svg) for svg in re.findall(SVG, found))
    texts = "".join("".join(text.split()) for svg in drawn for text in svg.itertext())
    for payload in some:
        assert "".join(short_label(f"QIPO-OT, {payload}", LONGEST_TICK).split()) in texts


@pytest.mark.slow_after(6)
def test_markdown(payload: str, record: dict[str, Any]) -> None:
    reader = MarkdownIt("commonmark", {"html": True}).enable(["table", "strikethrough"])
    for board in boards(record):
        document = board.document("md")
        tokens = reader.parse(document)
        kinds = {token.type for token in tokens}
        assert kinds <= {
            f"{name}_{end}"
            for name in ("heading", "paragraph", "table", "thead", "tbody", "tr", "th", "td")
            for end in ("open", "close")
        } | {
            "inline",
            "bullet_list_open",
            "bullet_list_close",
            "list_item_open",
            "list_item_close",
        }
        assert all(token.tag in ("h1", "h2") for token in tokens if token.type == "heading_open")
        texts = []
        for token in tokens:
            parts = [child.type for child in token.children or []]
            assert set(parts) <= {"text", "text_special", "strong_open", "strong_close"}
            texts.append("".join(child.content for child in token.children or []))
        assert clean(payload) in texts
        # Sites turn bare addresses into links; a backslash keeps them from it.
        assert not re.search(r"https?://|\bwww\.", document)
        widths = {line.count("|") - line.count("\\|") for line in document.split("\n")}
        assert len({width for width in widths if width}) == len(board.tables)


@pytest.mark.slow_after(6)
def test_csv(payload: str, record: dict[str, Any]) -> None:
    for board in boards(record):
        header, *rows = csv.reader(io.StringIO(board.document("csv")))
        cells = [cell for row in rows for cell in row]
        assert all(len(row) == len(header) for row in rows)
        for cell in [*header, *cells]:
            number = re.fullmatch(r"[+-]?[0-9.]+(e[+-]?[0-9]+)?", cell)
            assert number or not re.search(r"(^|;)\s*[=+@-]", cell)
            assert cell.isprintable()
        assert guard(clean(payload)) in cells


SAFE_COMMANDS = {
    "begin", "end", "centering", "caption", "resizebox", "ifdim", "width", "linewidth", "else",
    "fi", "toprule", "midrule", "bottomrule", "textcolor", "textbf", "pm", "par", "smallskip",
    "footnotesize", "raggedright", "label", "textbackslash", "textasciitilde", "textasciicircum",
    "textless", "textgreater", "textbar", "textasciigrave", "char", "shortstack",
}  # fmt: skip


@pytest.mark.slow_after(6)
def test_latex(payload: str, record: dict[str, Any]) -> None:
    for board in (from_records([record], by) for by in get_args(By)):
        lines = [line for line in board.document("latex").split("\n") if not line.startswith("%")]
        source = "\n".join(lines)
        assert set(re.findall(r"\\([A-Za-z]+)", source)) <= SAFE_COMMANDS
        assert set(re.findall(r"\\(?:begin|end)\{(.*?)\}", source)) <= {"table*", "tabular"}
        bare = re.sub(r"\\([A-Za-z]+|.)", "", source)  # without commands and escaped signs
        assert not re.search(r"[#^_~]|\\(?!\n)", bare)
        assert set(re.findall(r"\$[^$]*\$", bare)) <= {"$$", "$-$"}  # \pm is gone by now
        assert bare.count("%") == len(board.tables)  # the one behind \resizebox
        assert bare.count("{") == bare.count("}")
        for line in lines:
            if line.endswith(r"\\"):
                assert not line.startswith(("[", "*"))
        for table in board.tables:
            width, height = len(table.document.columns), len(table.rows) + 1
            if table.kind == "paper" and width > height:  # it stands on its side
                width, height = height, width
            rows = [line for line in bare.split("\n") if line.count("&") == width - 1]
            assert len(rows) >= height


@pytest.mark.slow_after(6)
def test_json(payload: str, record: dict[str, Any]) -> None:
    """A program gets what the record says, sign by sign."""
    for board in boards(record):
        (table, *_) = json.loads(board.document("json"))["tables"]
        row = next(row for row in table["rows"] if row["method"] == "QIPO-OT")
        assert (row["name"], row["sampler"], row["env_seeds"]) == (payload,) * 3
        assert row["departures"] == f"{payload}, clipped-actions"
        assert row["data_notes"] == payload
        assert row.get("task", row.get("task_list")) == payload
        assert payload in table["caption"] and payload in "".join(
            [*table["notes"], *table["footnotes"]]
        )


@pytest.mark.slow_after(6)
def test_hugging_face(payload: str, record: dict[str, Any]) -> None:
    files = results_files(from_records([record]).rows)
    assert len(files) == 2
    for name, text in files.items():
        assert re.fullmatch(r"huggingface/qipo_ray/[\w-]+/results_[\dT-]+\.0{6}\.json", name)
        document = json.loads(text)
        assert list(document["results"]) == [payload]
        assert document["config"]["protocol"]["sampler"] == payload


@pytest.mark.slow_after(6)
def test_terminal(
    payload: str, record: dict[str, Any], capsys: pytest.CaptureFixture[str]
) -> None:
    for board in boards(record):
        print_leaderboard(board)
        shown = capsys.readouterr().out
        assert all(sign == "\n" or sign.isprintable() for sign in shown)
        assert "".join(clean(payload).split()) in "".join(shown.split())
