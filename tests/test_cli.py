"""The command line as a user meets it: in a process of its own, with real files and the real model."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile
from signals import decibels, noise

from audio_ml.audio import Audio
from audio_ml.streams import read_audio
from audio_ml.writer import write_audio
from ui.flags import takes
from ui.server.fleet import Fleet, FleetOptions

Cli = Callable[..., "subprocess.CompletedProcess[str]"]

pytestmark = pytest.mark.weights


@pytest.fixture
def song(tmp_path: Path) -> Path:
    path = tmp_path / "song.wav"
    write_audio(path, noise(3, 48000))
    return path


def stems_in(folder: Path) -> dict[str, Path]:
    return {path.stem: path for path in folder.rglob("*.*") if path.is_file()}


def test_separate_gives_stems_of_the_same_form(run_cli: Cli, song: Path, tmp_path: Path) -> None:
    ran = run_cli("separate", song, "-o", tmp_path / "out", "--report-file", tmp_path / "report.json")
    assert ran.returncode == 0, ran.stderr
    stems = stems_in(tmp_path / "out")
    assert sorted(stems) == ["accompaniment", "vocals"]
    for path in stems.values():
        info = soundfile.info(path)
        assert (info.samplerate, info.frames, info.subtype) == (48000, 144000, "PCM_24")
        assert str(path) in ran.stdout
    total = sum(read_audio(path).samples for path in stems.values())
    assert np.abs(total - read_audio(song).samples).max() < 2**-21
    (report,) = json.loads((tmp_path / "report.json").read_text())["reports"]
    assert report["length_ok"] and report["null_depth_db"] < -120
    assert report["provenance"]["weights_sha256"] and report["provenance"]["options"]["exact"] is False
    assert "song.wav: separating" in ran.stderr, "plain lines where there is no terminal"


def test_quiet_and_json_print_only_what_they_say(run_cli: Cli, song: Path, tmp_path: Path) -> None:
    quiet = run_cli("separate", song, "-o", tmp_path / "a", "--quiet")
    assert (quiet.stdout, quiet.stderr) == ("", "")
    as_json = run_cli("separate", song, "-o", tmp_path / "b", "--json")
    assert json.loads(as_json.stdout)["reports"][0]["n_samples"] == 144000 and as_json.stderr == ""


def test_quiet_keeps_back_no_warning(run_cli: Cli, tmp_path: Path) -> None:
    write_audio(tmp_path / "x.wav", noise(1, 96000))
    ran = run_cli("separate", tmp_path / "x.wav", "-o", tmp_path / "out", "--format", "mp3", "--quiet")
    assert ran.stdout == "" and "cannot hold the 96000 Hz" in ran.stderr
    assert "nothing but warnings and errors" in " ".join(run_cli("separate", "--help").stdout.split())


def test_a_report_never_replaces_the_source(run_cli: Cli, song: Path, tmp_path: Path) -> None:
    before = song.read_bytes()
    ran = run_cli("separate", song, "-o", tmp_path / "so", "--overwrite", "--report-file", song)
    assert ran.returncode == 6 and "another name" in ran.stderr
    assert song.read_bytes() == before and not (tmp_path / "so").exists()


def test_every_flag_has_its_effect(run_cli: Cli, song: Path, tmp_path: Path) -> None:
    ran = run_cli(
        *("separate", song, "-o", tmp_path, "-m", "spleeter:2stems", "--format", "flac", "--bit-depth", "16"),
        *("--stems", "vocals", "--start", "1", "--duration", "0.5", "--filename", "{model}-{track}-{stem}.{ext}"),
        *("--device", "cpu", "--overlap", "0.5"),
    )
    assert ran.returncode == 0, ran.stderr
    info = soundfile.info(tmp_path / "spleeter-2stems-song-vocals.flac")
    assert (info.format, info.subtype, info.frames) == ("FLAC", "PCM_16", 24000)
    assert not (tmp_path / "spleeter-2stems-song-accompaniment.flac").exists()
    exact = run_cli("separate", song, "-o", tmp_path / "exact", "--exact", "--json")
    assert json.loads(exact.stdout)["reports"][0]["null_depth_db"] > -60, "as Spleeter, which loses the top"
    mp3 = run_cli("separate", song, "-o", tmp_path / "mp3", "--format", "mp3", "--bitrate", "64")
    sizes = [path.stat().st_size for path in stems_in(tmp_path / "mp3").values()]
    assert mp3.returncode == 0 and all(20_000 < size < 30_000 for size in sizes), "3 s at 64 kbit/s are 24 kB"


def test_one_bad_file_does_not_stop_the_rest(run_cli: Cli, song: Path, tmp_path: Path) -> None:
    (tmp_path / "bad.wav").write_text("text")
    ran = run_cli("separate", tmp_path / "bad.wav", song, tmp_path / "none.wav", "-o", tmp_path / "out", "--json")
    assert ran.returncode == 7
    outcome = json.loads(ran.stdout)
    assert len(outcome["reports"]) == 1
    assert [Path(failure["source"]).name for failure in outcome["failures"]] == ["bad.wav", "none.wav"]
    assert len(list((tmp_path / "out").rglob("*.wav"))) == 2
    assert "2 of 3 files failed" in ran.stderr


def test_files_of_one_name_do_not_overwrite_each_other(run_cli: Cli, tmp_path: Path) -> None:
    for folder, seconds in (("p", 1), ("q", 2)):
        write_audio(tmp_path / folder / "song.wav", noise(seconds))
    ran = run_cli("separate", tmp_path / "p/song.wav", tmp_path / "q/song.wav", "-o", tmp_path / "out", "--overwrite")
    assert ran.returncode == 7 and "earlier file of this call" in ran.stderr
    assert soundfile.info(tmp_path / "out" / "song" / "vocals.wav").frames == 44100


def test_a_rate_the_format_cannot_hold_is_told(run_cli: Cli, tmp_path: Path) -> None:
    write_audio(tmp_path / "x.wav", noise(1, 96000))
    ran = run_cli("separate", tmp_path / "x.wav", "-o", tmp_path / "out", "--format", "mp3", "--json")
    assert "cannot hold the 96000 Hz" in ran.stderr
    (report,) = json.loads(ran.stdout)["reports"]
    assert report["length_ok"] is True and {file["sample_rate"] for file in report["files"]} == {48000}


def test_nothing_is_overwritten_without_the_flag(run_cli: Cli, song: Path, tmp_path: Path) -> None:
    target = tmp_path / "stems" / "song" / "vocals.wav"
    target.parent.mkdir(parents=True)
    target.write_text("precious")
    ran = run_cli("separate", song, "-o", tmp_path / "stems")
    assert ran.returncode == 6 and "--overwrite" in ran.stderr
    assert target.read_text() == "precious" and len(list(target.parent.iterdir())) == 1
    assert run_cli("separate", song, "-o", tmp_path / "stems", "--overwrite").returncode == 0
    assert soundfile.info(target).frames == 144000


def test_the_source_is_never_overwritten(run_cli: Cli, tmp_path: Path) -> None:
    source = tmp_path / "vocals.wav"
    write_audio(source, noise(1))
    before = source.read_bytes()
    ran = run_cli("separate", source, "-o", tmp_path, "--filename", "{stem}.{ext}", "--overwrite")
    assert ran.returncode == 6 and "the source itself" in ran.stderr
    assert source.read_bytes() == before


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["separate", "song.wav", "-m", "spleter-2stems"], 2, "Did you mean 'spleeter-2stems'?"),
        (["separate", "song.wav", "--stems", "vocal"], 2, "Did you mean 'vocals'?"),
        (["separate", "song.wav", "--overlap", "0.3"], 2, "'overlap'"),
        (["separate", "song.wav", "--start", "-1"], 2, "'start_seconds'"),
        (["separate", "song.wav", "--start", "99"], 2, "ends at"),
        (["separate", "song.wav", "--format", "flac", "--bit-depth", "32f"], 2, "flac cannot hold"),
        (["separate", "song.wav", "--filename", "{artist}.wav"], 2, "'filename'"),
        (["separate", "song.wav", "--filename", "../{stem}.{ext}"], 2, "leaves the output folder"),
        (["separate", "song.wav", "--filename", "same.{ext}"], 2, "more than one stem"),
        (["separate", "song.wav", "--filename", "{stem}.mp3"], 2, "has to end in {ext}"),
        (["separate", "song.wav", "--filename", "{track.name}.{ext}"], 2, "'filename'"),
        (["separate", "song.wav", "--filename", "{stem:9999999999}.{ext}"], 2, "'filename'"),
        (["separate", "song.wav", "--start", "1e308"], 2, "'start_seconds'"),
        (["separate", "song.wav", "other.wav", "-m", "nothing"], 2, "Unknown model 'nothing'"),
        (["separate", "s" * 300 + ".wav"], 2, "cannot be read"),
        (["separate", "song.wav", "-o", "o" * 300], 6, "cannot be written"),
        (["separate", "song.wav", "--loud"], 2, "--loud"),
        (["separate"], 2, "PATH"),
        (["models", "pull", "nothing"], 2, "Unknown model 'nothing'"),
        (["models", "import", "song.wav"], 2, "not a bundle"),
    ],
)
def test_mistakes_are_one_clear_message(
    run_cli: Cli, song: Path, arguments: list[str], code: int, words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(song.parent)
    ran = run_cli(*arguments)
    assert ran.returncode == code and words in ran.stderr and "Traceback" not in ran.stderr
    assert not (song.parent / "stems").exists() or not stems_in(song.parent / "stems")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_it_without_leavings(number: int, tmp_path: Path) -> None:
    write_audio(tmp_path / "long.wav", noise(2400, 8000, 1))
    running = subprocess.Popen(
        [Path(sys.executable).with_name("audio-ml"), "separate", "long.wav"], cwd=tmp_path, stderr=subprocess.PIPE
    )
    assert running.stderr is not None
    while b"separating" not in running.stderr.readline():
        assert running.poll() is None
    time.sleep(0.5)
    running.send_signal(number)
    said = running.communicate(timeout=60)[1].decode()
    assert "Traceback" not in said
    assert number != signal.SIGINT or "Stopped" in said
    assert not (tmp_path / "stems").exists()
    assert running.returncode == {signal.SIGINT: 130, signal.SIGTERM: 143}[number]


class TestModels:
    """`audio-ml models`."""

    def test_list_shows_licence_and_place(self, run_cli: Cli) -> None:
        ran = run_cli("models", "list")
        assert ran.returncode == 0
        assert all(word in ran.stdout for word in ("spleeter-2stems", "vocals, accompaniment", "44100 Hz", "MIT", "MB"))
        listed = {row["name"]: row for row in json.loads(run_cli("models", "list", "--json").stdout)["models"]}
        assert listed["spleeter-2stems"]["commercial_use"] is True
        assert listed["spleeter-example"]["licence"] == "CC BY 3.0"

    def test_pull_verify_export_import_remove(self, run_cli: Cli, tmp_path: Path) -> None:
        """The way of a sample into a room without a network."""
        home, room = {"AUDIO_ML_CACHE": str(tmp_path / "home")}, {"AUDIO_ML_CACHE": str(tmp_path / "room")}
        assert run_cli("models", "pull", "spleeter-example", **home).returncode == 0
        assert run_cli("models", "export", tmp_path / "bundle", "spleeter-example", **home).returncode == 0
        everything = run_cli("models", "export", tmp_path / "all", "--offline", **home).stdout
        assert "spleeter-example" in everything and "hibari" in everything and "kokoro" not in everything
        assert run_cli("models", "pull", "spleeter-example", "--offline", **room).returncode == 3
        assert "spleeter-example" in run_cli("models", "import", tmp_path / "bundle", **room).stdout
        assert run_cli("models", "pull", "spleeter-example", "--offline", **room).returncode == 0
        verified = json.loads(run_cli("models", "verify", "spleeter-example", "--json", **room).stdout)
        assert verified == {"spleeter-example": {"audio_example.mp3": "right"}}
        (tmp_path / "room" / "models" / "spleeter-example" / "audio_example.mp3").write_bytes(b"x")
        damaged = run_cli("models", "verify", "spleeter-example", **room)
        assert damaged.returncode == 3 and "audio-ml models pull spleeter-example" in damaged.stderr
        assert "freed" in run_cli("models", "remove", "spleeter-example", **room).stdout
        assert not list((tmp_path / "room").rglob("*.mp3"))


class TestBadInput:
    """Each bad file gives a correct result, or one line and the exit code of the table."""

    @pytest.mark.parametrize("n_samples", [1, 2, 4096])
    def test_very_short_files_are_separated(self, run_cli: Cli, tmp_path: Path, n_samples: int) -> None:
        write_audio(tmp_path / "short.wav", Audio(noise(1).samples[:, :n_samples], 44100))
        assert run_cli("separate", tmp_path / "short.wav", "-o", tmp_path / "out").returncode == 0
        assert all(soundfile.info(path).frames == n_samples for path in stems_in(tmp_path / "out").values())

    @pytest.mark.parametrize("rate", [8000, 192000])
    @pytest.mark.parametrize("n_channels", [1, 2])
    def test_extreme_rates_and_mono(self, run_cli: Cli, tmp_path: Path, rate: int, n_channels: int) -> None:
        write_audio(tmp_path / "x.wav", noise(1, rate, n_channels), bit_depth="32f")
        assert run_cli("separate", tmp_path / "x.wav", "-o", tmp_path / "out").returncode == 0
        stems = [read_audio(path) for path in stems_in(tmp_path / "out").values()]
        assert all((stem.sample_rate, stem.n_channels, stem.n_samples) == (rate, n_channels, rate) for stem in stems)
        mixture = read_audio(tmp_path / "x.wav").samples
        assert decibels(mixture, mixture - sum(stem.samples for stem in stems)) > 110

    def test_float_beyond_full_scale_is_kept(self, run_cli: Cli, tmp_path: Path) -> None:
        write_audio(tmp_path / "loud.wav", noise(1, peak=8.0), bit_depth="32f")
        ran = run_cli("separate", tmp_path / "loud.wav", "-o", tmp_path / "out")
        stems = stems_in(tmp_path / "out")
        assert ran.returncode == 0 and all(soundfile.info(path).subtype == "FLOAT" for path in stems.values())
        assert max(np.abs(read_audio(path).samples).max() for path in stems.values()) > 4
        clipped = run_cli("separate", tmp_path / "loud.wav", "-o", tmp_path / "int", "--bit-depth", "24")
        assert "clipped" in clipped.stderr

    @pytest.mark.parametrize("value", [np.nan, np.inf])
    def test_numbers_that_are_no_sound_are_refused(self, run_cli: Cli, tmp_path: Path, value: float) -> None:
        samples = noise(1).samples.copy()
        samples[1, 30000] = value
        soundfile.write(tmp_path / "x.wav", samples.T, 44100, subtype="FLOAT")
        ran = run_cli("separate", tmp_path / "x.wav", "-o", tmp_path / "out")
        assert ran.returncode == 2 and "NaN or infinite samples, the first at 30000" in ran.stderr
        assert not stems_in(tmp_path / "out")

    @pytest.mark.parametrize(
        ("content", "words"),
        [(b"", "is empty"), (b"this is text\n" * 99, "not an audio or video file"), ("no samples", "no samples")],
    )
    def test_files_without_sound(self, run_cli: Cli, tmp_path: Path, content: bytes | str, words: str) -> None:
        if content == "no samples":
            soundfile.write(tmp_path / "x.wav", np.zeros((0, 2)), 44100)
        else:
            (tmp_path / "x.wav").write_bytes(content)
        ran = run_cli("separate", tmp_path / "x.wav", "-o", tmp_path / "out")
        assert ran.returncode == 2 and words in ran.stderr and len(ran.stderr.strip().splitlines()) <= 3
        assert not stems_in(tmp_path / "out")

    def test_too_loud_to_compute_is_refused(self, run_cli: Cli, tmp_path: Path) -> None:
        write_audio(tmp_path / "x.wav", noise(1, peak=1e30), bit_depth="32f")
        ran = run_cli("separate", tmp_path / "x.wav", "-o", tmp_path / "out")
        assert ran.returncode == 2 and "too loud" in ran.stderr
        assert not (tmp_path / "out").exists()

    @pytest.mark.skipif(sys.platform != "linux", reason="other systems have no such names")
    def test_a_name_that_is_no_text(self, run_cli: Cli, tmp_path: Path) -> None:
        path = tmp_path / os.fsdecode(b"bad\xff.wav")
        write_audio(path, noise(1))
        ran = run_cli(
            "separate", path, "-o", tmp_path / "out", "--report-file", tmp_path / "r.json", PYTHONIOENCODING="ascii"
        )
        assert ran.returncode == 0, ran.stderr
        assert json.loads((tmp_path / "r.json").read_text())["reports"][0]["n_samples"] == 44100

    def test_a_truncated_mp3_gives_what_it_holds(self, run_cli: Cli, tmp_path: Path) -> None:
        write_audio(tmp_path / "x.mp3", noise(5))
        whole = (tmp_path / "x.mp3").read_bytes()
        (tmp_path / "cut.mp3").write_bytes(whole[: len(whole) // 2])
        ran = run_cli("separate", tmp_path / "cut.mp3", "-o", tmp_path / "out")
        assert ran.returncode == 0 and "cut short or damaged" in ran.stderr
        frames = {soundfile.info(path).frames for path in stems_in(tmp_path / "out").values()}
        assert len(frames) == 1 and 2 < frames.pop() / 44100 < 3

    @pytest.mark.parametrize(
        "name", ["a b.wav", 'it\'s "quoted".wav', "new\nline.wav", "日本 ü ©.wav", "-dash.wav", "{x}.wav"]
    )
    def test_strange_names(self, run_cli: Cli, tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.chdir(tmp_path)
        write_audio(Path(name), noise(1))
        ran = run_cli("separate", "-o", "out", "--", name)
        assert ran.returncode == 0, ran.stderr
        assert (tmp_path / "out" / Path(name).stem / "vocals.wav").exists()

    @pytest.mark.skipif(sys.platform != "linux", reason="/proc takes no folder, not even root's")
    def test_a_folder_that_cannot_be_written_to(self, run_cli: Cli, song: Path) -> None:
        ran = run_cli("separate", song, "-o", "/proc/stems")
        assert ran.returncode == 6 and "was not written" in ran.stderr and "Traceback" not in ran.stderr


def test_options_of_two_models_share_a_flag() -> None:
    """A second model with an option of the same name does not make a second flag."""
    from separation.engines.spleeter import SpleeterOptions
    from separation.options import SeparationOptions

    @takes(options=[SeparationOptions, SpleeterOptions, SpleeterOptions])
    def command(*, options: dict[str, object]) -> None:
        assert options == {"exact": True}

    others = dict.fromkeys(SpleeterOptions.model_fields)
    command(**(others | {"exact": True}))


def test_to_pin_an_ensemble_pins_its_members() -> None:
    """They are what is in memory: an ensemble has no engine of its own."""
    fleet = Fleet(FleetOptions("cpu", "4GB", {}, {"pinned": ("htdemucs_ft", "dtln")}, {}))
    for worker in fleet.workers.values():
        parts = [f"htdemucs-ft-{stem}" for stem in ("drums", "bass", "other", "vocals")]
        assert worker.settings.rest["memory"]["pinned"] == [*parts, "dtln"]
