"""What an evaluation found, as values, for JSON, and in words."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from statistics import fmean
from typing import Any

import numpy as np

MEASURES = ("sdr", "si_sdr", "median_sdr", "median_isr", "median_sir", "median_sar")


@dataclass(frozen=True)
class WindowScores:
    """The ratios in dB of every second of a track; NaN where a source or an estimate is silent."""

    sdr: tuple[float, ...]
    isr: tuple[float, ...]
    sir: tuple[float, ...]
    sar: tuple[float, ...]

    @property
    def n_measured(self) -> int:
        return sum(not math.isnan(value) for value in self.sdr)


@dataclass(frozen=True)
class StemScores:
    """How near an estimate is to the true stem, in dB.

    `sdr` is the energy of the true stem over that of the difference, and `si_sdr` the same for the loudness of the
    true stem that fits best (Le Roux et al. 2019), both over the whole track and all channels. `windows` holds
    museval's ratios. What cannot be measured is NaN, and `notes` say why.
    """

    stem: str
    sdr: float
    si_sdr: float
    windows: WindowScores
    notes: tuple[str, ...] = ()

    @property
    def measures(self) -> dict[str, float]:
        """The numbers by the names of `MEASURES`; medians are over the windows."""
        ratios = (self.windows.sdr, self.windows.isr, self.windows.sir, self.windows.sar)
        return dict(zip(MEASURES, (self.sdr, self.si_sdr, *map(median, ratios)), strict=True))

    def as_dict(self) -> dict[str, Any]:
        """Returns all of it for JSON: NaN as null, infinite as "Infinity"."""
        return {
            **_for_json(self.measures),
            "windows_measured": self.windows.n_measured,
            "windows": {name: list(map(for_json, vars(self.windows)[name])) for name in vars(self.windows)},
            "notes": list(self.notes),
        }


@dataclass(frozen=True)
class TrackScores:
    """The stems of a track, the `extra` estimates that have no reference, and references `missing` an estimate."""

    track: str
    duration_seconds: float
    stems: tuple[StemScores, ...]
    extra: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()

    def __getitem__(self, stem: str) -> StemScores:
        return next(scores for scores in self.stems if scores.stem == stem)

    def in_words(self) -> list[str]:
        """Returns what the numbers do not say."""
        lines = [*self.notes, *(f"{scores.stem}: {note}" for scores in self.stems for note in scores.notes)]
        if self.extra:
            lines.append(f"no reference, not measured: {', '.join(self.extra)}")
        if self.missing:
            lines.append(f"no estimate, not measured: {', '.join(self.missing)}")
        return lines

    def as_dict(self) -> dict[str, Any]:
        return {
            "track": self.track,
            "duration_seconds": self.duration_seconds,
            "stems": {scores.stem: scores.as_dict() for scores in self.stems},
            "extra": list(self.extra),
            "missing": list(self.missing),
            "notes": list(self.notes),
        }


@dataclass(frozen=True)
class SeparationScores:
    """The tracks of a data set as `separated_by` a model or found in a folder, and what they come to.

    `extra_tracks` were found among the estimates alone.
    """

    separated_by: str
    tracks: tuple[TrackScores, ...]
    extra_tracks: tuple[str, ...] = ()

    @property
    def stems(self) -> tuple[str, ...]:
        """The stems of all tracks, in order of appearance."""
        return tuple(dict.fromkeys(scores.stem for track in self.tracks for scores in track.stems))

    @property
    def medians(self) -> dict[str, dict[str, float]]:
        """The median over the tracks of each measure, by stem; of medians, as museval sums them up."""
        return self._over_tracks(median)

    @property
    def means(self) -> dict[str, dict[str, float]]:
        """The mean over the tracks of each measure, by stem."""
        return self._over_tracks(mean)

    def in_words(self) -> list[str]:
        """Returns what the numbers do not say."""
        by_track = {track.track: track.in_words() for track in self.tracks}
        shared = [line for line in self.tracks[0].in_words() if all(line in lines for lines in by_track.values())]
        lines = [f"{name}: {line}" for name, lines in by_track.items() for line in lines if line not in shared]
        lines = [*shared, *lines]
        if self.extra_tracks:
            lines.append(f"no reference, tracks not measured: {', '.join(self.extra_tracks)}")
        return lines

    def as_dict(self) -> dict[str, Any]:
        """Returns all of it for JSON."""
        return {
            "separated_by": self.separated_by,
            "medians": {stem: _for_json(measures) for stem, measures in self.medians.items()},
            "means": {stem: _for_json(measures) for stem, measures in self.means.items()},
            "extra_tracks": list(self.extra_tracks),
            "tracks": [track.as_dict() for track in self.tracks],
        }

    def _over_tracks(self, rule: Callable[[Iterable[float]], float]) -> dict[str, dict[str, float]]:
        found = {stem: [s.measures for t in self.tracks for s in t.stems if s.stem == stem] for stem in self.stems}
        return {
            stem: {name: rule(measures[name] for measures in each) for name in MEASURES} for stem, each in found.items()
        }


def median(values: Iterable[float]) -> float:
    """Returns the median of what was measured, NaN where nothing was.

    >>> median([3.0, math.nan, 1.0, math.inf])
    3.0
    """
    measured = [value for value in values if not math.isnan(value)]
    return float(np.median(measured)) if measured else math.nan


def mean(values: Iterable[float]) -> float:
    """Returns the mean of what was measured, NaN where nothing was."""
    measured = [value for value in values if not math.isnan(value)]
    return fmean(measured) if measured else math.nan


def for_json(value: float) -> float | str | None:
    """Returns a number as JSON can hold it.

    >>> for_json(math.nan), for_json(-math.inf), for_json(1.5)
    (None, '-Infinity', 1.5)
    """
    if math.isnan(value):
        return None
    return value if math.isfinite(value) else f"{'-' if value < 0 else ''}Infinity"


def _for_json(measures: Mapping[str, float]) -> dict[str, float | str | None]:
    return {name: for_json(value) for name, value in measures.items()}
