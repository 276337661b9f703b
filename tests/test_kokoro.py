"""The Kokoro engine against its published graph, run as it is: the graph that we reshape must say the same."""

from __future__ import annotations

import functools
import unicodedata
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from signals import decibels

import tts
from audio_ml import catalogue, onnx_sessions
from audio_ml.catalogue import DerivedFile
from audio_ml.device import Device
from audio_ml.errors import InvalidInput
from audio_ml.loader import ModelLoader
from audio_ml.nets.fourier_convolution import N_OUTPUTS, FourierConvolution
from audio_ml.nets.onnx_graph import OnnxGraph
from audio_ml.onnx_sessions import cpu_session
from audio_ml.sources import NpmSource
from audio_ml.speech import Speech
from tts.engine import Blend, Utterance
from tts.engines.kokoro import FRAME, MARKS, MODELS, VOICES, KokoroEngine, KokoroOptions, _vary
from tts.phonemes.lexicon import EMPTY
from tts.text.spoken import Given, SpokenText, plain
from tts.voices import find_speaker

RATE = 24000
SENTENCE = "ðə kwˈɪk bɹˈWn fˈɑks ʤˈʌmps ˈOvəɹ ðə lˈAzi dˈɔɡ."
PARAGRAPH = (
    "ænd nˈObˌɑdi ɪz səɹpɹˈIzd, fɔɹ ɪt hæz hˈæpᵊnd ˈɛvɹi dˈA sˈɪns ðə ɡɹˈAt flˈʌd ʌv nˈIntˌin twˈɛnti. " * 2 + SENTENCE
)

weights = pytest.mark.weights
slow = [pytest.mark.weights, pytest.mark.slow]  # 325 MB to fetch, and 500 MB to build from them


@pytest.fixture
def engine(loader: ModelLoader):
    """The engine with the least to fetch."""
    with loader.use(catalogue.find("tts", "kokoro-int8")) as engine:
        yield engine


def say(engine: KokoroEngine, phonemes: str, voice: str = "af_heart", **options: object) -> Utterance:
    return engine.speak(phonemes, find_speaker(voice, "kokoro").blend, KokoroOptions(**options), 0)


# The network that is reshaped.


@pytest.mark.parametrize("dilation", [1, 3, 5])
@pytest.mark.parametrize("n_taps", N_OUTPUTS)
@pytest.mark.parametrize("n_samples", [1, 15, 16, 133, 352])
def test_spectra_convolve_as_sums_do(n_taps: int, dilation: int, n_samples: int, tmp_path: Path) -> None:
    """The reference is the definition of a convolution, term by term."""
    random = np.random.default_rng(n_samples)
    weights = random.standard_normal((3, 2, n_taps)).astype(np.float32)
    bias = random.standard_normal(3).astype(np.float32)
    x = random.standard_normal((1, 2, n_samples)).astype(np.float32)
    margin = n_taps // 2 * dilation
    padded = np.pad(x[0].astype(float), [(0, 0), (margin, margin)])
    expected = sum(weights[:, :, tap] @ padded[:, tap * dilation : tap * dilation + n_samples] for tap in range(n_taps))
    write_convolution(tmp_path / "net.onnx", n_taps, dilation, weights, bias)
    found = cpu_session(tmp_path / "net.onnx", n_threads=1).run(None, {"x": x})[0]
    assert found.shape == (1, 3, n_samples)
    assert decibels(expected, found[0] - bias[:, None] - expected) > 110


def write_convolution(path: Path, n_taps: int, dilation: int, weights: np.ndarray, bias: np.ndarray) -> None:
    from onnx import TensorProto, helper

    node = helper.make_node("Identity", ["x"], ["y"])
    shapes = [helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in "xy"]
    whole = helper.make_graph([node], "net", shapes[:1], shapes[1:])
    graph = OnnxGraph(helper.make_model(whole, opset_imports=[helper.make_opsetid("", 20)], ir_version=9))
    fourier = FourierConvolution(n_taps, N_OUTPUTS[n_taps])
    graph.replace(graph.nodes[0], *fourier.nodes(graph, "layer", "x", "y", weights, bias, dilation))
    graph.save(path)


@functools.cache
def published(path: Path):
    return cpu_session(path, n_threads=1)


