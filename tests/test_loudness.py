"""Loudness against independent meters, the EBU's test signals, and what must be true of any meter."""

from __future__ import annotations

import json
from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
import riff_files
import typer
from hypothesis import given, settings
from hypothesis import strategies as st
from signals import noise
from typer.testing import CliRunner

from audio_ml.audio import Audio, Samples
from audio_ml.errors import InvalidInput, InvalidOption, OutputExists
from audio_ml.layouts import parse_layout
from audio_ml.loudness import (
    TARGETS,
    Loudness,
    LoudnessMeter,
    find_target,
    gain_to,
    measure,
    normalise_file,
)
from audio_ml.metadata import read_metadata
from audio_ml.streams import AudioReader, read_audio
from audio_ml.writer import write_audio

BLOCK = 65536
SURROUND_51 = 0x3F


def measured(audio: Audio, *, channel_mask: int | None = None, block: int = BLOCK) -> Loudness:
    meter = LoudnessMeter(audio.sample_rate, audio.n_channels, channel_mask=channel_mask, true_peak=True)
    for start in range(0, audio.n_samples, block):
        meter.add(audio.samples[:, start : start + block])
    return meter.result()


def known(value: float | None) -> float:
    assert value is not None
    return value


def tones(*parts: tuple[float, float], sample_rate: int = 48000, n_channels: int = 2) -> Audio:
    """Returns a sine of 1 kHz that takes levels (dBFS of its peak) for seconds each, as the EBU's test signals do."""
    levels = np.concatenate([np.full(round(seconds * sample_rate), 10 ** (level / 20)) for level, seconds in parts])
    sine = levels * np.sin(2 * np.pi * 1000 * np.arange(len(levels)) / sample_rate)
    return Audio(np.tile(sine.astype(np.float32), (n_channels, 1)), sample_rate)


def music(seconds: float, sample_rate: int, n_channels: int) -> Audio:
    """Returns noise that comes and goes as phrases do, with a rest of digital silence."""
    sound = noise(seconds, sample_rate, n_channels, seed=3, peak=0.7)
    time = np.arange(sound.n_samples) / sample_rate
    phrases = (0.1 + np.abs(np.sin(2 * np.pi * time / 9))) * (time % 11 < 9)
    return Audio((sound.samples * phrases).astype(np.float32), sample_rate)


def of_ffmpeg(audio: Audio, layout: str) -> list[dict[str, str]]:
    """Returns the readings of FFmpeg's own meter, every 100 ms."""
    import av

    graph = av.filter.Graph()
    unit = Fraction(1, audio.sample_rate)
    source = graph.add_abuffer(sample_rate=audio.sample_rate, format="fltp", layout=layout, time_base=unit)
    meter, sink = graph.add("ebur128", "metadata=1:framelog=quiet"), graph.add("abuffersink")
    source.link_to(meter)
    meter.link_to(sink)
    graph.configure()
    frame = av.AudioFrame.from_ndarray(np.ascontiguousarray(audio.samples), "fltp", layout)
    frame.sample_rate, frame.pts, frame.time_base = audio.sample_rate, 0, unit
    graph.push(frame)
    graph.push(None)
    readings = []
    while True:
        try:
            readings.append(dict(graph.pull().metadata))
        except (av.BlockingIOError, av.EOFError):
            return readings


@pytest.mark.parametrize("sample_rate", [32000, 44100, 48000, 96000])
@pytest.mark.parametrize("n_channels", [1, 2])
def test_integrated_loudness_is_that_of_pyloudnorm(sample_rate: int, n_channels: int) -> None:
    """At low rates pyloudnorm (as libebur128 and FFmpeg) is too loud: its high pass has another gain at each rate."""
    import pyloudnorm

    for audio in (noise(2, sample_rate, n_channels), music(12, sample_rate, n_channels)):
        reference = pyloudnorm.Meter(sample_rate, filter_class="DeMan").integrated_loudness(audio.samples.T)
        assert measured(audio).integrated_lufs == pytest.approx(reference, abs=0.1)


