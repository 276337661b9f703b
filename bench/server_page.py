"""The page docs/bench-server.md: one section for each bench of the server, written by that bench alone."""

from __future__ import annotations

import dataclasses
import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from bench import results

PAGE = results.REPOSITORY / "docs" / "bench-server.md"
TITLE = "# The server"
SECTIONS = ("Speech", "32 clients", "Kills", "Fuzz")  # in this order


def put(page: Path, section: str, text: str, findings: Any) -> None:
    """Writes a bench's section, leaves the others as they are, and keeps the findings (a dataclass) as JSON."""
    before = page.read_text(encoding="utf-8") if page.exists() else ""
    page.parent.mkdir(parents=True, exist_ok=True)
    page.write_text(with_section(before, section, text), encoding="utf-8")
    results.RESULTS.mkdir(parents=True, exist_ok=True)
    raw = json.dumps(_plain(findings), indent=2, default=str)
    name = f"{page.stem}-{section.lower().replace(' ', '-')}.json"
    (results.RESULTS / name).write_text(raw, encoding="utf-8")
    print(f"## {section}\n\n{text}")


def with_section(page: str, section: str, text: str) -> str:
    """Returns the page with the text as that section, in the order of `SECTIONS`.

    >>> print(with_section("# The server\\n\\n## Kills\\n\\nnone\\n", "Speech", "fast"))
    # The server
    <BLANKLINE>
    ## Speech
    <BLANKLINE>
    fast
    <BLANKLINE>
    ## Kills
    <BLANKLINE>
    none
    <BLANKLINE>
    """
    parts = re.split(r"^## (.*)\n", page, flags=re.MULTILINE)[1:]
    found = dict(zip(parts[::2], parts[1::2], strict=True)) | {section: text}
    ordered = [f"## {name}\n\n{found[name].strip()}\n" for name in SECTIONS if name in found]
    return "\n".join([f"{TITLE}\n", *ordered])


def _plain(value: Any) -> Any:
    """Returns a value as JSON has it; `dataclasses.asdict` cannot copy counters."""
    if dataclasses.is_dataclass(value):
        return {field.name: _plain(getattr(value, field.name)) for field in dataclasses.fields(value)}
    if isinstance(value, Mapping):
        return {key: _plain(inner) for key, inner in value.items()}
    return [_plain(inner) for inner in value] if isinstance(value, list | tuple) else value
