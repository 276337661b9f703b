"""What a separation says of itself: files, proof, loudness, timings, provenance."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import TypeAdapter

from audio_ml.formats import FORMATS
from audio_ml.loudness import Loudness
from audio_ml.provenance import Provenance
from separation.proof import SILENCE_DB

_FILES = {"16": "16-bit", "24": "24-bit", "32f": "float"}


@dataclass(frozen=True)
class StemFile:
    """A stem that was written.

    `n_clipped` counts samples beyond full scale, which an integer depth has cut off. `offset_samples` is
    the lag behind the mixture, by cross-correlation where the stem is loudest; of a lossy file, the lag
    of the decoded file behind what was coded. It is None where there is too little sound to tell.
    """

    stem: str
    path: str
    format: str
    sample_rate: int
    bit_depth: str
    n_channels: int
    n_samples: int
    n_clipped: int
    offset_samples: int | None
    loudness: Loudness


@dataclass(frozen=True)
class SeparationReport:
    """The record of one file.

    `null_depth_db` is the peak, in dBFS, of the mixture minus the sum of what was delivered;
    `null_depth_written_db` is the same of the stems as the files hold them, rounded and clipped to
    their bit depth (before coding where that is lossy). Both are None where what was asked for does
    not add up by intent. `length_ok` says that every file lasts as long as the source, to the sample of its own rate.
    `rescale_gain_db` was applied to every stem by the clip policy "rescale-all": take it back to undo it,
    and the null is against the mixture with that gain. `carried` and `left_behind` name the metadata.
    """

    source: str
    model: str
    sample_rate: int
    n_channels: int
    n_samples: int
    files: tuple[StemFile, ...]
    null_depth_db: float | None
    null_depth_written_db: float | None
    length_ok: bool
    channel_policy: str
    residual_policy: str
    clip_policy: str
    rescale_gain_db: float
    carried: tuple[str, ...]
    left_behind: tuple[str, ...]
    seconds_loading: float
    seconds_separating: float
    warnings: tuple[str, ...]
    provenance: Provenance

    @property
    def duration_seconds(self) -> float:
        return self.n_samples / self.sample_rate

    @property
    def times_real_time(self) -> float:
        """How many seconds of sound were separated in a second, loading left out."""
        return self.duration_seconds / max(self.seconds_separating, 1e-9)

    @staticmethod
    def from_dict(told: Mapping[str, Any]) -> SeparationReport:
        """Returns a report that was told as plain values; raises `ValueError` when it is none."""
        return TypeAdapter(SeparationReport).validate_python(told)

    def as_dict(self) -> dict[str, Any]:
        """Returns the report as plain values, with the lengths that follow from them."""
        derived = {"duration_seconds": self.duration_seconds, "times_real_time": self.times_real_time}
        return dataclasses.asdict(self) | derived

    def as_json(self) -> str:
        return json.dumps(self.as_dict(), indent=2, ensure_ascii=False)

    def summary(self) -> list[str]:
        """Returns the proof in plain sentences, for people."""
        lines = [self._length_in_words(), self._null_in_words(), *self._loudness_in_words()]
        if self.channel_policy not in ("mono", "stereo"):
            lines.append(f"{self.n_channels} channels were separated by the policy '{self.channel_policy}'.")
        if self.rescale_gain_db:
            lines.append(f"Nothing clips: all stems were turned down by {-self.rescale_gain_db:.2f} dB together.")
        if self.carried:
            lines.append(f"Carried over from the source: {', '.join(self.carried)}.")
        if self.left_behind:
            lines.append(f"Left behind: {', '.join(self.left_behind)}.")
        return lines

    def _length_in_words(self) -> str:
        length = f"{self.n_samples} samples at {self.sample_rate} Hz"
        offsets = {file.offset_samples for file in self.files} - {None}
        if not self.length_ok:
            return f"Not every stem is as long as the source, which has {length}."
        where = " and begins where it did" if offsets == {0} else ""
        return f"Every stem is exactly as long as the source{where}: {length}."

    def _null_in_words(self) -> str:
        if self.null_depth_db is None or self.null_depth_written_db is None:
            return "Whether the stems add up was not measured: what was asked for is not the whole mixture."
        if FORMATS[self.files[0].format].lossy:
            return f"Added together, the stems give back the source {_depth(self.null_depth_db)} before coding."
        return (
            f"Added together, the stems give back the source {_depth(self.null_depth_db)}, "
            f"and as {_FILES[self.files[0].bit_depth]} files {_depth(self.null_depth_written_db)}."
        )

    def _loudness_in_words(self) -> list[str]:
        measured = [(file.stem, file.loudness) for file in self.files if file.loudness.integrated_lufs is not None]
        levels = [
            f"{stem} {loudness.integrated_lufs:.1f} LUFS"
            + ("" if loudness.true_peak_dbtp is None else f" ({loudness.true_peak_dbtp:.1f} dBTP)")
            for stem, loudness in measured
        ]
        return [f"Loudness: {', '.join(levels)}."] if levels else []


def _depth(depth_db: float) -> str:
    return "exactly" if depth_db <= SILENCE_DB else f"to within {depth_db:.0f} dBFS"
