"""Our WAV files, read back by libsndfile, FFmpeg, wavinfo and mediainfo."""

from __future__ import annotations

import json
import shutil
import struct
import subprocess
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pytest
import soundfile
import wavinfo
from riff_files import bext, cue, ixml
from signals import noise

from audio_ml import wav
from audio_ml.formats import BitDepth
from audio_ml.riff import read_chunks
from audio_ml.wav import WavWriter, encode

SURROUND = 0x3F
DEPTHS: tuple[BitDepth, ...] = ("16", "24", "32f")


def ffprobe(path: Path) -> dict[str, Any]:
    if shutil.which("ffprobe") is None:
        pytest.skip("ffprobe is not installed")
    command = ["ffprobe", "-v", "error", "-show_streams", "-of", "json", path]
    done = subprocess.run(command, capture_output=True, check=True)
    stream: dict[str, Any] = json.loads(done.stdout)["streams"][0]
    return stream


def order(path: Path) -> list[bytes]:
    """Returns the ids of all chunks, walked by the letter: every size and pad byte has to be right."""
    content = path.read_bytes()
    assert struct.unpack("<I", content[4:8])[0] == len(content) - 8
    ids, position = [], 12
    while position < len(content):
        id, size = struct.unpack_from("<4sI", content, position)
        ids.append(id)
        position += 8 + size + size % 2
    assert position == len(content)
    return ids


@pytest.mark.parametrize("depth", DEPTHS)
@pytest.mark.parametrize("n_channels", [1, 2, 3, 6])
@pytest.mark.parametrize("mask", [None, SURROUND])
def test_libsndfile_reads_what_was_written(depth: BitDepth, n_channels: int, mask: int | None, tmp_path: Path) -> None:
    samples = noise(0.41, 48000, n_channels, peak=0.9).samples[:, :19_681]
    writer = WavWriter(tmp_path / "x.wav", 48000, n_channels, depth, channel_mask=mask)
    for part in np.split(samples, [1, 8, 17_000], axis=1):
        writer.write(part)
    writer.close()
    read, rate = soundfile.read(tmp_path / "x.wav", dtype="float32", always_2d=True)
    half_a_step = 0 if depth == "32f" else 0.5 / 2 ** (int(depth) - 1)
    assert rate == 48000
    assert np.abs(read.T - samples).max() <= half_a_step
    assert soundfile.info(tmp_path / "x.wav").format == ("WAV" if mask is None else "WAVEX")
    order(tmp_path / "x.wav")


@pytest.mark.parametrize("depth", ["16", "24"])
def test_codes_are_rounded_and_clipped(depth: BitDepth) -> None:
    steps = 2 ** (int(depth) - 1)
    values = [-1.5, -1.0, -0.5 / steps, 0.5 / steps, 1.5 / steps, 3 / steps, 1 - 1 / steps, 1.0, 7.0, 0.0]
    expected = [-steps, -steps, 0, 0, 2, 3, steps - 1, steps - 1, steps - 1, 0]
    packed = encode(np.array([values[:5], values[5:]], np.float32), depth)
    n_bytes = int(depth) // 8
    codes = [int.from_bytes(packed[i : i + n_bytes], "little", signed=True) for i in range(0, len(packed), n_bytes)]
    assert codes[0::2] + codes[1::2] == expected


def test_chunks_lie_in_the_order_of_the_standards(tmp_path: Path) -> None:
    chunks = [(b"iXML", ixml()), (b"bext", bext()), (b"cue ", cue({1: 5}))]
    writer = WavWriter(tmp_path / "x.wav", 48000, 1, "24", chunks=chunks)
    writer.write(np.zeros((1, 7), np.float32))
    writer.close(trailer=[(b"note", b"odd")])
    assert order(tmp_path / "x.wav") == [b"JUNK", b"bext", b"fmt ", b"iXML", b"cue ", b"data", b"note"]
    reader = wavinfo.WavInfoReader(tmp_path / "x.wav")
    assert reader.bext.time_reference == 172_800_000
    assert reader.data.frame_count == 7


def test_chunks_can_be_replaced_at_the_end(tmp_path: Path) -> None:
    first = [(b"note", b"odd"), (b"bext", bext(0)), (b"iXML", ixml())]
    last = [(b"note", b"ODD"), (b"bext", bext(99)), (b"iXML", ixml())]
    writer = WavWriter(tmp_path / "x.wav", 48000, 2, "16", chunks=first)
    writer.write(np.full((2, 10), 0.25, np.float32))
    writer.close(chunks=last)
    file = read_chunks(tmp_path / "x.wav")
    assert file is not None
    carried = [(found.id, file.payload(found)) for found in file.chunks if found.id in {b"note", b"bext", b"iXML"}]
    assert sorted(carried) == sorted(last)
    assert (soundfile.read(tmp_path / "x.wav")[0] == 0.25).all()


