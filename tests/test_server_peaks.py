"""What is heard and seen of a job that is done: against numpy, against the files, and of no one else's."""

import io
import json
import os
import subprocess
import sys
import zipfile
from pathlib import Path
from urllib.parse import quote

import numpy as np
import pytest
import soundfile
from hypothesis import given, settings
from hypothesis import strategies as st
from listening import listening, stem_report, write_sparse
from serving import serving
from signals import noise

from audio_ml.audio import Audio
from audio_ml.streams import AudioReader, read_audio
from audio_ml.writer import write_audio
from ui.server.listening.overview import PeakMeter
from ui.server.listening.spectrogram import N_ROWS, SpectrogramPainter
from ui.server.options import ServerOptions

RATE = 44100
SECONDS = 7.3
STEMS = {"vocals": -20.0, "drums": -25.0}


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    with listening(tmp_path_factory.mktemp("server")) as server:
        yield server


@pytest.fixture(scope="module")
def stems():
    """Two stems that 24 bits hold exactly."""
    made = (noise(SECONDS, seed=seed).samples for seed in (1, 2))
    return dict(zip(STEMS, (np.rint(samples * 2**23) / 2**23 for samples in made), strict=True))


@pytest.fixture(scope="module")
def source(stems, tmp_path_factory):
    path = tmp_path_factory.mktemp("source") / "sóng.wav"
    write_audio(path, Audio(sum(stems.values()).astype(np.float32), RATE))
    return path


@pytest.fixture(scope="module")
def job(server, stems, source):
    def fill(folder):
        for stem, samples in stems.items():
            write_audio(folder / "song" / f"{stem}.wav", Audio(samples, RATE))

    n_samples = stems["vocals"].shape[1]
    return server.publish(fill, stem_report(STEMS, RATE, n_samples), source=source)


def part(server, job, name, start, n, **more):
    told = "".join(f"&{key}={value}" for key, value in more.items())
    reply = server.ask("GET", f"/v1/jobs/{job}/sound/{quote(name)}?start={start}&n={n}{told}")
    assert reply.status == 200, reply.body
    samples, rate = soundfile.read(io.BytesIO(reply.body), dtype="float32", always_2d=True)
    return samples.T, rate


def mixed(server, job, gains_db):
    reply = server.ask("GET", f"/v1/jobs/{job}/mix?gains_db={quote(json.dumps(gains_db))}")
    assert reply.status == 200, reply.body
    samples, _ = soundfile.read(io.BytesIO(reply.body), dtype="float64", always_2d=True)
    return samples.T, reply


class TestTracks:
    def test_results_and_their_source(self, server, job, stems):
        told = server.ask("GET", f"/v1/jobs/{job}/tracks").json
        assert [(track["name"], track["title"], track["lufs"]) for track in told["tracks"]] == [
            ("song/vocals.wav", "vocals", -20.0),
            ("song/drums.wav", "drums", -25.0),
            ("source", "source", None),
        ]
        assert {track["n_samples"] for track in told["tracks"]} == {stems["vocals"].shape[1]}
        assert told["adds_up"] and "path" not in told["tracks"][0]

    def test_a_source_that_was_replaced_is_not_the_source(self, server, stems, tmp_path):
        path = tmp_path / "song.wav"
        write_audio(path, noise(1))

        def fill(folder):
            write_audio(folder / "song" / "vocals.wav", noise(1))

        job = server.publish(fill, stem_report({"vocals": -20.0}, RATE, RATE), source=path)
        path.unlink()
        write_audio(path, noise(1, seed=3))
        assert [track["name"] for track in server.ask("GET", f"/v1/jobs/{job}/tracks").json["tracks"]] == [
            "song/vocals.wav"
        ]


