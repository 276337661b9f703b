"""References are checked before a voice is made of them: what is refused, what is told, and what is left."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from signals import decibels, noise

import tts
from audio_ml.audio import Audio, Samples
from audio_ml.errors import InvalidInput, ReferenceTooShort, ReferenceUnfit, UnknownModel, UnreadableAudio
from audio_ml.judges.whisper import spoken_language
from audio_ml.loader import ModelLoader
from audio_ml.loudness import LoudnessMeter
from audio_ml.progress import Progress
from audio_ml.streams import Resampler, read_audio
from audio_ml.writer import write_audio
from ui.denoise import make_denoiser
from voiceclone.encoders import embeddings
from voiceclone.recordings import Passage, downmix, listen
from voiceclone.reference import LanguageOf, Reference, choose, join, normalise, prepare

RATE = 24000
SPEECH = Path(__file__).resolve().parents[2] / "shared" / "data" / "speech"
MUSIC = SPEECH.parent / "music"
TEXT = (
    "Where were you on Friday? We walked along the river until the lights went out, and nobody said a word. "
    "The committee will meet again in the spring, to discuss what has been learned from the experiment."
)

needs_speech = pytest.mark.skipif(not SPEECH.is_dir(), reason="the recordings of ../shared are not here")
needs_music = pytest.mark.skipif(not MUSIC.is_dir(), reason="the songs of ../shared are not here")
pytestmark = pytest.mark.weights


def one_voice(sounds: Sequence[Audio]) -> np.ndarray:
    """Hears the same person everywhere."""
    return np.ones((len(sounds), 1), np.float32)


def by_level(sounds: Sequence[Audio]) -> np.ndarray:
    """Hears another person where it is loud."""
    loud = [np.square(sound.samples).mean() > 1e-2 for sound in sounds]
    return np.stack([(is_loud, not is_loud) for is_loud in loud]).astype(np.float32)


@pytest.fixture(scope="module")
def speech(loader: ModelLoader) -> Samples:
    """Ten seconds of a synthetic voice [time] at 24 kHz, without any noise."""
    audio = tts.synthesize(TEXT, "hibari/heart", loader=loader).audio
    assert audio.sample_rate == RATE
    return audio.samples[0]


@pytest.fixture(scope="module")
def heart(speech: Samples, loader: ModelLoader) -> Reference:
    return prepare(Audio(speech[None], RATE), embed=one_voice, loader=loader)


def prepared(samples: Samples, loader: ModelLoader, rate: int = RATE) -> Reference:
    return prepare(Audio(np.atleast_2d(samples).astype(np.float32), rate), embed=one_voice, loader=loader)


def kinds(reference: Reference) -> dict[str, str]:
    return {finding.kind: finding.severity for finding in reference.findings}


def with_noise(speech: Samples, snr_db: float) -> Samples:
    """Adds low noise so far below what is loud enough to be speech."""
    spoken = speech[np.convolve(np.abs(speech), np.full(2400, 1 / 2400), "same") > 0.01]
    added = noise(speech.size / RATE, RATE, 1, seed=3).samples[0]
    level = np.sqrt(np.mean(spoken**2) / np.mean(added**2)) * 10 ** (-snr_db / 20)
    return speech + added * np.float32(level)


def test_clean_speech_passes_without_a_word(heart: Reference, speech: Samples) -> None:
    assert heart.findings == ()
    assert heart.audio.sample_rate == RATE and heart.audio.n_channels == 1
    assert heart.speech_seconds == pytest.approx(speech.size / RATE, rel=0.15)
    meter = LoudnessMeter(RATE, 1)
    meter.add(heart.audio.samples)
    assert meter.result().integrated_lufs == pytest.approx(-23, abs=0.2)


def test_silence_music_and_nothing_are_refused(loader: ModelLoader) -> None:
    with pytest.raises(ReferenceTooShort, match="silent"):
        prepared(np.zeros(5 * RATE), loader)
    with pytest.raises(ReferenceTooShort, match="Nobody speaks in recording 1"):
        prepared(0.1 * np.random.default_rng(0).standard_normal(5 * RATE), loader)
    with pytest.raises(InvalidInput, match="no reference"):
        prepare([], loader=loader)


@needs_music
@pytest.mark.parametrize("song", ["hydrogen", "potassium", "sodium"])
def test_an_instrument_is_nobody(song: str, loader: ModelLoader) -> None:
    with pytest.raises(ReferenceTooShort, match="music and noise"):
        prepare(MUSIC / song / "other.flac", embed=one_voice, loader=loader)


@needs_music
def test_a_loud_song_is_refused_and_another_warned_of(loader: ModelLoader) -> None:
    with pytest.raises(ReferenceUnfit, match="noise or music"):
        prepare(MUSIC / "sodium" / "mixture.flac", embed=one_voice, loader=loader)
    assert kinds(prepare(MUSIC / "lithium" / "mixture.flac", embed=one_voice, loader=loader))["noise"] == "warning"


def test_half_a_second_is_refused_and_five_are_warned_of(speech: Samples, loader: ModelLoader) -> None:
    with pytest.raises(ReferenceTooShort, match="3 s are the least"):
        prepared(speech[: RATE // 2], loader)
    assert kinds(prepared(speech[: 5 * RATE], loader)) == {"length": "warning"}


def test_files_that_cannot_be_read(tmp_path: Path, loader: ModelLoader) -> None:
    (tmp_path / "note.wav").write_text("not a recording")
    for path in (tmp_path, tmp_path / "note.wav", tmp_path / "missing.wav"):
        with pytest.raises(UnreadableAudio):
            prepare(path, loader=loader)


@pytest.mark.parametrize("snr_db", [5, 12, 18, 25])
def test_the_noise_is_measured(snr_db: float, speech: Samples, loader: ModelLoader) -> None:
    (source,) = listen([Audio(with_noise(speech, snr_db)[None], RATE)], 300, loader)
    measured = np.average(
        [passage.snr_db for passage in source.passages], weights=[passage.speech_seconds for passage in source.passages]
    )
    assert measured == pytest.approx(snr_db, abs=2.5)


def test_noise_is_warned_of_then_refused(speech: Samples, loader: ModelLoader) -> None:
    assert kinds(prepared(with_noise(speech, 15), loader)) == {"noise": "warning"}
    with pytest.raises(ReferenceUnfit, match="above noise or music"):
        prepared(with_noise(speech, 5), loader)


def test_a_denoiser_that_is_passed_in_saves_a_noisy_reference(speech: Samples, loader: ModelLoader) -> None:
    noisy = Audio(with_noise(speech, 5)[None], RATE)

    def denoiser(audio: Audio, progress: Progress) -> Audio:
        """Knows the truth: gives the clean speech that is most like what it got."""
        spectrum = np.fft.rfft(audio.samples[0], 2 * speech.size) * np.conj(np.fft.rfft(speech, 2 * speech.size))
        place = int(np.argmax(np.fft.irfft(spectrum)))
        return Audio(np.roll(speech, place)[None, : audio.n_samples], RATE)

    cleaned = prepare(noisy, embed=one_voice, denoiser=denoiser, loader=loader)
    assert kinds(cleaned)["cleaned"] == "warning" and cleaned.measured["snr_db"] > 25


@pytest.mark.parametrize(("share", "severity"), [(0.0002, None), (0.02, "warning")])
@pytest.mark.parametrize("then", ["as it is", "resampled", "softer"])
def test_clipping_is_found(share: float, severity: str | None, then: str, speech: Samples, loader: ModelLoader) -> None:
    top = np.quantile(np.abs(speech), 1 - share)
    clipped = np.round(speech.clip(-top, top) * 32767) / 32768
    if then == "softer":
        clipped = np.round(clipped * 0.3 * 32767) / 32768
    rate = 48000 if then == "resampled" else RATE
    if then == "resampled":
        clipped = np.concatenate(list(Resampler(RATE, rate, 1).stream([clipped[None].astype(np.float32)])), axis=1)
    assert kinds(prepared(clipped, loader, rate)).get("clipping") == severity


def test_heavy_clipping_is_refused(speech: Samples, loader: ModelLoader) -> None:
    top = np.quantile(np.abs(speech), 0.75)
    with pytest.raises(ReferenceUnfit, match="cut off at full scale"):
        prepared(speech.clip(-top, top), loader)


def test_a_telephone_is_told_by_what_it_lacks(speech: Samples, loader: ModelLoader) -> None:
    narrow = np.concatenate(list(Resampler(RATE, 8000, 1).stream([speech[None]])), axis=1)
    reference = prepared(narrow, loader, 8000)
    assert kinds(reference) == {"bandwidth": "warning"} and reference.sample_rate == 8000
    assert "telephone" in reference.findings[0].message
    widened = np.concatenate(list(Resampler(8000, 48000, 1).stream([narrow])), axis=1)
    assert kinds(prepared(widened, loader, 48000)) == {"bandwidth": "warning"}


@pytest.mark.parametrize("edge_hz", [2800, 5000])
def test_the_bandwidth_is_measured(edge_hz: int, speech: Samples, loader: ModelLoader) -> None:
    spectrum = np.fft.rfft(speech)
    spectrum[round(edge_hz / RATE * speech.size) :] = 0
    reference = prepared(np.fft.irfft(spectrum, speech.size), loader)
    assert reference.measured["bandwidth_hz"] == pytest.approx(edge_hz, abs=250)


def test_a_faint_recording_gives_the_same_speech(speech: Samples, loader: ModelLoader, heart: Reference) -> None:
    faint = prepared(speech * np.float32(1e-3), loader)
    assert kinds(faint) == {"level": "warning"}
    assert faint.speech_seconds == pytest.approx(heart.speech_seconds, rel=0.1)
    assert np.abs(faint.audio.samples).max() == pytest.approx(np.abs(heart.audio.samples).max(), rel=0.1)
    assert faint.loudness_lufs == pytest.approx(heart.loudness_lufs - 60, abs=1)


def test_another_voice_is_refused_with_its_place(speech: Samples, loader: ModelLoader) -> None:
    two = np.concatenate([speech * 0.3, speech * 3])
    with pytest.raises(ReferenceUnfit, match="More than one person") as refused:
        prepare(Audio(two[None], RATE), embed=by_level, loader=loader)
    place = float(str(refused.value).split("about ")[1].split(" s of")[0])
    assert place == pytest.approx(speech.size / RATE, abs=2)


@needs_speech
def test_speech_that_begins_at_once_is_heard_from_its_beginning(loader: ModelLoader) -> None:
    (source,) = listen([SPEECH / "ljspeech" / "LJ001-0001.flac"], 300, loader)
    assert source.passages[0].start_seconds <= 0.1


@needs_speech
def test_people_are_told_apart_with_ge2e(loader: ModelLoader) -> None:
    first, second = (sorted((SPEECH / "librispeech" / speaker).glob("*.flac")) for speaker in ("1688", "2033"))
    assert prepare(first, seconds=15, loader=loader).measured["likeness_within"] > 0.85
    with pytest.raises(ReferenceUnfit, match=r"second from about .* s of 2033-"):
        prepare([first[1], second[0]], loader=loader)


def test_channels_that_cancel_each_other_are_still_heard(
    speech: Samples, loader: ModelLoader, heart: Reference
) -> None:
    opposite = prepared(np.stack([speech, -0.98 * speech]), loader)
    assert decibels(heart.audio.samples, opposite.audio.samples - heart.audio.samples) > 60
    block = np.stack([speech, speech * 0])
    assert np.array_equal(downmix(block), speech / 2)


def test_a_constant_in_the_samples_is_taken_out(speech: Samples, loader: ModelLoader, heart: Reference) -> None:
    shifted = prepared(speech * np.float32(0.5) + np.float32(0.4), loader)
    assert abs(float(shifted.audio.samples.mean())) < 1e-4
    assert shifted.measured["level_db"] == pytest.approx(heart.measured["level_db"] - 6.02, abs=0.5)


def test_noise_long_before_the_speech_is_not_its_noise(speech: Samples, loader: ModelLoader) -> None:
    long_before = 0.02 * np.random.default_rng(0).standard_normal(20 * RATE)
    pause = np.zeros(2 * RATE)
    assert prepared(np.concatenate([long_before, pause, speech]), loader).measured["snr_db"] > 30


def test_long_recordings_are_read_only_as_far_as_needed(speech: Samples, loader: ModelLoader) -> None:
    long = Audio(np.tile(speech, 90)[None], RATE)
    (source,) = listen([long], 60, loader)
    assert not source.whole and 55 < source.seconds_heard < 150
    assert 60 <= source.speech_seconds < 120
    (short,) = listen([Audio(speech[None], RATE)], 60, loader)
    assert short.whole and short.seconds_heard == pytest.approx(speech.size / RATE)


def test_all_of_a_long_speech_is_kept_once(speech: Samples, loader: ModelLoader) -> None:
    """Sections end in pauses, so that there is one between all passages."""
    (source,) = listen([Audio(np.tile(speech, 15)[None], RATE)], 1e9, loader)
    ends = [passage.start_seconds + passage.speech_seconds for passage in source.passages]
    assert all(passage.start_seconds > end + 0.2 for passage, end in zip(source.passages[1:], ends[:-1], strict=True))
    (once,) = listen([Audio(speech[None], RATE)], 1e9, loader)
    assert source.speech_seconds == pytest.approx(15 * once.speech_seconds, rel=0.05)


def passage(snr_db: float, seconds: float, start: float, clipped: float = 0.0, source: str = "a") -> Passage:
    samples = np.full(round(seconds * RATE), 0.1, np.float32)
    return Passage(samples, source, start, seconds, -20.0, snr_db, clipped)


def test_the_best_passages_are_taken_in_their_order() -> None:
    passages = [passage(12, 5, 0), passage(35, 5, 6), passage(35, 5, 12, clipped=0.1), passage(30, 5, 18)]
    assert [found.start_seconds for found in choose(passages, 10)] == [6, 18]
    assert choose(passages, 100) == passages
    assert len(choose(passages, 1)) == 1


def test_sources_of_unequal_level_are_brought_together() -> None:
    loud, soft = passage(30, 2, 0), passage(30, 2, 0, source="b")
    soft = Passage(soft.samples * np.float32(0.1), "b", 0, 2, -40.0, 30, 0)
    joined = join([loud, soft])
    assert joined[RATE] == pytest.approx(joined[3 * RATE], rel=1e-3)


def test_two_files_of_one_name_are_two_recordings(speech: Samples, loader: ModelLoader, tmp_path: Path) -> None:
    paths = [tmp_path / folder / "take.wav" for folder in ("first", "second")]
    for path, gain in zip(paths, (1.0, 0.1), strict=True):
        path.parent.mkdir()
        write_audio(path, Audio(np.float32(gain) * speech[None], RATE), bit_depth="32f")
    heard = listen([*paths, paths[0], Audio(speech[None], RATE)], 20, loader)
    assert [source.source for source in heard[1:]] == [
        "take.wav (recording 2)",
        "take.wav (recording 3)",
        "recording 4",
    ]
    assert {passage.source for passage in heard[0].passages} == {"take.wav (recording 1)"}
    loud, soft = (join([source.passages[0]]) for source in heard[:2])
    joined = join([heard[0].passages[0], heard[1].passages[0]])
    levels = [np.square(part).mean() for part in (joined[: loud.size], joined[-soft.size :])]
    assert levels[0] == pytest.approx(levels[1], rel=0.1) and len(heard) == 4


def test_normalising_never_clips(speech: Samples) -> None:
    spiky = speech * np.float32(0.01)
    spiky[5000] = 1.0
    assert np.abs(normalise(spiky)).max() <= 0.96


def test_a_reference_is_told_as_json(heart: Reference, speech: Samples, loader: ModelLoader) -> None:
    import json

    told = json.loads(json.dumps(prepared(speech[: 5 * RATE], loader).as_dict()))
    assert told["findings"][0]["kind"] == "length" and told["measured"]["snr_db"] > 25


@needs_speech
def test_a_real_recording_passes(loader: ModelLoader) -> None:
    path = SPEECH / "ljspeech" / "LJ001-0001.flac"
    reference = prepare(path, loader=loader)
    assert kinds(reference) == {}
    assert reference.speech_seconds == pytest.approx(read_audio(path).duration_seconds, rel=0.1)


def test_another_language_is_told_where_somebody_listens_for_it(speech: Samples, loader: ModelLoader) -> None:
    def prepared_as(code: str, probability: float) -> dict[str, str]:
        heard_as: LanguageOf = lambda audio: (code, probability)  # noqa: E731
        return kinds(prepare(Audio(speech[None], RATE), embed=one_voice, language_of=heard_as, loader=loader))

    assert prepared_as("es", 0.98) == {"language": "warning"}
    assert prepared_as("es", 0.5) == prepared_as("en", 0.99) == {}


@pytest.mark.slow
def test_whisper_hears_english(speech: Samples, loader: ModelLoader) -> None:
    code, probability = spoken_language(Audio(speech[None], RATE), loader)
    assert code == "en" and probability > 0.9


@pytest.mark.slow
@needs_speech
def test_the_denoiser_of_the_faces_brings_noisy_speech_nearer_to_the_person(loader: ModelLoader) -> None:
    noisy, clean = (sorted((SPEECH / "noisy_pairs").glob(f"{kind}*")) for kind in ("noisy", "clean"))
    denoiser = make_denoiser(loader)
    cleaned = prepare(noisy[2:4], denoiser=denoiser, loader=loader)
    as_it_is = prepare(noisy[2:4], loader=loader)
    person = embeddings(prepare(clean, loader=loader).audio, loader)["ge2e"]
    before, after = (float(embeddings(found.audio, loader)["ge2e"] @ person) for found in (as_it_is, cleaned))
    assert after > before + 0.05
    assert kinds(as_it_is)["noise"] == "warning" and "noise" not in kinds(cleaned)


def test_a_denoiser_must_know_speech(loader: ModelLoader) -> None:
    with pytest.raises(UnknownModel, match="does not clean speech up"):
        make_denoiser(loader, "spleeter-2stems")


def test_a_denoiser_keeps_the_length(speech: Samples, loader: ModelLoader) -> None:
    audio = Audio(with_noise(speech, 10)[None, : 2 * RATE + 1], RATE)
    assert make_denoiser(loader)(audio, Progress()).samples.shape == audio.samples.shape
