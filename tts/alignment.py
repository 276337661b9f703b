"""Finds when each word is heard in speech whose engine does not tell: by comparing it with the same words of a voice
whose timing is known.

The hibari voice says the words, in one breath and one by one, and the path through its frames that fits the speech best
(dynamic time warping, Sakoe and Chiba 1978) carries the borders of the words over. Between words the path may wait in
silence. It needs no further model and no knowledge of the other engine's phonemes.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from audio_ml.audio import Audio, Samples
from audio_ml.loader import ModelLoader
from audio_ml.progress import Progress
from audio_ml.streams import Resampler
from tts.cepstra import HOP_SECONDS, SAMPLE_RATE, Cepstra, cepstra
from tts.engine import SpeechEngine, Utterance
from tts.phonemes.lexicon import EMPTY
from tts.pieces import Piece
from tts.text.spoken import plain
from tts.voices import Speaker, find_speaker

REFERENCE_VOICE = "hibari/heart"
UNKNOWN_WORD = "ə"  # said for a word that the reference voice cannot read
SILENCE = -1  # in place of a word
AUDIBLE = 0.01  # of the peak, where a word that is said alone begins and ends
MOST_SKIPPED = 2  # frames of the reference between two of the speech, which may be so many times faster
SILENCE_DB = -38.0  # below the loud frames of speech
SILENCE_COST = 2.0  # as the distance of frames, which is about 3 for like sounds and 6 for others
COST_PER_DB = 0.3  # of taking a louder frame for silence
STEP_COST = 0.8  # of waiting, or of skipping a frame


@dataclass(frozen=True, eq=False)
class _Reference:
    """Frames [n, features] that speech is compared with, and the word of each; where a word ends, silence may be."""

    frames: NDArray[np.float64]
    words: NDArray[np.int64]
    is_silence: NDArray[np.bool_]


def align(
    audio: Audio, words: Sequence[str], loader: ModelLoader, progress: Progress | None = None
) -> list[tuple[float, float]]:
    """Returns the beginning and the end of each word of English speech, in seconds; they follow each other.

    >>> from audio_ml import loader
    >>> from tts import synthesize
    >>> speech = synthesize("Good morning.")
    >>> found = align(speech.audio, ["Good", "morning"], loader.default())
    >>> abs(found[1][0] - speech.words[1].start_seconds) < 0.05
    True
    """
    if not words:
        return []
    heard = cepstra(_at_rate(audio.samples.mean(axis=0, keepdims=True), audio.sample_rate))
    speaker = find_speaker(REFERENCE_VOICE)
    with loader.use(speaker.spec, progress) as engine:
        read = [_read(word, speaker, engine) for word in words]
        references = [
            _reference(said) for said in (_in_one_breath(read, speaker, engine), _alone(read, speaker, engine))
        ]
    _, path = min((_best_path(reference, heard) for reference in references), key=lambda found: found[0])
    return _times(path, len(words), audio.duration_seconds)


def aligned(
    said: Utterance, piece: Piece, sample_rate: int, loader: ModelLoader, progress: Progress | None = None
) -> Utterance:
    """Returns what an engine said of a piece with durations: words as `align` finds them, their symbols alike long."""
    spoken = [(token, place) for token, place in zip(piece.tokens, piece.places, strict=True) if token.phonemes]
    is_word = [any(char.isalnum() for char in token.text) for token, _ in spoken]
    words = [(token, place) for (token, place), counts in zip(spoken, is_word, strict=True) if counts]
    times = align(Audio(said.samples, sample_rate), [token.text for token, _ in words], loader, progress)
    n_symbols, n_samples = len(piece.phonemes), said.samples.shape[1]
    symbols, samples = [0.0], [0.0]  # known borders of symbols (the leading silence is the first), and where they are
    for (_, place), (start, end) in zip(words, times, strict=True):
        symbols += [1 + place.start, 1 + place.stop]
        samples += [start * sample_rate, end * sample_rate]
    symbols.append(n_symbols + 2.0)
    samples.append(n_samples)
    borders = np.round(np.interp(np.arange(n_symbols + 3), symbols, np.minimum(samples, n_samples))).astype(np.int64)
    return replace(said, durations=borders[1:] - borders[:-1])


def _at_rate(samples: Samples, sample_rate: int) -> Samples:
    """Returns mono samples [time] of [1, time]."""
    resampled: Samples = np.concatenate(list(Resampler(sample_rate, SAMPLE_RATE, 1).stream([samples])), axis=1)[0]
    return resampled


def _read(word: str, speaker: Speaker, engine: SpeechEngine) -> str:
    """Returns the phonemes that the reference voice says for a word."""
    tokens = engine.pronouncer(speaker.blend, EMPTY).pronounce(plain(word))
    phonemes = "".join(symbol for token in tokens for symbol in token.phonemes if symbol in engine.vocabulary)
    return phonemes[: engine.max_phonemes - 1] if any(map(str.isalpha, phonemes)) else UNKNOWN_WORD


@dataclass(frozen=True, eq=False)
class _Said:
    """Samples [time] of the reference voice, at 16 kHz, and where in them each word is, in seconds."""

    samples: Samples
    words: list[tuple[float, float]]


def _in_one_breath(read: Sequence[str], speaker: Speaker, engine: SpeechEngine) -> Iterator[_Said]:
    """Yields the words as they follow each other in fluent speech, as many at once as the voice can say."""
    rest = list(read)
    while rest:
        n_words = max(1, sum(length <= engine.max_phonemes for length in np.cumsum([len(word) + 1 for word in rest])))
        line, rest = rest[:n_words], rest[n_words:]
        said = _say(" ".join(line), speaker, engine)
        assert said.durations is not None
        borders = np.cumsum(said.durations) / speaker.spec.sample_rate
        first = np.cumsum([0, *(len(word) + 1 for word in line)])  # symbol of each word; the silence before adds one
        places = [(borders[begin], borders[begin + len(word)]) for begin, word in zip(first, line, strict=False)]
        yield _Said(_at_rate(said.samples, speaker.spec.sample_rate), places)


def _alone(read: Sequence[str], speaker: Speaker, engine: SpeechEngine) -> Iterator[_Said]:
    """Yields each word as it is said alone, without the silence around it."""
    for word in read:
        samples = _at_rate(_say(word + ".", speaker, engine).samples, speaker.spec.sample_rate)
        audible = np.flatnonzero(np.abs(samples) > AUDIBLE * np.abs(samples).max())
        yield _Said(samples[audible[0] : audible[-1] + 1], [(0, (audible[-1] + 1 - audible[0]) / SAMPLE_RATE)])


def _say(phonemes: str, speaker: Speaker, engine: SpeechEngine) -> Utterance:
    options: Any = speaker.spec.options()
    return engine.speak(phonemes, speaker.blend, options, seed=0)


def _reference(parts: Iterator[_Said]) -> _Reference:
    """Returns the frames of what was said, with a place for silence before, between and after the words."""
    said = list(parts)
    features = cepstra(np.concatenate([part.samples for part in said])).frames
    lengths = [part.samples.size / SAMPLE_RATE for part in said]
    offsets = np.cumsum([0, *lengths])
    places = [(offset + b, offset + e) for part, offset in zip(said, offsets, strict=False) for b, e in part.words]
    frames, words, is_silence = [np.zeros(features.shape[1])], [SILENCE], [True]
    reached = None
    for word, (start, end) in enumerate(places):
        begin, stop = round(start / HOP_SECONDS), max(round(end / HOP_SECONDS), round(start / HOP_SECONDS) + 1)
        between = range(begin if reached is None else reached, begin)  # a breath or a glide, of no word
        for index in (*between, *range(begin, stop)):
            frames.append(features[min(index, len(features) - 1)])
            words.append(word if index >= begin else SILENCE)
            is_silence.append(False)
        frames.append(np.zeros(features.shape[1]))
        words.append(SILENCE)
        is_silence.append(True)
        reached = stop
    return _Reference(np.array(frames), np.array(words), np.array(is_silence))


def _best_path(reference: _Reference, heard: Cepstra) -> tuple[float, NDArray[np.int64]]:
    """Returns the mean cost of the best path through the reference, and the word [n] of each frame that was heard."""
    waiting = np.where(reference.is_silence, 0.0, STEP_COST)
    costs = np.full(len(reference.frames), np.inf)
    costs[: MOST_SKIPPED + 2] = 0
    came_by = np.zeros((len(heard.frames), costs.size), np.int8)
    squares = np.square(reference.frames).sum(axis=1)
    for i, frame in enumerate(heard.frames):
        distances = np.sqrt(np.maximum(squares + frame @ frame - 2 * reference.frames @ frame, 0))
        louder = max(heard.level_db[i] - SILENCE_DB, 0)
        distances[reference.is_silence] = SILENCE_COST + COST_PER_DB * louder
        if i:
            ways = np.full((MOST_SKIPPED + 2, costs.size), np.inf)
            ways[0] = costs + waiting
            for step in range(1, MOST_SKIPPED + 2):
                ways[step, step:] = costs[:-step] + (step - 1) * STEP_COST
            came_by[i] = ways.argmin(axis=0)
            costs = ways.min(axis=0)
        costs = costs + distances
    state = costs.size - 1 - int(costs[-1] > costs[-2])  # the silence at the end, or the last frame before it
    cost = float(costs[state]) / len(heard.frames)
    if cost == np.inf:  # too short for so many words: they share it
        return cost, reference.words[np.linspace(0, costs.size - 1, len(heard.frames)).astype(int)]
    path = np.zeros(len(heard.frames), np.int64)
    for i in range(len(path) - 1, -1, -1):
        path[i] = reference.words[state]
        state -= int(came_by[i, state])
    return cost, path


def _times(path: NDArray[np.int64], n_words: int, duration_seconds: float) -> list[tuple[float, float]]:
    """Returns the times of words from the word of each frame; one that is in no frame is given one."""
    times: list[tuple[float, float]] = []
    for word in range(n_words):
        inside = np.flatnonzero(path == word)
        reached = times[-1][1] if times else 0.0
        if inside.size:
            start, end = (int(inside[0]) - 0.5) * HOP_SECONDS, (int(inside[-1]) + 0.5) * HOP_SECONDS
            times.append((max(start, reached), min(max(end, reached), duration_seconds)))
        else:
            times.append((reached, min(reached + HOP_SECONDS, duration_seconds)))
    return times