def test_five_channels_weigh_as_in_pyloudnorm() -> None:
    """pyloudnorm takes L R C Ls Rs and knows no LFE, so the sixth channel of 5.1 is one that it must not see."""
    import pyloudnorm

    audio = music(12, 48000, 6)
    reference = pyloudnorm.Meter(48000, filter_class="DeMan").integrated_loudness(audio.samples[[0, 1, 2, 4, 5]].T)
    assert measured(audio, channel_mask=SURROUND_51).integrated_lufs == pytest.approx(reference, abs=0.1)
    assert measured(audio).integrated_lufs == pytest.approx(reference, abs=0.1)
    film_order = LoudnessMeter(48000, 6, layout=parse_layout("5.1-film"))
    film_order.add(audio.samples[[0, 2, 1, 4, 5, 3]])
    assert film_order.result().integrated_lufs == pytest.approx(reference, abs=0.1)


@pytest.mark.parametrize(("sample_rate", "layout"), [(44100, "stereo"), (48000, "5.1"), (32000, "mono")])
def test_every_reading_is_that_of_ffmpeg(sample_rate: int, layout: str) -> None:
    audio = music(40, sample_rate, {"mono": 1, "stereo": 2, "5.1": 6}[layout])
    readings, ours = of_ffmpeg(audio, layout), measured(audio)
    assert ours.integrated_lufs == pytest.approx(float(readings[-1]["lavfi.r128.I"]), abs=0.05)
    assert ours.range_lu == pytest.approx(float(readings[-1]["lavfi.r128.LRA"]), abs=0.2)
    assert ours.momentary_lufs == pytest.approx(max(float(row["lavfi.r128.M"]) for row in readings), abs=0.05)
    assert ours.short_term_lufs == pytest.approx(max(float(row["lavfi.r128.S"]) for row in readings), abs=0.05)


@pytest.mark.parametrize(
    ("sample_rate", "frequency_hz"),
    [(rate, hz) for rate in (44100, 48000, 192000) for hz in (25, 40, 100, 500, 2000, 10000, 16000)]
    + [(rate, hz) for rate in (8000, 11025) for hz in (25, 40, 100, 400)],
)
def test_tones_weigh_by_the_tables_of_the_standard(sample_rate: int, frequency_hz: int) -> None:
    """The response of the coefficients in tables 1 and 2 of BS.1770-4 for 48 kHz is that at every rate."""
    z = np.exp(-2j * np.pi * frequency_hz / 48000 * np.arange(3))
    shelf = np.dot([1.53512485958697, -2.69169619938640, 1.19839281085285], z)
    shelf /= np.dot([1, -1.69065929318241, 0.73248077421585], z)
    high_pass = np.dot([1, -2, 1], z) / np.dot([1, -1.99004745483398, 0.99007225036621], z)
    time = np.arange(4 * sample_rate) / sample_rate
    sine = Audio(np.sin(2 * np.pi * frequency_hz * time, dtype=np.float64).astype(np.float32)[np.newaxis], sample_rate)
    expected = -0.691 + 10 * np.log10(np.abs(shelf * high_pass) ** 2 / 2)
    is_exact = frequency_hz < sample_rate / 20 or sample_rate == 48000  # bilinear transforms differ further up
    tolerance = 0.02 if is_exact else 0.25
    assert measured(sine).short_term_lufs == pytest.approx(expected, abs=tolerance)


@pytest.mark.parametrize(
    ("parts", "lufs"),
    [
        ([(-23, 20)], -23),
        ([(-33, 20)], -33),
        ([(-36, 10), (-23, 60), (-36, 10)], -23),
        ([(-72, 10), (-36, 10), (-23, 60), (-36, 10), (-72, 10)], -23),
        ([(-26, 20), (-20, 20.1), (-26, 20)], -23),
    ],
)
def test_integrated_loudness_of_tech_3341_cases_1_to_5(parts: list[tuple[float, float]], lufs: float) -> None:
    loudness = measured(tones(*parts))
    assert loudness.integrated_lufs == pytest.approx(lufs, abs=0.1)
    if len(parts) == 1:
        assert loudness.momentary_lufs == pytest.approx(lufs, abs=0.1)
        assert loudness.short_term_lufs == pytest.approx(lufs, abs=0.1)


def test_integrated_loudness_of_tech_3341_case_6() -> None:
    mono = [tones((level, 20), n_channels=1).samples for level in (-28, -28, -24, -30, -30)]
    meter = LoudnessMeter(48000, 5, layout=parse_layout("5.0"))
    meter.add(np.concatenate(mono))
    assert meter.result().integrated_lufs == pytest.approx(-23, abs=0.1)