class TestPeaks:
    @pytest.mark.parametrize("n", [1, 100, 2048, 4096])
    def test_they_are_the_extremes_of_their_bins(self, server, job, stems, n):
        told = server.ask("GET", f"/v1/jobs/{job}/peaks/song/drums.wav?n={n}").json
        samples, size = stems["drums"], told["samples_per_bin"]
        assert n / 2 < len(told["lows"]) <= n or size == 16
        edges = range(0, samples.shape[1], size)
        np.testing.assert_allclose(told["lows"], np.minimum.reduceat(samples.min(axis=0), edges), atol=1e-6)
        np.testing.assert_allclose(told["highs"], np.maximum.reduceat(samples.max(axis=0), edges), atol=1e-6)
        assert (told["n_samples"], told["sample_rate"]) == (samples.shape[1], RATE)

    @settings(deadline=None, max_examples=30)
    @given(lengths=st.lists(st.integers(1, 70_000), min_size=1, max_size=6), scale=st.integers(1, 30))
    def test_blocks_of_any_size_give_the_same_bins(self, lengths, scale):
        samples = np.random.default_rng(0).standard_normal((2, sum(lengths) * scale)).astype(np.float32)
        meter, begin = PeakMeter(), 0
        for length in np.repeat(lengths, scale):
            meter.add(samples[:, begin : begin + length])
            begin += length
        size, lows, highs = meter.result()
        edges = range(0, samples.shape[1], size)
        assert np.array_equal(lows, np.minimum.reduceat(samples.min(axis=0), edges))
        assert np.array_equal(highs, np.maximum.reduceat(samples.max(axis=0), edges))

    def test_the_loudness_of_the_source_is_measured(self, server, job, source):
        from audio_ml.loudness import LoudnessMeter

        told = server.ask("GET", f"/v1/jobs/{job}/peaks/source").json
        meter = LoudnessMeter(RATE, 2)
        meter.add(read_audio(source).samples)
        assert told["lufs"] == pytest.approx(meter.result().integrated_lufs)

    def test_they_are_made_once_and_are_no_result(self, server, job):
        server.ask("GET", f"/v1/jobs/{job}/peaks/song/vocals.wav")
        kept = server.services.scheduler.folder_of(job).with_name("overview") / "song" / "vocals.wav.npz"
        made = kept.stat().st_mtime_ns
        server.ask("GET", f"/v1/jobs/{job}/spectrogram/song/vocals.wav")
        server.ask("GET", f"/v1/jobs/{job}/peaks/song/vocals.wav?n=10")
        assert kept.stat().st_mtime_ns == made
        names = [file["name"] for file in server.ask("GET", f"/v1/jobs/{job}").json["files"]]
        assert names == ["song/drums.wav", "song/vocals.wav"]


class TestSpectrogram:
    def test_it_is_a_picture(self, server, job):
        from PIL import Image

        reply = server.ask("GET", f"/v1/jobs/{job}/spectrogram/song/vocals.wav")
        assert reply.headers["Content-Type"] == "image/png"
        picture = Image.open(io.BytesIO(reply.body))
        assert picture.height == N_ROWS and 300 < picture.width < 1300

    @pytest.mark.parametrize("hz", [440, 3000, 12_000])
    def test_a_tone_is_bright_where_its_pitch_is(self, hz):
        seconds = 40
        tone = np.sin(2 * np.pi * hz * np.arange(seconds * RATE) / RATE).astype(np.float32)[None]
        painter = SpectrogramPainter(RATE, tone.shape[1])
        for block in np.array_split(tone, 13, axis=1):
            painter.add(block)
        image = painter.result()
        mels = 2595 * np.log10(1 + np.array([30, hz, RATE / 2]) / 700)
        row = N_ROWS - 1 - int(N_ROWS * (mels[1] - mels[0]) / (mels[2] - mels[0]))
        middle = image[:, 10:-10]
        assert np.abs(middle.argmax(axis=0) - row).max() <= 1
        assert middle.max() > 225 and np.median(middle) < 100

    def test_time_runs_to_the_right(self):
        sound = np.zeros((1, 20 * RATE), np.float32)
        sound[:, 10 * RATE : 15 * RATE] = noise(5).samples[:1]
        painter = SpectrogramPainter(RATE, sound.shape[1])
        painter.add(sound)
        is_loud = painter.result().max(axis=0) > 100
        begin, end = np.flatnonzero(is_loud)[[0, -1]] / len(is_loud)
        assert (begin, end) == (pytest.approx(0.5, abs=0.01), pytest.approx(0.75, abs=0.01))


