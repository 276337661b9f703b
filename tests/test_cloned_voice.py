"""A cloned voice survives its file bit for bit, and a file that is not exactly a voice is refused in one line."""

from __future__ import annotations

import json
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import safetensors
from hypothesis import example, given, settings
from hypothesis import strategies as st
from made_up_voices import CONSENT, made_up_voice
from safetensors.numpy import load, save

from audio_ml.cloned_voice import ClonedVoice, Consent, Intonation, checked_name
from audio_ml.errors import InvalidInput
from audio_ml.voice_file import KEY, LARGEST_FILE, decode, encode, read_voice_file

ARRAYS = ("styles", "delta", "reference_mel")


def _same(one: ClonedVoice, other: ClonedVoice) -> bool:
    arrays = all(
        np.array_equal(getattr(one, name), getattr(other, name))
        and getattr(one, name).dtype == getattr(other, name).dtype
        for name in ARRAYS
    )
    embeddings = all(np.array_equal(one.embeddings[name], other.embeddings[name]) for name in one.embeddings)
    layers = (one.layer_offsets is None) == (other.layer_offsets is None) and (
        one.layer_offsets is None
        or other.layer_offsets is None
        or np.array_equal(one.layer_offsets, other.layer_offsets)
    )
    states = json.dumps(
        {m: {n: (a.dtype.name, a.tolist()) for n, a in s.items()} for m, s in one.states.items()}, sort_keys=True
    )
    others = json.dumps(
        {m: {n: (a.dtype.name, a.tolist()) for n, a in s.items()} for m, s in other.states.items()}, sort_keys=True
    )
    layers = layers and states == others
    facts = ("name", "language", "pitch", "consent", "loudness_lufs", "sample_rate", "speech_seconds")
    plain = all(getattr(one, name) == getattr(other, name) for name in (*facts, "provenance"))
    return arrays and embeddings and layers and plain


@pytest.mark.parametrize(
    "voice",
    [
        made_up_voice(),
        made_up_voice("Žofie 2", layer_offsets=np.ones(7, np.float32), language="en-GB"),
        made_up_voice(states={"some-model": {"layer.0/keys": np.ones((2, 3)).astype("f2"), "n": np.array([3])}}),
        made_up_voice(delta=np.zeros(256, np.float32), provenance={"note": "naïve — ok", "n": [1, 2.5, None]}),
    ],
)
def test_a_voice_survives_its_file(voice: ClonedVoice, tmp_path: Path) -> None:
    path = tmp_path / "voice.safetensors"
    path.write_bytes(encode(voice))
    assert _same(read_voice_file(path), voice)
    with safetensors.safe_open(path, "numpy") as file:  # others can read it, too
        assert np.array_equal(file.get_tensor("delta"), voice.delta)
        assert json.loads(file.metadata()[KEY])["consent"]["who"] == "Anna Smith"


def test_equal_voices_have_equal_files_and_others_have_not() -> None:
    assert encode(made_up_voice()) == encode(made_up_voice())
    assert decode(encode(made_up_voice())).sha256 == made_up_voice().sha256
    assert made_up_voice().sha256 != made_up_voice(delta=np.zeros(256, np.float32)).sha256


def test_numbers_of_any_kind_are_one_voice() -> None:
    voice = made_up_voice(sample_rate=np.int64(48000), speech_seconds=np.float32(12.5), loudness_lufs=-23)
    assert voice.sha256 == made_up_voice().sha256


def test_likeness_leads_from_the_mix_to_the_voice() -> None:
    voice = made_up_voice()
    assert np.array_equal(voice.style(1, 0), voice.styles[0])
    assert np.array_equal(voice.style(510, 1), voice.styles[509] + voice.delta)
    assert np.allclose(voice.style(7, 0.25), voice.styles[6] + 0.25 * voice.delta)


def test_arrays_cannot_be_written_to_and_are_copies() -> None:
    delta = np.zeros(256, np.float32)
    voice = made_up_voice(delta=delta)
    delta[0] = 1
    assert voice.delta[0] == 0
    with pytest.raises(ValueError, match="read-only"):
        voice.delta[0] = 1


@pytest.mark.parametrize("name", ["anna", "Anna-Lena 2", "Žofie", "安娜", "a_b", "7", "Zoe\u0301"])
def test_names_of_any_script_are_names(name: str) -> None:
    assert checked_name(name) == checked_name(checked_name(name))


@pytest.mark.parametrize(
    "name",
    [
        "",
        " ",
        7,
        "a ",
        " a",
        "a  b",
        "../a",
        "a/b",
        "a\\b",
        "a.b",
        ".a",
        "-a",
        "a\n",
        "a\0",
        "a+b",
        "a*2",
        "a=b",
        "a,b",
        "con",
        "LPT1",
        "a" * 49,
        "a:b",
        "\u202eanna",
        "🙂",
        None,
    ],
)
def test_what_could_be_a_path_or_a_script_is_no_name(name: Any) -> None:
    with pytest.raises(InvalidInput) as caught:
        checked_name(name)
    assert "\n" not in str(caught.value) and str(caught.value).isprintable()


@pytest.mark.parametrize(
    "changes",
    [
        {"who": ""},
        {"who": "Anna\nSmith"},
        {"who": "\x1b[2J"},
        {"when": "26.11.2026"},
        {"when": "2026-13-01"},
        {"when": "20261126"},
        {"purpose": "  "},
        {"purpose": "x" * 501},
        {"statement": "\x1b[2J"},
        {"statement": None},
        {"recording_sha256": "abc"},
        {"checked": 1},
    ],
)
def test_consent_says_who_when_and_for_what(changes: dict[str, Any]) -> None:
    fields: dict[str, Any] = {"who": "Anna", "when": "2026-11-26", "purpose": "temp ADR"}
    Consent(**fields)
    with pytest.raises(InvalidInput, match="consent's"):
        Consent(**(fields | changes))


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"styles": np.zeros((509, 256), np.float32)}, "styles"),
        ({"styles": np.zeros((510, 256), np.int64)}, "styles"),
        ({"delta": np.full(256, np.nan, np.float32)}, "delta holds NaN"),
        ({"delta": np.full(256, 1e9, np.float32)}, "beyond"),
        ({"embeddings": {"ge2e": np.ones(256, np.float32)}}, "embeddings"),
        ({"embeddings": None}, "embeddings"),
        ({"reference_mel": np.zeros((80, 0), np.float16)}, "reference_mel"),
        ({"reference_mel": np.zeros((80, 50_000), np.float16)}, "too long"),
        ({"layer_offsets": np.zeros((2, 2), np.float32)}, "layer_offsets"),
        ({"pitch": None}, "pitch"),
        ({"consent": None}, "consent"),
        ({"loudness_lufs": float("nan")}, "loudness"),
        ({"loudness_lufs": None}, "loudness"),
        ({"sample_rate": 44100.5}, "sample_rate"),
        ({"sample_rate": True}, "sample_rate"),
        ({"speech_seconds": -1}, "speech_seconds"),
        ({"language": "en_US"}, "language"),
        ({"states": {"Model/x": {"a": np.ones(1)}}}, "no name of a model"),
        ({"states": {"model": {"": np.ones(1)}}}, "without a name"),
        ({"states": {"model": {"a": np.ones(1)}}}, "float64"),
        ({"states": {"model": {"a": np.array([None])}}}, "object"),
        ({"states": {"model": {"a": np.full(1, np.nan, np.float32)}}}, "NaN"),
        ({"states": {"model": {}}}, "no arrays"),
        ({"states": []}, "states"),
        ({"provenance": {"a": object()}}, "provenance"),
        ({"provenance": {"a": float("inf")}}, "provenance"),
        ({"provenance": []}, "provenance"),
        ({"provenance": {"a": "x" * 300_000}}, "provenance is too long"),
    ],
)
def test_a_voice_is_what_it_says(changes: dict[str, Any], words: str) -> None:
    with pytest.raises(InvalidInput, match=words):
        made_up_voice(**changes)
    with pytest.raises(InvalidInput, match="mean"):
        Intonation(0.0, 0.1)


def _altered(change: Callable[[dict[str, Any], dict[str, Any]], None]) -> bytes:
    """Returns the file of a voice after tensors and description were changed."""
    content = encode(made_up_voice())
    size = struct.unpack("<Q", content[:8])[0]
    about = json.loads(json.loads(content[8 : 8 + size])["__metadata__"][KEY])
    tensors = dict(load(content))
    change(tensors, about)
    return bytes(save(tensors, {KEY: json.dumps(about)}))


def _with_header(header: bytes, rest: bytes = b"") -> bytes:
    return struct.pack("<Q", len(header)) + header + rest