def test_short_term_loudness_of_tech_3341_cases_9_and_10() -> None:
    alternating = tones(*[(-20, 1.34), (-30, 1.66)] * 5)
    assert measured(alternating).short_term_lufs == pytest.approx(-23, abs=0.1)
    for delay in range(0, 20, 4):
        late = tones((-200, 0.15 * delay), (-23, 3), (-200, 1))
        assert measured(late).short_term_lufs == pytest.approx(-23, abs=0.1)


def test_momentary_loudness_of_tech_3341_case_12() -> None:
    assert measured(tones(*[(-20, 0.18), (-30, 0.22)] * 25)).momentary_lufs == pytest.approx(-23, abs=0.1)


@pytest.mark.parametrize(
    ("divisor", "degrees", "amplitude", "dbtp"),
    [(4, 0, 0.5, -6), (4, 45, 0.5, -6), (6, 60, 0.5, -6), (8, 67.5, 0.5, -6), (4, 45, 1.41, 3), (4, 45, 1.0, 0)],
)
@pytest.mark.parametrize("sample_rate", [8000, 48000, 192000])
def test_true_peak_of_tech_3341_cases_15_to_19(
    divisor: int, degrees: float, amplitude: float, dbtp: float, sample_rate: int
) -> None:
    """The tolerance is +0.2 / -0.4 dB. The tone fades in and out: one that is cut has other peaks."""
    n_samples = sample_rate // 2
    phase = 2 * np.pi * np.arange(n_samples) / divisor + np.radians(degrees)
    fade = np.clip(np.minimum(np.arange(n_samples), np.arange(n_samples)[::-1]) / (n_samples / 10), 0, 1)
    tone = (amplitude * fade * np.sin(phase)).astype(np.float32)[np.newaxis]
    assert -0.4 <= known(measured(Audio(tone, sample_rate)).true_peak_dbtp) - dbtp <= 0.2


def test_true_peak_sees_between_samples() -> None:
    tone = np.sin(np.pi / 2 * np.arange(48000) + np.pi / 4) * np.hanning(48000)
    assert 20 * np.log10(np.abs(tone).max()) == pytest.approx(-3.01, abs=0.05)
    assert measured(Audio(tone.astype(np.float32)[np.newaxis], 48000)).true_peak_dbtp == pytest.approx(0, abs=0.2)


@given(st.integers(0, 4000), st.integers(2, 5000))
@settings(max_examples=40, deadline=None)
def test_true_peak_is_the_same_wherever_it_is(position: int, n_samples: int) -> None:
    """Between two equal samples alone in silence lies 4 / pi of them, by the series of sines; before the end, too."""
    click = np.zeros((2, max(n_samples, position + 2)), np.float32)
    click[1, position : position + 2] = -0.5
    expected = 20 * np.log10(0.5 * 4 / np.pi)
    assert measured(Audio(click, 48000), block=777).true_peak_dbtp == pytest.approx(expected, abs=0.1)


def test_true_peak_is_at_least_the_sample_peak() -> None:
    """A tone at half the rate has nothing that an interpolation could see."""
    tone = np.where(np.arange(4800) % 2, -0.5, 0.5).astype(np.float32)[np.newaxis]
    assert known(measured(Audio(tone, 48000)).true_peak_dbtp) >= 20 * np.log10(0.5) - 1e-6