class TestSound:
    @pytest.mark.parametrize(("start", "n"), [(0, 441_000), (1, 1), (100_000, 65_537), (320_000, 44_100)])
    def test_a_piece_is_those_samples(self, server, job, stems, start, n):
        samples, rate = part(server, job, "song/vocals.wav", start, n)
        assert rate == RATE and np.array_equal(samples, stems["vocals"][:, start : start + n])

    def test_the_last_piece_is_what_is_left(self, server, job, stems):
        whole = stems["vocals"]
        assert np.array_equal(part(server, job, "song/vocals.wav", whole.shape[1] - 3, 10)[0], whole[:, -3:])
        reply = server.ask("GET", f"/v1/jobs/{job}/sound/source?start={whole.shape[1]}&n=10")
        assert reply.status == 422 and "has ended" in reply.json["error"]["message"]

    @pytest.mark.parametrize("suffix", ["mp3", "ogg", "m4a", "opus", "flac"])
    def test_pieces_of_any_format_join_to_what_the_file_holds(self, server, suffix, tmp_path):
        sound = noise(6, 48_000)

        def fill(folder):
            write_audio(folder / f"it.{suffix}", sound)

        job = server.publish(fill, {})
        whole = read_audio(server.services.scheduler.folder_of(job) / f"it.{suffix}").samples
        starts = [0, 100_000, 200_000, 50_000, 55_000, 250_000]  # backwards, too
        for start in starts:
            piece, _ = part(server, job, f"it.{suffix}", start, 70_000)
            assert np.array_equal(piece, whole[:, start : start + 70_000])

    def test_at_another_rate_pieces_join_without_a_seam(self, server, job, stems):
        from audio_ml.streams import Resampler

        whole = np.concatenate(list(Resampler(RATE, 48_000, 2).stream([stems["vocals"]])), axis=1)
        pieces = [
            part(server, job, "song/vocals.wav", start, 48_000, rate=48_000) for start in range(0, 350_400, 48_000)
        ]
        assert {rate for _, rate in pieces} == {48_000}
        np.testing.assert_allclose(np.concatenate([piece for piece, _ in pieces], axis=1), whole, atol=1e-6)

    @pytest.mark.skipif(sys.platform != "linux", reason="looks at open files as Linux shows them")
    def test_what_is_removed_is_off_the_disk_when_nobody_has_listened_for_a_while(self, server, monkeypatch):
        def fill(folder):
            write_audio(folder / "it.flac", noise(60, 48_000))

        job = server.publish(fill, {})
        part(server, job, "it.flac", 0, 100, rate=44_100)  # of which a decoder is kept

        def is_open():
            return any(job in os.path.realpath(link) for link in Path("/proc/self/fd").iterdir())

        assert is_open()
        for step in server.services.rounds:
            step()
        assert is_open()  # who listens may go on
        monkeypatch.setattr("ui.server.listening.pieces.SECONDS_OPEN", 0.0)
        for step in server.services.rounds:
            step()
        assert not is_open()

    def test_an_excerpt_begins_where_the_job_began(self, server, source, stems):
        def fill(folder):
            write_audio(folder / "song" / "vocals.wav", Audio(stems["vocals"][:, 44_100:88_200], RATE))

        delivery = {"start_seconds": 1.0, "duration_seconds": 1.0}
        job = server.publish(fill, stem_report({"vocals": -20.0}, RATE, RATE), source=source, delivery=delivery)
        whole = read_audio(source).samples[:, 44_100:88_200]
        assert np.array_equal(part(server, job, "source", 0, 100_000)[0], whole)
        assert np.array_equal(part(server, job, "source", 30_000, 100_000)[0], whole[:, 30_000:])

    @pytest.mark.parametrize(
        "query", ["start=-1&n=5", "start=0&n=0", "start=0", "start=0&n=9999999", "start=0&n=9&rate=1"]
    )
    def test_what_cannot_be_had_is_explained(self, server, job, query):
        reply = server.ask("GET", f"/v1/jobs/{job}/sound/song/vocals.wav?{query}")
        assert reply.status == 422 and reply.json["error"]["message"].endswith(".")


class TestMix:
    def test_at_no_gain_it_is_the_source_bit_by_bit(self, server, job, source):
        mix, reply = mixed(server, job, {"song/vocals.wav": 0, "song/drums.wav": 0})
        assert np.array_equal(mix, read_audio(source).samples)
        assert int(reply.headers["Content-Length"]) == len(reply.body)
        assert "s%C3%B3ng%20-%20mix.wav" in reply.headers["Content-Disposition"]

    def test_gains_are_decibels(self, server, job, stems):
        mix, _ = mixed(server, job, {"song/vocals.wav": -6.0, "song/drums.wav": -20.0})
        wanted = 10 ** (-6 / 20) * stems["vocals"] + 0.1 * stems["drums"]
        np.testing.assert_allclose(mix, wanted, atol=2 * 2**-23)
        alone, _ = mixed(server, job, {"song/drums.wav": 0})
        assert np.array_equal(alone, stems["drums"])

    def test_what_would_clip_is_turned_down_and_says_so(self, server, job, stems):
        mix, reply = mixed(server, job, {"song/vocals.wav": 12, "song/drums.wav": 12})
        wanted = 10 ** (12 / 20) * sum(stems.values())
        factor = 1 / np.abs(wanted).max()
        np.testing.assert_allclose(mix, factor * wanted, atol=2 * 2**-23)
        assert f"{20 * np.log10(factor):.1f}%20dB" in reply.headers["Content-Disposition"]

    @pytest.mark.parametrize("gains", [{}, {"song/flute.wav": 0}, {"song/vocals.wav": 99}, {"song/vocals.wav": None}])
    def test_what_is_no_mix_is_refused(self, server, job, gains):
        assert server.ask("GET", f"/v1/jobs/{job}/mix?gains_db={quote(json.dumps(gains))}").status in (404, 422)
        assert server.ask("GET", f"/v1/jobs/{job}/mix?gains_db=nonsense").status == 422


