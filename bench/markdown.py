"""Tables for reports."""

from __future__ import annotations

from collections.abc import Sequence


def table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Returns a Markdown table.

    >>> print(table(["song", "s"], [["one", "3"]]))
    | song | s |
    |---|---|
    | one | 3 |
    """
    lines = [header, ["---"] * len(header), *rows]
    text = ["| " + " | ".join(line) + " |" for line in lines]
    text[1] = "|" + "---|" * len(header)
    return "\n".join(text)


def seconds(value: float) -> str:
    return f"{value:.2f} s"


def megabytes(n_bytes: float) -> str:
    return f"{n_bytes / 1e6:,.0f} MB"


def decibels(value: float) -> str:
    return f"{value:.1f} dB"
