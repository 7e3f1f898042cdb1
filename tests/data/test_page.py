from __future__ import annotations

from pathlib import Path

from qipo_ray.data.page import tasks_page
from qipo_ray.data.tasks import NEWER, get_task, task_ids

PAGE = Path(__file__).resolve().parents[2] / "docs" / "tasks.md"


def test_the_page_is_that_of_the_table() -> None:
    """If this fails: ``qipo-ray data list --markdown > docs/tasks.md``."""
    assert PAGE.read_text(encoding="utf-8") == tasks_page()


def test_it_lists_every_task_with_its_facts() -> None:
    rows = [line.split("|") for line in tasks_page().splitlines() if line.startswith("| ")]
    cells = {
        name.strip(): [cell.strip() for cell in row[1:-1]] for row in rows for name in row[1:3]
    }
    for name in task_ids():
        task, row = get_task(name), cells[name]
        assert row[2] == task.simulator and row[4] == str(task.horizon)
        assert (
            abs(float(row[5]) - task.ref_min) < 1e-6 and abs(float(row[6]) - task.ref_max) < 1e-4
        )


def test_every_note_is_there() -> None:
    text = tasks_page()
    for name in task_ids():
        task = get_task(name)
        if task.twin_of is None:
            assert all(note in text for note in task.notes if not note.startswith(NEWER))
