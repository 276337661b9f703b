"""The evaluation of separation: stems matched by name, folders, models, the commands, and bad input."""

from __future__ import annotations

import dataclasses
import json
import math
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from fake_engine import FAKE, FOUR
from true_stems import RATE, coloured, read, separated, stems_of, write_stems
from typer.testing import CliRunner

from audio_ml.audio import Audio
from audio_ml.errors import (
    Cancelled,
    InvalidInput,
    InvalidOption,
    OutputExists,
    OutputUnwritable,
    UnknownModel,
    UnreadableAudio,
)
from audio_ml.loader import ModelLoader
from audio_ml.progress import Progress
from separation import separate
from separation.evaluation import evaluate, evaluate_folders, evaluate_model
from separation.evaluation.sounds import LENGTH_TOLERANCE, find_sum
from ui.evaluate import app


@pytest.mark.parametrize(
    ("stem", "names", "expected"),
    [
        ("vocals", ["vocals"], {"vocals": 1}),
        ("accompaniment", ["vocals"], None),
        ("no_drums", ["vocals", "drums", "accompaniment"], {"vocals": 1}),
        ("no_drums", ["mixture", "drums"], {"mixture": 1, "drums": -1}),
        ("drums", ["mixture", "vocals"], None),
    ],
)
def test_what_a_stem_is_made_of(stem: str, names: list[str], expected: dict[str, float] | None) -> None:
    assert find_sum(stem, names) == expected


def test_stems_are_matched_by_name_and_extras_are_listed() -> None:
    samples = coloured(12, 3, 1, RATE)
    true, found = stems_of(samples), stems_of(separated(samples))
    scores = evaluate(true, {**found, "bass": found["other"], "mixture": found["other"]})
    assert scores.extra == ("bass",) and "bass" in scores.in_words()[-1]
    fewer = evaluate(true, found, stems=["drums"])
    assert [each.stem for each in fewer.stems] == ["drums"] and fewer.missing == fewer.extra == ()  # all have both
    fewer = evaluate(true, {name: found[name] for name in ("drums", "other")}, stems=["drums"])
    assert fewer.missing == ("vocals",)
    with pytest.raises(InvalidInput, match=r"no estimate of drums, other, but of vocals.*stems vocals"):
        evaluate(true, {"vocals": found["vocals"]})
    with pytest.raises(InvalidInput, match=r"no stem 'vocls' in the reference. Did you mean 'vocals'"):
        evaluate(true, found, stems=["vocls"])
    with pytest.raises(InvalidInput, match="no stem 'mixture'"):
        evaluate({**true, "mixture": true["other"]}, {**found, "mixture": found["other"]}, stems=["mixture"])
    with pytest.raises(InvalidInput, match="no stems"):
        evaluate({}, found)
    separation = separate(Audio(samples[0].astype(np.float32), RATE), model=dataclasses.replace(FAKE, n_channels=1))
    assert evaluate(separation, separation)["share"].sdr == math.inf


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (lambda audio: Audio(audio.samples, 16000), "16000 Hz.*8000 Hz"),
        (lambda audio: Audio(audio.samples[:1], RATE), "1 channel.*2 channels"),
        (lambda audio: Audio(audio.samples[:, : -LENGTH_TOLERANCE - 1], RATE), "samples"),
        (lambda audio: Audio(np.tile(audio.samples, 2), RATE), "not of the same track"),
    ],
)
def test_sounds_that_cannot_be_compared_are_refused(
    tmp_path: Path, change: Callable[[Audio], Audio], told: str
) -> None:
    true = stems_of(coloured(13, 2, 2, RATE))
    changed = {**true, "drums": change(true["drums"])}
    with pytest.raises(InvalidInput, match=f"drums.*{told}"):
        evaluate(true, changed)
    with pytest.raises(InvalidInput):
        evaluate(changed, true)
    reference = write_stems(tmp_path / "true", true)
    with pytest.raises(InvalidInput, match=told):
        evaluate_folders(reference, write_stems(tmp_path / "made", changed))


