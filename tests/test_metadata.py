"""Metadata arrives whole, moves with an excerpt or a new rate to the sample, and independent readers agree."""

from __future__ import annotations

import json
import shutil
import struct
import subprocess
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import soundfile
import wavinfo
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from riff_files import adtl, bext, chunk, cue, film, info, ixml, pcm_format, smpl, wave

from audio_ml.errors import UnreadableAudio
from audio_ml.ixml import read_ixml
from audio_ml.metadata import Metadata, read_metadata
from audio_ml.wav import WavWriter

TIME = 172_800_000  # an hour after midnight, at 48 kHz
HISTORY = "A=PCM,F=48000,W=24,M=stereo,T=audio-ml"
WHOLE = Metadata(
    chunks=(
        (b"bext", bext()),
        (b"iXML", ixml()),
        (b"cue ", cue({1: 1000, 2: 24000, 3: 47000})),
        (b"LIST", adtl({1: "Slate", 2: "Action", 3: "Cut"}, {2: 12000})),
        (b"smpl", smpl(24000, 35999)),
        (b"plst", struct.pack("<7I", 2, 2, 12000, 1, 3, 500, 1)),
    ),
    n_samples=48000,
)


def payload(metadata: Metadata, id: bytes) -> bytes:
    return next(content for other, content in metadata.chunks if other == id)


def written(path: Path, metadata: Metadata, n_samples: int, sample_rate: int = 48000) -> Path:
    """Writes silence with these chunks."""
    writer = WavWriter(path, sample_rate, 2, "24", chunks=metadata.chunks)
    writer.write(np.zeros((2, n_samples), np.float32))
    writer.close()
    return path


def cues(path: Path) -> dict[int, tuple[int, int]]:
    """Returns sample offset and position of each cue point, as wavinfo reads them."""
    reader = wavinfo.WavInfoReader(path)
    return {point.name: (point.sample_offset, point.position) for point in reader.cues.cues}


def test_every_chunk_is_carried_byte_for_byte(tmp_path: Path) -> None:
    metadata = read_metadata(film(tmp_path / "film.wav"))
    assert metadata.chunks == (
        (b"bext", bext()),
        (b"iXML", ixml()),
        (b"cue ", cue({1: 1000, 2: 24000, 3: 47000})),
        (b"LIST", adtl({1: "Slate", 2: "Action", 3: "Cut"}, {2: 12000})),
        (b"LIST", info(INAM="Reel 1", ICMT="odd")),
        (b"smpl", smpl(24000, 35999)),
    )
    assert metadata.left == ("minf",)
    assert metadata.warnings == ()
    assert (metadata.time_reference, metadata.umid, metadata.track_names) == (TIME, None, ("Boom", "Lav"))
    assert (metadata.channel_mask, metadata.is_bw64, metadata.n_samples) == (None, False, 48000)
    assert metadata.cut(0, 48000, 48000, 48000) == metadata


def test_independent_readers_find_it_in_a_stem(tmp_path: Path) -> None:
    source = film(tmp_path / "film.wav")
    metadata = read_metadata(source)
    stem = Metadata(chunks=metadata.for_stem(coding_history=HISTORY))
    ours, theirs = (wavinfo.WavInfoReader(path) for path in (written(tmp_path / "x.wav", stem, 48000), source))
    assert ours.bext.time_reference == TIME
    assert ours.bext.coding_history == theirs.bext.coding_history + HISTORY + "\r\n"
    for name in ("description", "originator", "originator_ref", "originator_date", "originator_time", "version"):
        assert getattr(ours.bext, name) == getattr(theirs.bext, name)
    assert ours.ixml.source == theirs.ixml.source
    assert ours.ixml.scene == "12A"
    assert ours.info.to_dict() == theirs.info.to_dict()
    assert ours.cues.to_dict() == theirs.cues.to_dict()
    assert ours.smpl.to_dict() == theirs.smpl.to_dict()


