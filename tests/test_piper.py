"""Piper voices: the same words, ids and samples as Piper's own front end, repeatable, with a time for each phoneme."""

from __future__ import annotations

import itertools
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from onnx import TensorProto, helper
from signals import decibels

from audio_ml.device import resolve
from audio_ml.errors import InvalidInput, InvalidOption, MissingDependency
from audio_ml.loader import ModelLoader
from tts import silence
from tts.engine import Blend, Utterance, Voice
from tts.engines import piper as engines
from tts.engines.piper import MODELS, PiperEngine, PiperOptions, open_voice
from tts.nets.durations import paced
from tts.phonemes import espeak
from tts.phonemes.espeak import EspeakPronouncer, shares
from tts.phonemes.lexicon import EMPTY, Entry, Lexicon
from tts.phonemes.spelling import SpellingPronouncer
from tts.text.spoken import Given, SpokenText, Token, plain

HOP = 4
SYMBOLS = {"_": [0], "^": [1], "$": [2], " ": [3], ",": [4], "a": [5], "b": [6], "ː": [7], ".": [8], "aː": [9]}
DESCRIPTION = {
    "audio": {"sample_rate": 16000},
    "espeak": {"voice": "en-us"},
    "num_symbols": 10,
    "num_speakers": 1,
    "phoneme_id_map": SYMBOLS,
    "language": {"code": "en_US"},
}


def phonemes_of(tokens: Sequence[Token]) -> str:
    """Returns what a voice is given for tokens: their phonemes, with a space where the text had one."""
    return "".join(token.phonemes + " " * token.spaced for token in tokens).strip()


def write_voice(folder: Path, description: dict[str, Any] | None = None, name: str = "small.onnx") -> Path:
    """Writes a voice that says each id as so many frames as its number, of noise at the height of noise_scale."""
    nodes = [
        helper.make_node("Split", ["scales"], ["noise", "length", "noise_w"], axis=0),
        helper.make_node("Cast", ["input"], ["ids"], to=TensorProto.FLOAT),
        helper.make_node("RandomNormalLike", ["ids"], ["jitter"], dtype=TensorProto.FLOAT),
        helper.make_node("Abs", ["jitter"], ["positive"]),
        helper.make_node("Mul", ["positive", "noise_w"], ["more"]),
        helper.make_node("Add", ["ids", "more"], ["moved"]),
        helper.make_node("Mul", ["moved", "length"], ["wide"]),
        helper.make_node("Ceil", ["wide"], ["w_ceil"]),
        helper.make_node("ReduceSum", ["w_ceil"], ["total"], keepdims=0),
        helper.make_node("Mul", ["total", "hop"], ["size"]),
        helper.make_node("Cast", ["size"], ["n"], to=TensorProto.INT64),
        helper.make_node("Unsqueeze", ["n", "first"], ["shape"]),
        helper.make_node("ConstantOfShape", ["shape"], ["silence"]),
        helper.make_node("RandomNormalLike", ["silence"], ["hiss"], dtype=TensorProto.FLOAT),
        helper.make_node("Mul", ["hiss", "noise"], ["output"]),
    ]
    floats = {"input_lengths": TensorProto.INT64, "scales": TensorProto.FLOAT}
    graph = helper.make_graph(
        nodes,
        "small",
        [
            helper.make_tensor_value_info("input", TensorProto.INT64, [1, "n"]),
            helper.make_tensor_value_info("input_lengths", floats["input_lengths"], [1]),
            helper.make_tensor_value_info("scales", floats["scales"], [3]),
        ],
        [helper.make_tensor_value_info("output", TensorProto.FLOAT, ["time"])],
        [
            helper.make_tensor("hop", TensorProto.FLOAT, [], [float(HOP)]),
            helper.make_tensor("first", TensorProto.INT64, [1], [0]),
        ],
    )
    path = folder / name
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 15)], ir_version=8), path)
    path.with_name(path.name + ".json").write_text(json.dumps(description or DESCRIPTION))
    return path


def load(path: Path) -> tuple[PiperEngine, Blend]:
    spec = open_voice(path)
    assert spec is not None
    return spec.engine({}, resolve("cpu")), Blend(((spec.voices[0], 1.0),))


def say(engine: PiperEngine, blend: Blend, phonemes: str, seed: int = 0, **options: Any) -> Utterance:
    return engine.speak(phonemes, blend, PiperOptions(**options), seed)


