"""Chunks are found in whole and in damaged WAVE files, and no file makes the walk fail or hang."""

from __future__ import annotations

import struct
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from riff_files import bext, chunk, cue, film, pcm_format, wave

from audio_ml.riff import RiffFile, read_chunks


def walked(path: Path, content: bytes) -> RiffFile:
    path.write_bytes(content)
    file = read_chunks(path)
    assert file is not None
    return file


def names(file: RiffFile) -> list[str]:
    return [found.name for found in file.chunks]


def payload(file: RiffFile, id: bytes) -> bytes | None:
    found = file.find(id)
    assert found is not None
    return file.payload(found)


def test_chunks_are_found_before_and_after_the_sound(tmp_path: Path) -> None:
    file = read_chunks(film(tmp_path / "film.wav"))
    assert file is not None
    assert names(file) == ["bext", "fmt", "minf", "data", "iXML", "cue", "LIST adtl", "LIST INFO", "smpl"]
    assert file.warnings == ()
    assert payload(file, b"bext") == bext()


def test_format_may_come_last(tmp_path: Path) -> None:
    file = walked(tmp_path / "x.wav", wave(chunk(b"data", b"abcdef"), chunk(b"cue ", cue({1: 1})), pcm_format()))
    assert names(file) == ["data", "cue", "fmt"]


@pytest.mark.parametrize(
    ("behind", "pad"),
    [(id, pad) for id in (b"bext", b"LIST", b"zzzz") for pad in (b"", b"\0", b"\x01")]
    + [(b"bext", b"x"), (b"LIST", b"x")],  # the id "xzzz" cannot be told from a letter and the id "zzzz"
)
def test_a_missing_or_strange_pad_byte_loses_nothing(behind: bytes, pad: bytes, tmp_path: Path) -> None:
    odd = chunk(b"note", b"12345", pad=False) + pad
    file = walked(tmp_path / "x.wav", wave(pcm_format(), odd, chunk(behind, b"INFO1234"), chunk(b"data", b"123456")))
    assert [found.id for found in file.chunks] == [b"fmt ", b"note", behind, b"data"]
    assert payload(file, b"data") == b"123456"
    assert ("the pad byte after note is missing" in file.warnings) == (pad == b"")


@pytest.mark.parametrize("size", [0, 0xFFFFFFFF])
def test_the_sound_of_an_unfinished_recording_runs_to_the_end(size: int, tmp_path: Path) -> None:
    sound = b"LIST\x04\0\0\0INFO" * 50
    file = walked(tmp_path / "x.wav", wave(pcm_format(), chunk(b"data", sound, size=size), size=0))
    assert names(file) == ["fmt", "data"]
    assert payload(file, b"data") == sound
    assert "never finished" in file.warnings[0]


def test_a_chunk_beyond_the_end_is_what_is_there(tmp_path: Path) -> None:
    file = walked(tmp_path / "x.wav", wave(pcm_format(), chunk(b"data", b"12"), chunk(b"iXML", b"<BWF", size=5000)))
    assert payload(file, b"iXML") == b"<BWF"
    assert file.warnings == ("iXML is cut short: 4 of 5000 bytes are there",)


def test_the_first_of_two_counts(tmp_path: Path) -> None:
    lists = chunk(b"LIST", b"INFOa") + chunk(b"LIST", b"adtlb") + chunk(b"LIST", b"INFOc")
    file = walked(tmp_path / "x.wav", wave(pcm_format(), chunk(b"JUNK", b""), chunk(b"JUNK", b""), lists))
    info = file.find(b"LIST", b"INFO")
    assert info is not None
    assert file.payload(info) == b"INFOa"
    assert file.warnings == ("there are several LIST INFO chunks: the first one counts",)


def test_garbage_at_the_end_is_told(tmp_path: Path) -> None:
    file = walked(tmp_path / "x.wav", wave(pcm_format(), chunk(b"data", b"12")) + b"\xff" * 100)
    assert names(file) == ["fmt", "data"]
    assert file.warnings == ("the last 100 bytes are no chunk",)


@pytest.mark.parametrize("magic", [b"RF64", b"BW64"])
def test_large_sizes_come_from_ds64(magic: bytes, tmp_path: Path) -> None:
    table = struct.pack("<QQQI4sQ", 10_000, 10, 0, 1, b"iXML", 6)
    content = wave(
        chunk(b"ds64", table),
        pcm_format(),
        chunk(b"data", b"0123456789", size=0xFFFFFFFF),
        chunk(b"iXML", b"<BWF/>", size=0xFFFFFFFF),
        magic=magic,
        size=0xFFFFFFFF,
    )
    file = walked(tmp_path / "x.wav", content)
    assert file.magic == magic
    assert (payload(file, b"data"), payload(file, b"iXML")) == (b"0123456789", b"<BWF/>")
    assert file.warnings == ()


def test_data_may_have_more_than_4_gib(tmp_path: Path) -> None:
    n_bytes = 5 << 30
    path = tmp_path / "large.wav"
    ds64 = chunk(b"ds64", struct.pack("<QQQI", n_bytes + 200, n_bytes, n_bytes // 6, 0))
    with path.open("wb") as file:
        file.write(wave(ds64, pcm_format(), b"data\xff\xff\xff\xff", magic=b"RF64", size=0xFFFFFFFF))
        file.seek(n_bytes, 1)  # a hole: takes no room on the disk
        file.write(chunk(b"cue ", cue({1: 5})))
    found = read_chunks(path)
    assert found is not None
    assert payload(found, b"cue ") == cue({1: 5})
    data = found.find(b"data")
    assert data is not None
    assert (data.size, found.payload(data)) == (n_bytes, None)


@pytest.mark.parametrize("content", [b"", b"RIFF", b"RIFF\0\0\0\0AVI ", b"fLaC" + bytes(40), b"FORM\0\0\0\0AIFF"])
def test_other_files_are_none(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "x"
    path.write_bytes(content)
    assert read_chunks(path) is None


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_no_damage_makes_it_fail(tmp_path: Path, data: st.DataObject) -> None:
    content = bytearray(film(tmp_path / "whole.wav", n_samples=20).read_bytes())
    for _ in range(data.draw(st.integers(1, 8))):
        content[data.draw(st.integers(12, len(content) - 1))] = data.draw(st.integers(0, 255))
    length = data.draw(st.integers(12, len(content)))
    file = walked(tmp_path / "x.wav", bytes(content[:length]))
    for found in file.chunks:
        assert 0 <= found.size <= length - found.offset
        assert len(file.payload(found) or b"") == found.size


@given(st.binary(max_size=400))
@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_no_content_makes_it_fail(tmp_path: Path, content: bytes) -> None:
    walked(tmp_path / "x.wav", wave(content))


def test_a_file_of_empty_chunks_ends(tmp_path: Path) -> None:
    file = walked(tmp_path / "x.wav", wave(chunk(b"JUNK", b"") * 100_000))
    assert "the rest was not looked at" in file.warnings[-1]