@pytest.mark.parametrize(("new_rate", "scale"), [(48000, 1), (96000, 2), (24000, 0.5)])
def test_an_excerpt_keeps_its_place_in_time(new_rate: int, scale: float, tmp_path: Path) -> None:
    cut = WHOLE.cut(2000, 40000, 48000, new_rate)
    path = written(tmp_path / "x.wav", cut, int(40000 * scale), new_rate)
    reader = wavinfo.WavInfoReader(path)
    time = int((TIME + 2000) * scale)
    assert reader.bext.time_reference == time
    assert cues(path) == {2: (22000 * scale, 22000 * scale)}
    assert {label.name: label.text for label in reader.cues.labels} == {2: "Action"}
    assert [(region.name, region.length) for region in reader.cues.ranges] == [(2, 12000 * scale)]
    loop = reader.smpl.sample_loops[0]
    assert payload(cut, b"smpl")[8:12] == struct.pack("<I", {48000: 20833, 96000: 10417, 24000: 41667}[new_rate])
    assert (loop.start, loop.end) == (22000 * scale, 34000 * scale - 1)
    assert payload(cut, b"plst") == struct.pack("<4I", 1, 2, int(12000 * scale), 1)
    text = reader.ixml.raw_xml.findtext
    assert int(text("BEXT/BWF_TIME_REFERENCE_LOW")) + int(text("BEXT/BWF_TIME_REFERENCE_HIGH")) * 2**32 == time
    assert int(text("SPEED/TIMESTAMP_SAMPLES_SINCE_MIDNIGHT_LO")) == time
    assert text("SPEED/TIMESTAMP_SAMPLE_RATE") == text("SPEED/FILE_SAMPLE_RATE") == str(new_rate)
    assert text("SPEED/DIGITIZER_SAMPLE_RATE") == "48000"
    points = reader.ixml.raw_xml.findall("SYNC_POINT_LIST/SYNC_POINT/SYNC_POINT_LOW")
    assert [int(point.text) for point in points] == [0, int((TIME + 4000) * scale)]


def test_markers_outside_go_with_their_labels() -> None:
    assert payload(WHOLE.cut(1000, 23000, 48000, 48000), b"cue ") == cue({1: 0, 2: 23000})  # both ends are inside
    cut = WHOLE.cut(24001, 20000, 48000, 48000)
    assert payload(cut, b"cue ") == cue({})
    assert payload(cut, b"LIST") == b"adtl"
    assert payload(cut, b"plst") == bytes(4)
    assert payload(cut, b"smpl")[28:32] == bytes(4)
    assert payload(cut, b"iXML").count(b"<SYNC_POINT>") == 1
    assert b"<SYNC_POINT_COUNT>1</SYNC_POINT_COUNT>" in payload(cut, b"iXML")
    assert payload(WHOLE.cut(0, 30000, 48000, 48000), b"LIST")[-16:-12] == struct.pack(
        "<I", 6000
    )  # ends with the excerpt


@settings(deadline=None)
@given(
    st.integers(0, 2**40), st.integers(1, 10**9), st.sampled_from([44100, 48000, 96000, 192000]), st.integers(1, 10**6)
)
def test_time_is_rescaled_exactly(time: int, start: int, new_rate: int, odd_rate: int) -> None:
    """Right to half a sample for any time, however far from midnight: floating point would not be."""
    for rate in (48000, odd_rate):
        source = Metadata(chunks=((b"bext", bext(time)), (b"iXML", ixml(time))))
        cut = source.cut(start, 1000, rate, new_rate)
        moved = cut.time_reference
        assert moved is not None
        assert -rate < 2 * (moved * rate - (time + start) * new_rate) <= rate
        assert read_ixml(payload(cut, b"iXML")).time_reference == moved


@settings(deadline=None)
@given(st.integers(0, 24000), st.integers(0, 24000))
def test_cutting_twice_equals_cutting_once(first: int, second: int) -> None:
    twice = WHOLE.cut(first, 48000 - first, 48000, 48000).cut(second, 48000 - first - second, 48000, 48000)
    assert twice == WHOLE.cut(first + second, 48000 - first - second, 48000, 48000)


@settings(deadline=None)
@given(st.dictionaries(st.integers(1, 9), st.integers(0, 48000), max_size=5), st.integers(0, 2**36))
def test_another_rate_and_back_is_the_same(points: dict[int, int], time: int) -> None:
    regions = adtl({name: "x" * name for name in points}, dict.fromkeys(points, 77))
    source = Metadata(
        chunks=(
            (b"bext", bext(time)),
            (b"iXML", ixml(time)),
            (b"cue ", cue(points)),
            (b"LIST", regions),
            (b"smpl", smpl(5, 99)),
        ),
        n_samples=48000,
    )
    there = source.cut(0, 48000, 48000, 96000)
    assert there.time_reference == 2 * time
    assert there.cut(0, 96000, 96000, 48000) == source