def test_a_file_becomes_a_voice_that_speaks(tmp_path: Path) -> None:
    path = write_voice(tmp_path)
    spec = open_voice(path)
    assert spec is not None
    assert (spec.family, spec.sample_rate) == ("piper", 16000)
    assert spec.voices == (Voice("small", "en-US", note="of small.onnx"),)
    said = say(*load(path), "ab", noise_scale=0.5)
    assert said.samples.dtype == np.float32 and said.samples.shape[0] == 1
    assert 0.3 < said.samples.std() < 0.7


def test_the_same_seed_gives_the_same_samples_and_another_seed_others(tmp_path: Path) -> None:
    engine, blend = load(write_voice(tmp_path))
    first, again, other = (say(engine, blend, "ab aː.", seed) for seed in (7, 7, 8))
    assert np.array_equal(first.samples, again.samples)
    assert first.samples.shape != other.samples.shape or not np.array_equal(first.samples, other.samples)
    assert abs(float(np.corrcoef(first.samples[0, :-1], first.samples[0, 1:])[0, 1])) < 0.2, "noise, not a repetition"


def test_durations_belong_to_phonemes_and_add_up(tmp_path: Path) -> None:
    engine, blend = load(write_voice(tmp_path))
    said = say(engine, blend, "ab, b", noise_w_scale=0)
    assert said.durations is not None
    frames = [1 + 0, 5 + 0, 6 + 0, 4 + 0, 3 + 0, 6 + 0, 2]  # ^ a b , space b $ with a pad of 0 frames behind each
    assert said.durations.tolist() == [HOP * n for n in frames]
    assert said.durations.sum() == said.samples.shape[1]


def test_long_symbols_count_as_one_sound(tmp_path: Path) -> None:
    engine, blend = load(write_voice(tmp_path))
    said = say(engine, blend, "baː", noise_w_scale=0)
    assert said.durations is not None and said.durations.tolist() == [HOP * n for n in (1, 6, 9, 0, 2)]


def test_a_space_before_a_mark_is_not_said(tmp_path: Path) -> None:
    engine, blend = load(write_voice(tmp_path))
    said = say(engine, blend, "a  b ,", noise_w_scale=0)
    assert said.durations is not None and said.durations.tolist() == [HOP * n for n in (1, 5, 0, 3, 6, 0, 4, 2)]


def test_speed_shortens(tmp_path: Path) -> None:
    engine, blend = load(write_voice(tmp_path))
    slow, fast = (say(engine, blend, "abab", noise_w_scale=0, speed=speed) for speed in (0.5, 2.0))
    assert 3.5 < slow.samples.shape[1] / fast.samples.shape[1] < 4.1