@pytest.mark.parametrize("name", [pytest.param("kokoro", marks=slow), pytest.param("kokoro-int8", marks=weights)])
@pytest.mark.parametrize("phonemes", ["hˈI!", SENTENCE, PARAGRAPH])
def test_says_what_the_published_graph_says(name: str, phonemes: str, loader: ModelLoader) -> None:
    from tts.phonemes.alphabet import VOCABULARY

    spec = catalogue.find("tts", name)
    files = loader.store.open(spec)
    voice = np.fromfile(files["bf_emma.bin"], "<f4").reshape(510, 256)
    inputs = {
        "input_ids": [[0, *(VOCABULARY[symbol] for symbol in phonemes), 0]],
        "style": voice[len(phonemes) - 1 : len(phonemes)],
        "speed": np.array([1.1], np.float32),
    }
    expected = published(files["model.onnx"]).run(["waveform"], inputs)[0]
    with loader.use(spec) as engine:
        found = say(engine, phonemes, "bf_emma", speed=1.1).samples
    assert found.shape == expected.shape
    assert decibels(expected, found - expected) > 60


# What an engine promises.


@weights
@pytest.mark.parametrize("phonemes", ["ˈA", SENTENCE, PARAGRAPH])
def test_durations_add_up_and_the_ends_are_silent(phonemes: str, engine: KokoroEngine) -> None:
    said = say(engine, phonemes)
    assert said.samples.dtype == np.float32 and said.samples.shape[0] == 1
    assert said.durations.shape == (len(phonemes) + 2,) and (said.durations > 0).all()
    assert said.durations.sum() == said.samples.shape[1]
    loudest = np.abs(said.samples).max()
    first, last = said.durations[[0, -1]] // 2  # the breath of a vowel reaches into its neighbour
    assert np.abs(said.samples[0, :first]).max() < 0.05 * loudest > np.abs(said.samples[0, -last:]).max()


@weights
@pytest.mark.parametrize("voice", ["af_heart", "bf_emma", "am_michael"])
def test_the_first_symbol_lies_where_sound_begins(voice: str, engine: KokoroEngine) -> None:
    """The middle of several words is taken: a soft sound begins before it is heard."""
    late = []
    for phonemes in ("kˈæt.", "tˈek ɪt ˈWt.", "ɡˈOld ænd sˈɪlvəɹ.", "dˈɔɡz bˈɑɹk.", "pˈAp."):
        said = say(engine, phonemes, voice)
        heard = np.flatnonzero(np.abs(said.samples[0]) > 0.03 * np.abs(said.samples).max())[0]
        late.append((said.durations[0] - heard) / RATE)
    assert abs(np.median(late)) < 0.03


@weights
def test_one_seed_gives_one_sound_beside_other_work_and_with_any_number_of_threads(loader: ModelLoader) -> None:
    from concurrent.futures import ThreadPoolExecutor

    spec = catalogue.find("tts", "kokoro-int8")
    with loader.use(spec) as engine, ThreadPoolExecutor(2) as pool:
        alone = say(engine, SENTENCE, jitter=0.5, seed=3).samples
        together = list(pool.map(lambda seed: say(engine, SENTENCE, jitter=0.5, seed=seed).samples, [3, 4, 3]))
    assert np.array_equal(alone, together[0]) and np.array_equal(alone, together[2])
    assert together[1].shape != alone.shape or not np.array_equal(alone, together[1])
    single = KokoroEngine(loader.store.open(spec), Device("cpu", 1))
    once = say(single, SENTENCE, jitter=0.5, seed=3).samples
    assert once.shape == alone.shape and decibels(alone, once - alone) > 60


@weights
def test_speed_and_jitter_do_what_they_say(engine: KokoroEngine) -> None:
    lengths = [say(engine, PARAGRAPH, speed=speed).samples.shape[1] for speed in (0.7, 1.0, 1.5)]
    assert lengths[0] / lengths[1] == pytest.approx(1 / 0.7, rel=0.05)
    assert lengths[2] / lengths[1] == pytest.approx(1 / 1.5, rel=0.05)
    plain_style = engine._style(blend("af_heart"), 20, KokoroOptions(seed=1))
    assert np.array_equal(plain_style, engine._style(blend("af_heart"), 20, KokoroOptions(seed=2)))
    offsets = [engine._style(blend("af_heart"), 20, KokoroOptions(seed=1, jitter=j)) - plain_style for j in (0.5, 1)]
    np.testing.assert_allclose(2 * offsets[0], offsets[1], atol=1e-6)