def test_only_the_numbers_of_ixml_change() -> None:
    """Whatever stands around them, in any encoding, padding included."""
    text = ixml().decode()
    for encoding, tail in (("utf-8", b""), ("utf-16", b"\0\0\0"), ("utf-16-be", b""), ("latin-1", b"\0" * 500)):
        source = text.encode(encoding) + tail
        cut = payload(Metadata(chunks=((b"iXML", source),), n_samples=1).cut(0, 1, 48000, 96000), b"iXML")
        expected = (
            text.replace(f">{TIME}<", f">{2 * TIME}<")
            .replace("RATE>48000</FILE", "RATE>96000</FILE")
            .replace("RATE>48000</TIMESTAMP", "RATE>96000</TIMESTAMP")
            .replace(">2000<", ">4000<")
            .replace(f">{TIME + 4000}<", f">{2 * TIME + 8000}<")
        )
        assert cut == expected.encode(encoding) + tail


def test_a_timestamp_at_a_rate_of_its_own_keeps_its_time() -> None:
    pulled = ixml().replace(b"RATE>48000</TIMESTAMP", b"RATE>48048</TIMESTAMP")
    for new_rate, rate, time in ((96000, 96096, 2 * (TIME + 7)), (44100, 48048, TIME + 7)):
        cut = read_ixml(payload(Metadata(chunks=((b"iXML", pulled),)).cut(7, 1000, 48000, new_rate), b"iXML"))
        assert (cut.timestamp_rate, cut.timestamp) == (rate, time)


def test_a_high_word_appears_when_it_is_needed() -> None:
    low_only = b"<BWFXML><BEXT><BWF_TIME_REFERENCE_LOW>4000000000</BWF_TIME_REFERENCE_LOW></BEXT></BWFXML>"
    cut = payload(Metadata(chunks=((b"iXML", low_only),)).cut(0, 1, 48000, 96000), b"iXML")
    assert read_ixml(cut).time_reference == 8_000_000_000


def test_the_stem_has_another_umid_and_its_own_loudness() -> None:
    umid = bytes(range(1, 33))
    source = Metadata(chunks=((b"bext", bext(version=2, umid=umid, loudness=(-2300, 500, -100, -1800, -2000))),))
    measured: Any = SimpleNamespace(
        integrated_lufs=-23.456, range_lu=7.125, true_peak_dbtp=-1.0, momentary_lufs=float("-inf"), short_term_lufs=None
    )
    before = source.for_stem(coding_history=HISTORY)[0][1]
    after = source.for_stem(coding_history=HISTORY, loudness=measured)[0][1]
    kept = source.for_stem(coding_history=HISTORY, keep_umid=True, loudness=measured)[0][1]
    assert source.umid == umid.hex()
    assert len(before) == len(after) == len(kept)
    assert (before[348:412], kept[348:380]) == (bytes(64), umid)
    assert struct.unpack("<5h", before[412:422]) == (0x7FFF,) * 5
    assert struct.unpack("<5h", after[412:422]) == (-2346, 713, -100, 0x7FFF, 0x7FFF)
    assert before[:348] == after[:348] == source.chunks[0][1][:348]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16"])
def test_the_ixml_of_a_stem_tells_its_own_bits_and_no_umid(encoding: str) -> None:
    ids = "<FILE_UID>C0FFEE01</FILE_UID><BEXT><BWF_UMID>0x060A2B34ab</BWF_UMID></BEXT>"
    text = f"<BWFXML>\n<SPEED><AUDIO_BIT_DEPTH> 24 </AUDIO_BIT_DEPTH></SPEED><NOTE>24</NOTE>{ids}</BWFXML>\r\n"
    source = Metadata(chunks=((b"iXML", text.encode(encoding)),))
    stem = source.for_stem(coding_history=HISTORY, bit_depth="16")[0][1]
    assert stem.decode(encoding) == text.replace("> 24 <", "> 16 <").replace("0x060A2B34ab", "0x0000000000")
    kept = source.for_stem(coding_history=HISTORY, bit_depth="32f", keep_umid=True)[0][1]
    assert kept.decode(encoding) == text.replace("> 24 <", "> 32 <")
    assert source.for_stem(coding_history=HISTORY, bit_depth="24", keep_umid=True) == source.chunks


def test_old_versions_keep_what_is_reserved() -> None:
    for version in (0, 1):
        source = bext(version=version, umid=b"\1" * 64, loudness=(1, 2, 3, 4, 5))
        loudness: Any = SimpleNamespace(
            integrated_lufs=1, range_lu=1, true_peak_dbtp=1, momentary_lufs=1, short_term_lufs=1
        )
        stem = Metadata(chunks=((b"bext", source),)).for_stem(coding_history=HISTORY, loudness=loudness)[0][1]
        assert stem[412:602] == source[412:602]
        assert stem[348:412] == (source[348:412] if version == 0 else bytes(64))


