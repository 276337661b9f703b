"""What programs that are not ours read in a file: wavinfo, ffprobe, mediainfo where it is installed, libsndfile."""

from __future__ import annotations

import json
import shutil
import subprocess
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import soundfile
import wavinfo  # type: ignore[import-untyped]
from wavinfo.riff_parser import ListChunkDescriptor  # type: ignore[import-untyped]

CHUNKS = ("bext", "iXML", "cue", "LIST adtl", "LIST INFO")
SCOPES = {"bext": "bext", "LIST INFO": "info"}  # that wavinfo can list field by field


@dataclass(frozen=True)
class Reading:
    """A WAV file as others read it; `time_references` has samples since midnight by reader, None where it sees none.

    `container` is the file's first four letters. `n_samples` is what libsndfile counts, `n_samples_ffprobe` FFmpeg.
    """

    container: str
    n_bytes: int
    sample_rate: int
    bit_depth: int
    n_channels: int
    layout: str
    n_samples: int
    n_samples_ffprobe: int
    time_references: dict[str, int | None]


def read(path: Path) -> Reading:
    """Asks all readers."""
    sound = soundfile.info(path)
    stream, tags = _ffprobe(path)
    times = {"wavinfo": getattr(wavinfo.WavInfoReader(path).bext, "time_reference", None)}
    times["ffprobe"] = int(tags["time_reference"]) if "time_reference" in tags else None
    if (delay := _mediainfo(path).get("Delay")) is not None:
        times["mediainfo"] = round(float(delay) * sound.samplerate)
    elif shutil.which("mediainfo"):
        times["mediainfo"] = None
    with path.open("rb") as file:
        container = file.read(4).decode("latin-1")
    return Reading(
        container=container,
        n_bytes=path.stat().st_size,
        sample_rate=sound.samplerate,
        bit_depth=int(stream["bits_per_sample"]),
        n_channels=sound.channels,
        layout=stream.get("channel_layout", "not said"),
        n_samples=sound.frames,
        n_samples_ffprobe=int(stream["duration_ts"]),
        time_references=times,
    )


def compare_chunks(source: Path, stem: Path) -> dict[str, str]:
    """Says of each chunk of the source whether the stem's is "equal", "gone", or what was changed in it.

    The bytes are found by wavinfo; the fields of bext and INFO are named by it.
    """
    before, after = _payloads(source), _payloads(stem)
    verdicts = {}
    for name in CHUNKS:
        if name not in after:
            verdicts[name] = "gone"
        elif after[name] == before[name]:
            verdicts[name] = "equal"
        else:
            fields = _changes(source, stem, SCOPES[name]) if name in SCOPES else []
            verdicts[name] = f"changed: {', '.join(fields)}" if fields else "changed"
    return verdicts


def versions() -> str:
    """Returns the names and versions of the readers."""
    named = [f"wavinfo {version('wavinfo')}", f"libsndfile {soundfile.__libsndfile_version__}"]
    named.append("ffprobe " + _output("ffprobe", "-version").split()[2])
    if shutil.which("mediainfo"):
        named.append("mediainfo " + _output("mediainfo", "--Version").split()[-1].removeprefix("v"))
    return ", ".join(named)


def _payloads(path: Path) -> dict[str, bytes]:
    payloads = {}
    with path.open("rb") as file:
        for chunk in wavinfo.WavInfoReader(path).main_list:
            if isinstance(chunk, ListChunkDescriptor):
                name = f"LIST {chunk.signature.decode('latin-1')}"
                payloads[name] = b"".join(child.ident + child.read_data(file) for child in chunk.children)
            elif chunk.ident != b"data":
                payloads[chunk.ident.decode("latin-1").strip()] = chunk.read_data(file)
    return payloads


def _changes(source: Path, stem: Path, scope: str) -> list[str]:
    before, after = (getattr(wavinfo.WavInfoReader(path), scope).to_dict() for path in (source, stem))
    names = [field for field in before if before[field] != after[field]]
    return [field.replace("_", " ") + _manner(before[field], after[field]) for field in names]


def _manner(before: object, after: object) -> str:
    if after is None:
        return " gone"
    if isinstance(after, bytes) and not any(after):
        return " zeroed"
    if before and isinstance(before, str) and isinstance(after, str) and after.startswith(before):
        return f" + {len(after[len(before) :].splitlines())} line"
    return ""


def _ffprobe(path: Path) -> tuple[dict[str, Any], dict[str, str]]:
    shown = json.loads(_output("ffprobe", "-v", "error", "-of", "json", "-show_streams", "-show_format", str(path)))
    return shown["streams"][0], shown["format"].get("tags", {})


def _mediainfo(path: Path) -> dict[str, str]:
    if shutil.which("mediainfo") is None:
        return {}
    tracks = json.loads(_output("mediainfo", "--Output=JSON", str(path)))["media"]["track"]
    return next(track for track in tracks if track["@type"] == "Audio")


def _output(*command: str) -> str:
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout
