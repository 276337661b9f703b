"""`audio-ml speak` replaces nothing unasked, ignores no option silently, and tells what fails in one line."""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from audio_ml.errors import OutputError
from ui.player import Player

Cli = Callable[..., Any]
COMMAND = shlex.quote(str(Path(sys.executable).with_name("audio-ml")))


def shell(line: str, folder: Path) -> subprocess.CompletedProcess[str]:
    """Runs a line of bash in a folder; `audio-ml` is the installed command."""
    line = "set -o pipefail; " + line.replace("audio-ml", COMMAND)
    return subprocess.run(["bash", "-c", line], cwd=folder, capture_output=True, text=True, timeout=300, check=False)


def assert_refused(ran: Any, code: int, *words: str) -> None:
    assert ran.returncode == code, ran.stderr
    assert all(word in ran.stderr for word in words), ran.stderr
    assert sum(line.startswith("audio-ml: ") for line in ran.stderr.splitlines()) == 1
    assert "Traceback" not in ran.stderr


def put_player(folder: Path, script: str) -> str:
    """Makes a player of a shell script and returns the PATH that finds it."""
    player = folder / "bin/pw-cat"
    player.parent.mkdir()
    player.write_text(f"#!/bin/sh\n{script}\n")
    player.chmod(0o755)
    return f"{player.parent}:/bin:/usr/bin"


class TestFilesAreKept:
    @pytest.mark.parametrize(
        ("arguments", "words"),
        [
            ("-f p.txt -o p.wav --captions txt --overwrite", "p.txt is read"),
            ("-f link.txt -o p.wav --captions txt --overwrite", "p.txt is read"),
            ("-o p.wav --captions txt --overwrite < p.txt", "p.txt is read"),
            ("-f p.txt -o p.txt --format wav --overwrite", "p.txt is read"),
            ("-f p_007.txt -o p.wav --split --captions txt --overwrite", "p_007.txt is read"),
            ("Hello. --lexicon w.csv -o w.csv --format wav --overwrite", "w.csv is read"),
            ("Hello. -o k.json --format wav --captions json", "replace the sound"),
            ("Hello. -o k.json --format wav --captions json --split", "replace the sound"),
        ],
    )
    def test_what_is_read_and_the_sound_are_never_replaced(self, tmp_path: Path, arguments: str, words: str) -> None:
        for name in ("p.txt", "p_007.txt", "w.csv"):
            (tmp_path / name).write_text("word,pronunciation\n" if name == "w.csv" else "Hello.")
        (tmp_path / "link.txt").symlink_to("p.txt")
        before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
        assert_refused(shell(f"audio-ml speak {arguments}", tmp_path), 2, words)
        assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before

    @pytest.mark.parametrize(("mine", "split"), [("p.srt", ""), ("p_001.srt", "--split"), ("p_002.srt", "--split")])
    def test_captions_are_replaced_only_when_asked_for(self, tmp_path: Path, mine: str, split: str) -> None:
        (tmp_path / mine).write_text("mine")
        line = f"audio-ml speak $'One.\\n\\nTwo.' -o p.wav --captions srt {split}"
        assert_refused(shell(line, tmp_path), 6, mine, "--overwrite")
        assert [path.name for path in tmp_path.iterdir()] == [mine]
        assert (tmp_path / mine).read_text() == "mine"
        ran = shell(f"{line} --overwrite", tmp_path)
        assert ran.returncode == 0, ran.stderr
        assert "-->" in (tmp_path / mine).read_text()

    def test_captions_that_are_named_twice_are_written_once(self, tmp_path: Path) -> None:
        ran = shell("audio-ml speak One. -o p.wav --captions srt,.srt", tmp_path)
        assert ran.returncode == 0 and ran.stdout.count("p.srt") == 1, ran.stderr

    def test_captions_of_other_names_are_no_hindrance(self, tmp_path: Path) -> None:
        for name in ("p_old.srt", "q_001.srt", "p_001.srt.bak"):
            (tmp_path / name).write_text("mine")
        ran = shell("audio-ml speak One. -o p.wav --split --captions srt", tmp_path)
        assert ran.returncode == 0, ran.stderr
        assert "-->" in (tmp_path / "p_001.srt").read_text()