def test_lossy_estimates_may_be_a_little_longer_or_shorter(tmp_path: Path) -> None:
    samples = coloured(14, 2, 2, 3 * 44100)
    true = stems_of(samples, 44100)
    reference = write_stems(tmp_path / "true", true)
    lossy = write_stems(tmp_path / "made", true, "mp3", subtype=None)
    cut = {name: Audio(audio.samples[:, : -(300 if name == "drums" else -1)], 44100) for name, audio in true.items()}
    long = {**true, "vocals": Audio(np.pad(true["vocals"].samples, ((0, 0), (0, 77))), 44100)}
    scores = evaluate_folders(reference, lossy).tracks[0]
    assert 10 < scores["vocals"].sdr < 60
    assert any("300 samples shorter" in note for note in evaluate(true, cut | {"vocals": true["vocals"]}).notes)
    longer = evaluate(true, long)
    assert longer["vocals"].sdr == math.inf and "77 samples longer" in longer.notes[0]


@pytest.mark.parametrize("made_as", ["TRACK", "TRACK/mixture"])
def test_folders_of_tracks_are_matched_by_name(tmp_path: Path, made_as: str) -> None:
    for i, track in enumerate(("one", "two")):
        samples = coloured(20 + i, 2, 1, 2 * RATE)
        write_stems(tmp_path / "true" / track, stems_of(samples) | {"full_mixture": stems_of(samples)["vocals"]})
        write_stems(tmp_path / "made" / made_as.replace("TRACK", track), stems_of(separated(samples)), "flac", "PCM_24")
    found = evaluate_folders(tmp_path / "true", tmp_path / "made")
    assert [track.track for track in found.tracks] == ["one", "two"] and found.stems == ("drums", "vocals")
    by_hand = [
        evaluate(tmp_path / "true" / name, tmp_path / "made" / made_as.replace("TRACK", name))
        for name in ("one", "two")
    ]
    assert found.means["vocals"]["sdr"] == pytest.approx(np.mean([each["vocals"].sdr for each in by_hand]))
    write_stems(tmp_path / "made" / "three", stems_of(coloured(1, 2, 1, RATE)))
    assert evaluate_folders(tmp_path / "true", tmp_path / "made").extra_tracks == ("three",)
    write_stems(tmp_path / "true" / "four", stems_of(coloured(1, 2, 1, RATE)))
    with pytest.raises(InvalidInput, match="no stems for four"):
        evaluate_folders(tmp_path / "true", tmp_path / "made")


def test_folders_that_hold_nothing_to_compare_are_refused(tmp_path: Path) -> None:
    true = write_stems(tmp_path / "true", stems_of(coloured(1, 2, 1, RATE)))
    (tmp_path / "empty").mkdir()
    for folder, told in (("none", "does not exist"), ("empty", "no stems"), ("true/vocals.wav", "a file")):
        with pytest.raises(InvalidInput, match=told):
            evaluate_folders(true, tmp_path / folder)
        with pytest.raises(InvalidInput, match=told):
            evaluate_model(tmp_path / folder)
    twice = write_stems(tmp_path / "twice", stems_of(coloured(1, 2, 1, RATE)))
    write_stems(twice, stems_of(coloured(1, 2, 1, RATE)), "flac", "PCM_16")
    with pytest.raises(InvalidInput, match=r"drums.flac and drums.wav"):
        evaluate_folders(true, twice)
    (tmp_path / "bad").mkdir()
    for name in ("vocals", "drums"):
        (tmp_path / "bad" / f"{name}.wav").write_bytes(b"RIFF nothing")
    with pytest.raises(UnreadableAudio, match="bad"):
        evaluate_folders(true, tmp_path / "bad")