@pytest.mark.parametrize("speed", [0.5, 0.75, 1.0, 1.25, 1.5, 2.0])  # exact in 32 bits, as the graph counts
@pytest.mark.parametrize("phonemes", ["a", "ab aː, b.", "bab b.abab aːb,a b " * 5])
def test_the_graph_keeps_a_pace_as_python_does(tmp_path: Path, phonemes: str, speed: float) -> None:
    engine, blend = load(write_voice(tmp_path))
    natural, found = (say(engine, blend, phonemes, noise_w_scale=0, speed=s).durations for s in (1.0, speed))
    assert natural is not None and found is not None
    lasting = natural > 0
    assert (found[lasting] // HOP).tolist() == paced(natural[lasting] / HOP, speed).tolist()
    assert not found[~lasting].any()


def test_short_sounds_keep_a_frame_at_any_speed(tmp_path: Path) -> None:
    symbols = SYMBOLS | {"a": [1], "b": [1]}
    engine, blend = load(write_voice(tmp_path, DESCRIPTION | {"phoneme_id_map": symbols}))
    said = say(engine, blend, "ababab.", noise_w_scale=0, speed=2.0)
    assert said.durations is not None and (said.durations[:7] >= HOP).all()


def test_a_voice_that_does_not_tell_durations_is_slowed_by_its_own_scale(tmp_path: Path) -> None:
    path = write_voice(tmp_path)
    model = onnx.load(path)
    model.graph.node.append(helper.make_node("Ceil", ["wide"], ["unused"]))  # one of two: which counts is not known
    onnx.save(model, path)
    engine, blend = load(path)
    slow, plain_pace = (say(engine, blend, "abab", noise_w_scale=0, speed=speed) for speed in (0.5, 1.0))
    assert slow.durations is None and slow.samples.shape[1] == 2 * plain_pace.samples.shape[1]


def test_takes_differ(tmp_path: Path) -> None:
    engine, blend = load(write_voice(tmp_path))
    spec = MODELS[0]
    lengths = set()
    for take in range(4):
        differing = dict(spec.vary(PiperOptions(), take, 3))  # type: ignore[attr-defined]
        assert take or not differing
        lengths.add(say(engine, blend, "abab aː", differing.pop("seed", 0), **differing).samples.shape[1])
    assert len(lengths) > 2


def test_speakers_by_name_and_number(tmp_path: Path) -> None:
    voice = DESCRIPTION | {"num_speakers": 3, "speaker_id_map": {"anna": 0, "ben": 2}}
    engine, blend = load(write_voice(tmp_path, voice))
    assert [engine._speaker(name) for name in (None, "anna", "ben", "1")] == [0, 0, 2, 1]
    with pytest.raises(InvalidOption, match=r"no speaker 'bem'. Did you mean 'ben'\? It has 0 to 2 or anna, ben\."):
        say(engine, blend, "a", speaker="bem")
    with pytest.raises(InvalidOption, match="no speaker '3'"):
        say(engine, blend, "a", speaker="3")


def test_a_description_may_be_named_either_way(tmp_path: Path) -> None:
    path = write_voice(tmp_path)
    path.with_name("small.onnx.json").rename(tmp_path / "small.json")
    assert open_voice(path) is not None
    (tmp_path / "small.json").unlink()
    assert open_voice(path) is None, "no description: none of Piper's"
    assert open_voice(tmp_path / "absent.onnx") is None


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (b"{", "cannot be read"),
        (b"\xff\xfe", "cannot be read"),
        (b"[]", "describes no Piper voice"),
        (b"{}", "espeak.voice"),
        ({"phoneme_id_map": None}, "describes no Piper voice"),
        ({"phoneme_id_map": {"a": [1]}}, "phoneme_id_map._"),
        ({"phoneme_id_map": {"a": "x"}}, "cannot be read"),
        ({"audio": {}}, "sample_rate"),
        ({"phoneme_type": "pinyin"}, "'pinyin' is not read here"),
        ({"espeak": {}}, "espeak.voice"),
    ],
)
def test_a_wrong_description_is_told_in_one_line(tmp_path: Path, change: Any, words: str) -> None:
    path = write_voice(tmp_path)
    content = change if isinstance(change, bytes) else json.dumps(DESCRIPTION | change).encode()
    path.with_name("small.onnx.json").write_bytes(content)
    with pytest.raises(InvalidInput) as error:
        open_voice(path)
    assert words in str(error.value) and "small.onnx.json" in str(error.value) and "\n" not in str(error.value)


def test_a_wrong_model_is_told_in_one_line(tmp_path: Path) -> None:
    path = write_voice(tmp_path)
    path.write_bytes(b"\x00" + path.read_bytes()[:100])
    with pytest.raises(InvalidInput, match="damaged, or no ONNX model"):
        load(path)
    path.write_bytes(b"")
    with pytest.raises(InvalidInput, match=r"small\.onnx"):
        load(path)
    graph = helper.make_graph(
        [helper.make_node("Relu", ["x"], ["y"])],
        "other",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [1])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, [1])],
    )
    onnx.save(helper.make_model(graph), path)
    with pytest.raises(InvalidInput, match="no Piper voice: its inputs are x, not input, input_lengths, scales"):
        load(path)


def test_letters_are_the_phonemes_of_voices_that_learnt_from_letters(tmp_path: Path) -> None:
    engine, blend = load(write_voice(tmp_path, DESCRIPTION | {"phoneme_type": "text"}))
    pronouncer = engine.pronouncer(blend, EMPTY)
    assert isinstance(pronouncer, SpellingPronouncer)
    assert list(pronouncer.pronounce(plain("Ab é", 3))) == [
        Token("Ab", "Ab", (3, 5), True),
        Token("é", "e\u0301", (6, 7), False),
    ]
    with pytest.raises(InvalidInput, match="knows no phonemes; take those of 'Ab' away"):
        pronouncer.pronounce(SpokenText("Ab", ((0, 1), (1, 2)), (Given(0, 2, "ab"),)))


def test_words_by_their_role_are_refused(tmp_path: Path) -> None:
    engine, blend = load(write_voice(tmp_path))
    with pytest.raises(InvalidInput, match="'lead' as a part of speech"):
        engine.pronouncer(blend, Lexicon((Entry("lead", "lˈɛd", pos="NN"),)))


