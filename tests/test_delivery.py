"""The files of a separation: what they hold, how they add up, and what they keep of their source."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, ClassVar

import av
import numpy as np
import pytest
import riff_files
import soundfile
import wavinfo
from fake_engine import FAKE, FOUR
from signals import decibels, noise

import separation
from audio_ml.audio import Audio, Samples
from audio_ml.errors import DiskFull, InvalidOption, OutputUnwritable, UnreadableAudio
from audio_ml.loader import ModelLoader
from audio_ml.metadata import read_metadata
from audio_ml.riff import read_chunks
from audio_ml.streams import AudioReader, read_audio
from audio_ml.writer import AudioWriter, write_audio
from separation import SeparationReport

Separate = Callable[..., SeparationReport]


@pytest.fixture
def separate(tmp_path: Path, loader: ModelLoader) -> Separate:
    def run(path: Path, model: Any = FAKE, options: Any = None, out: str = "out", **delivery: Any) -> SeparationReport:
        return separation.separate_file(
            path, tmp_path / out, model=model, options=options, delivery=delivery, loader=loader
        )

    return run


def exact(path: str | Path) -> np.ndarray:
    """Returns a lossless file in full precision [time, channels]."""
    return soundfile.read(path, dtype="float64", always_2d=True)[0]


def sum_error_db(source: Path, report: SeparationReport) -> float:
    error = np.abs(sum(exact(file.path) for file in report.files) - exact(source)).max()
    return float(20 * np.log10(max(error, 1e-12)))


def bright(rate: int, n_channels: int = 2, seconds: float = 1.5) -> Audio:
    """Returns sound with as much power at the top as at the bottom, none of it beyond full scale."""
    rng = np.random.default_rng(rate)
    return Audio((rng.uniform(-0.5, 0.5, (n_channels, round(rate * seconds)))).astype(np.float32), rate)


@pytest.mark.weights
@pytest.mark.parametrize("rate", [44100, 48000, 96000, 192000])
@pytest.mark.parametrize(("depth", "limit_db"), [("32f", -120), ("24", -115), ("16", -70)])
def test_the_sum_of_the_files_is_the_source(
    rate: int, depth: str, limit_db: float, tmp_path: Path, separate: Separate
) -> None:
    """The source is float, finer than the integer stems: the worst case."""
    write_audio(tmp_path / "bright.wav", bright(rate), bit_depth="32f")
    report = separate(tmp_path / "bright.wav", model=None, bit_depth=depth)
    measured = sum_error_db(tmp_path / "bright.wav", report)
    assert measured <= limit_db
    assert report.null_depth_written_db is not None and report.null_depth_written_db <= limit_db
    if depth != "32f":  # float sums are rounded once more when they are taken
        assert report.null_depth_written_db == pytest.approx(measured, abs=0.5)


@pytest.mark.parametrize("depth", ["16", "24"])
@pytest.mark.parametrize("model", [FAKE, FOUR], ids=lambda spec: spec.name)
def test_stems_of_the_source_s_own_depth_null_exactly(
    depth: str, model: Any, tmp_path: Path, separate: Separate
) -> None:
    """The remainder takes up the rounding and the dither of the others."""
    write_audio(tmp_path / "song.wav", bright(48000), bit_depth=depth)  # type: ignore[arg-type]
    report = separate(tmp_path / "song.wav", model=model)
    assert {file.bit_depth for file in report.files} == {depth}
    total = sum(exact(file.path) for file in report.files)
    np.testing.assert_array_equal(total, exact(tmp_path / "song.wav"))
    assert report.null_depth_written_db == -200


def test_the_seed_decides_the_dither(tmp_path: Path, separate: Separate) -> None:
    write_audio(tmp_path / "song.wav", noise(1), bit_depth="16")
    runs = [
        separate(tmp_path / "song.wav", out=str(number), bit_depth="16", **form)
        for number, form in enumerate([{"seed": 1}, {"seed": 1}, {"seed": 2}, {"dither": "none"}])
    ]
    first, same, other, without = (exact(run.files[0].path) for run in runs)
    np.testing.assert_array_equal(first, same)
    assert (first != other).any()
    assert decibels(without, first - without) < decibels(without, np.full_like(without, 2.0**-16)) + 3


class TestClipping:
    """A stem beyond full scale, by a gain of the user's."""

    LOUD: ClassVar = {"gain": ("share=18", "rest=18")}

    @pytest.fixture
    def song(self, tmp_path: Path) -> Path:
        write_audio(tmp_path / "song.wav", bright(44100), bit_depth="24")
        return tmp_path / "song.wav"

    def test_warn_cuts_and_counts(self, song: Path, separate: Separate) -> None:
        report = separate(song, options=self.LOUD, bit_depth="16")
        assert report.clip_policy == "warn"
        assert all(file.n_clipped > 1000 for file in report.files)
        assert any("clipped" in warning for warning in report.warnings)

    def test_what_is_cut_off_one_stem_is_not_heard_in_another(self, tmp_path: Path, separate: Separate) -> None:
        loud = Audio(3 * bright(16000).samples, 16000)  # its first stem clips, and the fake's rate needs no projection
        write_audio(tmp_path / "loud.wav", loud, bit_depth="32f")
        report = separate(tmp_path / "loud.wav", options={"part": 0.9, "residual": "into rest"}, bit_depth="24")
        clipped, rest = (exact(file.path) for file in report.files)
        assert report.files[0].n_clipped > 1000
        np.testing.assert_allclose(rest, 0.1 * loud.samples.T, atol=1e-5)
        assert np.abs(clipped).max() <= 1

    def test_float_keeps_them(self, song: Path, separate: Separate) -> None:
        report = separate(song, options=self.LOUD, bit_depth="32f")
        assert report.clip_policy == "none" and not report.warnings
        assert np.abs(exact(report.files[0].path)).max() > 1
        told = separate(song, options=self.LOUD, bit_depth="32f", clip="warn", out="told")
        assert any("beyond full scale" in warning for warning in told.warnings)
        with pytest.raises(InvalidOption, match="'clip'"):
            separate(song, bit_depth="16", clip="none", out="x")

    @pytest.mark.parametrize("depth", ["16", "24", "32f"])
    def test_rescale_all_can_be_undone(self, depth: str, song: Path, separate: Separate) -> None:
        plain = separate(song, options=self.LOUD, bit_depth="32f", out="plain")
        report = separate(song, options=self.LOUD, bit_depth=depth, clip="rescale-all")
        assert report.rescale_gain_db < -5
        assert all(file.n_clipped == 0 for file in report.files)
        peaks = [np.abs(exact(file.path)).max() for file in report.files]
        assert max(peaks) == pytest.approx(1, abs=1e-3)
        for rescaled, loud in zip(report.files, plain.files, strict=True):
            undone = exact(rescaled.path) * 10 ** (-report.rescale_gain_db / 20)
            assert decibels(exact(loud.path), undone - exact(loud.path)) > 70

    def test_a_full_disk_leaves_no_folder_and_no_first_pass(
        self, song: Path, separate: Separate, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def full(writer: AudioWriter, block: Samples) -> Samples:
            assert any(path.stat().st_size > 0 for path in writer.path.parent.glob(".*.part"))
            raise DiskFull("The disk is full.")

        monkeypatch.setattr(AudioWriter, "write", full)
        with pytest.raises(DiskFull) as kept:  # the error holds the frames of the stack
            separate(song, options=self.LOUD, clip="rescale-all")
        assert not (tmp_path / "out").exists(), kept

    def test_nothing_is_rescaled_without_need(self, song: Path, separate: Separate, tmp_path: Path) -> None:
        report = separate(song, clip="rescale-all")
        assert report.rescale_gain_db == 0 and sum_error_db(song, report) < -130
        assert sorted(path.suffix for path in (tmp_path / "out").rglob("*") if path.is_file()) == [".wav", ".wav"]


class TestForm:
    """Rate, depth and format."""

    @pytest.mark.parametrize("n_samples", [100_001, 100_003])
    def test_an_odd_length_at_half_the_rate_is_right(self, n_samples: int, tmp_path: Path, separate: Separate) -> None:
        write_audio(tmp_path / "song.wav", Audio(noise(2, 96000).samples[:, :n_samples], 96000))
        report = separate(tmp_path / "song.wav", sample_rate=48000)
        assert report.length_ok and report.files[0].n_samples == (n_samples + 1) // 2

    @pytest.mark.parametrize("n_frames", [23, 25, 27])
    def test_an_odd_number_of_frames_of_film_is_right(self, n_frames: int, tmp_path: Path, separate: Separate) -> None:
        """At 44.1 kHz its length ends in one half."""
        write_audio(tmp_path / "reel.wav", Audio(noise(2, 48000).samples[:, : 2000 * n_frames], 48000))
        report = separate(tmp_path / "reel.wav", sample_rate=44100)
        assert report.length_ok and {file.n_samples for file in report.files} == {(3675 * n_frames + 1) // 2}
        assert report.null_depth_written_db is not None and report.null_depth_written_db < -115

    @pytest.mark.parametrize("rate", [44100, 96000])
    def test_another_rate_keeps_duration_and_sum(self, rate: int, tmp_path: Path, separate: Separate) -> None:
        write_audio(tmp_path / "song.wav", read_back(noise(2, 32000), 48000, tmp_path), bit_depth="24")
        report = separate(tmp_path / "song.wav", sample_rate=rate)
        assert {(file.sample_rate, file.n_samples) for file in report.files} == {(rate, 2 * rate)}
        assert report.length_ok and report.null_depth_written_db is not None and report.null_depth_written_db < -115
        back = read_audio(report.files[0].path, 48000).samples + read_audio(report.files[1].path, 48000).samples
        song = read_audio(tmp_path / "song.wav").samples
        inner = slice(1000, -1000)
        assert decibels(song[:, inner], (back - song)[:, inner]) > 40

    @pytest.mark.parametrize("format", ["mp3", "m4a", "opus", "ogg", "wma"])
    @pytest.mark.parametrize("rate", [44100, 48000])
    def test_lossy_files_lie_where_the_source_does(
        self, format: str, rate: int, tmp_path: Path, separate: Separate
    ) -> None:
        """Decoded by FFmpeg alone, as a player does, and compared with a lossless stem."""
        write_audio(tmp_path / "song.wav", noise(3, rate, peak=0.3), bit_depth="24")
        lossy = separate(tmp_path / "song.wav", format=format, bitrate_kbps=256)
        plain = separate(tmp_path / "song.wav", out="plain", sample_rate=lossy.files[0].sample_rate)
        for coded, truth in zip(lossy.files, plain.files, strict=True):
            decoded, stem = decoded_by_ffmpeg(coded.path), exact(truth.path).T
            assert abs(lag(stem[0], decoded[0])) <= 0.001 * coded.sample_rate
            assert coded.offset_samples is not None and abs(coded.offset_samples) <= 0.001 * coded.sample_rate
            assert decoded.shape[1] >= stem.shape[1] and coded.n_samples >= stem.shape[1], "nothing is cut off"
        assert lossy.length_ok and not any("lies" in warning for warning in lossy.warnings)

    @pytest.mark.parametrize("format", ["m4a", "opus"])
    def test_coded_surround_stays_in_its_channels(self, format: str, tmp_path: Path, separate: Separate) -> None:
        """One channel at a time sounds; as decoded by FFmpeg it is the same one, all of it."""
        for channel in (0, 1, 2, 4, 5):
            sound = np.zeros((6, 24000), np.float32)
            sound[channel] = noise(0.5, 48000, 1).samples[0]
            write_audio(tmp_path / f"{channel}.wav", Audio(sound, 48000), bit_depth="24")
            report = separate(tmp_path / f"{channel}.wav", format=format, bitrate_kbps=448)
            energy = np.square(decoded_by_ffmpeg(report.files[0].path)).sum(axis=1)
            assert int(np.argmax(energy)) == channel and energy[channel] > 100 * np.delete(energy, channel).sum()

    @pytest.mark.parametrize("format", ["m4a", "opus"])
    @pytest.mark.parametrize("layout", ["5.1-film", "L,R,C,LFE,Lc,Rc"])
    def test_what_a_lossy_codec_would_damage_is_refused(
        self, format: str, layout: str, tmp_path: Path, separate: Separate
    ) -> None:
        write_audio(tmp_path / "film.wav", noise(0.1, 48000, 6))
        with pytest.raises(InvalidOption, match=r"choose wav\.$"):
            separate(tmp_path / "film.wav", format=format, options={"layout": layout})

    def test_surround_from_ogg_is_in_the_order_of_wave(self, tmp_path: Path, separate: Separate) -> None:
        """Ogg's codecs have the centre second."""
        sound = np.zeros((6, 24000), np.float32)
        sound[2] = noise(0.5, 48000, 1).samples[0]
        with av.open(str(tmp_path / "film.opus"), "w", format="ogg") as container:
            stream = container.add_stream("libopus", rate=48000)
            stream.layout = "5.1"
            frame = av.AudioFrame.from_ndarray(sound, "fltp", "5.1")
            frame.sample_rate = 48000
            container.mux(stream.encode(frame))
            container.mux(stream.encode(None))
        report = separate(tmp_path / "film.opus")
        energy = np.square(exact(report.files[0].path)).sum(axis=0)
        assert int(np.argmax(energy)) == 2 and report.channel_policy == "per-pair"

    @pytest.mark.parametrize("mask", [0x3F, 0x60F])
    def test_the_mask_of_a_flac_is_kept(self, mask: int, tmp_path: Path, separate: Separate) -> None:
        data = bytes(np.random.default_rng(0).integers(0, 255, 6 * 2 * 4800, np.uint8))
        parts = (riff_files.pcm_format(n_channels=6, bits=16, mask=mask), riff_files.chunk(b"data", data))
        (tmp_path / "film.wav").write_bytes(riff_files.wave(*parts))
        coded = separate(tmp_path / "film.wav", format="flac")
        again = separate(Path(coded.files[0].path), out="again")
        assert read_metadata(again.files[0].path).channel_mask == mask

    @pytest.mark.parametrize(
        ("n_channels", "mask", "layout", "of_wav", "of_flac"),
        [
            (6, None, "5.1-film", None, 0),
            (6, 0x3F, "5.1-film", None, 0),  # the file is wrong
            (6, 0x3F, "L,R,C,LFE,SL,SR", 0x60F, 0x60F),
            (6, None, "5.1", 0x3F, 0x3F),
            (6, None, None, None, 0x3F),  # what it is taken for, as everywhere
            (4, None, None, None, 0),  # four tracks of a recorder, not a quad
            (6, 0x3F, None, 0x3F, 0x3F),
            (2, None, "stereo", None, None),
        ],
    )
    def test_loudspeakers_are_what_the_options_say(
        self,
        n_channels: int,
        mask: int | None,
        layout: str | None,
        of_wav: int | None,
        of_flac: int | None,
        tmp_path: Path,
        separate: Separate,
    ) -> None:
        data = bytes(np.random.default_rng(0).integers(0, 255, n_channels * 2 * 4800, np.uint8))
        parts = (riff_files.pcm_format(n_channels=n_channels, bits=16, mask=mask), riff_files.chunk(b"data", data))
        (tmp_path / "film.wav").write_bytes(riff_files.wave(*parts))
        options = {"layout": layout} if layout else None
        plain = separate(tmp_path / "film.wav", options=options)
        coded = separate(tmp_path / "film.wav", options=options, format="flac", out="coded")
        assert read_metadata(plain.files[0].path).channel_mask == of_wav
        assert AudioReader(coded.files[0].path).info.channel_mask == of_flac
        assert any("FLAC has an order" in text for text in coded.warnings) is (of_flac == 0)
        assert not any("FLAC" in text for text in plain.warnings)
        for stem in range(2):
            np.testing.assert_array_equal(exact(plain.files[stem].path), exact(coded.files[stem].path))
        with av.open(coded.files[0].path) as container:  # as other programs find it
            assert (container.metadata.get("WAVEFORMATEXTENSIBLE_CHANNEL_MASK") == "0x0") == (of_flac == 0)
        again = separate(Path(coded.files[0].path), out="again")
        assert again.channel_policy == ("each" if of_flac == 0 else plain.channel_policy)

    @pytest.mark.parametrize(("form", "wanted"), [("flac", False), ("wav", True)])
    def test_two_tracks_of_a_recorder(self, form: str, wanted: bool, tmp_path: Path, separate: Separate) -> None:
        report = separate(riff_files.film(tmp_path / "poly.wav"), format=form)
        assert report.channel_policy == "each", "Boom and Lav are no left and right"
        assert ("bext" in report.carried) is wanted and ("bext" in report.left_behind) is not wanted
        assert "minf" in report.left_behind

    @pytest.mark.parametrize(("format", "subtype"), [("flac", "PCM_24"), ("aiff", "PCM_24")])
    @pytest.mark.parametrize("n_channels", [1, 2, 6])
    def test_other_lossless_formats(
        self, format: str, subtype: str, n_channels: int, tmp_path: Path, separate: Separate
    ) -> None:
        write_audio(tmp_path / "song.wav", bright(48000, n_channels), bit_depth="24")
        report = separate(tmp_path / "song.wav", format=format)
        assert soundfile.info(report.files[0].path).subtype == subtype
        assert sum_error_db(tmp_path / "song.wav", report) < -200

    def test_what_a_format_cannot_hold_is_refused(self, tmp_path: Path, separate: Separate) -> None:
        write_audio(tmp_path / "film.wav", noise(0.1, 48000, 6))
        with pytest.raises(InvalidOption, match="mp3 holds 2 channels"):
            separate(tmp_path / "film.wav", format="mp3")

    def test_flac_has_the_order_of_wave(self, tmp_path: Path, separate: Separate) -> None:
        write_audio(tmp_path / "film.flac", bright(48000, 6), bit_depth="16")
        report = separate(tmp_path / "film.flac")
        assert report.channel_policy == "per-pair"
        np.testing.assert_array_equal(sum(exact(file.path) for file in report.files), exact(tmp_path / "film.flac"))
        assert read_metadata(report.files[0].path).channel_mask == 0x3F


def read_back(audio: Audio, rate: int, folder: Path) -> Audio:
    """Returns sound at another rate, which has nothing near the Nyquist frequency of that."""
    write_audio(folder / "low.wav", audio, bit_depth="32f")
    return read_audio(folder / "low.wav", rate)


def decoded_by_ffmpeg(path: str) -> Samples:
    with av.open(path) as container:
        resampler = av.AudioResampler(format="fltp")
        frames = [part for frame in container.decode(audio=0) for part in resampler.resample(frame)]
        return np.concatenate([frame.to_ndarray() for frame in [*frames, *resampler.resample(None)]], axis=1)


def lag(reference: np.ndarray, delayed: np.ndarray) -> int:
    size = 1 << (len(reference) + len(delayed)).bit_length()
    correlation = np.fft.irfft(np.fft.rfft(delayed, size) * np.conj(np.fft.rfft(reference, size)), size)
    best = int(np.argmax(correlation))
    return best - size if best > size // 2 else best


class TestNames:
    """Files that are there already."""

    @pytest.mark.parametrize("n_failures", [1, 2], ids=["once", "when it is taken back as well"])
    def test_a_failure_halfway_leaves_everything_as_it_was(
        self, tmp_path: Path, separate: Separate, monkeypatch: pytest.MonkeyPatch, n_failures: int
    ) -> None:
        write_audio(tmp_path / "song.wav", noise(0.5))
        old = {Path(file.path): Path(file.path).read_bytes() for file in separate(tmp_path / "song.wav").files}
        first, second = old
        real, failed = os.replace, []

        def failing(source: Any, target: Any) -> None:
            if Path(target) == (first if failed else second) and len(failed) < n_failures:
                failed.append(target)
                raise OSError(5, f"Error {len(failed)}")
            real(source, target)

        monkeypatch.setattr(os, "replace", failing)
        with pytest.raises(OutputUnwritable, match="Error 1"):
            separate(tmp_path / "song.wav", overwrite=True, bit_depth="16")
        assert len(failed) == n_failures
        assert {path: path.read_bytes() for path in (tmp_path / "out").rglob("*") if path.is_file()} == old

    def test_a_file_whose_place_another_cannot_take_is_not_lost(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        path, real, failed = tmp_path / "song.wav", os.replace, []
        path.write_bytes(b"mine")

        def failing(source: Any, target: Any) -> None:
            if Path(target) == path and not failed:
                failed.append(target)
                raise OSError(5, "Input/output error")
            real(source, target)

        monkeypatch.setattr(os, "replace", failing)
        with pytest.raises(OutputUnwritable):
            write_audio(path, noise(0.5), overwrite=True)
        assert failed and [(entry.name, entry.read_bytes()) for entry in tmp_path.iterdir()] == [("song.wav", b"mine")]

    def test_a_folder_in_the_way_is_told_before_any_work(self, tmp_path: Path, separate: Separate) -> None:
        write_audio(tmp_path / "song.wav", noise(0.5))
        (tmp_path / "out" / "song" / "rest.wav").mkdir(parents=True)
        with pytest.raises(OutputUnwritable, match="a folder of that name"):
            separate(tmp_path / "song.wav", overwrite=True)


class TestIdentity:
    """A Broadcast Wave file of a film, from its recorder to its stems."""

    @pytest.fixture
    def reel(self, tmp_path: Path) -> Path:
        sound = noise(1, 48000).samples.T
        write_audio(tmp_path / "plain.wav", Audio(np.ascontiguousarray(sound.T), 48000), bit_depth="24")
        codes = soundfile.read(tmp_path / "plain.wav", dtype="int32")[0] >> 8
        data = codes.astype("<i4").view(np.uint8).reshape(-1, 4)[:, :3].tobytes()
        return riff_files.film(tmp_path / "reel.wav", data=data)

    def test_everything_is_kept_but_what_must_change(self, reel: Path, separate: Separate) -> None:
        before = read_chunks(reel)
        assert before is not None
        for file in separate(reel).files:
            info = soundfile.info(file.path)
            assert (info.samplerate, info.subtype, info.frames, info.channels) == (48000, "PCM_24", 48000, 2)
            after = read_chunks(file.path)
            assert after is not None
            for id, kind in [(b"iXML", b""), (b"cue ", b""), (b"LIST", b"adtl"), (b"LIST", b"INFO"), (b"smpl", b"")]:
                old, new = before.find(id, kind), after.find(id, kind)
                assert old is not None and new is not None and before.payload(old) == after.payload(new)
            ids = [chunk.id for chunk in after.chunks]
            assert ids.index(b"bext") < ids.index(b"data")

    def test_wavinfo_reads_the_stems_as_it_reads_the_source(self, reel: Path, separate: Separate) -> None:
        source = wavinfo.WavInfoReader(str(reel))
        for file in separate(reel).files:
            stem = wavinfo.WavInfoReader(file.path)
            for name in ("description", "originator", "originator_ref", "originator_date", "time_reference", "version"):
                assert getattr(stem.bext, name) == getattr(source.bext, name)
            added = stem.bext.coding_history.removeprefix(source.bext.coding_history)
            assert added.startswith("A=PCM,F=48000,W=24,M=stereo,T=audio-ml") and FAKE.name in added
            assert [cue.position for cue in stem.cues.cues] == [cue.position for cue in source.cues.cues]

    def test_an_excerpt_has_its_own_time(self, reel: Path, separate: Separate) -> None:
        report = separate(reel, start_seconds=0.25, duration_seconds=0.5)
        stem = wavinfo.WavInfoReader(report.files[0].path)
        assert stem.bext.time_reference == 172_800_000 + 12_000
        assert [cue.position for cue in stem.cues.cues] == [12_000], "24000 is inside, 1000 and 47000 are not"

    def test_provenance_is_in_a_chunk_of_its_own(self, reel: Path, separate: Separate) -> None:
        report = separate(reel)
        file = read_chunks(report.files[0].path)
        assert file is not None
        chunk = file.find(b"prov")
        assert chunk is not None
        record = json.loads(file.payload(chunk) or b"")
        assert record["source_sha256"] == report.provenance.source_sha256
        assert record["source"] == "reel.wav" and record["model"] == FAKE.name

    def test_the_umid_goes_to_the_provenance_or_stays(self, tmp_path: Path, separate: Separate) -> None:
        umid = bytes(range(64))
        parts = (riff_files.chunk(b"bext", riff_files.bext(umid=umid)), riff_files.pcm_format(n_channels=1))
        (tmp_path / "x.wav").write_bytes(riff_files.wave(*parts, riff_files.chunk(b"data", bytes(3 * 4800))))
        zeroed, kept = separate(tmp_path / "x.wav"), separate(tmp_path / "x.wav", out="kept", keep_umid=True)
        assert read_metadata(zeroed.files[0].path).umid is None
        assert zeroed.provenance.source_umid == umid.hex() == read_metadata(kept.files[0].path).umid

    def test_loudness_of_version_2_is_that_of_the_stem(self, tmp_path: Path, separate: Separate) -> None:
        sound = noise(5, 48000, 1).samples[0]
        data = np.rint(sound * 2**15).astype("<i2").tobytes()
        bext = riff_files.bext(version=2, loudness=(-100, -200, -300, -400, -500))
        parts = (riff_files.chunk(b"bext", bext), riff_files.pcm_format(n_channels=1, bits=16))
        (tmp_path / "x.wav").write_bytes(riff_files.wave(*parts, riff_files.chunk(b"data", data)))
        basic, full = separate(tmp_path / "x.wav"), separate(tmp_path / "x.wav", out="full", report="full")
        for report in (basic, full):
            for file in report.files:
                read = wavinfo.WavInfoReader(file.path).bext
                assert read.loudness_value == pytest.approx(file.loudness.integrated_lufs, abs=0.006)
                assert read.max_shortterm_loudness == pytest.approx(file.loudness.short_term_lufs, abs=0.006)
        assert wavinfo.WavInfoReader(full.files[0].path).bext.max_true_peak == pytest.approx(
            full.files[0].loudness.true_peak_dbtp, abs=0.006
        )
        assert basic.files[0].loudness.true_peak_dbtp is None

    @pytest.mark.parametrize("format", ["flac", "mp3", "m4a", "ogg", "opus", "aiff"])
    def test_tags_go_from_format_to_format(self, format: str, tmp_path: Path, separate: Separate) -> None:
        write_audio(tmp_path / "plain.flac", noise(1))
        with av.open(str(tmp_path / "plain.flac")) as old, av.open(str(tmp_path / "song.flac"), "w") as new:
            stream = new.add_stream_from_template(old.streams.audio[0])
            new.metadata.update({"title": "Käse", "artist": "Anna"})
            for packet in old.demux(audio=0):
                if packet.dts is not None:
                    packet.stream = stream
                    new.mux(packet)
        report = separate(tmp_path / "song.flac", format=format)
        tags = read_metadata(report.files[0].path).tags
        lower = {key.lower(): value for key, value in tags.items()}
        assert (lower["title"], lower["artist"]) == ("Käse", "Anna")
        assert report.provenance.source_sha256.encode() in Path(report.files[0].path).read_bytes()
        wav = separate(tmp_path / "song.flac", out="wav")
        assert soundfile.SoundFile(wav.files[0].path).title == "Käse"


class TestBadInput:
    """What arrives on a tired evening: handled, or refused in one line."""

    DATA = np.rint(noise(0.5, 48000, 2).samples.T * 2**15).astype("<i2").tobytes()

    def put(self, tmp_path: Path, *parts: bytes, **form: Any) -> Path:
        path = tmp_path / "odd.wav"
        path.write_bytes(riff_files.wave(*parts, **form))
        return path

    @pytest.mark.parametrize("size", [0, 0xFFFFFFFF])
    def test_an_unfinished_recording_is_read_to_its_end(self, size: int, tmp_path: Path, separate: Separate) -> None:
        head = (riff_files.chunk(b"bext", riff_files.bext()), riff_files.pcm_format(bits=16))
        path = self.put(tmp_path, *head, riff_files.chunk(b"data", self.DATA, size=size), size=size)
        report = separate(path)
        assert report.n_samples == 24000 and sum_error_db_of(self.DATA, report) < -200
        assert read_metadata(report.files[0].path).time_reference == 172_800_000

    def test_chunks_in_any_order_and_without_pads(self, tmp_path: Path, separate: Separate) -> None:
        path = self.put(
            tmp_path,
            riff_files.pcm_format(bits=16),
            riff_files.chunk(b"data", self.DATA),
            riff_files.chunk(b"LIST", riff_files.info(INAM="ab"), pad=False),
            riff_files.chunk(b"bext", riff_files.bext()),
        )
        report = separate(path)
        assert sum_error_db_of(self.DATA, report) < -200
        assert read_metadata(report.files[0].path).time_reference == 172_800_000

    def test_a_missing_pad_that_hides_the_format_is_refused_in_one_line(
        self, tmp_path: Path, separate: Separate
    ) -> None:
        head = (riff_files.chunk(b"junk", b"odd", pad=False), riff_files.pcm_format(bits=16))
        path = self.put(tmp_path, *head, riff_files.chunk(b"data", self.DATA))
        with pytest.raises(UnreadableAudio, match=r"^[^\n]*cannot|can be read[^\n]*$"):
            separate(path)

    def test_no_format_before_the_data(self, tmp_path: Path, separate: Separate) -> None:
        path = self.put(tmp_path, riff_files.chunk(b"data", self.DATA), riff_files.pcm_format(bits=16))
        assert sum_error_db_of(self.DATA, separate(path)) < -200

    def test_tags_in_no_known_encoding_do_not_stop_a_job(self, tmp_path: Path, separate: Separate) -> None:
        title = riff_files.chunk(b"INAM", b"K\xe4se\0")
        parts = (riff_files.pcm_format(bits=16), riff_files.chunk(b"LIST", b"INFO" + title))
        path = self.put(tmp_path, *parts, riff_files.chunk(b"data", self.DATA))
        report = separate(path, format="flac")
        tags = {key.lower() for key in read_metadata(report.files[0].path).tags}
        assert "title" in tags or "INFO" in report.left_behind

    @pytest.mark.parametrize(("depth", "told"), [("same", b">16<"), ("24", b">24<"), ("32f", b">32<")])
    def test_ixml_tells_the_bits_of_the_stems(
        self, tmp_path: Path, separate: Separate, depth: str, told: bytes
    ) -> None:
        said = b"<BWFXML><AUDIO_BIT_DEPTH>16</AUDIO_BIT_DEPTH><BWF_UMID>0A1B</BWF_UMID></BWFXML>"
        parts = (riff_files.pcm_format(bits=16), riff_files.chunk(b"iXML", said))
        path = self.put(tmp_path, *parts, riff_files.chunk(b"data", self.DATA))
        for file in separate(path, bit_depth=depth).files:
            assert (b"iXML", said.replace(b">16<", told).replace(b"0A1B", b"0000")) in read_metadata(file.path).chunks

    def test_contradictory_times_are_kept_and_told(self, tmp_path: Path, separate: Separate) -> None:
        path = self.put(
            tmp_path,
            riff_files.chunk(b"bext", riff_files.bext(1000)),
            riff_files.pcm_format(bits=16),
            riff_files.chunk(b"iXML", riff_files.ixml(2000)),
            riff_files.chunk(b"data", self.DATA),
        )
        report = separate(path)
        assert any("bext" in warning and "iXML" in warning for warning in report.warnings)
        assert read_metadata(report.files[0].path).time_reference == 1000

    def test_a_file_that_grows_is_refused(self, tmp_path: Path, separate: Separate) -> None:
        path = self.put(tmp_path, riff_files.pcm_format(bits=16), riff_files.chunk(b"data", self.DATA))
        reader = AudioReader(path)
        blocks = reader.blocks()
        next(blocks)
        with path.open("ab") as file:
            file.write(bytes(100))
        with pytest.raises(UnreadableAudio, match="changed while it was read"):
            list(blocks)

    def test_32_channels_and_bw64(self, tmp_path: Path, separate: Separate) -> None:
        write_audio(tmp_path / "poly.wav", bright(48000, 32, seconds=0.3), bit_depth="16")
        report = separate(tmp_path / "poly.wav")
        assert report.channel_policy == "each" and sum_error_db(tmp_path / "poly.wav", report) < -200
        assert soundfile.info(report.files[0].path).channels == 32
        soundfile.write(tmp_path / "r.wav", bright(48000).samples.T, 48000, "PCM_24", format="RF64")
        content = (tmp_path / "r.wav").read_bytes()
        (tmp_path / "bw.wav").write_bytes(b"BW64" + content[4:])
        report = separate(tmp_path / "bw.wav", out="bw")
        assert report.n_samples == 72000 and report.files[0].bit_depth == "24"
        total = sum(exact(file.path) for file in report.files)
        np.testing.assert_array_equal(total, exact(tmp_path / "r.wav"))


def sum_error_db_of(data: bytes, report: SeparationReport) -> float:
    codes = np.frombuffer(data, "<i2").reshape(-1, 2) / 2**15
    error = np.abs(sum(exact(file.path) for file in report.files) - codes).max()
    return float(20 * np.log10(max(error, 1e-12)))


def test_the_report_says_where_stems_lie_and_how_loud_they_are(tmp_path: Path, separate: Separate) -> None:
    write_audio(tmp_path / "song.wav", noise(4, 48000), bit_depth="24")
    report = separate(tmp_path / "song.wav", report="full")
    assert [file.offset_samples for file in report.files] == [0, 0]
    for file in report.files:
        assert file.loudness.integrated_lufs is not None and file.loudness.true_peak_dbtp is not None
    text = " ".join(report.summary())
    assert "LUFS" in text and "dBTP" in text and "begins where it did" in text
    assert json.loads(report.as_json())["files"][0]["loudness"]["integrated_lufs"] < 0