def blend(*names: str, weights: tuple[float, ...] = (1.0,)) -> Blend:
    voices = [next(voice for voice in VOICES if voice.name == name) for name in names]
    return Blend(tuple(zip(voices, weights, strict=True)))


@weights
def test_a_blend_lies_between_its_voices(engine: KokoroEngine) -> None:
    options = KokoroOptions()
    heart, emma = (engine._style(blend(name), 33, options) for name in ("af_heart", "bf_emma"))
    mixed = engine._style(blend("af_heart", "bf_emma", weights=(0.25, 0.75)), 33, options)
    np.testing.assert_allclose(mixed, 0.25 * heart + 0.75 * emma, atol=1e-6)


@weights
def test_every_take_is_another_reading(engine: KokoroEngine) -> None:
    options = KokoroOptions(seed=11)
    takes = [options.model_copy(update=dict(_vary(options, take, 11))) for take in range(4)]
    assert takes[0] == options and _vary(options, 2, 11) == _vary(options, 2, 11)
    said = [say(engine, SENTENCE, **take.model_dump()) for take in takes]
    assert len({tuple(utterance.durations) for utterance in said}) == 4


@weights
def test_the_longest_piece_is_said_to_its_end_and_a_longer_one_is_refused(engine: KokoroEngine) -> None:
    phonemes = (PARAGRAPH + " ") * 3
    said = say(engine, phonemes[: engine.max_phonemes])
    assert said.durations.sum() == said.samples.shape[1] > 20 * RATE
    with pytest.raises(AssertionError):
        say(engine, phonemes[: engine.max_phonemes + 1])


# Its voices and its rows.


def test_voices_are_named_after_language_and_gender() -> None:
    by_name = {voice.name: voice for voice in VOICES}
    assert len(by_name) == 54 and VOICES[0].name == "af_heart"
    assert sum(voice.language.startswith("en") for voice in VOICES) == 28
    assert (by_name["bm_george"].language, by_name["bm_george"].gender) == ("en-GB", "male")
    assert (by_name["zf_xiaoxiao"].language, by_name["zf_xiaoxiao"].gender) == ("zh", "female")
    assert by_name["af_bella"].aliases == ("bella",) and not by_name["jf_alpha"].aliases
    aliases = [alias for voice in VOICES for alias in voice.aliases]
    assert len(set(aliases)) == len(aliases) == 28


def test_the_shards_of_a_model_are_joined_in_order() -> None:
    for name, n_parts in (("kokoro", 19), ("kokoro-fp16", 10)):
        (row,) = (row for row in MODELS if row.name == name)
        (shards,) = (source for source in row.files[0].sources if isinstance(source, NpmSource))
        assert [int(part.member.split("part")[1].split(".")[0]) for part in shards.parts] == list(range(n_parts))


def given_text(text: str, **phonemes: str) -> SpokenText:
    """Returns text of which some words have phonemes."""
    places = ((text.index(word), word, said) for word, said in phonemes.items())
    return SpokenText(text, plain(text).spans, tuple(Given(at, at + len(word), said) for at, word, said in places))


def test_another_language_needs_phonemes() -> None:
    engine = KokoroEngine.__new__(KokoroEngine)
    pronouncer = engine.pronouncer(blend("jf_alpha"), EMPTY)
    text = "konnichiwa, sekai!"
    tokens = pronouncer.pronounce(given_text(text, konnichiwa="konnitɕiβa", sekai="sekaj"))
    assert [(token.phonemes, token.spaced) for token in tokens] == [
        ("konnitɕiβa", False),
        (",", True),
        ("sekaj", False),
        ("!", False),
    ]
    assert [text[slice(*token.span)] for token in tokens] == ["konnichiwa", ",", "sekai", "!"]
    tokens = pronouncer.pronounce(given_text("ho-la amigo。 42!", amigo="amiɣo"))
    assert [(token.text, token.phonemes) for token in tokens] == [
        ("ho-la", ""),
        ("amigo", "amiɣo"),
        ("42", ""),
        ("!", "!"),
    ]


def test_marks_are_those_of_the_vocabulary() -> None:
    from tts.phonemes.alphabet import VOCABULARY

    assert set(MARKS) == {symbol for symbol in VOCABULARY if unicodedata.category(symbol)[0] in "PS"}


