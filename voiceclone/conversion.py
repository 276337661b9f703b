"""Lends a voice to recorded speech, whatever its length: the recording is cut in pauses and spoken piece by piece."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from itertools import pairwise
from typing import Any

import numpy as np

from audio_ml import loader as loaders
from audio_ml import pitch as pitches
from audio_ml.audio import Audio, Samples
from audio_ml.cloned_voice import ClonedVoice
from audio_ml.downmix import mixed_down
from audio_ml.errors import InvalidInput
from audio_ml.loader import ModelLoader
from audio_ml.options import parse
from audio_ml.pitch import SWIFT_F0, Pitch
from audio_ml.progress import Progress
from audio_ml.speaking import Speller
from audio_ml.streams import Resampler, read_audio
from voiceclone.content import ACTIVE_DB, FRAME_SECONDS, HALF, active_power, half_centres, level_db, n_frames
from voiceclone.engines.kokoro_convert import CONVERT, SAMPLE_RATE, ConvertOptions
from voiceclone.engines.voice_activity import VOICE_ACTIVITY, find_spans

HEARING_RATE = 16000
FRAME = 2 * HALF  # samples at 16 kHz
SPOKEN_FRAME = round(FRAME_SECONDS * SAMPLE_RATE)
SILENCE_DB = -65.0  # what is quieter all along is silence
EXCLAMATION_SECONDS = 2.0  # a cry that is no longer need not pass for speech
LONGEST_FRAMES, SEARCHED_FRAMES = 480, 200  # 12 s, cut where the last 5 s are quietest
MARGIN_FRAMES = 24  # spoken on either side of a cut, which fade into each other
FADE_FRAMES = 6
PAUSE_FRAMES = 6
SHORTEST_FRAMES = 40
SPREAD_RANGE = (0.75, 1.3)  # how far the melody is made flatter or livelier
SPOKEN_HZ = (55.0, 550.0)  # that the decoder has been heard with
N_PHONEMES = 60  # of a usual sentence: the timbre of a style hardly depends on it
CEILING = 0.98
BLOCK = 1 << 20  # samples that are resampled at once
LONGEST_SECONDS = 3600.0  # of a recording: it is held in memory several times, as much as 3 GB for an hour at 48 kHz


def convert(
    audio: Audio | str | os.PathLike[str],
    voice: ClonedVoice,
    *,
    speller: Speller | None = None,
    options: ConvertOptions | Mapping[str, Any] | None = None,
    loader: ModelLoader | None = None,
    progress: Progress | None = None,
) -> Audio:
    """Returns the speech of a recording in another voice, mono, at its sample rate and as long to the sample.

    Silence stays silence; the loudness of the speech stays. English words are told apart better with a `speller` of
    theirs, such as `tts.spell`. The result is not marked: `voiceclone.convert` does that.

    Raises:
        InvalidInput: for options that do not fit, files that cannot be read, sound in which nobody speaks, and
            more than an hour of it.
        WeightsError: when a network cannot be had.
    """
    chosen = parse(ConvertOptions, options)
    recording = audio if isinstance(audio, Audio) else read_audio(audio)
    check_length(recording.duration_seconds)
    loader, progress = loader or loaders.default(), progress or Progress()
    heard = _resampled(mixed_down(recording.samples), recording.sample_rate, HEARING_RATE)[0]
    power = active_power(heard)
    if power <= 10 ** (SILENCE_DB / 10):
        return Audio(np.zeros((1, recording.n_samples), np.float32), recording.sample_rate)
    heard = heard * np.float32(np.sqrt(10 ** (ACTIVE_DB / 10) / power))
    _check_speech(heard, loader, progress)
    heard = np.pad(heard, (0, max(0, SHORTEST_FRAMES * FRAME - heard.size)))
    with loader.use_all([CONVERT, SWIFT_F0], progress) as (engine, tracker):
        pitch = Pitch(tracker.track(heard), pitches.FRAME_SECONDS)
        spoken = np.concatenate(list(_spoken(engine, heard, pitch, voice, chosen, speller, progress)))
    return Audio(_fitted(spoken, recording, power)[None], recording.sample_rate)


def check_length(seconds: float) -> None:
    """Raises `InvalidInput` for recordings that would not fit into memory."""
    if seconds > LONGEST_SECONDS:
        raise InvalidInput(
            f"The recording is {seconds / 60:.1f} min long, and {LONGEST_SECONDS / 60:.0f} min at most are converted "
            "at once: cut it in parts, in pauses."
        )


def cuts(samples: Samples) -> list[int]:
    """Returns the frames at which speech [time] at 16 kHz is cut, its ends among them: where it is quietest."""
    total = n_frames(samples)
    level = level_db(samples, 2 * total).reshape(total, 2).max(axis=1)
    smooth = np.convolve(level, np.ones(PAUSE_FRAMES) / PAUSE_FRAMES, mode="same")
    found = [0]
    while total - found[-1] > LONGEST_FRAMES:
        latest = min(found[-1] + LONGEST_FRAMES, total - SHORTEST_FRAMES)
        earliest = latest - SEARCHED_FRAMES
        found.append(earliest + int(np.argmin(smooth[earliest:latest])))
    return [*found, total]


def _check_speech(samples: Samples, loader: ModelLoader, progress: Progress) -> None:
    """Raises `InvalidInput` where nobody speaks in sound [time] at 16 kHz: music and noise would become babble."""
    if samples.size <= EXCLAMATION_SECONDS * HEARING_RATE:
        return
    with loader.use(VOICE_ACTIVITY, progress) as engine:
        activity = engine.begin()
        probabilities = np.concatenate([activity.push(samples), activity.finish()])
    if not find_spans(probabilities):
        raise InvalidInput(
            "Nobody speaks in the recording, as far as can be heard: music and noise cannot be said in another voice. "
            "Where speech is buried in music, separate it first: `audio-ml separate`, or the page's tab Separate."
        )


def _spoken(
    engine: Any,
    samples: Samples,
    pitch: Pitch,
    voice: ClonedVoice,
    options: ConvertOptions,
    speller: Speller | None,
    progress: Progress,
) -> Iterator[Samples]:
    """Yields sound [time] at 24 kHz, in the end `SPOKEN_FRAME` samples for every frame of speech [time] at 16 kHz."""
    borders = cuts(samples)
    melody = _melody(pitch, voice, options, borders[-1])
    style = voice.style(N_PHONEMES, options.likeness)
    offsets = None if voice.layer_offsets is None else np.float32(options.likeness) * voice.layer_offsets
    n_fade = FADE_FRAMES * SPOKEN_FRAME
    rising = np.sin(np.linspace(0, np.pi / 2, n_fade, dtype=np.float32)) ** 2
    fading = np.zeros(0, np.float32)
    for begin, end in pairwise(borders):
        progress.update("converting", begin / borders[-1])
        first, last = max(0, begin - MARGIN_FRAMES), min(borders[-1], end + MARGIN_FRAMES)
        piece = samples[first * FRAME : last * FRAME]
        features, energy, voiced = engine.read(piece, pitch, first, speller)
        f0_hz = np.where(voiced, melody[2 * first : 2 * last], 0).astype(np.float32)
        sound = engine.speak(features, f0_hz, energy, style, offsets)
        sound = sound[(begin - first) * SPOKEN_FRAME :]
        if begin:
            sound[:n_fade] = sound[:n_fade] * rising + fading
        n_heard = (end - begin) * SPOKEN_FRAME
        fading = sound[n_heard : n_heard + n_fade] * rising[::-1] if last > end else fading
        yield sound[:n_heard]
    progress.update("converting", 1.0)


def _melody(pitch: Pitch, voice: ClonedVoice, options: ConvertOptions, n_frames: int) -> Samples:
    """Returns the pitch [2 frames] to speak with, in Hz; it goes on where nothing is voiced."""
    f0_hz = pitch.at(half_centres(n_frames))
    if pitch.mean_log is None or pitch.spread_log is None:
        return f0_hz
    mean, stretch = pitch.mean_log, 1.0
    if options.pitch == "voice":
        mean = voice.pitch.mean_log_hz
        stretch = float(np.clip(voice.pitch.spread_log_hz / max(pitch.spread_log, 1e-3), *SPREAD_RANGE))
    mean += options.semitones / 12 * np.log(2)
    moved = np.exp(mean + stretch * (np.log(f0_hz) - pitch.mean_log))
    return np.asarray(moved.clip(*SPOKEN_HZ), np.float32)


def _fitted(spoken: Samples, recording: Audio, power: float) -> Samples:
    """Returns sound [time] at 24 kHz at the rate of a recording, as long, and with its speech as loud."""
    sound = _resampled(spoken[None], SAMPLE_RATE, recording.sample_rate)[0][: recording.n_samples]
    sound = np.pad(sound, (0, recording.n_samples - sound.size))
    sound *= np.float32(np.sqrt(power / max(active_power(spoken), 1e-12)))
    return sound * np.float32(min(1.0, CEILING / max(float(np.abs(sound).max()), 1e-9)))


def _resampled(samples: Samples, from_rate: int, to_rate: int) -> Samples:
    blocks = Resampler(from_rate, to_rate, samples.shape[0]).stream(_blocks(samples))
    return np.concatenate(list(blocks), axis=1)


def _blocks(samples: Samples) -> Iterator[Samples]:
    for begin in range(0, samples.shape[1], BLOCK):
        yield samples[:, begin : begin + BLOCK]
