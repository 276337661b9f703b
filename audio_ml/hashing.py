"""The one hash the suite knows files by."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable

BLOCK_BYTES = 1 << 20


def file_sha256(path: str | os.PathLike[str], check: Callable[[], None] = lambda: None) -> str:
    """Returns the sha256 of a file's bytes, in hexadecimal; `check` is called every megabyte and may raise."""
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        while block := file.read(BLOCK_BYTES):
            check()
            digest.update(block)
    return digest.hexdigest()
