"""Style inversion: the decoder that gradients go through is the published one, and what they find is the voice."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest
import torch
from signals import decibels

from audio_ml import catalogue
from audio_ml.cloned_voice import Intonation
from audio_ml.loader import ModelLoader
from audio_ml.nets.kokoro_onnx import LAYER_OFFSETS, WAVEFORM
from audio_ml.nets.kokoro_voices import N_ROWS, N_TIMBRE
from audio_ml.onnx_sessions import cpu_session
from audio_ml.progress import Progress
from tts.phonemes.alphabet import VOCABULARY
from voiceclone.engines.kokoro_inversion import KOKORO_INVERSION, KokoroInversionEngine, fitting_sentences
from voiceclone.inversion import invert
from voiceclone.nets.kokoro_decoder import _StyledSnake, load_decoder
from voiceclone.options import EnrolOptions
from voiceclone.voice_mix import LEFT_OUT, fit_mix, voice_table

LOW, HIGH = Intonation(np.log(100), 0.15), Intonation(np.log(220), 0.2)


@pytest.fixture(scope="module")
def files() -> Mapping[str, Path]:
    return ModelLoader("cpu").store.open(KOKORO_INVERSION)


def _embeddings(name: str) -> dict[str, np.ndarray]:
    table = voice_table()
    return {encoder: found[table.names.index(name)] for encoder, found in table.embeddings.items()}


class TestMix:
    def test_a_voice_of_the_model_is_mixed_of_itself(self) -> None:
        for name in ("am_adam", "bf_emma", "zf_xiaoxiao"):
            timbre = fit_mix(_embeddings(name), LOW).timbre
            assert next(iter(timbre)) == name and timbre[name] > 0.95

    def test_weights_sum_to_one_and_the_whisper_is_left_out(self) -> None:
        mix = fit_mix(_embeddings("af_nicole"), HIGH)
        for half in (mix.timbre, mix.intonation):
            assert sum(half.values()) == pytest.approx(1) and min(half.values()) > 0
            assert not set(half) & set(LEFT_OUT)
        assert len(mix.timbre) <= 5

    def test_intonation_goes_by_the_pitch_and_timbre_does_not(self) -> None:
        table = voice_table()

        def pitch(half: Mapping[str, float]) -> float:
            return sum(weight * float(table.pitch[table.names.index(name), 0]) for name, weight in half.items())

        low, high = (fit_mix(_embeddings("am_michael"), wanted) for wanted in (LOW, HIGH))
        assert low.timbre == high.timbre
        assert pitch(low.intonation) == pytest.approx(np.log(100), abs=0.1)
        assert pitch(high.intonation) == pytest.approx(np.log(220), abs=0.15)

    def test_either_half_of_a_style_has_its_own_mix(self) -> None:
        mix = fit_mix(_embeddings("am_adam"), HIGH)
        tables = {name: np.full((N_ROWS, 256), index, np.float32) for index, name in enumerate(voice_table().names)}
        styles = mix.styles(tables.__getitem__)
        wanted = [
            sum(w * voice_table().names.index(name) for name, w in half.items())
            for half in (mix.timbre, mix.intonation)
        ]
        assert np.allclose(styles[:, :N_TIMBRE], wanted[0], atol=1e-3)
        assert np.allclose(styles[:, N_TIMBRE:], wanted[1], atol=1e-3)


def test_sentences_have_the_numbers_of_their_phonemes() -> None:
    for sentence in fitting_sentences():
        assert sentence["input_ids"] == [0, *(VOCABULARY[symbol] for symbol in sentence["phonemes"]), 0]


def test_the_merged_activation_and_its_gradient_are_those_of_its_parts() -> None:
    torch.manual_seed(0)
    x = torch.randn(2, 3, 50, dtype=torch.float64).float().requires_grad_()
    affine, alpha = torch.randn(2, 6, requires_grad=True), torch.rand(1, 3, 1) + 0.5

    def parts() -> torch.Tensor:
        scale, shift = affine[..., None].chunk(2, dim=1)
        z = torch.nn.functional.instance_norm(x, eps=1e-5) * (1 + scale) + shift
        return z + torch.sin(alpha * z) ** 2 / alpha

    upstream = torch.randn(2, 3, 50)
    merged = _StyledSnake.apply(x, affine, alpha)
    assert torch.allclose(merged, parts(), atol=1e-5)
    for found, wanted in zip(
        torch.autograd.grad((merged * upstream).sum(), [x, affine]),
        torch.autograd.grad((parts() * upstream).sum(), [x, affine]),
        strict=True,
    ):
        assert torch.allclose(found, wanted, atol=1e-4)


@pytest.mark.weights
class TestDecoder:
    def test_it_says_what_the_published_graph_says_with_or_without_offsets_of_its_layers(
        self, files: Mapping[str, Path]
    ) -> None:
        sentence = fitting_sentences()[1]
        engine = KokoroInversionEngine(files, ModelLoader("cpu").device)
        styles = engine.voice("bf_emma")
        engine.dtype = torch.float32  # a source in half precision is another one
        start = engine.prepare(sentence, styles)
        decoder = load_decoder(files["model.onnx"])
        row = len(sentence["phonemes"]) - 1
        affines = engine.affines(torch.from_numpy(styles[row : row + 1, :N_TIMBRE].copy()))
        offsets = torch.randn(affines.shape, generator=torch.Generator().manual_seed(0)) * 0.02
        inputs = {
            "input_ids": np.array([sentence["input_ids"]]),
            "style": styles[row : row + 1],
            "speed": np.ones(1, np.float32),
        }
        kokoro = ModelLoader("cpu").store.open(catalogue.find_row("kokoro"))
        published = cpu_session(files["model.onnx"], 2).run([WAVEFORM], inputs)[0]
        with torch.no_grad():
            plain = decoder(affines=affines, **start).numpy()
            moved = decoder(affines=affines + offsets, **start).numpy()
        assert decibels(published, published - plain) > 60
        ours = cpu_session(kokoro["network.onnx"], 2).run([WAVEFORM], inputs | {LAYER_OFFSETS: offsets.numpy()})[0]
        assert decibels(ours, ours - moved) > 55
        assert decibels(ours, ours - published) < 40  # the offsets are heard

    @pytest.mark.slow
    def test_fitting_leads_to_the_voice_and_the_same_seed_to_the_same_one(self) -> None:
        loader, wanted = ModelLoader("cpu"), _embeddings("am_puck")
        other = {name: value.copy() for name, value in _embeddings("bm_lewis").items()}
        mixed = {name: (wanted[name] + other[name]) / np.linalg.norm(wanted[name] + other[name]) for name in wanted}
        options = EnrolOptions(steps=6)
        first, second = (invert(mixed, LOW, options, loader, Progress()) for _ in range(2))
        short = invert(mixed, LOW, EnrolOptions(steps=1), loader, Progress())
        assert np.array_equal(first.delta, second.delta)
        assert np.array_equal(first.layer_offsets, second.layer_offsets)
        assert first.report["likeness"]["campplus"] > short.report["likeness"]["campplus"]
        assert not first.delta[N_TIMBRE:].any()  # intonation is that of the mix