@pytest.fixture
def dataset(tmp_path: Path) -> Path:
    """Two songs, of which one has no file of its mixture; of what FOUR makes, they have no bass."""
    for i, track in enumerate(("one", "two")):
        samples = coloured(30 + i, 3, 2, 2 * 44100)
        stems = stems_of(samples, 44100)
        if i == 0:
            stems["mixture"] = Audio(samples.sum(axis=0).astype(np.float32), 44100)
        write_stems(tmp_path / "data" / track, stems)
    return tmp_path / "data"


def test_a_model_is_measured_on_the_stems_it_shares_with_a_data_set(dataset: Path) -> None:
    found = evaluate_model(dataset, model=FOUR, loader=ModelLoader("cpu"))
    assert found.separated_by == "four"
    for track in found.tracks:
        stems = {
            name: Audio(read(dataset / track.track / f"{name}.wav"), 44100) for name in ("vocals", "drums", "other")
        }
        mixture = sum(audio.samples for audio in stems.values())
        shares = {"vocals": 0.4, "drums": 0.3, "other": 0.1 + 0.2}  # with the bass, which the songs have not
        assert {each.stem for each in track.stems} == {*shares, "accompaniment"}
        for name, share in shares.items():
            by_hand = evaluate({name: stems[name]}, {name: Audio(np.float32(share) * mixture, 44100)})
            assert track[name].sdr == pytest.approx(by_hand[name].sdr, abs=1e-3)
        rest = Audio(mixture - stems["vocals"].samples, 44100)
        by_hand = evaluate({"rest": rest}, {"rest": Audio(np.float32(0.6) * mixture, 44100)})
        assert track["accompaniment"].sdr == pytest.approx(by_hand["rest"].sdr, abs=1e-3)
        assert any("bass" in note for note in track.notes)
    only = evaluate_model(dataset, model=FOUR, options={"stems": ("other",)}, loader=ModelLoader("cpu"))
    assert only.stems == ("other",)
    assert only.tracks[0]["other"].sdr == pytest.approx(found.tracks[0]["other"].sdr, abs=1e-6)
    pair = evaluate_model(dataset, model=FOUR, options={"two_stems": "drums"}, loader=ModelLoader("cpu"))
    assert pair.stems == ("drums", "no_drums")


def test_a_model_that_makes_other_stems_is_refused_before_any_work(
    dataset: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ModelLoader, "use", lambda *_: pytest.fail("It works already."))
    with pytest.raises(InvalidInput, match="fake makes share, rest, and not drums, other, vocals"):
        evaluate_model(dataset, model=FAKE)
    with pytest.raises(InvalidInput, match=r"four makes .* and not piano"):
        evaluate_model(dataset, model=FOUR, options={"stems": ("piano",)})
    with pytest.raises(InvalidInput, match=r"no stem 'bass' in the track"):
        evaluate_model(dataset, model=FOUR, options={"stems": ("bass",)})
    with pytest.raises(InvalidOption, match="nothing"):
        evaluate_model(dataset, model=FOUR, options={"nothing": 1})
    with pytest.raises(UnknownModel):
        evaluate_model(dataset, model="spleeter-3stems")
    write_stems(dataset / "two", {"mixture": Audio(read(dataset / "two" / "drums.wav")[:, 1:], 44100)})
    with pytest.raises(InvalidInput, match="of one length"):
        evaluate_model(dataset, model=FOUR)


def test_measuring_can_be_stopped_and_tells_how_far_it_is() -> None:
    told: list[float] = []
    true = stems_of(coloured(1, 2, 1, 20 * RATE))
    evaluate(true, true, progress=Progress(lambda state: told.append(state.fraction)))
    assert told == sorted(told) and told[0] == 0 and told[-1] == 1
    progress = Progress(lambda state: progress.cancel() if state.fraction > 0.4 else None)
    with pytest.raises(Cancelled):
        evaluate(true, true, progress=progress)


@pytest.fixture
def folders(tmp_path: Path) -> tuple[Path, Path]:
    samples = coloured(40, 2, 2, 2 * RATE)
    true = write_stems(tmp_path / "true" / "song", stems_of(samples)).parent
    return true, write_stems(tmp_path / "made" / "song", stems_of(separated(samples))).parent


