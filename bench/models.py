"""The table of models that separate, as the catalogue has them: `python -m bench.models` writes docs/models.md."""

from __future__ import annotations

from audio_ml import catalogue
from audio_ml.catalogue import ModelSpec
from bench.markdown import table
from bench.results import REPOSITORY

PAGE = REPOSITORY / "docs" / "models.md"
HEAD = """# Models that separate

Made from the catalogue by `python -m bench.models`; `audio-ml models list` says the same of your machine.

*Verified* is the day on which a model was run here with its published weights. Where it says no, the weights could not
be had on the machines this was built on: the network is held to the list of the published checkpoint's tensors
(`separation/manifests/`) and to its authors' code in numbers, and the loading code ran on made-up weights from a local
server; whether the sound is what its authors hear was not tried.

*Asks* means that the terms have to be accepted once, with `audio-ml models accept NAME` or `--accept-licence`.
"""


def page() -> str:
    """Returns the page."""
    rows = [_row(spec) for spec in catalogue.models("separation")]
    header = ["model", "makes", "rate", "verified", "licence of the weights", "commercial use", "asks", "download"]
    by_note: dict[str, list[str]] = {}
    for spec in catalogue.models("separation"):
        if spec.licence.note and not spec.members:
            by_note.setdefault(spec.licence.note, []).append(spec.name)
    notes = [f"- {', '.join(names)}: {note}" for note, names in by_note.items()]
    return "\n".join([HEAD, table(header, rows), "", "What is known of the licences:", "", *notes, ""])


def _row(spec: ModelSpec) -> list[str]:
    commercial = {True: "yes", False: "no", None: "not stated"}[spec.licence.commercial]
    download = sum(part.download_bytes for part in spec.parts) / 1e6
    known = all(file.size for part in spec.parts for file in part.files)
    members = f" ({len(spec.parts)} models)" if spec.members else ""
    return [
        f"`{spec.name}`{members}",
        ", ".join(spec.outputs),
        f"{spec.sample_rate / 1000:g} kHz",
        spec.verified or "no",
        spec.licence.name,
        commercial,
        "yes" if any(part.licence.must_accept for part in spec.parts) else "",
        f"{download:,.0f} MB" if known and download else "not told",
    ]


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
    print(page())
