"""Names and values that try to be more than text, read back from every format."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from markdown_it import MarkdownIt

from qipo_ray.leaderboard import By, Leaderboard, from_records
from qipo_ray.leaderboard.figures import Room, intervals
from qipo_ray.leaderboard.formats.comma import guard
from qipo_ray.leaderboard.report import Report
from qipo_ray.leaderboard.tables import clean
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


def test_html(
    payload: str, record: dict[str, Any], make_record: Callable[..., dict[str, Any]]
) -> None:
    tame = make_record(40.0, task="maze2d-umaze", name="a long one " * 5)
    tame["data"]["notes"] = ["a note"]
    for board, harmless in zip(boards(record), boards(tame), strict=True):
        found = read_html(board.html())
        assert found.tags <= read_html(harmless.html()).tags
        assert clean(payload) in found.cells


def report_page(record: dict[str, Any], words: str) -> str:
    """Return a report with one picture, whose every name is ``words``."""
    plan = {"space": {"policy.beta": {}}, "hash": words, "trials": words}
    found = Report(Path(words.replace("/", "-")), (record,), plan)
    found.__dict__["rooms"] = [Room(words, (intervals(found.board.rows, {}),), words)]
    return found.html()


def test_report(
    payload: str, record: dict[str, Any], make_record: Callable[..., dict[str, Any]]
) -> None:
    tame = make_record(40.0, task="maze2d-umaze", name="a long one " * 5)
    for one, words in ((record, payload), (tame, "a long one " * 5)):
        one["data"]["notes"] = [words]
        one["provenance"]["command"] = words
    found = read_html(report_page(record, payload))
    assert found.tags <= read_html(report_page(tame, "harmless")).tags
    assert clean(payload) in found.cells


def test_markdown(payload: str, record: dict[str, Any]) -> None:
    reader = MarkdownIt("commonmark", {"html": True}).enable(["table", "strikethrough"])
    for board in boards(record):
        document = board.markdown()
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


def test_csv(payload: str, record: dict[str, Any]) -> None:
    for board in boards(record):
        header, *rows = csv.reader(io.StringIO(board.csv()))
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
    "footnotesize", "raggedright", "textbackslash", "textasciitilde", "textasciicircum",
    "textless", "textgreater", "textbar", "textasciigrave", "char",
}  # fmt: skip


def test_latex(payload: str, record: dict[str, Any]) -> None:
    for board in boards(record):
        lines = [line for line in board.latex().split("\n") if not line.startswith("%")]
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
            width = len(table.shown("everywhere", "document"))
            rows = [line for line in bare.split("\n") if line.count("&") == width - 1]
            assert len(rows) >= len(table.rows) + 1


def test_json(payload: str, record: dict[str, Any]) -> None:
    for board in boards(record):
        (table, *_) = json.loads(board.json())["tables"]
        assert payload in [row["name"] for row in table["rows"]]
