"""What a batch never loses and never leaves behind: other people's files, reports, its memory, half-written stems."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from batches import FAKE_REQUEST, files_below, make_reels, run, state_of
from fake_engine import FAKE, FakeEngine
from signals import noise

import separation
from audio_ml.errors import (
    AudioMLError,
    Cancelled,
    DiskFull,
    OutputError,
    OutputExists,
    PartialFailure,
    WeightsMissing,
)
from audio_ml.loader import ModelLoader
from audio_ml.writer import write_audio
from separation import SeparationReport
from ui.batch import Batch, Outcome, Request
from ui.batch_state import JOURNAL_NAME, LOCK_NAME, STATE_NAME, BatchState
from ui.items import Item, find_items
from ui.outcomes import ReportFile, Results, print_outcome
from ui.run import separate_paths

OVERWRITE = replace(FAKE_REQUEST, delivery={"overwrite": True})
BESIDE = replace(FAKE_REQUEST, delivery={"filename": "{track}-{stem}.{ext}"})


@pytest.fixture
def reels(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of two reels in the current folder."""
    monkeypatch.chdir(tmp_path)
    make_reels(tmp_path)
    return Path("reels")


def separate(*paths: Path | str, out: str = "out", request: Request = FAKE_REQUEST, **changed: Any) -> None:
    """Does what the command line does."""
    asked: dict[str, Any] = {"jobs": 1, "watch": False, "report_file": None, "json_wanted": False, "quiet": True}
    separate_paths([Path(path) for path in paths], Path(out), request, ModelLoader("cpu"), **(asked | changed))


def names(reports: list[dict[str, Any]]) -> list[str]:
    return sorted(Path(report["source"]).name for report in reports)


def spoil(monkeypatch: pytest.MonkeyPatch, name: str, error: BaseException) -> None:
    """Lets the separation of a file of this name end in an error."""
    whole = separation.separate_file

    def separate_file(path: Path, *arguments: Any, **options: Any) -> SeparationReport:
        if Path(path).name == name:
            raise error
        return whole(path, *arguments, **options)

    monkeypatch.setattr(separation, "separate_file", separate_file)


