"""What a separation says of itself: files, null depth, length, timings, provenance."""

from __future__ import annotations

import dataclasses
import json
import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from audio_ml.audio import Samples
from audio_ml.formats import FormatName
from audio_ml.provenance import Provenance

SILENCE_DB = -200.0  # a null that is exact


@dataclass(frozen=True)
class StemFile:
    """A stem that was written; `n_clipped` counts samples beyond full scale that an integer depth cut off."""

    stem: str
    path: str
    format: FormatName
    sample_rate: int
    bit_depth: str
    n_samples: int
    n_clipped: int


@dataclass(frozen=True)
class SeparationReport:
    """The record of one file.

    `null_depth_db` is the peak, in dBFS, of the mixture minus the sum of all stems;
    `null_depth_written_db` is the same of the stems as the files hold them, rounded and clipped to
    their bit depth (before coding where that is lossy). Both are None when a stem was left out.
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

    def as_dict(self) -> dict[str, Any]:
        derived = {"duration_seconds": self.duration_seconds, "times_real_time": self.times_real_time}
        return dataclasses.asdict(self) | derived

    def as_json(self) -> str:
        return json.dumps(self.as_dict(), indent=2, ensure_ascii=False)


class NullMeter:
    """Measures, block by block, how far stems fail to add up to their mixture."""

    def __init__(self) -> None:
        self._peak = 0.0

    def add(self, mixture: Samples, stems: Samples) -> None:
        """Takes a mixture [channels, n] and its stems [stems, channels, n]."""
        residual = np.abs(mixture - stems.sum(axis=0))
        self._peak = float(np.maximum(self._peak, residual.max(initial=0.0)))  # NaN stays NaN

    @property
    def depth_db(self) -> float:
        """The peak of the residual in dBFS; `SILENCE_DB` when there is none."""
        return 20 * math.log10(self._peak) if self._peak > 0 else SILENCE_DB
