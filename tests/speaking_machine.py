"""A voice made of arithmetic: the same vowels and hisses on every machine, to compare speaker encoders without one."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

SAMPLE_RATE = 16000
VOWELS_HZ = ((730, 1090, 2440), (270, 2290, 3010), (570, 840, 2410), (530, 1840, 2480), (300, 870, 2240))
SYLLABLE_SECONDS = 0.22


def samples(seconds: float = 4.2, f0_hz: float = 118.0, tract: float = 1.0) -> NDArray[np.float32]:
    """Returns speech-like sound [time] at 16 kHz: formants times `tract`, pitch around `f0_hz`.

    It is rounded to 16 bits, so that the last bits of a machine's sine do not matter, and its noise comes from numpy's
    legacy generator, whose numbers are frozen.
    """
    time = np.arange(round(seconds * SAMPLE_RATE)) / SAMPLE_RATE
    syllable = np.floor(time / SYLLABLE_SECONDS).astype(int)
    since = time - syllable * SYLLABLE_SECONDS
    f0 = f0_hz * (1 + 0.15 * np.sin(2 * np.pi * 0.6 * time) + 0.03 * np.sin(2 * np.pi * 4.7 * time))
    phase = 2 * np.pi * np.cumsum(f0) / SAMPLE_RATE
    formants = tract * np.take(VOWELS_HZ, syllable * 3 % len(VOWELS_HZ), axis=0).T
    wave = np.zeros_like(time)
    for harmonic in range(1, 40):
        hz = harmonic * f0
        gains = sum(gain / (1 + ((hz - centre) / width) ** 2) for centre, gain, width in zip(formants, *PEAKS))  # noqa: B905
        wave += np.where(hz < 7500, (0.05 / harmonic + gains) * np.sin(harmonic * phase), 0.0)
    hiss = np.diff(np.random.RandomState(7).uniform(-1, 1, time.size), prepend=0.0) * (since < 0.05) * (syllable % 2)
    voiced = np.minimum(since / 0.04, 1) * np.minimum((SYLLABLE_SECONDS - since) / 0.05, 1)
    rounded = np.round((0.12 * voiced * wave + 0.08 * hiss).clip(-1, 1) * 32767)
    return rounded.astype(np.float32) / np.float32(32768)


PEAKS = ((1.0, 0.5, 0.25), (90.0, 110.0, 160.0))  # gains and half widths in Hz of the formants
