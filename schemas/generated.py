"""Files that are written from the models, and the check that they still agree."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

DEPLOY = Path(__file__).parent.parent / "deploy"
"""Where generated files stand in a checkout."""


def stale(files: Mapping[Path, str]) -> list[Path]:
    """Paths whose content is not the given text, and JSON files beside them that nobody writes.

    Examples
    --------
    >>> stale({Path("no/such/file.json"): "{}"})
    [PosixPath('no/such/file.json')]
    """
    wrong = [
        path
        for path, text in files.items()
        if not path.is_file() or path.read_text(encoding="utf-8") != text
    ]
    folders = {path.parent for path in files if len(files) > 1}
    extra = [path for folder in folders for path in folder.glob("*.json") if path not in files]
    return sorted([*wrong, *extra])


def write(files: Mapping[Path, str]) -> None:
    """Write the files and remove JSON files beside them that nobody writes."""
    for path in stale(files):
        if path in files:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(files[path], encoding="utf-8")
        else:
            path.unlink()


def main(files: Mapping[Path, str], arguments: Sequence[str], *, module: str) -> int:
    """Run ``--check`` or ``--write``; the exit code is 1 where a file is stale, 2 for misuse."""
    match list(arguments):
        case ["--write"]:
            write(files)
            return 0
        case ["--check"]:
            wrong = stale(files)
            for path in wrong:
                sys.stderr.write(f"{path}: stale; run python -m {module} --write\n")
            return 1 if wrong else 0
    sys.stderr.write(f"usage: python -m {module} --check | --write\n")
    return 2
