"""The networks of conversion: Whisper's encoder beside the published code, our own, and Kokoro's decoder alone."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from audio_ml.loader import ModelLoader
from audio_ml.pitch import FRAME_SECONDS, Pitch
from voiceclone.content import WHISPER, active_power, contour, level_db, n_frames, resampled
from voiceclone.engines.kokoro_convert import CONTENT_FILE, CONVERT, DECODER_FILE

REFERENCE = Path(__file__).with_name("data") / "whisper_reference.npz"
PLACES = [0, 77, 499, 700]


@pytest.fixture(scope="module")
def loader() -> ModelLoader:
    return ModelLoader("cpu")


@pytest.mark.weights
def test_whispers_encoder_agrees_with_the_published_code(loader: ModelLoader) -> None:
    """The reference: openai-whisper 20250625 on the same sound, some numbers of its layers."""
    import torch

    from audio_ml.state_dicts import load_strictly, read_state_dict
    from voiceclone.nets.whisper_encoder import WhisperEncoder, encoder_state

    time = np.arange(30 * 16000) / 16000
    noise = 0.02 * np.random.default_rng(1).standard_normal(time.size)
    samples = (0.1 * np.sin(2 * np.pi * (150 + 40 * np.sin(time)) * time) + noise).astype(np.float32)
    samples[10 * 16000 :] = 0
    encoder = WhisperEncoder().eval()
    load_strictly(encoder, encoder_state(read_state_dict(loader.store.open(CONVERT)[WHISPER.name])), "Whisper")
    sound = torch.from_numpy(samples)[None]
    with torch.inference_mode():
        layers, mel = encoder(sound), encoder.log_mel(sound)
    expected = np.load(REFERENCE)
    np.testing.assert_allclose(mel[0, ::8, [0, 5, 400, 999, 1500]].numpy(), expected["mel"], atol=1e-4)
    np.testing.assert_allclose(layers[1][0, PLACES, ::16].numpy(), expected["second"], atol=1e-3)
    np.testing.assert_allclose(layers[3][0, PLACES, ::16].numpy(), expected["last"], atol=5e-3)


@pytest.mark.weights
def test_our_weights_fill_the_network_and_are_small(loader: ModelLoader) -> None:
    from audio_ml.state_dicts import load_strictly, read_state_dict
    from voiceclone.nets.content import ContentNetwork

    path = loader.store.open(CONVERT)[CONTENT_FILE]
    load_strictly(ContentNetwork(), read_state_dict(path), "conversion's network")
    assert path.stat().st_size < 12_000_000


def test_the_network_answers_each_frame_and_looks_no_further_than_it_says() -> None:
    import torch

    from voiceclone.nets.content import DILATIONS, KERNEL, N_DIRECT, ContentNetwork

    torch.manual_seed(0)
    network = ContentNetwork().eval()
    torch.nn.init.normal_(network.features.weight)
    heard, pitch = torch.randn(1, 200, 768), torch.randn(1, 200, 6)
    changed = heard.clone()
    changed[:, 100] += 1
    with torch.inference_mode():
        before, prosody = network(heard, pitch)
        after, _ = network(changed, pitch)
    assert before.shape == (1, 200, 512)
    assert prosody.shape == (1, 200, 4)
    reach = max(KERNEL // 2 * sum(DILATIONS), N_DIRECT // 2)
    moved = (before - after).abs().amax(dim=-1)[0] > 1e-6
    assert moved[100]
    assert not moved[: 100 - reach].any() and not moved[101 + reach :].any()


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
    assert 10 * np.log10(np.sum(whole**2) / np.sum((whole - alone) ** 2)) > 25  # phases sum up rounding of the pitch


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
