"""Reading, resampling and writing: right to the sample, or one clear error."""

from __future__ import annotations

import os
import resource
import signal
import subprocess
import sys
from pathlib import Path

import av
import numpy as np
import pytest
import soundfile
from hypothesis import given, settings
from hypothesis import strategies as st
from signals import decibels, noise

from audio_ml.audio import Audio, Samples
from audio_ml.errors import InvalidInput, InvalidOption, OutputError, OutputExists, UnreadableAudio
from audio_ml.formats import FORMATS, source_depth
from audio_ml.streams import AudioReader, Resampler, read_audio
from audio_ml.writer import AudioWriter, write_audio

RATES = (8000, 16000, 22050, 44100, 48000, 96000, 192000)


@settings(deadline=None, max_examples=40)
@given(
    st.sampled_from(RATES), st.sampled_from(RATES), st.integers(1, 30000), st.lists(st.integers(1, 9000), max_size=6)
)
def test_resampling_in_blocks_equals_resampling_at_once(
    from_rate: int, to_rate: int, n_samples: int, cuts: list[int]
) -> None:
    stream = noise(1, 44100, 1).samples[:, :n_samples].repeat(2, axis=0)
    whole = np.concatenate(list(Resampler(from_rate, to_rate, 2).stream([stream])), axis=1)
    blocks = np.split(stream, sorted(cut for cut in set(cuts) if cut < stream.shape[1]), axis=1)
    parts = np.concatenate(list(Resampler(from_rate, to_rate, 2).stream(blocks)), axis=1)
    assert parts.shape == whole.shape
    assert abs(parts.shape[1] - stream.shape[1] * to_rate / from_rate) <= 0.5
    np.testing.assert_allclose(parts, whole, atol=1e-5)