def test_the_archive_holds_every_file(server, job):
    reply = server.ask("GET", f"/v1/jobs/{job}/archive")
    archive = zipfile.ZipFile(io.BytesIO(reply.body))
    assert archive.testzip() is None
    folder = server.services.scheduler.folder_of(job)
    assert {name: archive.read(name) for name in archive.namelist()} == {
        name: (folder / name).read_bytes() for name in ("song/drums.wav", "song/vocals.wav")
    }
    assert "s%C3%B3ng%20-%20stems.zip" in reply.headers["Content-Disposition"]


@pytest.mark.parametrize(
    "what",
    [
        "tracks",
        "peaks/it.wav",
        "spectrogram/it.wav",
        "sound/it.wav?start=0&n=9",
        'mix?gains_db={"it.wav":0}',
        "archive",
    ],
)
def test_other_callers_have_no_such_job(server, what):
    def fill(folder):
        write_audio(folder / "it.wav", noise(0.1))

    mine, theirs = server.publish(fill, {}), server.publish(fill, {}, owner="anna")
    what = quote(what, safe="/?=&")
    assert server.ask("GET", f"/v1/jobs/{mine}/{what}").status == 200
    reply = server.ask("GET", f"/v1/jobs/{theirs}/{what}")
    assert (reply.status, reply.json["error"]["type"]) == (404, "UnknownJob")


@pytest.mark.parametrize("name", ["it.txt", "../outcome.json", "source", "it"])
def test_only_tracks_are_tracks(server, name):
    def fill(folder):
        write_audio(folder / "it.wav", noise(0.1))
        (folder / "it.txt").write_text("words")

    job = server.publish(fill, {})
    assert server.ask("GET", f"/v1/jobs/{job}/sound/{quote(name, safe='')}?start=0&n=9").status == 404


LONG = """
import resource, sys
from pathlib import Path
from ui.server.listening.mixdown import mix_down
from ui.server.options import ServerOptions
from ui.server.listening.overview import look_over
from ui.server.listening.archive import zipped
from ui.server.listening.tracks import Track
path, folder = Path(sys.argv[1]), Path(sys.argv[2])
track = Track("it.wav", "it", path, 44100, 1, {n_samples})
short = Track("short.wav", "short", path, 44100, 1, 441000)
look_over(short, folder)
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
overview = look_over(track, folder)
size = sum(len(content) for content in mix_down([track, track], [0.0, 12.0], [1.0, 1.0]).encoded())
n_bytes = sum(len(content) for content in zipped([("it.wav", path)]))
print(overview.n_samples, size, n_bytes, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
"""


def test_memory_does_not_grow_with_the_length(tmp_path):
    path, n_samples = tmp_path / "long.wav", 600 * RATE
    write_sparse(path, RATE, n_samples, [10])
    assert AudioReader(path).info.n_samples == n_samples
    code = LONG.format(n_samples=n_samples)
    done = subprocess.run([sys.executable, "-c", code, path, tmp_path], capture_output=True, text=True, check=True)
    heard, size, n_bytes, grown_kib = map(int, done.stdout.split())
    assert heard == n_samples and size == 44 + 3 * n_samples and n_bytes > path.stat().st_size
    assert grown_kib < 40 << 10  # the file has 53 MB, its samples as floats twice as many


@pytest.mark.weights
def test_a_separation_by_a_real_model_is_heard(source, tmp_path):
    with serving(ServerOptions(folder=str(tmp_path))) as server:
        done = server.end_of(server.submit(task="separate", inputs=[server.upload(source)]))
        told = server.ask("GET", f"/v1/jobs/{done['id']}/tracks").json
        assert [track["title"] for track in told["tracks"]] == ["vocals", "accompaniment", "source"] and told["adds_up"]
        stems = [track["name"] for track in told["tracks"][:2]]
        mix, _ = mixed(server, done["id"], dict.fromkeys(stems, 0))
        assert np.array_equal(mix, read_audio(source).samples)
        assert server.ask("DELETE", f"/v1/jobs/{done['id']}").status == 204
        assert not list(tmp_path.rglob("*.npz"))
