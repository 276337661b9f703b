"""What every registered speech model must do, without being listed here (see docs/architecture.md)."""

from __future__ import annotations

import threading

import numpy as np
import pytest
from fake_speech import FAKE_SPEECH

import tts
from audio_ml.errors import (
    Cancelled,
    DownloadFailed,
    InvalidOption,
    MissingDependency,
    WeightsMissing,
)
from audio_ml.loader import ModelLoader
from audio_ml.options import parse
from audio_ml.progress import Progress
from audio_ml.speech import Speech
from tts.engine import SpeechEngine, SpeechModel
from tts.phonemes.lexicon import EMPTY
from tts.voices import Speaker, find_speaker, speech_models

MODELS = [FAKE_SPEECH, *speech_models()]
TEXT = "The boy was there, when the sun rose. A rod is used to catch pink salmon."
LARGEST_IN_DEFAULT_RUN = 150_000_000  # bytes; larger models run with the slow tests


def runs_slowly(spec: SpeechModel) -> bool:
    return spec.download_bytes > LARGEST_IN_DEFAULT_RUN


@pytest.fixture(
    params=[
        pytest.param(spec, marks=[pytest.mark.weights, *[pytest.mark.slow] * runs_slowly(spec)], id=spec.name)
        for spec in MODELS
    ]
)
def speaker(request: pytest.FixtureRequest, loader: ModelLoader) -> Speaker:
    """The first voice of each model; one whose files cannot be had here is skipped, with the reason."""
    found = find_speaker(None, request.param)
    try:
        with loader.use(found.spec) as engine:
            engine.pronouncer(found.blend, EMPTY)
    except (DownloadFailed, WeightsMissing, MissingDependency) as error:
        pytest.skip(str(error).splitlines()[0])
    return found


def speak(speaker: Speaker, loader: ModelLoader, text: str = TEXT, **options: object) -> Speech:
    return tts.synthesize(text, speaker.id.split("/", 1)[1], model=speaker.spec, options=options, loader=loader)


def test_speech_is_sound_of_the_right_form(speaker: Speaker, loader: ModelLoader) -> None:
    speech = speak(speaker, loader)
    samples = speech.audio.samples
    assert samples.dtype == np.float32 and np.isfinite(samples).all() and samples.shape[0] == 1
    assert speech.audio.sample_rate == speaker.spec.sample_rate
    assert 0.05 < np.abs(samples).max() <= 1.5
    assert [word.text for word in speech.words] == TEXT.split()
    assert not speech.warnings
    assert all(word.end_seconds > word.start_seconds for word in speech.words)


def test_words_are_loud_and_pauses_are_not(speaker: Speaker, loader: ModelLoader) -> None:
    speech = speak(speaker, loader, "One. Two. Three. Four.", sentence_pause=0.5)
    samples, rate = speech.audio.samples[0], speech.audio.sample_rate
    for word, following in zip(speech.words, speech.words[1:], strict=False):
        inside = samples[round(word.start_seconds * rate) : round(word.end_seconds * rate)]
        gap = samples[round((word.end_seconds + 0.05) * rate) : round((following.start_seconds - 0.05) * rate)]
        assert np.sqrt(np.mean(gap**2)) < 0.01 * np.sqrt(np.mean(inside**2))


def test_one_seed_gives_one_sound(speaker: Speaker, loader: ModelLoader) -> None:
    first, again = (speak(speaker, loader, seed=7).audio.samples for _ in range(2))
    assert np.array_equal(first, again)


def test_two_threads_do_not_disturb_each_other(speaker: Speaker, loader: ModelLoader) -> None:
    texts = ["Some words of the first.", "And others of the second one."]
    expected = [speak(speaker, loader, text).audio.samples for text in texts]
    found: dict[int, np.ndarray] = {}
    threads = [
        threading.Thread(target=lambda i=i: found.update({i: speak(speaker, loader, texts[i]).audio.samples}))
        for i in (0, 1)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for index in (0, 1):
        assert np.array_equal(found[index], expected[index])


def test_the_joined_stream_is_the_whole(speaker: Speaker, loader: ModelLoader) -> None:
    chunks = list(tts.stream(TEXT, speaker.id.split("/", 1)[1], model=speaker.spec, loader=loader))
    joined = np.concatenate([chunk.audio.samples for chunk in chunks], axis=1)
    assert np.array_equal(joined, speak(speaker, loader).audio.samples)


def test_speed_shortens(speaker: Speaker, loader: ModelLoader) -> None:
    slow, fast = (speak(speaker, loader, speed=speed).words[-1].end_seconds for speed in (0.8, 1.3))
    assert fast < 0.8 * slow


def test_an_unknown_option_is_refused_by_name(speaker: Speaker, loader: ModelLoader) -> None:
    with pytest.raises(InvalidOption, match="'sped'"):
        speak(speaker, loader, sped=1.0)


def test_takes_differ_or_are_refused(speaker: Speaker, loader: ModelLoader) -> None:
    vary = speaker.spec.vary
    if vary is None:
        pytest.skip(f"{speaker.spec.name} says a line in one way only")
    options = parse(speaker.spec.options, None)
    takes = [speak(speaker, loader, "This is one line of the script.", **vary(options, take, 5)) for take in (0, 1, 2)]
    rhythms = {tuple(word.end_seconds for word in take.words) for take in takes}  # two may be of one length by chance
    lengths = [take.audio.n_samples for take in takes]
    assert len(rhythms) == 3 and max(lengths) < 1.15 * min(lengths)


def test_the_engine_takes_what_it_says_it_takes(speaker: Speaker, loader: ModelLoader) -> None:
    options = parse(speaker.spec.options, None)
    with loader.use(speaker.spec) as engine:
        known: SpeechEngine = engine
        words = "".join(speak(speaker, loader, "a word or more").phonemes.split("\n"))
        phonemes = (words + " ") * (known.max_phonemes // (len(words) + 1))
        said = known.speak(phonemes.strip(), speaker.blend, options, 1)
    assert said.samples.shape[1] > speaker.spec.sample_rate
    if said.durations is not None:
        assert len(said.durations) == len(phonemes.strip()) + 2 and (said.durations >= 0).all()
        assert said.durations.sum() == said.samples.shape[1]


def test_cancelling_ends_a_stream(speaker: Speaker, loader: ModelLoader) -> None:
    progress = Progress()
    stream = tts.stream(TEXT * 20, speaker.id.split("/", 1)[1], model=speaker.spec, loader=loader, progress=progress)
    next(stream)
    progress.cancel()
    with pytest.raises(Cancelled):
        for _ in stream:
            pass