class SaysNothing(KokoroEngine):
    """Reads as Kokoro does; each symbol is a frame of tone."""

    def __init__(self, files: Mapping[str, Path], device: Device) -> None:
        self.device_note, self.workers = "", 1

    def speak(self, phonemes: str, blend: Blend, options: KokoroOptions, seed: int) -> Utterance:
        frames = np.full(len(phonemes) + 2, FRAME)
        return Utterance(np.ones((1, frames.sum()), np.float32), frames)


def read_by(voice: str, text: str, **options: object) -> Speech:
    spec = replace(MODELS[0], files=(), derived=(), engine=SaysNothing)  # type: ignore[type-var]
    return tts.synthesize(text, voice, model=spec, options=options, loader=ModelLoader("cpu"))


def test_a_word_that_cannot_be_read_is_told_and_the_others_are_spoken() -> None:
    text = "[konnichiwa](/konnitʃiwa/) sekai! [matane](/matane/)."
    speech = read_by("jf_alpha", text)
    assert [word.text for word in speech.words] == ["konnichiwa", "!", "matane."]
    assert [text[slice(*warning.span)] for warning in speech.warnings] == ["sekai"]
    message = speech.warnings[0].message
    assert message.startswith("'sekai' is not spoken: kokoro/jf_alpha speaks ja") and "[word](/phonemes/)" in message


def test_a_text_that_cannot_be_read_at_all_is_refused_with_the_reason() -> None:
    with pytest.raises(InvalidInput, match="Nothing in the text can be spoken: 'konnichiwa' is not spoken: kokoro/jf"):
        read_by("jf_alpha", "konnichiwa, sekai!")


@pytest.mark.parametrize(
    ("options", "is_told"),
    [({}, False), ({"seed": 5}, True), ({"seed": 5, "jitter": 0.2}, False), ({"speed": 1.2}, False)],
)
def test_a_seed_that_changes_nothing_is_told_once(options: dict[str, float], is_told: bool) -> None:
    speech = read_by("af_heart", "Hello there. [voice: bf_emma] Good day.", **options)
    told = [warning for warning in speech.warnings if "seed" in warning.message]
    assert len(told) == is_told and len(told) == len(speech.warnings)


# Devices.


class Recorded:
    """Stands for `onnxruntime.InferenceSession`: keeps the providers it is asked for."""

    def __init__(self, model: object, settings: object, providers: list[str]) -> None:
        self.providers = providers


@pytest.mark.parametrize("offered", [True, False])
def test_a_gpu_is_used_where_onnxruntime_offers_it_and_a_sentence_says_so_where_not(
    offered: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    import onnxruntime

    providers = [*[onnx_sessions.CUDA] * offered, "CPUExecutionProvider"]
    monkeypatch.setattr(onnxruntime, "get_available_providers", lambda: providers)
    monkeypatch.setattr(onnxruntime, "InferenceSession", Recorded)
    assert onnx_sessions.session(b"", Device("cuda", 2), 1).providers == providers
    assert onnx_sessions.session(b"", Device("cpu", 2), 1).providers == ["CPUExecutionProvider"]
    note = onnx_sessions.missing_provider(Device("cuda", 2))
    assert ("cuda" in note) is not offered
    assert "mps" in onnx_sessions.missing_provider(Device("mps", 2))


def test_a_gpu_runs_the_graph_as_published(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Spectra instead of convolutions pay on a CPU; and whoever has a GPU never waits for that graph to be built."""
    import onnxruntime

    monkeypatch.setattr(onnxruntime, "get_available_providers", lambda: [onnx_sessions.CUDA])
    monkeypatch.setattr(onnxruntime, "InferenceSession", Recorded)
    (tmp_path / "model.onnx").write_bytes(b"")
    asked: list[str] = []

    class Files(dict[str, Path]):
        def __getitem__(self, name: str) -> Path:
            asked.append(name)
            return tmp_path / name

    files: Mapping[str, Path] = Files.fromkeys(["model.onnx", "network.onnx"])
    engine = KokoroEngine(files, Device("cuda", 2))
    assert asked == ["model.onnx"] and engine.device_note == ""


def test_the_reshaped_graph_is_made_for_float_rows_only() -> None:
    built = {row.name: [file.name for file in row.all_files if isinstance(file, DerivedFile)] for row in MODELS}
    assert built == {"kokoro": ["network.onnx"], "kokoro-fp16": ["network.onnx"], "kokoro-int8": []}