HOSTILE: dict[str, tuple[bytes, str]] = {
    "empty": (b"", "no safetensors"),
    "short": (b"\x01\x02", "no safetensors"),
    "header longer than the file": (struct.pack("<Q", 500) + b"{}", "cut short"),
    "header of exabytes": (b"\xff" * 8 + b"{}", "no safetensors"),
    "cut in the header": (encode(made_up_voice())[:100], "cut short"),
    "cut in the tensors": (encode(made_up_voice())[:-1], "cut short or damaged"),
    "something behind": (encode(made_up_voice()) + b"x", "damaged"),
    "too large": (bytes(LARGEST_FILE + 1), "larger than"),
    "nested": (_with_header(b"[" * 100_000), "header cannot be read"),
    "header too long": (_with_header(b"{" + b" " * (1 << 20) + b"}"), "no safetensors"),
    "a list": (_with_header(b"[]"), "no safetensors"),
    "a pickle": (b"\x80\x04\x95" + bytes(100), "no safetensors"),
    "no voice": (bytes(save({"a": np.zeros(3)})), "no voice of audio-ml"),
    "another's metadata": (bytes(save({"a": np.zeros(3)}, {"format": "pt"})), "no voice of audio-ml"),
    "description no JSON": (bytes(save({"a": np.zeros(3)}, {KEY: "{"})), "description cannot be read"),
    "no version": (bytes(save({"a": np.zeros(3)}, {KEY: "[]"})), "version"),
    "more metadata": (bytes(save({"a": np.zeros(3)}, {KEY: '{"version": 1}', "b": "c"})), "metadata"),
    "newer": (_altered(lambda _, about: about.update(version=2)), "newer audio-ml (version 2"),
    "much newer": (_altered(lambda _, about: about.update(version=10**4000)), "newer audio-ml (version 1000"),
    "version true": (_altered(lambda _, about: about.update(version=True)), "version"),
    "unknown fact": (_altered(lambda _, about: about.update(secret=1)), "unknown facts secret"),
    "a rate nobody measured": (
        _altered(lambda _, about: about.update(speaking_rate=9.5)),
        "speaking_rate is not empty",
    ),
    "missing fact": (_altered(lambda _, about: about.pop("name")), "lacks the facts name"),
    "unknown tensor": (_altered(lambda tensors, _: tensors.update(x=np.zeros(3, np.float32))), "unknown tensors x"),
    "strange state": (_altered(lambda t, _: t.update({"state.": np.zeros(3, np.float32)})), "no name of a model"),
    "state of doubles": (_altered(lambda t, _: t.update({"state.m/a": np.zeros(3)})), "not of type F32 or F16"),
    "missing tensor": (_altered(lambda tensors, _: tensors.pop("delta")), "lacks the tensors delta"),
    "wide tensor": (_altered(lambda t, _: t.update(delta=np.zeros(256))), "delta is not of type F32"),
    "wrong shape": (_altered(lambda t, _: t.update(delta=np.zeros(255, np.float32))), "delta is float32 [255]"),
    "NaN": (_altered(lambda t, _: t.update(delta=np.full(256, np.nan, np.float32))), "delta holds NaN"),
    "consent none": (_altered(lambda _, about: about.update(consent=None)), "consent cannot be read"),
    "consent without who": (_altered(lambda _, about: about["consent"].pop("who")), "its consent who"),
    "consent empty": (_altered(lambda _, about: about["consent"].update(who="")), "'who' is empty"),
    "pitch of text": (_altered(lambda _, about: about["pitch"].update(mean_log_hz="5")), "pitch's mean"),
    "half a character": (
        _altered(lambda _, about: about.update(provenance={"a": "\ud800"})),
        "provenance is not made of plain values",
    ),
    "a path for a name": (_altered(lambda _, about: about.update(name="../../x")), "no name for a voice"),
    "escape codes": (_altered(lambda _, about: about.update({"\x1b[2J\n": 1})), "unknown facts"),
}


@pytest.mark.parametrize("case", HOSTILE)
def test_a_file_that_is_no_voice_is_refused_in_one_line(case: str) -> None:
    content, words = HOSTILE[case]
    with pytest.raises(InvalidInput) as caught:
        decode(content, "anna.voice.safetensors")
    told = str(caught.value)
    assert words in told and told.startswith("anna.voice.safetensors cannot be used: ")
    assert told.isprintable() and len(told) < 300


def test_a_file_that_is_not_there_is_told(tmp_path: Path) -> None:
    for path in (tmp_path / "none", tmp_path, "a\0b"):
        with pytest.raises(InvalidInput, match="cannot be read"):
            read_voice_file(path)


_json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)


@settings(max_examples=150, deadline=None)
@given(st.binary(max_size=200))
@example(b"\x02\0\0\0\0\0\0\0{}")
def test_any_bytes_are_a_voice_or_refused(content: bytes) -> None:
    with pytest.raises(InvalidInput):
        decode(content)


@settings(max_examples=150, deadline=None)
@given(
    st.sampled_from(["version", "name", "consent", "pitch", "provenance", "sample_rate"]),
    _json,
)
def test_any_description_is_a_voice_or_refused(key: str, value: Any) -> None:
    _decode_or_refuse(_altered(lambda _, about: about.update({key: value})))


@settings(max_examples=150, deadline=None)
@given(st.integers(0, 2500), st.binary(min_size=1, max_size=4))
def test_a_damaged_file_is_a_voice_or_refused(place: int, damage: bytes) -> None:
    content = bytearray(encode(made_up_voice()))
    content[place : place + len(damage)] = damage
    _decode_or_refuse(bytes(content))


@settings(max_examples=100, deadline=None)
@given(st.dictionaries(st.sampled_from(["__metadata__", "delta", "styles", "x"]), _json, max_size=4))
def test_any_header_is_refused(header: Any) -> None:
    with pytest.raises(InvalidInput):
        decode(_with_header(json.dumps(header).encode()))


def _decode_or_refuse(content: bytes) -> None:
    try:
        voice = decode(content)
    except InvalidInput as error:
        assert str(error).isprintable()
    else:
        assert _same(decode(encode(voice)), voice)


def test_a_summary_is_what_a_record_tells() -> None:
    assert CONSENT.summary == "Anna Smith, 2026-11-26: temp ADR for reel 3"
