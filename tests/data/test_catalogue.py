from __future__ import annotations

from dataclasses import replace

import pytest

from qipo_ray.data.catalogue import entries, entry
from qipo_ray.data.tasks import get_task
from qipo_ray.errors import UserError


@pytest.mark.parametrize("name", ["../up.hdf5", "/etc/x", "..", ".hidden", "a\nb", "", "a/b"])
def test_names_never_climb_out(name: str) -> None:
    with pytest.raises(UserError, match="unsafe file name"):
        entry(replace(get_task("hopper-medium-v2"), filename=name))


def test_every_published_file_has_an_entry_of_its_own() -> None:
    published_files = entries(["*"])
    assert len(published_files) > 100
    assert len({file.target for file in published_files}) == len(
        {file.url for file in published_files}
    )
    assert all(file.url.endswith("/" + file.target.name) for file in published_files)
