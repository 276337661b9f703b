"""Where a bench says what it does and leaves what it found: a report in Markdown, and JSON beside."""

from __future__ import annotations

import dataclasses
import json
import sys
from pathlib import Path
from typing import Any

REPOSITORY = Path(__file__).resolve().parents[1]
RESULTS = REPOSITORY / "bench" / "results"


def say(stage: str) -> None:
    """Tells what is measured now."""
    print(f"... {stage}", file=sys.stderr, flush=True)


def write(output: Path, report: str, findings: Any) -> None:
    """Writes and prints the report of some findings (a dataclass), which are kept as JSON in `RESULTS`."""
    output.parent.mkdir(parents=True, exist_ok=True)
    output.write_text(report, encoding="utf-8")
    RESULTS.mkdir(parents=True, exist_ok=True)
    raw = json.dumps(dataclasses.asdict(findings), indent=2, default=_name)
    (RESULTS / f"{output.stem}.json").write_text(raw, encoding="utf-8")
    print(report)


def _name(path: Path) -> str:
    """Keeps the folders of a machine out of results."""
    return path.name
