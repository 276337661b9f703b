"""Sizes of memory as people write them, and the budget that models get when nobody says one."""

from __future__ import annotations

import os
import re

from audio_ml import device as devices
from audio_ml.device import Kind
from audio_ml.errors import InvalidOption

BUDGET_VARIABLE = "AUDIO_ML_MEMORY_BUDGET"
SHARE_FOR_MODELS = 0.8  # of what is free: the rest is for what models make while they work
_UNITS = {"": 1, "K": 1000, "M": 1000**2, "G": 1000**3, "T": 1000**4}
_BINARY_UNITS = {"": 1, "K": 2**10, "M": 2**20, "G": 2**30, "T": 2**40}
_SIZE = re.compile(r"(\d+(?:\.\d+)?)\s*([KMGT]?)(i?)B?", re.IGNORECASE)


def find_budget(kind: Kind, asked: int | str | None) -> int | None:
    """Returns the bytes that models may take together: as asked, as the environment says, or a share of what is free.

    None where the system does not tell what is free: there is no limit then.

    Raises:
        InvalidOption: when what was asked is no size.
    """
    if asked in (None, ""):
        asked = os.environ.get(BUDGET_VARIABLE)
    if asked not in (None, ""):
        return asked if isinstance(asked, int) else read_size(str(asked))
    free = devices.free_bytes(kind)
    return None if free is None else int(free * SHARE_FOR_MODELS)


def read_size(text: str) -> int:
    """Returns the bytes of a size that somebody wrote.

    Raises:
        InvalidOption: when it is none.

    >>> read_size("1.5 GB"), read_size("512MiB"), read_size("800000000")
    (1500000000, 536870912, 800000000)
    """
    found = _SIZE.fullmatch(text.strip())
    if found is None or float(found[1]) <= 0:
        raise InvalidOption(f"A memory budget cannot be '{text}': write a size such as 4GB or 800MB.")
    number, unit, binary = found.groups()
    return int(float(number) * (_BINARY_UNITS if binary else _UNITS)[unit.upper()])


def show_size(n_bytes: int) -> str:
    """Returns a size as people read it.

    >>> show_size(78_614_080), show_size(3_140_000_000), show_size(20_000)
    ('79 MB', '3.1 GB', '20 kB')
    """
    if n_bytes < 1e6:
        return f"{n_bytes / 1e3:.0f} kB"
    return f"{n_bytes / 1e9:.1f} GB" if n_bytes >= 1e9 else f"{n_bytes / 1e6:.0f} MB"
