"""The report of the bench of the watermark, in Markdown."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from bench.markdown import table

BOUNDS_SECONDS = ((0, 2), (2, 5), (5, 10), (10, 1e9))
TARGET_FOUND, TARGET_OF, TARGET_COST = 297, 300, 0.2


@dataclass(frozen=True)
class Judged:
    """What was found in one sound."""

    seconds: float
    found: bool
    confidence: float


@dataclass(frozen=True)
class Row:
    """Many sounds of one kind."""

    name: str
    judged: list[Judged]


@dataclass(frozen=True)
class Findings:
    """All that was measured; `seconds` is the length of all clones, then the cost of marking and of speaking 1 s."""

    threshold: float
    marked: list[Row] = field(default_factory=list)
    unmarked: list[Row] = field(default_factory=list)
    changed: list[Row] = field(default_factory=list)
    peer: list[Row] = field(default_factory=list)
    seconds: list[float] = field(default_factory=list)


def render(head: str, findings: Findings) -> str:
    """Returns the report; `head` is the table that says on what was measured."""
    total, marking, speaking = findings.seconds
    target = ["*target*", f"*{TARGET_FOUND} of {TARGET_OF}*", "", "", ""]
    none = ["*target*", "*0*", "", "", ""]
    n_unmarked = sum(len(row.judged) for row in findings.unmarked)
    parts = [
        "# The watermark of cloned speech",
        head,
        f"{len(findings.marked[0].judged)} clones, {total / 60:.0f} minutes, lengths in geometric steps; marked piece "
        f"by piece as they are spoken. Found means a confidence of at least {findings.threshold:g}; what it is, "
        "`audio_ml.watermark.Detection` says.",
        "## Marked",
        table(
            ["", "found", "lowest", "5th percentile", "not found, by length"], [*map(_found, findings.marked), target]
        ),
        "## Not marked",
        f"{n_unmarked} files.",
        table(
            ["", "taken for marked", "highest", "95th percentile", "by length"], [*map(_false, findings.unmarked), none]
        ),
        "## What marked speech survives",
        table(["", "found", "lowest", "5th percentile", "not found, by length"], list(map(_found, findings.changed))),
        *_peer(findings.peer),
        "## Cost",
        f"Marking takes {marking:.3f} s of processor time for a second of speech, warm, on one core; Kokoro "
        f"takes {speaking:.2f} s to speak it, so that marking adds {marking / speaking:.1%} (target: at most "
        f"{TARGET_COST:.0%}).",
    ]
    return "\n\n".join(parts) + "\n"


def _peer(rows: Sequence[Row]) -> list[str]:
    if not rows:
        return []
    header = ["", "found", "lowest", "5th percentile", "not found, by length"]
    return ["## Against the published package", "resemble-perth 1.0.1.", table(header, list(map(_found, rows)))]


def _found(row: Row) -> list[str]:
    return _cells(row, missed=True)


def _false(row: Row) -> list[str]:
    return _cells(row, missed=False)


def _cells(row: Row, missed: bool) -> list[str]:
    """Returns a row of a table; of marked sounds the lowest confidences matter, of others the highest."""
    ordered = sorted((judged.confidence for judged in row.judged), reverse=not missed)
    n_found = sum(judged.found for judged in row.judged)
    odd = [judged for judged in row.judged if judged.found != missed]
    by_length = [
        f"{sum(low <= judged.seconds < high for judged in odd)} of "
        f"{sum(low <= judged.seconds < high for judged in row.judged)} {_bounds(low, high)}"
        for low, high in BOUNDS_SECONDS
    ]
    return [
        row.name,
        f"{n_found} of {len(row.judged)}",
        f"{ordered[0]:.2f}",
        f"{ordered[len(ordered) // 20]:.2f}",
        ", ".join(by_length) if 0 < len(odd) < len(row.judged) else "",
    ]


def _bounds(low: float, high: float) -> str:
    return f"over {low:g} s" if high > 1e6 else f"of {low:g}-{high:g} s"