class TestReportFile:
    """The file of reports replaces no other file, and forgets no report."""

    @pytest.mark.parametrize("source", ["reels", "reels/a.wav"])
    @pytest.mark.parametrize(
        "report",
        [
            "reels/a.wav",
            "reels/day/../a.wav",
            "link.json",
            "out/a/rest.wav",
            "x/../out/a/rest.wav",
            f"out/{STATE_NAME}",
            f"out/{LOCK_NAME}",
            f"out/{JOURNAL_NAME}",
        ],
    )
    def test_a_file_of_the_call_is_no_report(self, reels: Path, source: str, report: str) -> None:
        Path("link.json").symlink_to(reels / "a.wav")
        Path("x").mkdir()
        before = files_below(reels)
        with pytest.raises(OutputExists, match="another name"):
            separate(source, request=OVERWRITE, report_file=Path(report))
        assert files_below(reels) == before and not Path("out").exists()

    def test_a_stem_of_an_earlier_run_is_no_report(self, reels: Path) -> None:
        run(Path("out"), reels)
        before = files_below(Path("out"))
        with pytest.raises(OutputExists, match="is a stem"):
            separate(
                reels, request=replace(OVERWRITE, options={"stems": ["rest"]}), report_file=Path("out/a/share.wav")
            )
        assert files_below(Path("out")) == before

    def test_a_source_that_comes_under_its_name_is_kept(self, reels: Path) -> None:
        late = Path("reels/late.wav")
        report = ReportFile(late, FAKE_REQUEST, taken=[])
        shutil.copy(reels / "a.wav", late)
        with pytest.raises(OutputExists):
            report.write(Results([Outcome(Item(late, Path("out"), "late.wav"), "skipped")]))
        assert late.read_bytes() == (reels / "a.wav").read_bytes()

    def test_what_is_no_file_is_no_report(self, reels: Path) -> None:
        for nothing in ("reels", "nowhere/r.json", "r" * 300):
            with pytest.raises(OutputError):
                separate(reels, request=OVERWRITE, report_file=Path(nothing))
        assert not Path("out").exists()

    def test_earlier_reports_stay(self, reels: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """However the folder is named, and though a run does a part of it, or is stopped."""
        (reels / "bad.wav").write_text("no sound")
        with pytest.raises(PartialFailure):
            separate(reels, report_file=Path("r.json"))
        first = json.loads(Path("r.json").read_text())
        assert names(first["reports"]) == ["a.wav", "b.WAV"] and names(first["failures"]) == ["bad.wav"]
        separate("reels/a.*", report_file=Path("r.json"))
        with monkeypatch.context() as elsewhere:
            elsewhere.chdir(reels / "day")
            with pytest.raises(PartialFailure):
                separate("..", out="../../out", report_file=Path("../../r.json"))
        with monkeypatch.context() as stopping:
            stopping.setattr("ui.run.print_outcome", lambda *_, **__: signal.raise_signal(signal.SIGINT))
            with pytest.raises(Cancelled):
                separate(reels.absolute(), report_file=Path("r.json"))
        last = json.loads(Path("r.json").read_text())
        assert last["reports"] == first["reports"] and names(last["failures"]) == ["bad.wav"]
        write_audio(reels / "bad.wav", noise(0.5, seed=9), overwrite=True)
        write_audio(reels / "a.wav", noise(0.5, seed=9), overwrite=True)
        monkeypatch.chdir(reels / "day")
        separate("..", out="../../out", report_file=Path("../../r.json"))
        both = json.loads(Path("../../r.json").read_text())
        assert names(both["reports"]) == ["a.wav", "b.WAV", "bad.wav"] and not both["failures"]
        assert [report for report in both["reports"] if report in first["reports"]] == [first["reports"][1]]

    def test_the_report_of_a_run_that_failed_altogether_is_gone_on_with(self, reels: Path) -> None:
        for name in ("a.wav", "day/b.WAV"):
            (reels / name).write_text("no sound")
        for _ in range(2):
            with pytest.raises(PartialFailure):
                separate(reels, report_file=Path("r.json"))
        assert names(json.loads(Path("r.json").read_text())["failures"]) == ["a.wav", "b.WAV"]

    def test_a_full_disk_leaves_the_former_report(self, reels: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        separate(reels, report_file=Path("r.json"))
        before = Path("r.json").read_bytes()
        report = ReportFile(Path("r.json"), OVERWRITE, taken=[])
        with monkeypatch.context() as full:
            full.setattr(os, "fsync", lambda _: (_ for _ in ()).throw(OSError(28, "No space left on device")))
            with pytest.raises(DiskFull):
                report.write(Results([]))
        assert Path("r.json").read_bytes() == before and not list(Path().glob(".*.part"))


class TestErrors:
    """One bad item, an error that ends everything, and Ctrl-C."""

    @pytest.mark.parametrize("error", [OSError(5, "Input/output error"), ValueError("not\nforeseen")])
    def test_an_error_that_nobody_foresaw_fails_one_item(
        self, reels: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], error: Exception
    ) -> None:
        spoil(monkeypatch, "a.wav", error)
        with pytest.raises(PartialFailure) as failure:
            separate(reels)
        said = capsys.readouterr().err
        assert failure.value.exit_code == 7 and set(files_below(Path("out"))) == {"day/b/rest.wav", "day/b/share.wav"}
        assert "Traceback" in said and f"unexpected {type(error).__name__}: " in said.splitlines()[-1]
        assert list(state_of(Path("out"))["failed"]) == ["../reels/a.wav"]

    def test_an_error_of_a_lone_file_that_nobody_foresaw_shows_its_traceback(
        self, reels: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        spoil(monkeypatch, "a.wav", ZeroDivisionError())
        with pytest.raises(SystemExit) as end:
            separate(reels / "a.wav")
        assert end.value.code == 1 and "Traceback" in capsys.readouterr().err

    @pytest.mark.parametrize("error", [DiskFull("The disk is full."), WeightsMissing("No weights.")])
    def test_what_ends_a_batch_is_told_of_its_item(
        self, reels: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], error: AudioMLError
    ) -> None:
        shutil.copy(reels / "a.wav", reels / "day/c.wav")
        spoil(monkeypatch, "b.WAV", error)
        with pytest.raises(type(error)):
            separate(reels, json_wanted=True)
        told = json.loads(capsys.readouterr().out)
        assert names(told["reports"]) == ["a.wav"] and told["stopped"] == []
        assert told["failures"] == [{"source": str(Path("reels/day/b.WAV").absolute()), "error": str(error)}]
        assert told["not_begun"] == [str(Path("reels/day/c.wav").absolute())]
        with pytest.raises(type(error)):
            separate(reels, quiet=False)
        printed = capsys.readouterr().out
        assert str(error) in printed and "NOT BEGUN" in printed

    def test_items_that_were_stopped_are_named(
        self, reels: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        spoil(monkeypatch, "a.wav", Cancelled("Stopped."))
        with pytest.raises(Cancelled):
            separate(reels, json_wanted=True)
        told = json.loads(capsys.readouterr().out)
        assert [Path(source).name for source in told["stopped"] + told["not_begun"]] == ["a.wav", "b.WAV"]

    @pytest.mark.skipif(sys.platform == "win32", reason="there, a program cannot send itself Ctrl-C")
    def test_a_second_ctrl_c_waits_for_the_end_of_the_items_too(self, tmp_path: Path) -> None:
        class StubbornEngine(FakeEngine):
            def separate(self, *arguments: object) -> np.ndarray:
                if not self.n_calls:
                    for _ in range(2):
                        os.kill(os.getpid(), signal.SIGINT)
                        time.sleep(0.3)
                return super().separate(*arguments)  # type: ignore[arg-type]

        write_audio(tmp_path / "a.wav", noise(20, 8000))
        request = Request(replace(FAKE, engine=StubbornEngine))
        batch = Batch(request, ModelLoader("cpu"))
        with pytest.raises(KeyboardInterrupt):
            list(batch.run(find_items([tmp_path / "a.wav"], tmp_path / "out")))
        assert [item.name for item in batch.stopped] == ["a.wav"]

    def test_a_stem_that_was_fetched_already_is_no_trouble(
        self, reels: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        report: list[Outcome] = []
        run(Path("out"), reels / "a.wav", report=report)
        Path("out/a/share.wav").unlink()
        print_outcome(report[0], quiet=False)
        printed = capsys.readouterr().out.splitlines()
        assert printed[1].endswith("share.wav") and printed[2].endswith("MB)")


class TestSearch:
    """Links that go round in circles or nowhere, and the stems of other batches."""

    @pytest.mark.parametrize("pattern", ["reels/**/*.[wW]*", "reels/**", "reels/**/**/*.[wW]*", "reels/*", "reels"])
    def test_links_that_go_round_in_circles_give_no_file_twice(self, reels: Path, pattern: str) -> None:
        for link in ("A", "loop", "day/loop", "day/up"):
            (reels / link).symlink_to(reels.absolute(), target_is_directory=True)
        assert [item.name for item in find_items([Path(pattern)], Path("out"))] == ["a.wav", "day/b.WAV"]

    def test_a_link_that_a_glob_names_is_followed(self, reels: Path) -> None:
        Path("shows").mkdir()
        Path("shows/one").symlink_to(reels.absolute(), target_is_directory=True)
        for pattern in ("shows/*/*.wav", "shows/o*"):
            assert find_items([Path(pattern)], Path("out"))[0].name == "one/a.wav"

    def test_a_link_to_nothing_is_left_out(self, reels: Path, capsys: pytest.CaptureFixture[str]) -> None:
        (reels / "gone.wav").symlink_to("nowhere.wav")
        (reels / "again.wav").symlink_to("a.wav")
        for argument in ("reels", "reels/**/*.*"):
            separate(argument)
            assert capsys.readouterr().err.count("gone.wav is a link to nothing") == 1
        assert set(files_below(Path("out"))) == {
            f"{track}/{stem}.wav" for track in ("a", "again", "day/b") for stem in ("rest", "share")
        }
        with pytest.raises(PartialFailure):
            separate(reels / "gone.wav", reels / "a.wav")

    @pytest.mark.parametrize("argument", [".", "*", "**/*.*", "*/**/*.[wW]*"])
    def test_stems_in_another_output_folder_are_no_sources(self, reels: Path, argument: str) -> None:
        separate(reels, out="stems")
        shutil.copy("reels/a.wav", "stems/by-hand.wav")
        for out in ("stems", "flac", "reels/flac", "stems/deeper"):
            found = {item.source.as_posix() for item in find_items([Path(argument)], Path(out))}
            assert found == {"reels/a.wav", "reels/day/b.WAV"}

    def test_an_output_folder_that_is_named_is_searched(self, reels: Path) -> None:
        separate(reels, out="stems")
        for argument in ("stems", "stems/**/*.wav", "stems/a", "stems/*/rest.wav"):
            assert "rest.wav" in {item.source.name for item in find_items([Path(argument)], Path("out"))}

    def test_sources_with_stems_beside_them_are_found_without_these(self, reels: Path) -> None:
        separate(reels, out="reels", request=BESIDE)
        assert len(files_below(reels)) == 7, "two reels, four stems, and what is hidden"
        for argument in (".", "reels", "reels/*", "**/*.*", "r*"):
            found = {item.source.as_posix() for item in find_items([Path(argument)], Path("flac"))}
            assert found == {"reels/a.wav", "reels/day/b.WAV"}


KILLED = """
import os, signal, sys
from contextlib import contextmanager
from pathlib import Path
from batches import FAKE_REQUEST
from audio_ml.loader import ModelLoader
from audio_ml.progress import Progress
from ui.batch import Batch
from ui.batch_state import BatchState
from ui.items import find_items

def kill(*_):
    os.kill(os.getpid(), signal.SIGKILL)

@contextmanager
def progress(item):
    yield Progress(lambda state: kill() if sys.argv[1] == "under way" and state.fraction > 0 else None)

if sys.argv[1] == "finished":
    BatchState.note_done = kill
with BatchState(Path("out")) as state:
    batch = Batch(FAKE_REQUEST, ModelLoader("cpu"), state=state, progress=progress)
    list(batch.run(find_items([Path("reels")], Path("out"))))
"""


@pytest.mark.skipif(sys.platform == "win32", reason="there is no SIGKILL")
class TestKill:
    """What a run finds after one that was killed."""

    def kill(self, when: str) -> None:
        environment = os.environ | {"PYTHONPATH": str(Path(__file__).parent)}
        ran = subprocess.run([sys.executable, "-c", KILLED, when], env=environment, capture_output=True, check=False)
        assert ran.returncode == -signal.SIGKILL, ran.stderr

    def test_leftovers_are_removed_and_nothing_else(self, reels: Path) -> None:
        self.kill("under way")
        left = list(Path("out").rglob(".*.part*"))
        assert len(left) == 2, "one for each stem of the item under way"
        others = [Path("out/a/.mine.part"), Path("out/a/mix.part"), Path(f"out/other/.{'0' * 16}.part")]
        for path in others:
            path.parent.mkdir(exist_ok=True)
            path.write_text("precious")
        Path(f"out/a/.{'0123456789abcdef'}.part.ogg").write_text("half")
        assert set(run(Path("out"), reels).values()) == {"done"}
        assert set(Path("out").rglob("*.part*")) == set(others)
        assert state_of(Path("out"))["begun"] == {}

    def test_files_that_were_finished_but_not_noted_are_its_own(self, reels: Path) -> None:
        self.kill("finished")
        assert set(files_below(Path("out"))) == {"a/share.wav", "a/rest.wav"}
        assert run(Path("out"), reels) == {"a.wav": "done", "day/b.WAV": "done"}
        assert set(run(Path("out"), reels).values()) == {"skipped"}

    def test_files_that_were_finished_in_place_of_others_are_no_proof_of_these(self, reels: Path) -> None:
        """The stems of a run that was killed are not taken for those of an earlier one that asked for others."""
        quarter = replace(FAKE_REQUEST, options={"part": 0.25})
        run(Path("out"), reels, request=quarter)
        first = Path("out/a/share.wav").read_bytes()
        self.kill("finished")
        assert Path("out/a/share.wav").read_bytes() != first
        assert run(Path("out"), reels, request=quarter) == {"a.wav": "done", "day/b.WAV": "skipped"}

    def test_what_was_there_before_is_never_its_own(self, reels: Path) -> None:
        shutil.copytree(reels, "out/a")
        Path("out/a/a.wav").rename("out/a/rest.wav")
        before = Path("out/a/rest.wav").read_bytes()
        with contextlib.suppress(AssertionError):  # the item fails before it can be killed
            self.kill("finished")
        assert run(Path("out"), reels / "a.wav") == {"a.wav": "failed"}
        assert Path("out/a/rest.wav").read_bytes() == before

    def test_a_file_that_overwrite_spared_is_not_its_own(self, reels: Path) -> None:
        precious = Path("out/a/share.wav")
        precious.parent.mkdir(parents=True)
        precious.write_bytes(b"precious")
        with BatchState(Path("out")) as state, state.begun(reels / "a.wav", [precious, Path("out/a/rest.wav")]):
            shutil.copytree("out", "killed")
        assert run(Path("killed"), reels / "a.wav") == {"a.wav": "failed"}
        assert Path("killed/a/share.wav").read_bytes() == b"precious"


class TestRecord:
    """The state on the disk, its lock, and what is left when there is nothing to remember."""

    def test_whatever_ended_is_known_after_a_kill(self, reels: Path) -> None:
        with BatchState(Path("out")) as state:
            batch = Batch(FAKE_REQUEST, ModelLoader("cpu"), state=state)
            for n_ended, _ in enumerate(batch.run(find_items([reels], Path("out"))), start=1):
                shutil.copytree("out", f"killed{n_ended}")
        for n_ended in (1, 2):
            statuses = list(run(Path(f"killed{n_ended}"), reels).values())
            assert statuses == ["skipped"] * n_ended + ["done"] * (2 - n_ended)
        assert sorted(path.name for path in Path("out").glob("*.*")) == [LOCK_NAME, STATE_NAME]

    def test_a_long_record_is_not_written_for_every_item(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        writings: list[str] = []

        def write_slowly(path: Path, text: str) -> None:
            time.sleep(0.01)
            writings.append(text)
            path.write_text(text)

        monkeypatch.setattr("ui.batch_state.replace_text", write_slowly)
        with BatchState(tmp_path / "out") as state:
            for number in range(100):
                state.note_failed(tmp_path / f"{number}.wav", "no sound")
            assert len(writings) < 20
            shutil.copytree(tmp_path / "out", tmp_path / "killed")
        for out in ("out", "killed"):
            with BatchState(tmp_path / out):
                pass
            assert len(state_of(tmp_path / out)["failed"]) == 100

    def test_a_journal_that_was_cut_short_is_read_to_there(self, tmp_path: Path) -> None:
        (tmp_path / JOURNAL_NAME).write_text('["failed", "a.wav", "no sound"]\n["failed", "b.w')
        with BatchState(tmp_path) as state:
            state.note_failed(tmp_path / "c.wav", "no sound")
        assert list(state_of(tmp_path)["failed"]) == ["a.wav", "c.wav"]

    def test_the_lock_can_be_given_back_by_another_thread(self, tmp_path: Path) -> None:
        state = BatchState(tmp_path).__enter__()
        state.note_failed(tmp_path / "a.wav", "no sound")
        ending = threading.Thread(target=state.__exit__, args=(None, None, None))
        ending.start()
        ending.join()
        with BatchState(tmp_path):  # an `OutputError`, were the lock still held
            assert list(state_of(tmp_path)["failed"]) == ["a.wav"]

    @pytest.mark.parametrize("there", [False, True])
    def test_a_batch_that_came_to_nothing_leaves_nothing(
        self, reels: Path, monkeypatch: pytest.MonkeyPatch, there: bool
    ) -> None:
        if there:
            Path("new/out").mkdir(parents=True)
        spoil(monkeypatch, "a.wav", WeightsMissing("No weights."))
        Path("r.json").write_text("precious")
        for error, changed in ((OutputExists, {"report_file": Path("r.json")}), (WeightsMissing, {})):
            with pytest.raises(error):
                separate(reels, out="new/out", **changed)
            assert Path("new").exists() == there and not list(Path().glob("new/out/*"))


def test_the_progress_of_a_watch_warns_once(reels: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A link to nothing is met at every look."""
    warnings: list[str] = []
    monkeypatch.setattr("ui.run.print_line", warnings.append)
    (reels / "gone.wav").symlink_to("nowhere.wav")
    n_looks = 0

    def find(*arguments: Any, **options: Any) -> list[Item]:
        nonlocal n_looks
        n_looks += 1
        if n_looks > 4:
            raise KeyboardInterrupt
        return find_items(*arguments, **options)

    monkeypatch.setattr("ui.run.find_items", find)
    monkeypatch.setattr("time.sleep", lambda _: None)
    separate(reels, watch=True)
    assert [text for text in warnings if "gone.wav" in text] == [
        "audio-ml: reels/gone.wav is a link to nothing, and left out."
    ]