def test_without_the_extra_the_message_names_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    engine, blend = load(write_voice(tmp_path))
    monkeypatch.setitem(sys.modules, "piper", None)
    espeak._bridge.cache_clear()
    with pytest.raises(MissingDependency, match=r"pip install 'audio-ml\[piper\]'"):
        engine.pronouncer(blend, EMPTY)


def test_the_joe_row_is_honest_about_its_licence() -> None:
    (joe,) = MODELS
    assert joe.name == "piper-joe" and joe.licence.commercial is None and "lessac" in joe.licence.note


def test_phonemes_are_shared_out_by_sound() -> None:
    assert shares("ʌvðə wˈɜːld", ["ˈʌv", "ðə", "wˈɜːld"]) == ["ʌv", "ðə", "wˈɜːld"]
    assert shares("twˈɛnti sˈɪks ɔnðə ɹˈoʊd.", ["twˈɛnti sˈɪks", "ˈɔn", "ðə", "ɹˈoʊd."]) == [
        "twˈɛnti sˈɪks",
        "ɔn",
        "ðə",
        "ɹˈoʊd.",
    ]
    assert shares("ðəˈæpəl", ["ðə", "æpəl"]) == ["ðə", "ˈæpəl"], "the stress goes with its word"


@settings(max_examples=200, deadline=None)
@given(st.lists(st.text("abˈə ː,", min_size=0, max_size=6), min_size=1, max_size=6), st.text("abˈə ː,", max_size=20))
def test_sharing_out_loses_nothing(alone: list[str], said: str) -> None:
    parts = shares(said, alone)
    assert len(parts) == len(alone)
    assert "".join("".join(parts).split()) == "".join(said.split())
    exact = " ".join(alone)
    assert "".join(shares(exact, alone)).replace(" ", "") == exact.replace(" ", "")


SENTENCES = [
    "The quick brown fox jumps over the lazy dog.",
    "'Tis the season of the year in the house, isn't it?",
    "I am going to be on the way of the world: come along; hurry up!",
    "He said “go away” (to me), and then... left.",
    "Yes — no, well-known facts e.g. this.",
    "It's been said that there was a man who had been in the war for as long as they could have been.",
    "Wait… what?! No!!",
    "At 3:45 p.m. on 5/6/2026 AT&T paid $1,234.56.",
    "Hello",
]


def own_front_end(text: str, voice: str = "en-us") -> str:
    """Returns the phonemes that Piper itself makes of a text, its sentences with a space between them."""
    from piper.phonemize_espeak import EspeakPhonemizer

    return " ".join("".join(sentence) for sentence in EspeakPhonemizer().phonemize(voice, text))


@pytest.fixture
def english() -> EspeakPronouncer:
    """Reads American English, if espeak-ng is installed."""
    pytest.importorskip("piper", reason="needs the extra audio-ml[piper]")
    return EspeakPronouncer("en-us")


@pytest.mark.parametrize("text", SENTENCES)
def test_phonemes_are_those_of_pipers_own_front_end(english: EspeakPronouncer, text: str) -> None:
    tokens = english.pronounce(plain(text))
    assert phonemes_of(tokens).replace(" ", "") == own_front_end(text).replace(" ", "")
    assert "".join(token.text for token in tokens).replace(" ", "") == text.replace(" ", "")


def test_every_word_has_its_own_phonemes_even_if_espeak_writes_them_together(english: EspeakPronouncer) -> None:
    tokens = english.pronounce(plain("I am on the way of the world, to be sure.", 10))
    assert [(token.text, token.phonemes) for token in tokens] == [
        ("I", "aɪ"),
        ("am", "ɐm"),
        ("on", "ɔn"),
        ("the", "ðə"),
        ("way", "wˈeɪ"),
        ("of", "ʌv"),
        ("the", "ðə"),
        ("world", "wˈɜːld"),
        (",", ","),
        ("to", "tə"),
        ("be", "bi"),
        ("sure", "ʃˈʊɹ"),
        (".", "."),
    ]
    assert tokens[0].span == (10, 11) and tokens[7].span == (33, 38)


def test_what_espeak_passes_over_belongs_to_the_word_before(english: EspeakPronouncer) -> None:
    tokens = english.pronounce(plain("well ... “ yes ☃️"))
    assert [(token.text, token.span) for token in tokens[:2]] == [("well ... “", (0, 10)), ("yes", (11, 14))]
    assert all(token.phonemes for token in tokens[:2])