def test_replacements_of_another_size_are_our_mistake(tmp_path: Path) -> None:
    writer = WavWriter(tmp_path / "x.wav", 48000, 2, "16", chunks=[(b"note", b"1")])
    with pytest.raises(AssertionError, match="sizes"):
        writer.close(chunks=[(b"note", b"12")])


@pytest.mark.parametrize(("magic", "expected"), [(b"RIFF", b"RF64"), (b"BW64", b"BW64")])
@pytest.mark.parametrize("depth", DEPTHS)
def test_a_large_file_becomes_rf64(
    magic: Literal[b"RIFF", b"BW64"],
    expected: bytes,
    depth: BitDepth,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """With the limit lowered: the same header as that of a file above 4 GiB."""
    path, samples = tmp_path / "x.wav", noise(0.1, 48000, 3).samples[:, :4797]
    for limit, becomes in ((1000, expected), (10**6, b"RIFF")):
        monkeypatch.setattr(wav, "LARGEST_RIFF_BYTES", limit)
        writer = WavWriter(path, 48000, 3, depth, magic=magic)
        writer.write(samples)
        writer.close(trailer=[(b"cue ", cue({1: 5}))])
        file = read_chunks(path)
        assert file is not None
        assert (file.magic, file.warnings) == (becomes, ())
        assert file.chunks[-1].id == b"cue "
        assert ffprobe(path)["duration_ts"] == 4797
        if becomes != b"BW64":  # which libsndfile does not know
            read, _ = soundfile.read(path, dtype="float32")
            assert len(read) == 4797
            assert np.abs(read.T - samples).max() < 2e-5


def test_the_channel_mask_is_read_by_others(tmp_path: Path) -> None:
    writer = WavWriter(tmp_path / "x.wav", 48000, 6, "24", channel_mask=SURROUND)
    writer.write(np.zeros((6, 480), np.float32))
    writer.close()
    stream = ffprobe(tmp_path / "x.wav")
    assert (stream["channel_layout"], stream["codec_name"]) == ("5.1", "pcm_s24le")
    assert stream["bits_per_raw_sample"] == "24"


def test_mediainfo_finds_nothing_wrong(tmp_path: Path) -> None:
    if shutil.which("mediainfo") is None:
        pytest.skip("mediainfo is not installed")
    writer = WavWriter(tmp_path / "x.wav", 96000, 2, "24", chunks=[(b"bext", bext(version=2))])
    writer.write(np.zeros((2, 96000), np.float32))
    writer.close()
    done = subprocess.run(["mediainfo", "--Output=JSON", tmp_path / "x.wav"], capture_output=True, check=True)
    general, audio = json.loads(done.stdout)["media"]["track"]
    assert (audio["SamplingRate"], audio["BitDepth"], audio["SamplingCount"]) == ("96000", "24", "96000")
    assert "ConformanceErrors" not in json.dumps(general)
    assert general["Producer"] == "Sound Devices"


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no /dev/full")
def test_a_full_disk_is_an_os_error() -> None:
    writer = WavWriter(Path("/dev/full"), 48000, 2, "24")
    with pytest.raises(OSError, match="No space left"):
        writer.write(np.zeros((2, 100_000), np.float32))
    writer.abandon()


@pytest.mark.slow
@pytest.mark.parametrize("depth", ["24", "32f"])
def test_more_than_4_gib_are_written_and_read(depth: BitDepth, tmp_path: Path) -> None:
    if shutil.disk_usage(tmp_path).free < 6 * 2**30:
        pytest.skip("the disk has less than 6 GiB left")
    path, n_samples = tmp_path / "x.wav", (2**32 // (8 * (3 if depth == "24" else 4))) + 100_003
    block = noise(1, 48000, 8).samples
    writer = WavWriter(path, 48000, 8, depth, chunks=[(b"bext", bext())])
    for start in range(0, n_samples, block.shape[1]):
        writer.write(block[:, : n_samples - start])
    writer.close(trailer=[(b"cue ", cue({1: n_samples}))])
    assert path.stat().st_size > 2**32
    info = soundfile.info(path)
    assert (info.format, info.frames) == ("RF64", n_samples)
    read, _ = soundfile.read(path, start=n_samples - 1000, dtype="float32")
    end = n_samples % block.shape[1]
    np.testing.assert_allclose(read.T, block[:, end - 1000 : end], atol=1e-7)
    assert ffprobe(path)["duration_ts"] == n_samples
    file = read_chunks(path)
    assert file is not None
    assert [found.name for found in file.chunks] == [
        "ds64",
        "bext",
        "fmt",
        *(["fact"] * (depth == "32f")),
        "data",
        "cue",
    ]
    path.unlink()