@pytest.mark.parametrize(
    ("old", "text", "size"),
    [
        (b"", b"", 40),
        (b"A=ANALOGUE\r\n", b"A=ANALOGUE\r\n", 52),
        (b"A=ANALOGUE", b"A=ANALOGUE\r\n", 52),
        (b"A=ANALOGUE\n\0", b"A=ANALOGUE\r\n", 52),
        (b"A=ANALOGUE\r\n" + bytes(100), b"A=ANALOGUE\r\n", 112),
        (b"A=X\r\n\0rubbish" + bytes(100), b"A=X\r\n", 113),
    ],
)
def test_history_gains_one_line(old: bytes, text: bytes, size: int) -> None:
    stem = Metadata(chunks=((b"bext", bext(history=old)),)).for_stem(coding_history=HISTORY)[0][1]
    assert stem[602:].rstrip(b"\0") == text + HISTORY.encode() + b"\r\n"
    assert len(stem) - 602 == size
    assert b"rubbish" not in stem


def test_what_counts_its_own_times_is_not_carried_to_a_part() -> None:
    adm = (
        (b"axml", b'<audioBlockFormat rtime="00:00:05.00000">'),
        (b"chna", bytes(44)),
        (b"_PMX", b"<x:xmpmeta><dc:title>Reel</dc:title></x:xmpmeta>"),
    )
    source = Metadata(chunks=adm, n_samples=100)
    assert source.cut(0, 100, 48000, 96000).chunks == adm
    part = source.cut(10, 90, 48000, 48000)
    assert part.chunks == adm[2:]
    assert part.left == ("axml", "chna")
    assert "axml is left out" in part.warnings[0]


def test_contradictions_are_told_and_kept(tmp_path: Path) -> None:
    path = tmp_path / "x.wav"
    parts = chunk(b"iXML", ixml(TIME + 1, 44100, ("A", "B", "C"))), chunk(b"bext", bext())
    path.write_bytes(wave(*parts, pcm_format(), chunk(b"data", bytes(6))))
    metadata = read_metadata(path)
    assert metadata.warnings == (
        "iXML says 44100 Hz, the file 48000 Hz",
        "iXML says 3 tracks, the file 2 channels",
        f"bext begins at sample {TIME}, iXML's BWF_TIME_REFERENCE at {TIME + 1}",
        f"bext begins at sample {TIME}, iXML's timestamp at {TIME + 1} of 44100 Hz",
    )
    assert metadata.track_names == ()
    assert metadata.chunks == ((b"bext", bext()), (b"iXML", ixml(TIME + 1, 44100, ("A", "B", "C"))))


