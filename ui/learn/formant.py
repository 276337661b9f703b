"""Speech without a recording: a buzz and a hiss, shaped by resonators that move as a mouth does.

A small synthesiser in the manner of Klatt 1980 (J. Acoust. Soc. Am. 67), written anew: the voice goes through a
cascade of resonators, the hiss of consonants through others beside it; tables and a few rules tell them what to do.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from audio_ml.audio import Audio
from audio_ml.errors import InvalidInput
from tts.phonemes.alphabet import STRESSES, VOWELS
from ui.learn.formant_targets import PAUSE_SECONDS, TARGETS, Formants, Noise, Target

SAMPLE_RATE = 24000
FRAME = 120  # samples between which nothing moves: 5 ms
FRAME_SECONDS = FRAME / SAMPLE_RATE
BANDWIDTHS_HZ = (70.0, 90.0, 130.0, 220.0, 300.0)
HIGHER_HZ = (3500.0, 4500.0)  # F4 and F5, which hardly move
GLIDE_SECONDS = 0.07  # in which formants go from one sound to the next
ONSET_SECONDS = 0.02  # in which loudness does
BURST_SECONDS = 0.012
ASPIRATION_SECONDS = {"p": 0.04, "t": 0.045, "k": 0.05}
STRESSED, SECONDARY, LAST = 1.5, 1.2, 1.35  # how much longer a vowel is
HIGH_HZ, LOW_HZ = 125.0, 88.0  # pitch at the beginning and the end of a phrase
ACCENT = 0.16  # by how much of itself a stressed vowel is higher
OPEN_SHARE = 0.6  # of a period in which the glottis lets air through
PEAK = 0.5

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Sound:
    """A phoneme as it is to be said: from `begin` to `end` in seconds."""

    symbol: str
    begin: float
    end: float
    stress: float  # 1 where a vowel bears none


@dataclass(frozen=True, eq=False)
class Track:
    """What the synthesiser is told every 5 ms: formants [frames, 3] and pitch in Hz, amplitudes [frames].

    `noises` are the hisses that occur, `hiss` [frames, noises] how loud each of them is.
    """

    formants: Floats
    f0_hz: Floats
    voicing: Floats
    aspiration: Floats
    noises: tuple[Noise, ...]
    hiss: Floats


def speak(phonemes: str, seed: int = 0) -> tuple[Audio, list[Sound]]:
    """Says phonemes of misaki's alphabet, and tells when each is heard; the last ends with the sound.

    Raises:
        InvalidInput: when none of the symbols can be said.
    """
    sounds = plan(phonemes)
    if not sounds:
        raise InvalidInput("There is no phoneme of English to say.")
    return render(track_of(sounds), seed), sounds


def plan(phonemes: str) -> list[Sound]:
    """Returns how long each phoneme lasts: from a table, vowels longer with stress and before the end of a phrase.

    >>> [sound.symbol for sound in plan("hˈI.")]
    ['h', 'I', '.']
    """
    sounds: list[Sound] = []
    stress, time = 1.0, 0.0
    last_vowels = _last_vowels(phonemes)
    for place, symbol in enumerate(phonemes):
        if symbol in STRESSES:
            stress = STRESSED if symbol == "ˈ" else SECONDARY
            continue
        target = TARGETS.get(symbol)
        if target is not None:
            seconds = target.seconds
            if target.manner == "vowel":
                seconds *= stress * (LAST if place in last_vowels else 1.0)
        elif symbol in PAUSE_SECONDS:
            seconds = PAUSE_SECONDS[symbol]
        else:
            continue
        sounds.append(Sound(symbol, time, time + seconds, stress))
        time += seconds
        stress = 1.0 if symbol in VOWELS else stress
    return sounds if any(sound.symbol in TARGETS for sound in sounds) else []


def _last_vowels(phonemes: str) -> set[int]:
    """Returns the places of the last vowel before each pause."""
    found, latest = set(), -1
    for place, symbol in enumerate(phonemes + "."):
        if symbol in PAUSE_SECONDS and latest >= 0:
            found.add(latest)
            latest = -1
        elif symbol in VOWELS:
            latest = place
    return found


def track_of(sounds: Sequence[Sound]) -> Track:
    """Returns the movements that join the targets of phonemes."""
    n_frames = max(1, round(sounds[-1].end / FRAME_SECONDS))
    noises = tuple(dict.fromkeys(n for s in sounds if (n := _target(s).noise) is not None))
    formants = np.empty((n_frames, 3))
    voicing, aspiration, hiss = np.zeros(n_frames), np.zeros(n_frames), np.zeros((n_frames, max(1, len(noises))))
    for index, sound in enumerate(sounds):
        first, last = (min(n_frames, round(time / FRAME_SECONDS)) for time in (sound.begin, sound.end))
        target = _target(sound)
        follows = sounds[index + 1] if index + 1 < len(sounds) else None
        formants[first:last] = _formants(target, sounds, index, last - first)
        if target.manner == "stop":
            _close(sound, follows, (first, last), noises, voicing, aspiration, hiss)
        elif target.manner == "aspirate":
            aspiration[first:last] = target.hiss
        else:
            voicing[first:last] = target.voicing
            if target.noise is not None:
                hiss[first:last, noises.index(target.noise)] = target.hiss
    voicing, aspiration, hiss = (_ending_softly(values) for values in (voicing, aspiration, hiss))
    return Track(
        _smooth(formants, GLIDE_SECONDS),
        _pitch(sounds, n_frames),
        _smooth(voicing, ONSET_SECONDS),
        _smooth(aspiration, ONSET_SECONDS),
        noises,
        _smooth(hiss, ONSET_SECONDS / 2),
    )


def _target(sound: Sound) -> Target:
    return TARGETS.get(sound.symbol, Target("pause", (500, 1400, 2400), voicing=0))


def _formants(target: Target, sounds: Sequence[Sound], index: int, n_frames: int) -> Floats:
    """Returns the formants of a phoneme; a breath or a pause has those of its neighbours."""
    if target.manner in ("aspirate", "pause"):
        for near in (index + 1, index - 1):
            if 0 <= near < len(sounds) and _target(sounds[near]).manner in ("vowel", "glide"):
                target = Target("vowel", _target(sounds[near]).start)
                break
    start, end = np.array(target.start), np.array(target.end or target.start)
    # A diphthong rests at its first vowel for a third of the time.
    share = np.clip((np.linspace(0, 1, max(n_frames, 1)) - 0.33) / 0.5, 0, 1)[:n_frames, None]
    return np.asarray(start + share * (end - start), np.float64)


def _close(
    sound: Sound,
    follows: Sound | None,
    frames: tuple[int, int],
    noises: Sequence[Noise],
    voicing: Floats,
    aspiration: Floats,
    hiss: Floats,
) -> None:
    """Writes a stop: silence or a hum behind closed lips, a burst, and after p, t and k a breath."""
    (first, last), target = frames, _target(sound)
    fricated = sound.symbol in "ʧʤ"
    breath = ASPIRATION_SECONDS.get(sound.symbol, 0.0) if follows and follows.symbol in VOWELS else 0.0
    n_burst = round((0.06 if fricated else BURST_SECONDS) / FRAME_SECONDS)
    n_breath = min(round(breath / FRAME_SECONDS), (last - first) // 2)
    burst = max(first + 1, last - n_breath - n_burst)
    voicing[first:burst] = target.voicing
    assert target.noise is not None
    hiss[burst : burst + n_burst, noises.index(target.noise)] = target.hiss
    aspiration[burst + n_burst : last] = 0.35 if n_breath else 0.0


def _pitch(sounds: Sequence[Sound], n_frames: int) -> Floats:
    """Returns a pitch [frames] that sinks from pause to pause, higher on stressed vowels; it rises before "?"."""
    pitch = np.full(n_frames, LOW_HZ)
    begin = 0.0
    for index, sound in enumerate(sounds):
        is_end = sound.symbol in PAUSE_SECONDS or index == len(sounds) - 1
        if not is_end:
            continue
        first, last = round(begin / FRAME_SECONDS), min(n_frames, round(sound.end / FRAME_SECONDS))
        line = np.linspace(HIGH_HZ, LOW_HZ, max(0, last - first))
        if sound.symbol == "?" and line.size:
            rising = min(line.size, round((0.25 + sound.end - sound.begin) / FRAME_SECONDS))
            line[-rising:] = np.linspace(line[-rising], HIGH_HZ * 1.25, rising)
        pitch[first:last] = line
        begin = sound.end
    for sound in sounds:
        if sound.stress > 1 and sound.symbol in VOWELS:
            span = slice(round(sound.begin / FRAME_SECONDS), round(sound.end / FRAME_SECONDS))
            pitch[span] *= 1 + ACCENT * (sound.stress - 1) / (STRESSED - 1)
    return _smooth(pitch, 0.12)


def _ending_softly(values: Floats) -> Floats:
    """Returns amplitudes [frames, ...] that come from nothing and go there, so that neither end clicks."""
    n_frames = len(values)
    places = np.minimum(np.arange(n_frames), np.arange(n_frames)[::-1])
    return np.asarray((values.T * np.minimum(1, places / 5)).T, np.float64)


def _smooth(values: Floats, seconds: float) -> Floats:
    """Returns values [frames, ...] over a Hann window, their ends held."""
    size = 2 * round(seconds / FRAME_SECONDS / 2) + 1
    window = np.hanning(size + 2)[1:-1]
    padded = np.pad(values, [(size // 2, size // 2), *[(0, 0)] * (values.ndim - 1)], mode="edge")
    windows = np.lib.stride_tricks.sliding_window_view(padded, size, axis=0)
    return np.asarray(windows @ (window / window.sum()), np.float64)


def render(track: Track, seed: int = 0) -> Audio:
    """Returns the sound of movements: 120 samples a frame, its peak at half of full scale."""
    random = np.random.default_rng(seed)
    n_samples = track.f0_hz.size * FRAME
    noise = random.standard_normal(n_samples)
    voicing, aspiration = (_per_sample(values) for values in (track.voicing, track.aspiration))
    f0_hz = _per_sample(track.f0_hz)
    source = glottis(f0_hz) * voicing + 0.06 * noise * aspiration
    source += 0.004 * noise * voicing  # no voice is without breath
    sound = cascade(source, track.formants)
    for index, each in enumerate(track.noises):
        # Behind a voiced consonant's narrow place the air comes in puffs, as the glottis lets it.
        puffs = 1 - 0.5 * (voicing > 0.1) * (np.sin(2 * np.pi * np.cumsum(f0_hz) / SAMPLE_RATE) > 0)
        sound += _coloured(noise * puffs * _per_sample(track.hiss[:, index]), each)
    peak = np.abs(sound).max()
    return Audio((PEAK * sound / max(peak, 1e-9))[None].astype(np.float32), SAMPLE_RATE)


def _per_sample(values: Floats) -> Floats:
    """Returns values [frames] joined by straight lines, [frames * FRAME]."""
    times = (np.arange(values.size * FRAME) + 0.5) / FRAME - 0.5
    return np.asarray(np.interp(times, np.arange(values.size), values), np.float64)


def glottis(f0_hz: Floats) -> Floats:
    """Returns the rate at which the flow through the glottis changes, for a pitch [time] at 24 kHz.

    The flow is the polynomial t^2 - t^3 while it is open (after Rosenberg 1971, J. Acoust. Soc. Am. 49), and its
    derivative is what leaves the lips.
    """
    phase = np.cumsum(f0_hz) / SAMPLE_RATE % 1.0
    t = phase / OPEN_SHARE
    return np.where(phase < OPEN_SHARE, 2 * t - 3 * t**2, 0.0)


def cascade(source: Floats, formants: Floats) -> Floats:
    """Sends a source [frames * 120] through five resonators, one behind the other; three move with `formants`."""
    sound = source
    n_frames = len(formants)
    for number, bandwidth in enumerate(BANDWIDTHS_HZ):
        is_moving = number < formants.shape[1]
        centres = formants[:, number] if is_moving else np.full(n_frames, HIGHER_HZ[number - formants.shape[1]])
        sound = resonate(sound, centres, bandwidth)
    return sound


def resonate(source: Floats, centres_hz: Floats, bandwidth_hz: float) -> Floats:
    """Sends a source [frames * 120] through a resonator that is retuned every frame, without a click.

    Klatt 1980, equation 2: y[n] = A x[n] + B y[n-1] + C y[n-2], of gain 1 at 0 Hz; its memory is the last two of y.
    """
    from scipy.signal import lfilter

    c = -np.exp(-2 * np.pi * bandwidth_hz / SAMPLE_RATE)
    b = 2 * np.exp(-np.pi * bandwidth_hz / SAMPLE_RATE) * np.cos(2 * np.pi * centres_hz / SAMPLE_RATE)
    result = np.empty_like(source)
    before, latest = 0.0, 0.0
    for frame, coefficient in enumerate(b):
        span = slice(frame * FRAME, (frame + 1) * FRAME)
        memory = [coefficient * latest + c * before, c * latest]
        result[span], _ = lfilter([1 - coefficient - c], [1.0, -coefficient, -c], source[span], zi=memory)
        before, latest = result[span][-2:]
    return result


def _coloured(noise: Floats, colour: Noise) -> Floats:
    """Returns noise [time] through resonances beside each other."""
    from scipy.signal import lfilter

    total = np.zeros_like(noise)
    for centre, bandwidth, gain in colour.peaks:
        radius = np.exp(-np.pi * bandwidth / SAMPLE_RATE)
        poles = [1.0, -2 * radius * np.cos(2 * np.pi * centre / SAMPLE_RATE), radius**2]
        total += gain * (1 - radius) * lfilter([1.0, 0.0, -1.0], poles, noise)
    return total


def formants_of(symbol: str) -> Formants:
    """Returns F1, F2 and F3 in Hz that a phoneme asks for at its beginning."""
    return TARGETS[symbol].start