def test_given_phonemes_stand_where_they_belong(english: EspeakPronouncer) -> None:
    text = SpokenText("Say WHO, now", tuple((n, n + 1) for n in range(12)), (Given(4, 7, "wˈO"),))
    tokens = english.pronounce(text)
    assert phonemes_of(tokens) == "sˈeɪ wˈoʊ, nˈaʊ"
    assert [token.span for token in tokens] == [(0, 3), (4, 7), (7, 8), (9, 12)]


@settings(max_examples=100, deadline=None)
@given(st.text(max_size=40) | st.lists(st.sampled_from(" ".join(SENTENCES).split()), max_size=15).map(" ".join))
def test_any_text_is_read_and_its_tokens_stand_in_order(text: str) -> None:
    pytest.importorskip("piper", reason="needs the extra audio-ml[piper]")
    tokens = EspeakPronouncer("en-us").pronounce(plain(text))
    spans = [token.span for token in tokens]
    assert all(a[1] <= b[0] for a, b in itertools.pairwise(spans))
    covered = {place for begin, end in spans for place in range(begin, end)}
    assert all(character.isspace() or place in covered for place, character in enumerate(text))


def test_a_long_sentence_does_not_take_long(english: EspeakPronouncer) -> None:
    text = "on the way of the world and " * 400
    tokens = english.pronounce(plain(text))
    assert [token.text for token in tokens] == text.split()


def test_other_languages_are_read_in_their_own(english: EspeakPronouncer) -> None:
    assert [token.phonemes for token in EspeakPronouncer("de").pronounce(plain("Guten Tag, Welt"))] == [
        "ɡˈuːtən",
        "tˈɑːk",
        ",",
        "vˈɛlt",
    ]
    with pytest.raises(InvalidInput, match="no voice 'xx'"):
        EspeakPronouncer("xx")


@pytest.mark.weights
def test_samples_agree_with_pipers_own(loader: ModelLoader) -> None:
    piper = pytest.importorskip("piper", reason="needs the extra audio-ml[piper]")
    (joe,) = MODELS
    files = loader.store.open(joe)
    engine = PiperEngine(files, resolve("cpu"))
    blend = Blend(((joe.voices[0], 1.0),))  # type: ignore[attr-defined]
    peer = piper.PiperVoice.load(files[engines.MODEL_FILE], files[engines.DESCRIPTION_FILE])
    silent = piper.SynthesisConfig(noise_scale=0, noise_w_scale=0, length_scale=1)
    for text in SENTENCES[:3]:
        phonemes = phonemes_of(engine.pronouncer(blend, EMPTY).pronounce(plain(text)))
        said = engine.speak(phonemes, blend, PiperOptions(noise_scale=0, noise_w_scale=0), 0)
        ids, _ = engine._ids(phonemes)
        assert ids.tolist() == peer.phonemes_to_ids(list(phonemes))
        expected = peer.phoneme_ids_to_audio(ids.tolist(), silent)
        assert decibels(expected, said.samples[0] - expected) >= 60
        assert said.durations is not None and said.durations.sum() == len(expected)
        noisy = [engine.speak(phonemes, blend, PiperOptions(), seed).samples for seed in (1, 1, 2)]
        assert np.array_equal(noisy[0], noisy[1]) and noisy[0].shape != noisy[2].shape
        assert 0.02 < noisy[0].std() < 0.5


@pytest.mark.weights
def test_a_sentence_lasts_as_long_as_its_speed_says(loader: ModelLoader) -> None:
    pytest.importorskip("piper", reason="needs the extra audio-ml[piper]")
    (joe,) = MODELS
    blend = Blend(((joe.voices[0], 1.0),))  # type: ignore[attr-defined]

    def heard_seconds(engine: PiperEngine, phonemes: str, speed: float) -> float:
        said = engine.speak(phonemes, blend, PiperOptions(speed=speed), 0)
        begin, end = silence.heard(said.samples, joe.sample_rate)
        return (end - begin) / joe.sample_rate

    with loader.use(joe) as engine:
        for text in (SENTENCES[0], SENTENCES[5]):
            phonemes = phonemes_of(engine.pronouncer(blend, EMPTY).pronounce(plain(text)))
            natural = heard_seconds(engine, phonemes, 1.0)
            for speed in (0.5, 0.8, 1.03, 1.5, 2.0):
                assert heard_seconds(engine, phonemes, speed) * speed == pytest.approx(natural, rel=0.03)
