"""Prints what an image installs before the package itself, or what an extra adds: `python requirements.py [EXTRA]`.

It reads the pyproject.toml of the folder that it is called in.
"""

from __future__ import annotations

import sys
from pathlib import Path

import tomllib


def requirements(extra: str | None) -> list[str]:
    """Returns the lines of a requirements file."""
    project = tomllib.loads(Path("pyproject.toml").read_text(encoding="utf-8"))
    if extra:
        return list(project["project"]["optional-dependencies"][extra])
    return [*project["build-system"]["requires"], *project["project"]["dependencies"]]


if __name__ == "__main__":
    print(*requirements(sys.argv[1] if len(sys.argv) > 1 else None), sep="\n")