class TestNoOptionIsIgnored:
    @pytest.mark.parametrize("door", ["-o -", "--play"])
    def test_without_a_file_its_options_are_refused_by_name(self, tmp_path: Path, door: str) -> None:
        options = "--bit-depth 24 --bitrate 64 --sample-rate 48000 --split --overwrite --format flac"
        ran = shell(f"audio-ml speak Hello. {door} {options} --captions srt --json", tmp_path)
        flags = [option for option in options.split() if option.startswith("--")]
        assert_refused(ran, 2, *flags, "--captions", "--json")
        assert not ran.stdout

    @pytest.mark.parametrize(
        ("name", "option", "told"),
        [
            ("a.wav", "--bitrate 64", "--bitrate has no effect"),
            ("a.mp3", "--bit-depth 16", "--bit-depth has no effect"),
            ("a.wav", "--bit-depth 16", ""),
            ("a.mp3", "--bitrate 64", ""),
        ],
    )
    def test_an_option_of_other_formats_is_told(self, tmp_path: Path, name: str, option: str, told: str) -> None:
        ran = shell(f"audio-ml speak Hello. -o {name} {option} --quiet", tmp_path)
        assert ran.returncode == 0 and (tmp_path / name).is_file()
        assert told in ran.stderr and ("no effect" in ran.stderr) == bool(told)

    def test_a_voice_file_comes_with_its_own_model(self, tmp_path: Path) -> None:
        ran = shell("audio-ml speak Hello. --model kokoro --voice va/voice.onnx -o a.wav", tmp_path)
        assert_refused(ran, 2, "va/voice.onnx", "--model kokoro")


class TestOutputName:
    @pytest.mark.parametrize(
        ("name", "words"),
        [
            ("''", ["-o names no file"]),
            ("there", ["there is a folder", "-o there/speech.wav"]),
            ("there.wav", ["there.wav is a folder"]),
            ("bare", ["'bare' should end in one of .wav"]),
            ("there/.wav", ["should end in one of"]),
        ],
    )
    def test_a_name_that_cannot_be_is_told(self, tmp_path: Path, name: str, words: list[str]) -> None:
        for folder in ("there", "there.wav"):
            (tmp_path / folder).mkdir()
        assert_refused(shell(f"audio-ml speak Hello. -o {name}", tmp_path), 2, *words)
        assert len(list(tmp_path.rglob("*"))) == 2


class TestRanges:
    @pytest.mark.parametrize("option", ["--speed 0", "--speed nan", "--speed inf", "--volume -41", "--volume nan"])
    def test_numbers_out_of_range_are_told(self, tmp_path: Path, option: str) -> None:
        name = option.split(maxsplit=1)[0].removeprefix("--")
        assert_refused(shell(f"audio-ml speak Hello. -o a.wav {option}", tmp_path), 2, f"Option '{name}' cannot be")


