"""Measures stems against their references, in two readings of the track and memory that does not grow with it."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

import numpy as np

from audio_ml.audio import Samples
from audio_ml.progress import Progress
from separation.evaluation.bsseval import RATIOS, WINDOW_SECONDS, Correlations, Windows, decibels
from separation.evaluation.scores import StemScores, WindowScores
from separation.evaluation.sounds import Reading, other_than
from separation.evaluation.toeplitz import Floats

SILENT_REFERENCE = "the reference is silent, so that nothing can be measured"
SILENT_ESTIMATE = "the estimate is silent; an SDR of 0 dB is what silence gets"
MOST_GAIN = 100.0  # what filters reach on music of 16 bits is below 40
DEAD_BAND = (
    "a band of the references is empty, so that filters of any gain fit there: ISR, SIR and SAR (those of museval, "
    "too) say little, the SDR holds"
)
NEVER_TOGETHER = "no second has sound in every stem, so that there are no ratios"
ALONE = "SIR needs a second source to interfere"


def measure(stems: Sequence[str], reading: Reading, progress: Progress, track: str) -> tuple[StemScores, ...]:
    """Returns the scores of stems that a reading gives in this order; `track` is for the progress."""
    n_stems, n_channels = len(stems), reading.n_channels
    totals = _Totals(n_stems)
    groups = _groups(stems)
    correlations = [Correlations(len(group), n_channels) for group in groups]
    for references, estimates in _told(reading, progress, track, 0.0):
        totals.add(references, estimates)
        for group, each in zip(groups, correlations, strict=True):
            each.add(references[group], estimates[group])
    window = round(WINDOW_SECONDS * reading.sample_rate)
    windows = [
        Windows(each.filters(), window, [i for i, stem in enumerate(group) if totals.is_audible(stem)])
        for group, each in zip(groups, correlations, strict=True)
    ]
    for references, estimates in _told(reading, progress, track, 0.5):
        totals.add_scaled(references, estimates)
        for group, each_window in zip(groups, windows, strict=True):
            each_window.add(references[group], estimates[group])
    ratios: dict[int, Floats] = {}
    gains: dict[int, float] = {}
    for group, each_window in zip(groups, windows, strict=True):
        of_group = each_window.ratios()
        if sum(map(totals.is_audible, group)) < 2:
            of_group[RATIOS.index("sir")] = math.nan
        ratios |= {stem: of_group[:, i] for i, stem in enumerate(group)}
        gains |= dict(zip(group, each_window.gains, strict=True))
    return tuple(_scores(name, totals, i, ratios[i], gains[i]) for i, name in enumerate(stems))


def _groups(stems: Sequence[str]) -> list[list[int]]:
    """Returns which stems are heard together, the one that counts last.

    What is all but a stem holds the others, so it is told from that stem alone, and museval takes the
    ratios of both from there.
    """
    own = [i for i, stem in enumerate(stems) if other_than(stem) is None]
    pairs = [[j for j in own if stems[j] == other_than(stem)] + [i] for i, stem in enumerate(stems) if other_than(stem)]
    in_pairs = {i for pair in pairs for i in pair}
    return [own, *pairs] if set(own) - in_pairs else pairs


def _told(reading: Reading, progress: Progress, track: str, begin: float) -> Iterator[tuple[Samples, Samples]]:
    """Reads all, and tells how far it is with the second half of the work or the first."""
    n_done, n_expected = 0, reading.n_samples or reading.n_expected
    progress.update(f"measuring {track}", begin)
    for references, estimates in reading:
        yield references, estimates
        n_done += references.shape[-1]
        progress.update(f"measuring {track}", begin + 0.5 * n_done / n_expected if n_expected else begin)


class _Totals:
    """Sums over a whole track, of stems [stems, channels, n]."""

    def __init__(self, n_stems: int) -> None:
        self._true, self._heard, self._wrong, self._shared, self._wrong_scaled = np.zeros((5, n_stems))

    def add(self, references: Samples, estimates: Samples) -> None:
        true, heard = references.astype(np.float64), estimates.astype(np.float64)
        self._true += _energy(true)
        self._heard += _energy(heard)
        self._wrong += _energy(true - heard)
        self._shared += np.sum(true * heard, axis=(1, 2))

    def add_scaled(self, references: Samples, estimates: Samples) -> None:
        """Takes all once more, when `_scale` is known: a difference of sums would be rounded."""
        self._wrong_scaled += _energy(self._scale[:, None, None] * references - estimates)

    def is_audible(self, stem: int) -> bool:
        """Tells whether there is any sound in both."""
        return bool(self._true[stem] and self._heard[stem])

    def silence(self, stem: int) -> str | None:
        """Says what is silent."""
        return SILENT_REFERENCE if not self._true[stem] else SILENT_ESTIMATE if not self._heard[stem] else None

    def sdr(self, stem: int) -> float:
        return float(decibels(self._true, self._wrong)[stem]) if self._true[stem] else math.nan

    def si_sdr(self, stem: int) -> float:
        """Le Roux et al. 2019, "SDR - half-baked or well done?", eq. 5."""
        scaled = self._scale**2 * self._true
        return float(decibels(scaled, self._wrong_scaled)[stem]) if self.is_audible(stem) else math.nan

    @property
    def _scale(self) -> Floats:
        return np.divide(self._shared, self._true, out=np.zeros_like(self._true), where=self._true > 0)


def _energy(samples: Floats) -> Floats:
    return np.asarray(np.sum(samples**2, axis=(1, 2)), np.float64)


def _scores(name: str, totals: _Totals, stem: int, ratios: Floats, gain: float) -> StemScores:
    windows = WindowScores(*(tuple(map(float, row)) for row in ratios))
    notes = [totals.silence(stem)]
    if totals.is_audible(stem):
        notes.append(NEVER_TOGETHER if not windows.n_measured else ALONE if np.isnan(windows.sir).all() else None)
        notes.append(DEAD_BAND if gain > MOST_GAIN else None)
    return StemScores(name, totals.sdr(stem), totals.si_sdr(stem), windows, tuple(note for note in notes if note))