def test_the_command_prints_a_table_or_json_and_keeps_a_report(
    run_cli: Callable[..., subprocess.CompletedProcess[str]], folders: tuple[Path, Path], tmp_path: Path
) -> None:
    command = ("evaluate", "separation", "--reference", folders[0], "--estimate", folders[1])
    done = run_cli(*command, "--report-file", tmp_path / "report.json")
    assert done.returncode == 0, done.stderr
    expected = evaluate_folders(*folders)
    for measure in expected.tracks[0]["vocals"].measures.values():
        assert f"{measure:.2f}" in done.stdout
    kept = json.loads((tmp_path / "report.json").read_text(encoding="utf-8"))
    printed = run_cli(*command, "--json", "--stems", "drums, vocals")  # in the order of files, as without
    assert json.loads(printed.stdout)["tracks"] == kept["tracks"] and not printed.stderr
    assert kept["tracks"][0]["stems"]["vocals"]["windows"]["sdr"] == list(expected.tracks[0]["vocals"].windows.sdr)
    assert run_cli(*command, "--quiet").stdout == ""
    wrong = run_cli(*command, "--stems", "vocal")
    assert wrong.returncode == 2 and "Did you mean 'vocals'?" in wrong.stderr and "Traceback" not in wrong.stderr


def test_the_commands_check_the_report_before_any_work(
    monkeypatch: pytest.MonkeyPatch, folders: tuple[Path, Path], tmp_path: Path
) -> None:
    report = tmp_path / "report.json"
    report.write_text("{}")
    monkeypatch.setattr("ui.evaluate_separation.evaluate_folders", lambda *_, **__: pytest.fail("It works already."))
    monkeypatch.setattr("separation.evaluation.evaluate_model", lambda *_, **__: pytest.fail("It works already."))
    separation = ["separation", "--reference", str(folders[0]), "--estimate", str(folders[1])]
    for command in (separation, ["model", "--dataset", str(folders[0])]):
        for target, error in ((report, OutputExists), (tmp_path / "none" / "report.json", OutputUnwritable)):
            result = CliRunner().invoke(app, [*command, "--report-file", str(target)])
            assert isinstance(result.exception, error)


def test_the_command_for_a_model_passes_everything_on(monkeypatch: pytest.MonkeyPatch, dataset: Path) -> None:
    asked: dict[str, Any] = {}

    def stand(folder: Path, **given: Any) -> Any:
        asked.update(given, folder=folder)
        return evaluate_model(folder, model=FOUR, options={"stems": given["options"]["stems"]}, loader=given["loader"])

    monkeypatch.setattr("separation.evaluation.evaluate_model", stand)
    command = [
        "model",
        "-m",
        "spleeter-2stems",
        "--dataset",
        str(dataset),
        "--stems",
        "vocals,drums",
        "--overlap",
        "0.5",
    ]
    result = CliRunner().invoke(app, [*command, "--device", "cpu"], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    assert asked["model"] == "spleeter-2stems" and asked["folder"] == dataset
    assert asked["options"] == {"stems": ("vocals", "drums"), "overlap": 0.5}
    assert result.stdout.count("drums") == 4 and "mean" in result.stdout  # two songs, their median and mean


@pytest.mark.weights
def test_a_real_model_is_measured(dataset: Path, loader: ModelLoader) -> None:
    found = evaluate_model(dataset, loader=loader)
    assert found.stems == ("vocals", "accompaniment") and found.tracks[0].missing == ("drums", "other")


def test_measuring_needs_no_torch_and_no_scipy(folders: tuple[Path, Path]) -> None:
    """`audio-ml evaluate separation` begins as quickly as a command of Spleeter does."""
    code = (
        "import sys; sys.modules['torch'] = sys.modules['scipy'] = None; "
        "from separation.evaluation import evaluate_folders; print(evaluate_folders(*sys.argv[1:]).stems)"
    )
    done = subprocess.run([sys.executable, "-c", code, *map(str, folders)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
