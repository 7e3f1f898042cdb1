"""What of a folder is sent to a cluster: Ray packs it, without data, results and secrets.

Ray leaves out what `.gitignore` and `.rayignore` name, too; patterns are those of `.gitignore`.
"""

from __future__ import annotations

from pathlib import Path

from qipo_ray.errors import UserError

DATA = ("*.hdf5", "*.h5", "*.npz", "*.parquet", "*.arrow")
RESULTS = ("*.pt", "events.out.tfevents.*")
CACHES = ("node_modules/", ".*_cache/")  # Ray leaves out .git, .venv, venv and __pycache__
# Every job of the cluster can read what was sent.
SECRETS = (
    ".env*", ".netrc", ".pypirc", ".npmrc", ".git-credentials", "*.key", "*.pem", "*.p12", "*.pfx",
    "id_rsa*", "id_ecdsa*", "id_ed25519*", ".ssh/", ".aws/", ".azure/", ".gnupg/", ".kube/",
    ".docker/", ".config/gcloud/", ".ray/", "auth_token", "credentials", "credentials.json",
    "*service?account*.json", "kubeconfig*", "secrets.*",
)  # fmt: skip


def left_out(folder: Path, results: Path) -> list[str]:
    """Return the patterns of what is not sent of a folder; ``UserError`` if it is a home."""
    root = folder.resolve()
    if not root.is_dir():
        raise UserError(f"--working-dir {folder}: there is no such folder")
    if root in (Path("/"), Path.home().resolve()):
        raise UserError(
            f"{root} would be packed and sent; run the command in the folder of your project, or "
            "give it as --working-dir"
        )
    inside = results.resolve()  # of a URI a folder that there is not
    of_results = [f"/{inside.relative_to(root)}/"] if root in inside.parents else []
    return [*DATA, *RESULTS, *CACHES, *SECRETS, *of_results]