def test_a_pulled_up_timestamp_is_no_contradiction(tmp_path: Path) -> None:
    path = tmp_path / "x.wav"
    pulled = ixml().replace(b"RATE>48000</TIMESTAMP", b"RATE>48048</TIMESTAMP")
    for time in (TIME, TIME * 1001 // 1000):
        moved = pulled.replace(b"LO>%d<" % TIME, b"LO>%d<" % time)
        path.write_bytes(wave(pcm_format(), chunk(b"bext", bext()), chunk(b"iXML", moved), chunk(b"data", bytes(6))))
        assert read_metadata(path).warnings == ()


def test_tracks_are_in_the_order_of_the_channels(tmp_path: Path) -> None:
    path, swapped = tmp_path / "x.wav", ixml().replace(b"INTERLEAVE_INDEX>1", b"INTERLEAVE_INDEX>9")
    swapped = swapped.replace(b"INTERLEAVE_INDEX>2", b"INTERLEAVE_INDEX>1").replace(b"_INDEX>9", b"_INDEX>2")
    path.write_bytes(wave(pcm_format(), chunk(b"iXML", swapped), chunk(b"data", bytes(6))))
    assert read_metadata(path).track_names == ("Lav", "Boom")


@pytest.mark.parametrize(
    "content", [b"", b"\0", b"<BWFXML><TRACK", "<BWFXML>é</BWFXML>".encode("latin-1"), b"\xff\xfe\0"]
)
def test_damaged_ixml_is_carried_as_it_is(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "x.wav"
    path.write_bytes(wave(pcm_format(), chunk(b"iXML", content), chunk(b"data", bytes(6))))
    metadata = read_metadata(path)
    assert metadata.chunks == ((b"iXML", content),)
    assert metadata.cut(0, 1, 48000, 96000).chunks == metadata.chunks


def test_a_short_bext_is_completed_or_left_out(tmp_path: Path) -> None:
    path = tmp_path / "x.wav"
    for length, kept in ((400, True), (300, False)):
        path.write_bytes(wave(pcm_format(), chunk(b"bext", bext()[:length]), chunk(b"data", bytes(6))))
        metadata = read_metadata(path)
        assert metadata.chunks == (((b"bext", bext()[:length].ljust(602, b"\0")),) if kept else ())
        assert metadata.left == (() if kept else ("bext",))
        assert "bext" in metadata.warnings[0]


@pytest.mark.parametrize(("mask", "expected"), [(None, None), (0, None), (0x3F, 0x3F)])
def test_the_channel_mask_is_read(mask: int | None, expected: int | None, tmp_path: Path) -> None:
    path = tmp_path / "x.wav"
    path.write_bytes(wave(pcm_format(n_channels=6, mask=mask), chunk(b"data", bytes(36))))
    assert (read_metadata(path).channel_mask, read_metadata(path).n_samples) == (expected, 2)


@pytest.mark.parametrize(
    ("name", "codec"), [("flac", ""), ("mp3", ""), ("m4a", "aac"), ("opus", ""), ("ogg", "libvorbis")]
)
def test_tags_of_compressed_files_are_read(name: str, codec: str, tmp_path: Path) -> None:
    if shutil.which("ffmpeg") is None:
        pytest.skip("ffmpeg is not installed")
    wishes = {"title": "Käfer", "artist": "A", "time_reference": "4800", "REPLAYGAIN_TRACK_GAIN": "-3 dB"}
    tags = [word for key, text in wishes.items() for word in ("-metadata", f"{key}={text}")]
    source = ["ffmpeg", "-v", "error", "-f", "lavfi", "-i", "sine=d=0.2"]
    path = tmp_path / f"x.{name}"
    subprocess.run([*source, *tags, *(["-c:a", codec] if codec else []), path], check=True)
    metadata = read_metadata(path)
    found = {key.lower(): text for key, text in metadata.tags.items()}
    assert (found["title"], found["artist"]) == ("Käfer", "A")
    assert set(found) <= {"title", "artist", "time_reference"}
    if name != "m4a":  # holds tags it knows only
        assert metadata.time_reference == 4800
        assert [tag.upper() for tag in metadata.left] == ["REPLAYGAIN_TRACK_GAIN"]


def test_a_missing_file_is_one_clear_error(tmp_path: Path) -> None:
    with pytest.raises(UnreadableAudio, match="cannot be read: No such file"):
        read_metadata(tmp_path / "nothing.wav")


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_damage_never_raises(tmp_path: Path, data: st.DataObject) -> None:
    path = film(tmp_path / "x.wav", n_samples=20, after_data=chunk(b"plst", bytes(40)))
    content = bytearray(path.read_bytes())
    for _ in range(data.draw(st.integers(1, 30))):
        content[data.draw(st.integers(12, len(content) - 1))] = data.draw(st.integers(0, 255))
    path.write_bytes(content[: data.draw(st.integers(12, len(content)))])
    metadata = read_metadata(path)
    metadata.cut(5, 10, 48000, 44100).for_stem(coding_history=HISTORY, bit_depth="16")


@pytest.mark.parametrize("tool", ["mediainfo", "ffprobe", "bwfmetaedit"])
def test_other_programs_read_the_time(tool: str, tmp_path: Path) -> None:
    if shutil.which(tool) is None:
        pytest.skip(f"{tool} is not installed")
    cut = Metadata(chunks=WHOLE.cut(2000, 40000, 48000, 96000).for_stem(coding_history=HISTORY))
    path = written(tmp_path / "x.wav", cut, 80000, 96000)
    commands = {
        "mediainfo": ["mediainfo", "--Full", "--Output=JSON", path],
        "ffprobe": ["ffprobe", "-v", "error", "-show_format", path],
        "bwfmetaedit": ["bwfmetaedit", "--out-core", path],
    }
    done = subprocess.run(commands[tool], capture_output=True, check=True, text=True)
    if tool == "mediainfo":  # in milliseconds
        audio = json.loads(done.stdout)["media"]["track"][1]
        assert abs(float(audio["Delay"]) - (TIME + 2000) / 48000) < 0.002
    else:
        assert str(2 * (TIME + 2000)) in done.stdout


def test_a_wave_file_needs_no_metadata(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "x.wav", np.zeros((100, 2)), 44100)
    metadata = read_metadata(tmp_path / "x.wav")
    assert metadata == Metadata(n_samples=100, left=metadata.left)
    assert metadata.for_stem(coding_history=HISTORY) == ()