class TestStandardStreams:
    @pytest.mark.parametrize("arguments", ["", "-f -"])
    def test_closed_standard_input_is_told(self, tmp_path: Path, arguments: str) -> None:
        ran = shell(f"audio-ml speak {arguments} -o a.wav <&-", tmp_path)
        assert_refused(ran, 2, "Give a text, or --file FILE")

    @pytest.mark.parametrize(
        ("to", "words"), [(">&-", ["Standard output is closed"]), ("> /dev/full", ["Standard output", "No space left"])]
    )
    def test_standard_output_that_takes_nothing_is_told(self, tmp_path: Path, to: str, words: list[str]) -> None:
        assert_refused(shell(f"audio-ml speak Hello. -o - {to}", tmp_path), 6, *words)

    def test_text_in_another_encoding_is_told(self, tmp_path: Path) -> None:
        ran = shell(r"printf 'caf\xe9 au lait' | audio-ml speak -o a.wav", tmp_path)
        assert_refused(ran, 2, "standard input is no text in UTF-8: byte 3", "Save it as UTF-8")

    def test_phonemes_stay_out_of_raw_samples(self, tmp_path: Path) -> None:
        with_phonemes = shell("audio-ml speak Hello. -o - --phonemes > a.raw", tmp_path)
        shell("audio-ml speak Hello. -o - > b.raw", tmp_path)
        assert (tmp_path / "a.raw").read_bytes() == (tmp_path / "b.raw").read_bytes()
        assert "həl" in with_phonemes.stderr

    def test_phonemes_stay_out_of_json(self, tmp_path: Path) -> None:
        ran = shell("audio-ml speak Hello. -o a.wav --phonemes --json", tmp_path)
        assert json.loads(ran.stdout)["files"] and "həl" in ran.stderr
        assert "həl" in shell("audio-ml speak Hello. -o b.wav --phonemes", tmp_path).stdout

    def test_a_reader_that_has_enough_ends_it_quietly(self, tmp_path: Path) -> None:
        text = "This is a sentence of some length. " * 20
        ran = shell(f"audio-ml speak '{text}' -o - | head -c 100 | wc -c", tmp_path)
        assert (ran.returncode, ran.stdout.strip()) == (0, "100"), ran.stderr
        assert len(ran.stderr.splitlines()) == 1 and "raw samples" in ran.stderr


class TestPlayer:
    @pytest.mark.parametrize("script", ["exit 7", "cat > /dev/null; exit 7"])
    def test_a_player_that_fails_is_named(self, run_cli: Cli, tmp_path: Path, script: str) -> None:
        ran = run_cli("speak", "Hello. " * 30, "--play", PATH=put_player(tmp_path, script))
        assert_refused(ran, 6, "pw-cat", "exit code 7")

    @pytest.mark.parametrize("script", ["cat > /dev/null; exit 7", "head -c 999 > /dev/null; exit 7", "exit 7"])
    def test_files_are_complete_when_the_player_fails(self, run_cli: Cli, tmp_path: Path, script: str) -> None:
        path = put_player(tmp_path, script)
        text = "This is a sentence of some length, and it is followed by more. " * 3 + "The end."
        ran = run_cli("speak", text, "--play", "-o", tmp_path / "a.wav", "--captions", "srt", PATH=path)
        assert_refused(ran, 6, "pw-cat", "exit code 7")
        assert soundfile.info(tmp_path / "a.wav").duration > 9
        assert "end." in (tmp_path / "a.srt").read_text()
        assert str(tmp_path / "a.wav") in ran.stdout, "what was written is told"

    def test_raw_samples_are_complete_when_the_player_fails(self, run_cli: Cli, tmp_path: Path) -> None:
        bin = put_player(tmp_path, "exit 7")
        ran = shell(f"PATH={bin}:$PATH audio-ml speak '{'Hello there. ' * 9}' --play -o - > a.raw", tmp_path)
        assert_refused(ran, 6, "pw-cat")
        assert (tmp_path / "a.raw").stat().st_size > 4 * 24000 * 2

    @pytest.mark.parametrize(("script", "code"), [("exit 0", 0), ("exit 7", 6)])
    def test_nothing_more_is_spoken_when_nobody_listens(
        self, run_cli: Cli, tmp_path: Path, script: str, code: int
    ) -> None:
        path = put_player(tmp_path, script)
        ran = run_cli("speak", "Hello there. " * 200, "--play", "--phonemes", PATH=path)
        assert ran.returncode == code and ran.stdout.count("həl") < 50, ran.stderr

    @pytest.mark.parametrize("script", ["exit 0", "sleep 60"])
    def test_one_that_was_closed_or_that_we_end_is_no_failure(
        self, tmp_path: Path, script: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("PATH", put_player(tmp_path, f"exec {script}" if "sleep" in script else script))
        samples = np.zeros((1, 100_000), np.float32)
        if script == "exit 0":
            with Player(8000) as player:
                player.play(samples)
                player.play(samples)
            return
        with pytest.raises(KeyError), Player(8000) as player:
            player.play(samples[:, :10])
            raise KeyError
        with pytest.raises(OutputError, match="exit code -15"), Player(8000) as player:
            os.kill(player._process.pid, 15)