def test_a_length_of_so_many_and_a_half_is_rounded_up() -> None:
    """As of every film of 24 pictures a second with an odd number of them, brought from 48 to 44.1 kHz."""
    lengths = range(80, 9600, 160)
    found = [sum(block.shape[1] for block in Resampler(48000, 44100, 1).stream([_ones(n)])) for n in lengths]
    assert found == [n * 147 // 160 + 1 for n in lengths]


def test_sound_that_is_as_fast_already_is_left_alone() -> None:
    blocks = [_ones(5), _ones(3)]
    assert [block.shape[1] for block in Resampler(48000, 48000, 1).stream(blocks)] == [5, 3, 0]


def _ones(n_samples: int) -> Samples:
    return np.ones((1, n_samples), np.float32)


@pytest.mark.parametrize("rate", [8000, 48000, 96000, 192000])
def test_resampling_has_no_delay(rate: int) -> None:
    """A click stays where it was: the peak moves by less than a sample of the lower rate."""
    click = np.zeros((1, rate), np.float32)
    click[0, rate // 2] = 1
    resampled = np.concatenate(list(Resampler(rate, 44100, 1).stream([click])), axis=1)
    assert abs(int(np.argmax(np.abs(resampled))) - 22050) <= 1


@pytest.mark.parametrize("name", ["wav", "flac", "aiff"])
@pytest.mark.parametrize("depth", ["16", "24", "32f"])
@pytest.mark.parametrize("n_channels", [1, 2])
def test_lossless_formats_give_back_what_was_stored(name: str, depth: str, n_channels: int, tmp_path: Path) -> None:
    audio, path = noise(0.3, 48000, n_channels), tmp_path / f"x.{name}"
    if depth not in FORMATS[name].bit_depths:
        with pytest.raises(InvalidOption, match="flac cannot hold a bit depth of 32f"):
            write_audio(path, audio, bit_depth=depth)
        assert not list(tmp_path.iterdir())
        return
    with AudioWriter(path, FORMATS[name], 48000, n_channels, bit_depth=depth) as writer:
        stored = np.concatenate([writer.write(block) for block in np.split(audio.samples, 5, axis=1)], axis=1)
        assert not path.exists()
        writer.close()
        writer.commit()
    found = read_audio(path)
    assert found.sample_rate == 48000
    np.testing.assert_array_equal(found.samples, stored)
    floor = {"16": 2**-16, "24": 2**-24, "32f": 0}[depth]
    assert np.abs(stored - audio.samples).max() <= floor
    assert source_depth(AudioReader(path).info.subtype) == depth


@pytest.mark.parametrize("name", ["mp3", "m4a", "ogg", "opus", "wma"])
def test_lossy_formats_keep_the_sound_in_its_place(name: str, tmp_path: Path) -> None:
    """Decoded again, the sound begins within a millisecond of where it did."""
    rate, path = 44100, tmp_path / f"x.{name}"
    audio = noise(2, rate)
    envelope = np.zeros(audio.n_samples, np.float32)
    envelope[rate // 2 : rate] = 1
    write_audio(path, Audio(audio.samples * envelope, rate))
    decoded = read_audio(path, rate).samples[0]
    correlation = np.fft.irfft(
        np.fft.rfft(decoded, 4 * rate) * np.conj(np.fft.rfft(audio.samples[0] * envelope, 4 * rate))
    )
    delay = int(np.argmax(correlation))
    delay -= 4 * rate if delay > 2 * rate else 0
    allowed = rate // 1000 if name != "wma" else 4096  # WMA's container has no word for the encoder's delay
    assert abs(delay) <= allowed
    assert abs(len(decoded) - audio.n_samples) <= 4096


def test_float_beyond_full_scale_survives_and_integers_count_what_they_clip(tmp_path: Path) -> None:
    loud = Audio(np.array([[0.5, 1.5, -2.0, 0.0]], np.float32), 8000)
    write_audio(tmp_path / "f.wav", loud, bit_depth="32f")
    np.testing.assert_array_equal(read_audio(tmp_path / "f.wav").samples, loud.samples)
    with AudioWriter(tmp_path / "i.wav", FORMATS["wav"], 8000, 1, bit_depth="16") as writer:
        stored = writer.write(loud.samples)
    assert writer.n_clipped == 2
    np.testing.assert_allclose(stored, [[0.5, 1 - 2**-15, -1, 0]], atol=1e-7)


def test_excerpts_are_exact(tmp_path: Path) -> None:
    audio = noise(2, 44100)
    write_audio(tmp_path / "x.wav", audio, bit_depth="32f")
    blocks = list(AudioReader(tmp_path / "x.wav", 0.5, 0.25).blocks())
    np.testing.assert_array_equal(np.concatenate(blocks, axis=1), audio.samples[:, 22050:33075])
    write_audio(tmp_path / "x.mp3", audio)
    whole = read_audio(tmp_path / "x.mp3").samples
    part = np.concatenate(list(AudioReader(tmp_path / "x.mp3", 1.0).blocks()), axis=1)
    np.testing.assert_array_equal(part, whole[:, 44100:])


@pytest.mark.parametrize("name", ["wav", "mp3", "m4a"])
def test_an_excerpt_behind_the_end_or_of_no_sample_is_told(name: str, tmp_path: Path) -> None:
    """How long a lossy file is shows only when it was read."""
    write_audio(tmp_path / f"x.{name}", noise(2, 44100))
    with pytest.raises(InvalidInput, match=r"ends at 2\.0\d\d s: it cannot start at 2\.5 s"):
        list(AudioReader(tmp_path / f"x.{name}", 2.5).blocks())
    with pytest.raises(InvalidInput, match="44100 Hz: 1e-05 s of it are not one sample"):
        AudioReader(tmp_path / f"x.{name}", 0.0, 0.00001)


def test_the_sound_of_a_video_is_read(tmp_path: Path) -> None:
    path = tmp_path / "film.mp4"
    with av.open(str(path), "w") as container:
        video, sound = container.add_stream("mpeg4", rate=25), container.add_stream("aac", rate=48000)
        video.width = video.height = 64
        sound.layout = "stereo"
        sound.bit_rate = 256_000
        frame = av.VideoFrame.from_ndarray(np.zeros((64, 64, 3), np.uint8), "rgb24")
        for _ in range(25):
            container.mux(video.encode(frame))
        samples = av.AudioFrame.from_ndarray(noise(1, 48000).samples, "fltp", "stereo")
        samples.sample_rate, samples.pts = 48000, 0
        for stream, last in ((sound, samples), (sound, None), (video, None)):
            container.mux(stream.encode(last))
    found = read_audio(path)
    assert (found.sample_rate, found.n_channels) == (48000, 2)
    assert abs(found.duration_seconds - 1) < 0.05
    assert decibels(found.samples[:, :40000], found.samples[:, :40000] - noise(1, 48000).samples[:, :40000]) > 6


def test_a_file_without_sound_track_says_so(tmp_path: Path) -> None:
    path = tmp_path / "mute.mp4"
    with av.open(str(path), "w") as container:
        video = container.add_stream("mpeg4", rate=25)
        video.width = video.height = 64
        container.mux(video.encode(av.VideoFrame.from_ndarray(np.zeros((64, 64, 3), np.uint8), "rgb24")))
        container.mux(video.encode(None))
    with pytest.raises(UnreadableAudio, match="no sound track"):
        AudioReader(path)


@pytest.mark.parametrize("name", ["wav", "aiff", "flac", "mp3"])
def test_a_file_cut_short_is_told(name: str, tmp_path: Path) -> None:
    """What is there is read or refused, and the loss is never silent."""
    write_audio(tmp_path / f"x.{name}", noise(5, 44100))
    whole = (tmp_path / f"x.{name}").read_bytes()
    cut = tmp_path / f"cut.{name}"
    cut.write_bytes(whole[: len(whole) // 2])
    reader = AudioReader(cut)
    if name == "flac":
        with pytest.raises(UnreadableAudio, match="damaged"):
            list(reader.blocks())
        return
    list(reader.blocks())
    assert 2 * 44100 < reader.n_read < 3 * 44100
    assert "cut short or damaged" in reader.warnings[0]
    intact = AudioReader(tmp_path / f"x.{name}")
    list(intact.blocks())
    assert intact.warnings == []


@pytest.mark.parametrize("text", ["#EXTM3U\n#EXTINF:1,\n", "ffconcat version 1.0\nfile "])
def test_a_list_of_other_files_is_not_followed(text: str, tmp_path: Path) -> None:
    write_audio(tmp_path / "secret.m4a", noise(1))
    (tmp_path / "list.wav").write_text(text + str(tmp_path / "secret.m4a"))
    with pytest.raises(UnreadableAudio, match="list of other files"):
        AudioReader(tmp_path / "list.wav")


@pytest.mark.parametrize("name", ["http:127.0.0.1:9.m4a", "a:b.mp3"])
def test_a_name_like_an_address_is_still_a_file(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    write_audio(Path(name), noise(1))
    assert (tmp_path / name).is_file()
    assert abs(read_audio(Path(name)).duration_seconds - 1) < 0.1


def test_a_minute_of_vorbis_in_one_piece(tmp_path: Path) -> None:
    """libvorbis overflows its stack when given that much at once."""
    write_audio(tmp_path / "x.ogg", noise(60))
    assert abs(read_audio(tmp_path / "x.ogg").duration_seconds - 60) < 0.1


def test_nothing_is_overwritten_unless_asked(tmp_path: Path) -> None:
    path = tmp_path / "x.wav"
    path.write_text("precious")
    with pytest.raises(OutputExists, match="--overwrite"):
        write_audio(path, noise(0.1))
    assert path.read_text() == "precious"
    write_audio(path, noise(0.1), overwrite=True)
    assert soundfile.info(path).frames == 4410


def test_a_file_that_appears_meanwhile_is_not_overwritten(tmp_path: Path) -> None:
    path = tmp_path / "x.wav"
    with AudioWriter(path, FORMATS["wav"], 44100, 2) as writer:
        writer.write(noise(0.1).samples)
        writer.close()
        path.write_text("precious")
        with pytest.raises(OutputExists):
            writer.commit()
    assert path.read_text() == "precious"
    assert [entry.name for entry in tmp_path.iterdir()] == ["x.wav"]


def test_an_unfinished_file_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(ZeroDivisionError), AudioWriter(tmp_path / "a" / "x.wav", FORMATS["wav"], 44100, 2) as writer:
        writer.write(noise(0.1).samples)
        raise ZeroDivisionError
    assert not list(tmp_path.iterdir())


def test_a_folder_that_cannot_be_made_is_one_clear_error(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(OutputError, match="was not written"):
        write_audio(tmp_path / "file" / "x.wav", noise(0.1))


def _limit_file_size() -> None:
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))


@pytest.mark.parametrize("name", ["wav", "flac", "mp3"])
def test_a_disk_that_takes_no_more_is_an_output_error(name: str, tmp_path: Path) -> None:
    """A limit on the size of files stands in for a full disk: the same failed write."""
    program = (
        "import sys, numpy as np\nfrom audio_ml.audio import Audio\nfrom audio_ml.errors import OutputError\n"
        "from audio_ml.writer import write_audio\n"
        "sound = np.random.default_rng(0).uniform(-1, 1, (2, 441000)).astype(np.float32)\n"
        "try:\n    write_audio(sys.argv[1], Audio(sound, 44100))\n"
        "except OutputError as error:\n    print('said:', error)"
    )
    ran = subprocess.run(
        [sys.executable, "-c", program, tmp_path / f"x.{name}"],
        capture_output=True,
        text=True,
        preexec_fn=_limit_file_size,
        check=False,
    )
    assert ran.stdout.startswith("said:"), ran.stderr
    assert not list(tmp_path.iterdir())


@pytest.mark.skipif(sys.platform != "linux" or os.geteuid() != 0, reason="needs root on Linux, to mount a small disk")
def test_a_full_disk_is_called_full(tmp_path: Path, run_cli) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=300k", "tmpfs", disk], check=False).returncode:
        pytest.skip("a small disk cannot be mounted here")
    try:
        write_audio(tmp_path / "x.wav", noise(3))
        ran = run_cli("separate", tmp_path / "x.wav", "-o", disk)
        left = [path for path in disk.rglob("*") if path.is_file()]
    finally:
        subprocess.run(["umount", disk], check=True)
    assert ran.returncode == 6
    assert "is full" in ran.stderr and "Traceback" not in ran.stderr
    assert not left


@pytest.mark.parametrize("n_channels", [0, 65535])
def test_a_head_that_speaks_of_impossible_channels_is_told(tmp_path: Path, n_channels: int) -> None:
    path = tmp_path / "lies.wav"
    write_audio(path, noise(1), bit_depth="16")
    content = bytearray(path.read_bytes())
    place = content.index(b"fmt ") + 10
    content[place : place + 2] = n_channels.to_bytes(2, "little")
    path.write_bytes(content)
    with pytest.raises(UnreadableAudio):
        AudioReader(path)
