"""Words are found where they are heard, in speech whose engine does not tell."""

from __future__ import annotations

import numpy as np
import pytest

from audio_ml.audio import Audio, Samples
from audio_ml.loader import ModelLoader
from tts.alignment import align, aligned
from tts.engine import Utterance
from tts.pieces import Piece
from tts.text.spoken import Token

RATE = 24000
SENTENCES = [
    "the quick brown fox jumps over the lazy dog",
    "please bring seven yellow apples to the kitchen tomorrow",
    "doctor miller arrived on thursday evening with three large boxes",
]


@pytest.fixture(scope="module")
def say(loader: ModelLoader) -> dict[str, Samples]:
    """Every word of the sentences, said alone, without the silence around it [time]."""
    from hibari import Hibari  # the package's own code, not our engine

    voice = Hibari()
    said = {}
    for word in {word for sentence in SENTENCES for word in sentence.split()}:
        samples = voice(word + ".", seed=1)
        audible = np.flatnonzero(np.abs(samples) > 0.01 * np.abs(samples).max())
        said[word] = samples[audible[0] : audible[-1] + 1]
    return said


def other_voice(samples: Samples, pitch: float) -> Samples:
    """Returns a voice with a longer or shorter throat: read at another speed, so pitch, formants and pace move."""
    places = np.arange(0, len(samples) - 1, pitch)
    read: Samples = np.interp(places, np.arange(len(samples)), samples).astype(np.float32)
    return read


def join(words: list[str], say: dict[str, Samples], gap_seconds: float, pitch: float) -> tuple[Audio, np.ndarray]:
    """Returns words one behind the other, and the true beginnings and ends [n, 2] in seconds."""
    random = np.random.default_rng(len(words))
    pieces: list[Samples] = []
    times, reached = [], 0
    for word in words:
        silence = np.zeros(round(gap_seconds * random.uniform(0.5, 1.5) * RATE), np.float32)
        sound = other_voice(say[word], pitch)
        pieces += [silence, sound]
        times.append((reached + silence.size, reached + silence.size + sound.size))
        reached += silence.size + sound.size
    samples = np.concatenate(pieces) + 1e-4 * random.standard_normal(reached)
    return Audio(samples[None].astype(np.float32), RATE), np.array(times) / RATE


@pytest.mark.parametrize("gap_seconds", [0.0, 0.05, 0.3])
@pytest.mark.parametrize("pitch", [1.0, 0.85, 1.12])
def test_borders_of_joined_words_are_right_within_50_ms(
    gap_seconds: float, pitch: float, say: dict[str, Samples], loader: ModelLoader
) -> None:
    for sentence in SENTENCES:
        audio, truth = join(sentence.split(), say, gap_seconds, pitch)
        found = np.array(align(audio, sentence.split(), loader))
        assert np.abs(found - truth).max() < 0.05, (sentence, np.abs(found - truth).max())


def test_borders_of_fluent_speech_are_those_of_the_engine(loader: ModelLoader) -> None:
    """Another pace and pitch than the reference's own; the engine's durations are the truth."""
    from tts import synthesize

    speech = synthesize("Nobody knew where she had hidden the silver key to the garden.", options={"speed": 1.2})
    samples = other_voice(speech.audio.samples[0], 0.87)
    found = np.array(align(Audio(samples[None], RATE), [word.text for word in speech.words], loader))
    truth = np.array([(word.start_seconds, word.end_seconds) for word in speech.words]) / 0.87
    assert np.abs(found[1:, 0] - truth[1:, 0]).max() < 0.06


def test_words_follow_each_other_and_lie_inside(say: dict[str, Samples], loader: ModelLoader) -> None:
    words = SENTENCES[0].split()
    audio, _ = join(words, say, 0.1, 1.0)
    noise = Audio(np.random.default_rng(0).normal(0, 0.1, (2, RATE)).astype(np.float32), RATE)
    silence = Audio(np.zeros((1, RATE // 2), np.float32), RATE)
    for sound in (audio, noise, silence):
        for asked in (words, words[:1], ["zzgrmpf", "...", "1987", "中文"], words * 3):
            found = align(sound, asked, loader)
            assert len(found) == len(asked)
            flat = [time for pair in found for time in pair]
            assert flat == sorted(flat) and flat[0] >= 0 and flat[-1] <= sound.duration_seconds
    assert align(audio, [], loader) == []


def test_an_utterance_gets_durations_that_cover_it(say: dict[str, Samples], loader: ModelLoader) -> None:
    words = SENTENCES[0].split()
    audio, truth = join(words, say, 0.1, 1.0)
    tokens = [Token(word, "fˈu", (0, 0), spaced=True) for word in words]
    piece = Piece((*tokens, Token(".", ".", (0, 0), spaced=False)), "sentence")
    found = aligned(Utterance(audio.samples, None), piece, RATE, loader)
    assert found.durations is not None
    assert len(found.durations) == len(piece.phonemes) + 2
    assert found.durations.sum() == audio.n_samples and found.durations.min() >= 0
    borders = np.cumsum(found.durations) / RATE
    for place, (start, end) in zip(piece.places, truth, strict=False):
        assert borders[place.start] == pytest.approx(start, abs=0.05)
        assert borders[place.stop] == pytest.approx(end, abs=0.05)


def test_words_that_sound_too_short_for_share_it(loader: ModelLoader) -> None:
    sound = Audio(np.random.default_rng(1).normal(0, 0.1, (1, RATE)).astype(np.float32), RATE)
    times = np.array(align(sound, SENTENCES[0].split() * 3, loader))
    assert (times[:, 1] > times[:, 0]).all()
    assert times[9, 0] == pytest.approx(1 / 3, abs=0.1) and times[18, 0] == pytest.approx(2 / 3, abs=0.1)
