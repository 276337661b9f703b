"""Makes a line as long as its slot: silence off its ends, the model's own pace, then a little stretching."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from audio_ml.audio import Audio, Samples
from tts.cues.options import Fit

SLOWEST, FASTEST = 0.8, 1.25  # times the pace that was asked for
LARGEST_STRETCH = 0.12
MOST_TRIES = 3  # at another pace: pauses and short sounds do not follow it in proportion
CLOSE_ENOUGH = 0.97  # of the slot, for a line that is to fill it
AIM = 0.99  # of the slot
SMALLEST_CHANGE = 0.005  # of the pace: less would not move a sound

FRAME_SECONDS = 0.01
SILENCE_DB = -50.0  # below the loudest frame of the line; breath and an f at the end lie above
LEAD_SECONDS, TAIL_SECONDS = 0.03, 0.06  # that stay around what is heard
FADE_SECONDS = 0.01

Say = Callable[[float], Audio]  # says the line at so many times the pace that was asked for


@dataclass(frozen=True, eq=False)
class Fitted:
    """A line that was fitted: the pace and the time factor that it took (1: none), and how long it was at first."""

    audio: Audio
    speed: float
    stretch: float
    natural_samples: int

    def excess_samples(self, slot: int | None) -> int:
        """Returns by how much the line is too long for its slot; negative where it is shorter."""
        return 0 if slot is None else self.audio.n_samples - slot

    @property
    def means(self) -> str:
        """What was done beside trimming: "", "speed", "stretch" or "speed+stretch"."""
        return "+".join(
            name for name, factor in (("speed", self.speed), ("stretch", self.stretch)) if abs(factor - 1) > 1e-9
        )


def fit_line(
    say: Say,
    slot: int | None,
    how: Fit,
    *,
    fill: bool = False,
    paces: tuple[float, float] = (SLOWEST, FASTEST),
) -> Fitted:
    """Returns a line [1, time] fitted to a slot of so many samples, as well as the limits allow.

    A line that is shorter than its slot stays as it is, unless it is to `fill` it. No word is ever cut.
    `paces` are the slowest and the fastest that may be asked of `say`.
    """
    natural = say(1.0)
    if how == "none":
        return Fitted(natural, 1.0, 1.0, natural.n_samples)
    audio, speed, stretch = trimmed(natural), 1.0, 1.0
    if slot is not None and how in ("speed", "stretch"):
        audio, speed = _at_fitting_pace(say, audio, slot, fill, paces)
        if how == "stretch" and not _is_fitted(audio, slot, fill, at_least=1.0):
            audio, stretch = _stretched_to(audio, slot)
    return Fitted(audio, speed, stretch, natural.n_samples)


def _at_fitting_pace(say: Say, audio: Audio, slot: int, fill: bool, paces: tuple[float, float]) -> tuple[Audio, float]:
    """Returns the line at the pace that comes nearest to what fits, and that pace."""
    speed, best, best_speed = 1.0, audio, 1.0
    for _ in range(MOST_TRIES):
        if _is_fitted(audio, slot, fill, at_least=CLOSE_ENOUGH):
            break
        wanted = float(np.clip(speed * audio.n_samples / (AIM * slot), *paces))
        if abs(wanted - speed) < SMALLEST_CHANGE:
            break
        speed, audio = wanted, trimmed(say(wanted))
        if _distance(audio, slot) < _distance(best, slot):
            best, best_speed = audio, speed
    return best, best_speed


def _is_fitted(audio: Audio, slot: int, fill: bool, at_least: float) -> bool:
    return audio.n_samples <= slot and (not fill or audio.n_samples >= at_least * slot)


def _distance(audio: Audio, slot: int) -> tuple[bool, int]:
    """Orders results: what fits comes before what is too long."""
    return audio.n_samples > slot, abs(audio.n_samples - slot)


def _stretched_to(audio: Audio, slot: int) -> tuple[Audio, float]:
    n_samples = int(np.clip(slot, audio.n_samples * (1 - LARGEST_STRETCH), audio.n_samples * (1 + LARGEST_STRETCH)))
    stretched = stretch_to(audio, n_samples)
    return stretched, stretched.n_samples / audio.n_samples


def stretch_to(audio: Audio, n_samples: int) -> Audio:
    """Returns sound that lasts so many samples at the same pitch (Signalsmith Stretch).

    >>> stretch_to(Audio(np.zeros((1, 48000), np.float32), 48000), 45000).n_samples
    45000
    """
    from python_stretch import Signalsmith

    machine = Signalsmith.Stretch()
    machine.preset(audio.n_channels, float(audio.sample_rate))
    machine.setTimeFactor(audio.n_samples / n_samples)
    stretched = np.asarray(machine.process(np.ascontiguousarray(audio.samples)), np.float32)[:, :n_samples]
    missing = n_samples - stretched.shape[1]  # the machine rounds down: one sample at most
    return Audio(np.pad(stretched, ((0, 0), (0, missing))), audio.sample_rate)


def trimmed(audio: Audio) -> Audio:
    """Returns sound without the silence at its ends, but for a little around what is heard; silence stays as it is."""
    rate = audio.sample_rate
    levels = _levels_db(audio.samples, round(FRAME_SECONDS * rate))
    heard = np.flatnonzero(levels > levels.max() + SILENCE_DB)
    if not np.isfinite(levels.max()):
        return audio
    begin = max(0, round((heard[0] * FRAME_SECONDS - LEAD_SECONDS) * rate))
    end = min(audio.n_samples, round(((heard[-1] + 1) * FRAME_SECONDS + TAIL_SECONDS) * rate))
    if begin == 0 and end == audio.n_samples:
        return audio
    samples = audio.samples[:, begin:end].copy()
    _fade(samples, round(FADE_SECONDS * rate), at_start=begin > 0, at_end=end < audio.n_samples)
    return Audio(samples, rate)


def _levels_db(samples: Samples, n_frame: int) -> NDArray[np.float64]:
    """Returns the level [frames] of sound [channels, time], the last frame filled up with silence."""
    padded = np.pad(samples, ((0, 0), (0, -samples.shape[1] % n_frame))).astype(np.float64)
    energy = np.square(padded).sum(axis=0).reshape(-1, n_frame).mean(axis=1)
    with np.errstate(divide="ignore"):
        levels: NDArray[np.float64] = 10 * np.log10(energy)
    return levels


def _fade(samples: Samples, n_samples: int, *, at_start: bool, at_end: bool) -> None:
    """Fades the ends of sound [channels, time] in place: a cut in room noise would click."""
    ramp = np.linspace(0, 1, min(n_samples, samples.shape[1]), dtype=np.float32)
    if at_start:
        samples[:, : len(ramp)] *= ramp
    if at_end:
        samples[:, samples.shape[1] - len(ramp) :] *= ramp[::-1]
