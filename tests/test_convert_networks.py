"""The networks of conversion: Whisper's beside the published code, our own, and Kokoro's decoder alone."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from audio_ml.errors import InvalidInput
from audio_ml.loader import ModelLoader
from audio_ml.pitch import FRAME_SECONDS, Pitch
from voiceclone import phrase_book
from voiceclone.content import WHISPER, active_power, contour, level_db, n_frames, resampled
from voiceclone.engines.kokoro_convert import CONTENT_FILE, CONVERT, DECODER_FILE
from voiceclone.phrase_book import KnownWords, PhraseBook, split
from voiceclone.words import NO_TIMES, START, Word

REFERENCE = Path(__file__).with_name("data") / "whisper_reference.npz"
PLACES = [0, 77, 499, 700]


@pytest.fixture(scope="module")
def loader() -> ModelLoader:
    return ModelLoader("cpu")


def a_wail() -> Any:
    """Ten seconds of a voice that swings, in noise, and twenty of nothing, at 16 kHz."""
    time = np.arange(30 * 16000) / 16000
    noise = 0.02 * np.random.default_rng(1).standard_normal(time.size)
    samples = (0.1 * np.sin(2 * np.pi * (150 + 40 * np.sin(time)) * time) + noise).astype(np.float32)
    samples[10 * 16000 :] = 0
    return samples


@pytest.mark.weights
def test_whisper_agrees_with_the_published_code(loader: ModelLoader) -> None:
    """The reference: openai-whisper 20250625 on the same sound and tokens, some numbers of its layers."""
    import torch

    from audio_ml.state_dicts import load_strictly, read_state_dict
    from voiceclone.nets.whisper_decoder import WhisperDecoder, decoder_state
    from voiceclone.nets.whisper_encoder import WhisperEncoder, encoder_state

    checkpoint = read_state_dict(loader.store.open(CONVERT)[WHISPER.name])
    encoder = WhisperEncoder().eval()
    load_strictly(encoder, encoder_state(checkpoint), "Whisper")
    sound = torch.from_numpy(a_wail())[None]
    decoder = WhisperDecoder().eval()
    load_strictly(decoder, decoder_state(checkpoint), "Whisper")
    with torch.inference_mode():
        layers, mel = encoder(sound), encoder.log_mel(sound)
        memory = decoder.begin(layers[-1][0])
        written = [decoder(token, memory) for token in (START, NO_TIMES, 314, 836, 470, 760, 13)]
    expected = np.load(REFERENCE)
    np.testing.assert_allclose(mel[0, ::8, [0, 5, 400, 999, 1500]].numpy(), expected["mel"], atol=1e-4)
    np.testing.assert_allclose(layers[1][0, PLACES, ::16].numpy(), expected["second"], atol=1e-3)
    np.testing.assert_allclose(layers[3][0, PLACES, ::16].numpy(), expected["last"], atol=5e-3)
    np.testing.assert_allclose([logits[::997].numpy() for logits, _ in written], expected["logits"], atol=0.02)
    looks = np.stack([look[:, PLACES].numpy() for _, look in written], axis=1)
    np.testing.assert_allclose(looks, expected["looks"], atol=0.01)


@pytest.mark.weights
def test_our_maps_hold_what_they_need_and_are_small(loader: ModelLoader) -> None:
    from audio_ml.state_dicts import read_state_dict
    from voiceclone.nets.content import ContentNetwork

    path = loader.store.open(CONVERT)[CONTENT_FILE]
    state = read_state_dict(path)
    maps = {name: tuple(tensor.shape) for name, tensor in ContentNetwork().state_dict().items()}
    assert {name: tuple(state[name].shape) for name in maps} == maps
    assert len(split(state["book.symbols"].numpy())) > 500
    assert path.stat().st_size < 12_000_000


def test_every_frame_is_answered_from_five() -> None:
    import torch

    from voiceclone.nets.content import ContentNetwork

    torch.manual_seed(0)
    network = ContentNetwork().eval()
    heard, pitch = torch.randn(1, 40, 768), torch.randn(1, 40, 6)
    changed = heard.clone()
    changed[:, 20] += 1
    with torch.inference_mode():
        before, prosody = network(heard, pitch)
        after, _ = network(changed, pitch)
    assert before.shape == (1, 40, 512)
    assert prosody.shape == (1, 40, 4)
    moved = (before - after).abs().amax(dim=-1)[0] > 1e-6
    assert np.flatnonzero(moved.numpy()).tolist() == [18, 19, 20, 21, 22]


def made_up_book(n_phrases: int = 6, length: int = 9) -> tuple[PhraseBook, Any, Any]:
    """A book of random features whose answers are these features themselves."""
    random = np.random.default_rng(3)
    symbols = np.array([0, *random.integers(1, 60, length - 2), 0] * n_phrases, np.uint8)
    features = random.uniform(-1, 1, (symbols.size, 512)).astype(np.float16)
    expected = np.concatenate([np.eye(512), np.zeros((1, 512))]).astype(np.float32) * 4
    return PhraseBook(features, symbols, expected, np.eye(512, dtype=np.float32) * 4), features, symbols


def test_the_book_finds_its_own_phrases_in_noise() -> None:
    book, features, _ = made_up_book()
    said = [1, 1, 1, 2, 3, 3, 30, 31, 31, 31, 12]  # goes on twice, leaps twice
    noise = np.random.default_rng(0).normal(0, 0.4, (len(said), 512))
    found, is_known = book.nearest((features[said] + noise).astype(np.float32))
    np.testing.assert_array_equal(found, features[said].astype(np.float32))
    assert not is_known.any()


def test_the_book_prefers_what_follows_and_takes_no_step_across_phrases() -> None:
    book, features, symbols = made_up_book()
    unsure = np.stack([features[4], 0.5 * features[5] + 0.5 * features[40], features[6]]).astype(np.float32)
    np.testing.assert_array_equal(book.nearest(unsure)[0][1], features[5].astype(np.float32))
    firsts = np.cumsum([0, *(len(phrase) for phrase in split(symbols)[:-1])])
    assert firsts.tolist() == list(range(0, symbols.size, 9))


def test_the_path_is_the_cheapest_of_all() -> None:
    book, features, symbols = made_up_book(2, 4)
    for seed in range(5):
        answers = np.random.default_rng(seed).normal(0, 0.05, (4, 512)).astype(np.float32)
        distance = np.square(4 * answers[:, None] - 4 * features.astype(np.float32)[None]).sum(axis=-1) / 2

        def price(path: tuple[int, ...], distance: Any = distance) -> float:
            moves = 0.0
            for before, after in itertools.pairwise(path):
                follows = after == before + 1 and after % 4 != 0
                moves += 0 if after == before else phrase_book.STEP if follows else phrase_book.LEAP
            return moves + phrase_book.TRUST * float(distance[np.arange(4), list(path)].sum())

        best = min(itertools.product(range(symbols.size), repeat=4), key=price)
        np.testing.assert_array_equal(book.nearest(answers)[0], features[list(best)].astype(np.float32))


class FakeTextEncoder:
    """Has a feature of its own for every symbol."""

    def encode(self, symbols: list[int]) -> Any:
        return np.stack([np.random.default_rng(symbol).uniform(-1, 1, 512) for symbol in symbols]).astype(np.float32)


def known_words(*begins: float) -> KnownWords:
    """Words of two symbols each, that no phrase of the book has."""
    words = [Word("go", begin) for begin in begins]
    spelled = [[100 + 2 * place, 101 + 2 * place] for place in range(len(begins))]
    found = KnownWords.of(words, spelled, FakeTextEncoder())  # type: ignore[arg-type]
    assert found is not None
    return found


@pytest.mark.parametrize(("share", "is_preferred"), [(0.51, True), (0.56, False)])
def test_the_book_prefers_words_that_are_known_unless_others_are_clear(share: float, is_preferred: bool) -> None:
    book, features, _ = made_up_book()
    known = known_words(0.0, 0.1)
    of_book, of_known = features[[20, 21, 21, 22, 23, 24]].astype(np.float32), known.features[[0, 1, 1, 2, 3, 4]]
    found, is_known = book.nearest(share * of_book + (1 - share) * of_known, known)
    np.testing.assert_array_equal(found, of_known if is_preferred else of_book)
    assert (is_known == is_preferred).all()


def test_known_words_are_said_at_their_times() -> None:
    known = known_words(0.5, 2.0, 3.0)
    assert known.begins.tolist() == [-np.inf, 20, 20, 80, 80, 120, 120, -np.inf]
    assert known.ends.tolist() == [np.inf, 80, 80, 120, 120, np.inf, np.inf, np.inf]
    untimely = known.untimely(160)
    assert untimely.shape == (160, 8)
    on_time = [np.flatnonzero(column == 0)[[0, -1]].tolist() for column in untimely.T]
    assert on_time == [[0, 159], [8, 91], [8, 91], [68, 131], [68, 131], [108, 159], [108, 159], [0, 159]]
    assert untimely[100, 1] == 8.5  # frames
    assert KnownWords.of([], [], FakeTextEncoder()) is None  # type: ignore[arg-type]


def test_the_path_is_not_through_words_at_another_time() -> None:
    book, _, _ = made_up_book()
    known = known_words(0.0, 3.0)
    second = known.features[3:5]
    for begin, is_heard in ((0, False), (115, True)):
        answers = np.zeros((124, 512), np.float32)
        answers[begin : begin + 4] = 0.3 * np.repeat(second, 2, axis=0)
        found = book.nearest(answers, known)[0][begin : begin + 4]
        assert (found == np.repeat(second, 2, axis=0)).all() == is_heard


@pytest.mark.weights
@pytest.mark.slow
def test_the_decoder_alone_speaks_as_the_whole_network(loader: ModelLoader) -> None:
    from audio_ml.catalogue import find
    from audio_ml.nets.kokoro_onnx import ENERGY, FEATURES, PITCH, WAVEFORM
    from audio_ml.nets.kokoro_voices import read_voice
    from audio_ml.onnx_sessions import cpu_session, with_output
    from tts.phonemes.alphabet import VOCABULARY

    files = loader.store.open(find("tts", "kokoro"))
    model = files["network.onnx"].read_bytes()
    for tensor in (FEATURES, PITCH, ENERGY):
        model = with_output(model, tensor)
    phonemes = "ðə ɹˈɪvəɹ wʌz lˈO."
    style = read_voice(files["am_adam.bin"])[len(phonemes) - 1][None]
    symbols = np.array([[0, *(VOCABULARY[symbol] for symbol in phonemes), 0]], np.int64)
    inputs = {"input_ids": symbols, "style": style, "speed": np.ones(1, np.float32)}
    whole, *inner = cpu_session(model, n_threads=1).run([WAVEFORM, FEATURES, PITCH, ENERGY], inputs)
    decoder = cpu_session(loader.store.open(CONVERT)[DECODER_FILE], n_threads=1)
    given = dict(zip((FEATURES, PITCH, ENERGY), inner, strict=True))
    alone = decoder.run([WAVEFORM], {**given, "style": style})[0]
    assert whole.shape == alone.shape
    assert (
        10 * np.log10(np.sum(whole**2) / max(np.sum((whole - alone) ** 2), 1e-12)) > 25
    )  # phases sum up rounding of the pitch


@pytest.mark.weights
def test_layers_of_another_network_are_told_in_words(loader: ModelLoader) -> None:
    features, halves = np.zeros((20, 512), np.float32), np.full(40, 100, np.float32)
    style = np.zeros(256, np.float32)
    with loader.use(CONVERT) as engine:
        sound = engine.speak(features, halves, halves, style, None)
        (n_taken,) = (given.shape[1] for given in engine._decoder.get_overridable_initializers())
        zeros = np.zeros(n_taken, np.float32)
        np.testing.assert_array_equal(engine.speak(features, halves, halves, style, zeros), sound)
        for wrong in (zeros[:3], np.append(zeros, zeros)):
            with pytest.raises(InvalidInput, match=f"{wrong.size} of them, and Kokoro takes {n_taken}"):
                engine.speak(features, halves, halves, style, wrong)


def test_features_are_resampled_to_the_centres_of_frames() -> None:
    times = (np.arange(100) * 0.02)[:, None].astype(np.float32)
    found = resampled(times, 79)[:, 0]
    np.testing.assert_allclose(found, (np.arange(79) + 0.5) * 0.025, atol=1e-5)


def test_a_part_has_the_contour_of_the_whole() -> None:
    samples = np.random.default_rng(0).standard_normal(400 * 200).astype(np.float32)
    f0_hz = (120 + 40 * np.sin(np.arange(313) / 9)).astype(np.float32)
    f0_hz[100:140] = 0
    pitch = Pitch(f0_hz, FRAME_SECONDS)
    whole = contour(samples, pitch, 200)
    part = contour(samples[400 * 60 : 400 * 130], pitch, 70, 60)
    np.testing.assert_allclose(part[2:-2], whole[62:128], atol=1e-5)


def test_levels_are_those_of_the_sound() -> None:
    samples = np.concatenate([np.full(8000, 0.1), np.zeros(8000)]).astype(np.float32)
    level = level_db(samples, 2 * n_frames(samples))
    assert level[20] == pytest.approx(-20, abs=0.1)
    assert level[-10] == -80
    assert active_power(samples) == pytest.approx(0.01, rel=1e-3)
    assert active_power(np.zeros(100, np.float32)) == 0