@pytest.mark.parametrize("seed", range(4))
def test_true_peak_is_that_of_an_exact_interpolation(seed: int) -> None:
    """A periodic sound, band-limited to 0.4 of the rate, is known between its samples through its spectrum."""
    random = np.random.default_rng(seed)
    n_samples = 4096
    spectrum = np.zeros(n_samples // 2 + 1, complex)
    spectrum[1 : n_samples * 4 // 10] = random.standard_normal((n_samples * 4 // 10 - 1, 2)) @ [1, 1j]
    period = np.fft.irfft(spectrum, n_samples)
    fine = 4 * np.fft.irfft(spectrum, 4 * n_samples)
    scale = 0.5 / np.abs(fine).max()
    audio = Audio((scale * np.tile(period, 3)).astype(np.float32)[np.newaxis], 44100)
    edges = np.concatenate([np.hanning(512)[:256], np.ones(audio.n_samples - 512), np.hanning(512)[256:]])
    faded = Audio((audio.samples * edges).astype(np.float32), 44100)
    assert measured(faded).true_peak_dbtp == pytest.approx(20 * np.log10(0.5), abs=0.01)


@pytest.mark.parametrize(
    ("levels", "range_lu"), [((-20, -30), 10), ((-20, -15), 5), ((-40, -20), 20), ((-50, -35, -20, -35, -50), 15)]
)
def test_range_of_tech_3342_cases_1_to_4(levels: Sequence[float], range_lu: float) -> None:
    assert measured(tones(*[(level, 20) for level in levels])).range_lu == pytest.approx(range_lu, abs=1)


@given(st.lists(st.integers(1, 70000), min_size=1, max_size=30), st.sampled_from([44100, 11025]))
@settings(max_examples=20, deadline=None)
def test_readings_do_not_depend_on_the_blocks(sizes: list[int], sample_rate: int) -> None:
    audio = music(5, sample_rate, 2)
    meter, begin = LoudnessMeter(sample_rate, 2, true_peak=True), 0
    for size in [*sizes, audio.n_samples]:
        meter.add(audio.samples[:, begin : begin + size])
        begin += size
    at_once = measured(audio, block=audio.n_samples)
    for name in ("integrated_lufs", "momentary_lufs", "short_term_lufs", "range_lu", "true_peak_dbtp"):
        assert getattr(meter.result(), name) == pytest.approx(getattr(at_once, name), abs=1e-4), name


def test_nothing_to_measure_is_none() -> None:
    silence = Audio(np.zeros((2, 48000 * 4), np.float32), 48000)
    assert measured(silence) == Loudness()
    assert LoudnessMeter(48000, 2).result() == Loudness()
    short = measured(tones((-20, 0.39)))
    assert (short.integrated_lufs, short.momentary_lufs) == (None, None)
    assert short.true_peak_dbtp == pytest.approx(-20, abs=0.1)
    for sample_rate in (11025, 48000):  # 100 ms of the first are no whole number of samples
        enough = tones((-20, 0.4), sample_rate=sample_rate)
        assert measured(enough).integrated_lufs == pytest.approx(-20, abs=0.1)
        assert measured(Audio(enough.samples[:, :-1], sample_rate)).integrated_lufs is None
    second = measured(tones((-20, 1)))
    assert second.integrated_lufs == pytest.approx(-20, abs=0.1)
    assert (second.short_term_lufs, second.range_lu) == (None, None)


def test_a_meter_of_64_channels_counts_them_alike() -> None:
    one = tones((-40, 2), n_channels=1)
    many = Audio(np.tile(one.samples, (64, 1)), one.sample_rate)
    louder = known(measured(many).integrated_lufs) - known(measured(one).integrated_lufs)
    assert louder == pytest.approx(10 * np.log10(64), abs=0.001)


def test_an_lfe_is_not_heard_but_has_a_peak() -> None:
    samples: Samples = np.zeros((6, 48000), np.float32)
    samples[3] = tones((-6, 1), n_channels=1).samples
    loudness = measured(Audio(samples, 48000))
    assert loudness.integrated_lufs is None
    assert loudness.true_peak_dbtp == pytest.approx(-6, abs=0.1)


def test_the_back_pair_is_surround_only_without_a_side_pair() -> None:
    for mask, channel, extra_db in ((0x3F, 4, 1.5), (0x63F, 4, 0), (0x63F, 6, 1.5), (0x60F, 4, 1.5)):
        samples: Samples = np.zeros((8 if mask == 0x63F else 6, 48000), np.float32)
        samples[channel] = tones((-20, 1), n_channels=1).samples
        loudness = measured(Audio(samples, 48000), channel_mask=mask)
        front = known(measured(tones((-20, 1), n_channels=1)).integrated_lufs)
        assert known(loudness.integrated_lufs) - front == pytest.approx(extra_db, abs=0.01), (mask, channel)


def test_a_gain_reaches_the_target_or_stops_at_the_ceiling() -> None:
    audio = music(12, 44100, 2)
    for target in (*TARGETS.values(), find_target("-3")):
        gain = gain_to(target, measured(audio))
        after = measured(Audio(audio.samples * np.float32(gain.factor), 44100))
        assert known(after.true_peak_dbtp) <= target.true_peak_dbtp + 0.01
        assert after.integrated_lufs == pytest.approx(target.lufs - gain.held_back_db, abs=0.1)
        assert after.integrated_lufs == pytest.approx(measured(audio).after(gain.gain_db).integrated_lufs, abs=0.01)
    assert gain.held_back_db > 0
    assert gain_to(TARGETS["ebu-r128"], measured(audio)).held_back_db == 0


def test_silence_has_no_gain() -> None:
    with pytest.raises(InvalidInput, match="silent"):
        gain_to(TARGETS["music"], Loudness())


@pytest.mark.parametrize("name", ["loud", "nan", "inf", "3", "-70", ""])
def test_a_target_that_is_none_is_refused(name: str) -> None:
    with pytest.raises(InvalidOption):
        find_target(name)


def test_a_wrong_name_is_answered_with_the_right_one() -> None:
    with pytest.raises(InvalidOption, match="'podcast'"):
        find_target("podcst")


@pytest.mark.parametrize(("ending", "bit_depth"), [("wav", "24"), ("wav", "32f"), ("flac", "16"), ("aiff", "24")])
def test_a_copy_is_at_the_target_and_otherwise_the_same(tmp_path: Path, ending: str, bit_depth: str) -> None:
    source, copy = tmp_path / f"song.{ending}", tmp_path / "out" / f"song.{ending}"
    write_audio(source, music(10, 48000, 2), bit_depth=bit_depth)  # type: ignore[arg-type]
    done = normalise_file(source, copy, TARGETS["podcast"])
    assert measure(copy).loudness.integrated_lufs == pytest.approx(-16 - done.gain.held_back_db, abs=0.1)
    assert known(measure(copy).loudness.true_peak_dbtp) <= -1 + 0.01
    before, after = AudioReader(source).info, AudioReader(copy).info
    assert (before.sample_rate, before.n_channels, before.n_samples) == (
        after.sample_rate,
        after.n_channels,
        after.n_samples,
    )
    assert before.subtype == after.subtype
    gained = read_audio(source).samples * np.float32(done.gain.factor)
    assert np.abs(read_audio(copy).samples - gained).max() < 2.0**-14


def test_a_file_is_measured_by_the_places_of_its_channels(tmp_path: Path) -> None:
    audio = music(5, 48000, 4)
    write_audio(tmp_path / "quad.flac", audio)  # four channels of FLAC are L R Ls Rs
    expected = measured(audio, channel_mask=0x33).integrated_lufs
    assert measure(tmp_path / "quad.flac").loudness.integrated_lufs == pytest.approx(expected, abs=0.001)
    assert measured(audio).integrated_lufs != pytest.approx(expected, abs=0.1)


def test_rounding_is_dithered(tmp_path: Path) -> None:
    write_audio(tmp_path / "a.wav", music(3, 48000, 1), bit_depth="16")
    done = normalise_file(tmp_path / "a.wav", tmp_path / "b.wav", find_target("-25"))
    steps = read_audio(tmp_path / "a.wav").samples * np.float32(done.gain.factor) * 2**15
    error = read_audio(tmp_path / "b.wav").samples * 2**15 - steps
    assert 0.6 < np.abs(error).max() <= 1.5  # rounding alone stays within 0.5


def test_a_copy_of_5_1_keeps_its_channels(tmp_path: Path) -> None:
    audio = music(3, 48000, 6)
    write_audio(tmp_path / "film.wav", audio)
    done = normalise_file(tmp_path / "film.wav", tmp_path / "copy.wav", find_target("-30"))
    copied = read_audio(tmp_path / "copy.wav").samples
    np.testing.assert_allclose(copied, audio.samples * np.float32(done.gain.factor), atol=1e-6)


@pytest.mark.parametrize("ending", ["m4a", "opus"])
def test_tracks_without_loudspeakers_are_not_coded_as_such(tmp_path: Path, ending: str) -> None:
    write_audio(tmp_path / "tracks.wav", music(3, 48000, 4))
    with pytest.raises(InvalidOption, match="would damage"):
        normalise_file(tmp_path / "tracks.wav", tmp_path / "out" / f"tracks.{ending}", find_target("-30"))
    assert not (tmp_path / "out").exists()


def test_markers_stay_where_the_length_is_not_known(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    data = (music(1, 48000, 2).samples.T * 2**15).astype("<i2").tobytes()
    points = riff_files.chunk(b"cue ", riff_files.cue({1: 100, 2: 40000}))
    parts = (riff_files.pcm_format(bits=16), points, riff_files.chunk(b"axml", b"<a/>"))
    path = tmp_path / "a.wav"
    path.write_bytes(riff_files.wave(*parts, riff_files.chunk(b"data", data)))
    monkeypatch.setattr(AudioReader, "n_expected", None)
    normalise_file(path, tmp_path / "b.wav", find_target("-25"))
    assert read_metadata(tmp_path / "b.wav").chunks == read_metadata(path).chunks


def test_a_file_is_not_written_over_itself(tmp_path: Path) -> None:
    path = tmp_path / "song.wav"
    write_audio(path, music(3, 48000, 2))
    content = path.read_bytes()
    with pytest.raises(OutputExists, match="is the file that is read"):
        normalise_file(path, path, TARGETS["music"], overwrite=True)
    assert path.read_bytes() == content


def test_silence_leaves_no_copy(tmp_path: Path) -> None:
    write_audio(tmp_path / "silence.wav", Audio(np.zeros((1, 48000), np.float32), 48000))
    with pytest.raises(InvalidInput, match="silent"):
        normalise_file(tmp_path / "silence.wav", tmp_path / "out" / "silence.wav", TARGETS["music"])
    assert not (tmp_path / "out").exists()


@pytest.fixture
def command() -> typer.Typer:
    from ui.loudness import loudness

    app = typer.Typer(pretty_exceptions_enable=False)
    app.command()(loudness)
    return app


def test_the_command_prints_a_table(command: typer.Typer, tmp_path: Path) -> None:
    write_audio(tmp_path / "tone.wav", tones((-23, 4)))
    shown = CliRunner().invoke(command, [str(tmp_path / "tone.wav")])
    assert shown.exit_code == 0
    row = next(line for line in shown.stdout.splitlines() if "tone.wav" in line).split()
    assert row[1:] == ["-23.0", "-23.0", "-23.0", "0.0", "-23.0"]


def test_the_command_goes_on_after_a_bad_file(command: typer.Typer, tmp_path: Path) -> None:
    write_audio(tmp_path / "a.wav", tones((-23, 4)))
    write_audio(tmp_path / "b.wav", tones((-3, 4)))
    (tmp_path / "bad.wav").write_bytes(b"not audio")
    files = [str(tmp_path / name) for name in ("a.wav", "bad.wav", "b.wav")]
    shown = CliRunner().invoke(command, [*files, "--target", "0", "-o", str(tmp_path / "out"), "--json"])
    assert getattr(shown.exception, "exit_code", None) == 7
    outcome = json.loads(shown.stdout)
    assert [Path(row["source"]).name for row in outcome["files"]] == ["a.wav", "b.wav"]
    assert [Path(row["source"]).name for row in outcome["failures"]] == ["bad.wav"]
    assert [row["gain"]["held_back_db"] > 0 for row in outcome["files"]] == [True, True]
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["a.wav", "b.wav"]


def test_two_files_of_one_name_do_not_overwrite_each_other(command: typer.Typer, tmp_path: Path) -> None:
    for folder, level in (("one", -23), ("two", -30)):
        write_audio(tmp_path / folder / "a.wav", tones((level, 1)))
    files = [str(tmp_path / folder / "a.wav") for folder in ("one", "two")]
    shown = CliRunner().invoke(command, [*files, "--target", "-20", "-o", str(tmp_path / "out"), "--overwrite"])
    assert getattr(shown.exception, "exit_code", None) == 7
    assert measure(tmp_path / "out" / "a.wav").loudness.integrated_lufs == pytest.approx(-20, abs=0.1)


def test_the_command_tells_what_the_ceiling_held_back(command: typer.Typer, tmp_path: Path) -> None:
    write_audio(tmp_path / "a.wav", tones((-20, 4)))
    shown = CliRunner().invoke(command, [str(tmp_path / "a.wav"), "--target", "0"])
    assert "1.0 dB less than asked for" in shown.stdout


def test_a_folder_without_a_target_is_refused(command: typer.Typer, tmp_path: Path) -> None:
    shown = CliRunner().invoke(command, [str(tmp_path / "a.wav"), "-o", str(tmp_path)])
    assert isinstance(shown.exception, InvalidOption)
