"""What Ray packs of a folder with our patterns: no data, results or secrets."""

from __future__ import annotations

from pathlib import Path
from zipfile import ZipFile

import pytest

from qipo_ray.distributed.packing import left_out
from qipo_ray.errors import UserError

SENT = {"search.yaml", "my_task.py", "package/module.py", ".gitignore", ".rayignore"}
LEFT = {
    ".env", ".env.local", "package/.netrc", "key.pem", ".ssh/id_ed25519", ".aws/credentials",
    "auth_token", ".ray/auth_token", "data.hdf5", "sets/cube.npz", "out/records/a.json",
    "policy.pt", "notes/ignored.txt", "big/ignored.bin", ".mypy_cache/x",
}  # fmt: skip


def test_a_folder_is_packed_without_data_results_and_secrets(tmp_path: Path) -> None:
    from ray._private.runtime_env.packaging import create_package

    folder = tmp_path / "project"
    for name in SENT | LEFT:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text("x")
    (folder / ".gitignore").write_text("notes/\n")
    (folder / ".rayignore").write_text("big/\n")
    package = tmp_path / "package.zip"
    create_package(
        str(folder), package, include_gitignore=True, excludes=left_out(folder, folder / "out")
    )
    with ZipFile(package) as packed:
        assert {name for name in packed.namelist() if not name.endswith("/")} == SENT


def test_a_home_is_not_sent(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    with pytest.raises(UserError, match="would be packed and sent; run the command in"):
        left_out(tmp_path, Path("/results"))
    with pytest.raises(UserError, match="--working-dir .*/none: there is no such folder"):
        left_out(tmp_path / "none", Path("/results"))
    assert not [p for p in left_out(tmp_path / "..", Path("/results")) if p.startswith("/")]
