"""Batches: what is found, what is done again and what is left alone, one bad file among good ones, and cancelling."""

from __future__ import annotations

import io
import json
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from batches import FAKE_REQUEST, SlowEngine, age, files_below, make_reels, run, state_of
from fake_engine import FAKE, FakeEngine
from signals import noise

from audio_ml.catalogue import Licence
from audio_ml.errors import (
    AudioMLError,
    Cancelled,
    InvalidInput,
    LicenceNotAccepted,
    OutputError,
    OutputExists,
    WeightsMissing,
)
from audio_ml.loader import ModelLoader
from audio_ml.progress import Progress, ProgressState
from audio_ml.streams import read_audio
from audio_ml.writer import write_audio
from ui.batch import Batch, Outcome, Request
from ui.batch_state import STATE_NAME, BatchState
from ui.console import ProgressDisplay
from ui.items import Item, find_items, is_batch
from ui.watch import Watch


@pytest.fixture
def reels(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of two reels in the current folder."""
    monkeypatch.chdir(tmp_path)
    make_reels(tmp_path)
    return Path("reels")


class TestItems:
    """Which files stand behind the arguments."""

    def test_a_folder_is_searched_and_mirrored(self, reels: Path) -> None:
        items = find_items([reels], Path("out"))
        assert [(item.source, item.folder) for item in items] == [
            (Path("reels/a.wav"), Path("out")),
            (Path("reels/day/b.WAV"), Path("out/day")),
        ]

    @pytest.mark.parametrize(
        ("pattern", "found"),
        [
            ("reels/*.wav", {"a.wav"}),
            ("reels/**/*.[wW][aA][vV]", {"a.wav", "day/b.WAV"}),
            ("reels/*", {"a.wav", "day/b.WAV"}),
            ("reels/*.txt", {"notes.txt"}),
            ("reels/d?y", {"day/b.WAV"}),
            ("r*", {"reels/a.wav", "reels/day/b.WAV"}),
        ],
    )
    def test_a_glob_is_mirrored_below_its_fixed_part(self, reels: Path, pattern: str, found: set[str]) -> None:
        for prefix in ("", f"{reels.parent.absolute()}/"):
            items = find_items([Path(prefix + pattern)], Path("out"))
            assert {Path(item.name).as_posix() for item in items} == found
            assert all(item.folder == Path("out") / Path(item.name).parent for item in items)

    def test_a_file_of_a_name_like_a_glob_is_a_file(self, reels: Path) -> None:
        for name in ("[a].wav", "a.wav"):
            shutil.copy(reels / "a.wav", name)
        assert [item.source for item in find_items([Path("[a].wav")], Path("out"))] == [Path("[a].wav")]
        assert not is_batch([Path("[a].wav")])
        Path("[a].wav").unlink()
        assert [item.source for item in find_items([Path("[a].wav")], Path("out"))] == [Path("a.wav")]

    def test_the_output_folder_is_left_out(self, reels: Path) -> None:
        for out in (Path("reels/stems"), reels.absolute() / "day"):
            write_audio(out / "a" / "vocals.wav", noise(0.1))
            for argument in (reels, Path("reels/**/*.*")):
                assert not [item for item in find_items([argument], out) if "vocals" in item.name]
            shutil.rmtree(out / "a")
        write_audio(reels / "day/a/vocals.wav", noise(0.1))
        assert [item.name for item in find_items([Path("reels/day")], Path("reels"))] == ["a/vocals.wav", "b.WAV"]

    def test_a_file_that_is_named_is_taken_whatever_its_name(self, reels: Path) -> None:
        named = [Path("reels/notes.txt"), Path("reels/.hidden/c.wav"), Path("nowhere.wav")]
        assert [item.source for item in find_items(named, Path("out"))] == named

    def test_a_file_named_twice_is_one_item(self, reels: Path) -> None:
        assert len(find_items([reels / "a.wav", reels, Path("reels/day/../a.wav")], Path("out"))) == 2

    def test_what_holds_nothing_is_an_error(self, reels: Path) -> None:
        Path("empty").mkdir()
        for nothing in ("empty", "reels/*.mp3"):
            with pytest.raises(InvalidInput, match="no audio or video files"):
                find_items([Path(nothing)], Path("out"))
        with pytest.raises(InvalidInput, match="wildcard"):
            find_items([Path("reels/*/../*.wav")], Path("out"))


class TestState:
    """What a second run does."""

    def test_twenty_files_of_which_three_are_bad(self, tmp_path: Path) -> None:
        reels, out = tmp_path / "reels", tmp_path / "out"
        for number in range(20):
            write_audio(reels / f"{number:02}.wav", noise(0.2, seed=number))
        for number in (3, 7, 19):
            (reels / f"{number:02}.wav").write_text("no sound")
        first = run(out, reels, jobs=3)
        assert {name for name, status in first.items() if status == "failed"} == {"03.wav", "07.wav", "19.wav"}
        assert sorted(first.values()) == ["done"] * 17 + ["failed"] * 3 and len(files_below(out)) == 34
        state = json.loads((out / STATE_NAME).read_text())
        assert len(state["done"]) == 17 and set(state["failed"]) == {f"../reels/{n}.wav" for n in ("03", "07", "19")}
        before = {path: path.stat().st_mtime_ns for path in out.rglob("*.wav")}
        write_audio(tmp_path / "good.wav", noise(0.2))
        (tmp_path / "good.wav").replace(reels / "03.wav")
        second = run(out, reels)
        assert [name for name, status in second.items() if status != "skipped"] == ["03.wav", "07.wav", "19.wav"]
        assert second["03.wav"] == "done" and second["07.wav"] == "failed"
        assert all(path.stat().st_mtime_ns == time_ns for path, time_ns in before.items()), "17 were left alone"
        assert set(json.loads((out / STATE_NAME).read_text())["failed"]) == {"../reels/07.wav", "../reels/19.wav"}

    def test_an_item_is_done_again_when_its_source_has_changed(self, reels: Path) -> None:
        out = Path("out")
        run(out, reels)
        write_audio(reels / "a.wav", noise(0.5, seed=9), overwrite=True)  # the same size
        assert run(out, reels) == {"a.wav": "done", "day/b.WAV": "skipped"}
        total = read_audio(out / "a/share.wav").samples + read_audio(out / "a/rest.wav").samples
        assert np.abs(total - read_audio(reels / "a.wav").samples).max() < 2**-20

    def test_another_time_alone_is_no_change(self, reels: Path) -> None:
        run(Path("out"), reels)
        age(reels / "a.wav")
        assert set(run(Path("out"), reels).values()) == {"skipped"}
        stamps = [row["stamp"] for row in state_of(Path("out"))["done"] if row["source"] == "../reels/a.wav"]
        assert [stamp["mtime_ns"] for stamp in stamps] == [(reels / "a.wav").stat().st_mtime_ns]

    @pytest.mark.parametrize(
        "changed",
        [
            {"options": {"part": 0.25}},
            {"delivery": {"bit_depth": "16"}},
            {"model": replace(FAKE, name="fake-two")},
        ],
    )
    def test_an_item_is_done_again_when_something_else_is_asked(self, reels: Path, changed: dict[str, object]) -> None:
        out, other = Path("out"), replace(FAKE_REQUEST, **changed)  # type: ignore[arg-type]
        run(out, reels)
        assert set(run(out, reels, request=other).values()) == {"done"}
        assert set(run(out, reels, request=other).values()) == {"skipped"}
        assert set(run(out, reels).values()) == {"done"}, "its files were replaced"

    def test_an_item_is_done_again_by_the_next_version_only(self, reels: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        for version, expected in (("1.2.0", "done"), ("1.2.9", "skipped"), ("1.3.0", "done")):
            monkeypatch.setattr("ui.batch.version", lambda _, version=version: version)
            assert set(run(Path("out"), reels, request=Request(FAKE)).values()) == {expected}

    def test_two_formats_in_one_folder_are_both_remembered(self, reels: Path) -> None:
        flac = replace(FAKE_REQUEST, delivery={"format": "flac"})
        for expected in ("done", "skipped"):
            for request in (FAKE_REQUEST, flac):
                assert set(run(Path("out"), reels, request=request).values()) == {expected}

    def test_a_missing_output_is_made_again_with_its_own(self, reels: Path) -> None:
        out = Path("out")
        run(out, reels)
        stems = files_below(out)
        (out / "a/share.wav").unlink()
        assert run(out, reels) == {"a.wav": "done", "day/b.WAV": "skipped"}
        assert files_below(out) == stems

    def test_a_file_that_is_not_ours_is_never_replaced(self, reels: Path) -> None:
        out = Path("out")
        run(out, reels)
        (out / "a/share.wav").unlink()
        (out / "a/rest.wav").write_bytes(b"precious")
        shutil.rmtree(out / "day")
        write_audio(out / "day/b/share.wav", noise(0.5))
        age(out / "day/b/share.wav")
        before, report = files_below(out), list[Outcome]()
        assert set(run(out, reels, report=report).values()) == {"failed"}
        assert files_below(out) == before
        assert all(isinstance(outcome.error, OutputExists) for outcome in report)

    def test_a_stem_that_was_cut_short_is_told(self, reels: Path) -> None:
        run(Path("out"), reels)
        (Path("out") / "a/share.wav").write_bytes(b"RIFF")
        assert run(Path("out"), reels) == {"a.wav": "failed", "day/b.WAV": "skipped"}

    def test_a_stem_of_another_source_is_never_replaced(self, reels: Path) -> None:
        run(Path("out"), reels / "a.wav", reels / "day/b.WAV")
        before = files_below(Path("out"))
        write_audio(Path("elsewhere/a.wav"), noise(0.5, seed=5))
        assert run(Path("out"), Path("elsewhere")) == {"a.wav": "failed"}
        assert files_below(Path("out")) == before

    def test_overwrite_does_everything_again(self, reels: Path) -> None:
        out = Path("out")
        write_audio(out / "a/share.wav", noise(0.1))
        again = replace(FAKE_REQUEST, delivery={"overwrite": True})
        assert run(out, reels)["a.wav"] == "failed"
        assert set(run(out, reels, request=again).values()) == {"done"}
        assert set(run(out, reels, request=again).values()) == {"done"}
        assert set(run(out, reels).values()) == {"skipped"}

    def test_stems_beside_their_sources_are_no_sources(self, reels: Path) -> None:
        beside = replace(FAKE_REQUEST, delivery={"filename": "{track}-{stem}.{ext}"})
        assert set(run(reels, reels, request=beside).values()) == {"done"}
        assert run(reels, reels, request=beside) == {"a.wav": "skipped", "day/b.WAV": "skipped"}

    def test_sources_and_stems_move_together(self, reels: Path) -> None:
        Path("project").mkdir()
        shutil.move(reels, "project")
        run(Path("project/out"), Path("project/reels"))
        Path("project").rename("archive")
        assert set(run(Path("archive/out"), Path("archive/reels")).values()) == {"skipped"}

    @pytest.mark.parametrize(
        "content", [b"", b"{", b"[]", b'{"format": "x"}', b'{"format": "audio-ml batch", "version": 2}', b"\xff"]
    )
    def test_a_damaged_state_is_an_error_and_kept(self, reels: Path, content: bytes) -> None:
        run(Path("out"), reels)
        (Path("out") / STATE_NAME).write_bytes(content)
        with pytest.raises(InvalidInput, match=STATE_NAME):
            run(Path("out"), reels)
        assert (Path("out") / STATE_NAME).read_bytes() == content

    def test_every_field_of_a_state_is_needed(self, reels: Path) -> None:
        run(Path("out"), reels)
        whole = state_of(Path("out"))
        for name in whole:
            (Path("out") / STATE_NAME).write_text(json.dumps({key: whole[key] for key in whole if key != name}))
            with pytest.raises(InvalidInput, match="damaged"), BatchState(Path("out")):
                pass

    def test_a_second_batch_is_kept_out(self, reels: Path) -> None:
        with BatchState(Path("out")), pytest.raises(OutputError, match="Another batch"):
            run(Path("out"), reels)
        assert set(run(Path("out"), reels).values()) == {"done"}

    def test_two_sets_of_stems_take_turns(self, reels: Path) -> None:
        few = replace(FAKE_REQUEST, options={"stems": ["share"]})
        for request in (FAKE_REQUEST, few, FAKE_REQUEST, few):
            assert set(run(Path("out"), reels, request=request).values()) == {"done"}, "all of these files are its own"
        assert set(run(Path("out"), reels, request=few).values()) == {"skipped"}

    def test_stems_that_another_source_has_replaced_are_made_again(self, reels: Path) -> None:
        run(Path("out"), reels / "a.wav")
        write_audio(Path("other/a.wav"), noise(0.5, seed=5))
        run(Path("out"), Path("other"), request=replace(FAKE_REQUEST, delivery={"overwrite": True}))
        assert run(Path("out"), reels / "a.wav") == {"a.wav": "failed"}, "the other's stems are there, of the same size"


class TestBatch:
    """Several at once, errors, and cancelling from code."""

    def test_jobs_run_at_once_with_one_model(self, tmp_path: Path) -> None:
        loads: list[int] = []
        meeting = threading.Barrier(3, timeout=120)
        met: set[str] = set()

        class CountedEngine(FakeEngine):
            def __init__(self, *arguments: object) -> None:
                loads.append(1)
                super().__init__(*arguments)  # type: ignore[arg-type]

        @contextmanager
        def progress(item: Item) -> Iterator[Progress]:
            def update(state: ProgressState) -> None:
                if state.stage == "separating" and item.name not in met:
                    met.add(item.name)
                    meeting.wait()  # three items have to be separating at the same time

            yield Progress(update)

        for number in range(6):
            write_audio(tmp_path / "in" / f"{number}.wav", noise(0.5, seed=number))
        request = Request(replace(FAKE, engine=CountedEngine))
        batch = Batch(request, ModelLoader("cpu"), jobs=3, progress=progress)
        outcomes = list(batch.run(find_items([tmp_path / "in"], tmp_path / "out")))
        assert [outcome.error for outcome in outcomes] == [None] * 6 and len(loads) == 1
        alone = Batch(FAKE_REQUEST, ModelLoader("cpu"))
        list(alone.run(find_items([tmp_path / "in"], tmp_path / "alone")))
        assert files_below(tmp_path / "out") == files_below(tmp_path / "alone")

    def test_two_sources_of_one_name_do_not_overwrite_each_other(self, tmp_path: Path) -> None:
        for name, seconds in (("song.flac", 1), ("song.wav", 2)):
            write_audio(tmp_path / "in" / name, noise(seconds))
        report: list[Outcome] = []
        statuses = run(
            tmp_path / "out",
            tmp_path / "in",
            request=replace(FAKE_REQUEST, delivery={"overwrite": True}),
            jobs=2,
            report=report,
        )
        assert statuses == {"song.flac": "done", "song.wav": "failed"}
        assert read_audio(tmp_path / "out/song/share.wav").n_samples == 44100
        assert any("song.flac" in str(outcome.error) for outcome in report)

    @pytest.mark.parametrize("jobs", [1, 3])
    def test_what_fails_every_item_ends_the_batch(self, tmp_path: Path, jobs: int) -> None:
        calls: list[int] = []

        def without_weights(*_: object) -> FakeEngine:
            calls.append(1)
            raise WeightsMissing("no weights")

        for number in range(20):
            write_audio(tmp_path / "in" / f"{number}.wav", noise(0.1))
        batch = Batch(Request(replace(FAKE, engine=without_weights)), ModelLoader("cpu"), jobs=jobs)
        with pytest.raises(WeightsMissing):
            list(batch.run(find_items([tmp_path / "in"], tmp_path / "out")))
        assert len(calls) <= jobs and not list((tmp_path / "out").rglob("*.*"))

    def test_terms_that_were_not_accepted_end_the_batch(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("AUDIO_ML_CONFIG", str(tmp_path / "settings"))
        for number in range(3):
            write_audio(tmp_path / "in" / f"{number}.wav", noise(0.1))
        closed = replace(FAKE, licence=Licence("research only", commercial=False, must_accept=True))
        batch = Batch(Request(closed), ModelLoader("cpu"))
        with pytest.raises(LicenceNotAccepted):
            list(batch.run(find_items([tmp_path / "in"], tmp_path / "out")))
        assert len(batch.outcomes) == 1

    @pytest.mark.parametrize("jobs", [1, 2])
    def test_cancel_stops_all_and_the_next_run_goes_on(self, tmp_path: Path, jobs: int) -> None:
        reels, out = tmp_path / "in", tmp_path / "out"
        write_audio(reels / "0.wav", noise(0.1))
        for number in range(1, 5):
            write_audio(reels / f"{number}.wav", noise(60, 8000, seed=number))
        slow = Request(replace(FAKE, engine=SlowEngine))
        under_way = threading.Barrier(jobs + 1, timeout=120)

        @contextmanager
        def progress(item: Item) -> Iterator[Progress]:
            begun = [item.name == "0.wav"]

            def update(state: ProgressState) -> None:
                if state.fraction > 0 and not all(begun):
                    begun[0] = True
                    under_way.wait()

            yield Progress(update)

        with BatchState(out) as state:
            batch = Batch(slow, ModelLoader("cpu"), jobs=jobs, state=state, progress=progress)

            def stop() -> None:
                under_way.wait()
                batch.cancel()

            stopper = threading.Thread(target=stop)
            stopper.start()
            with pytest.raises(Cancelled):
                list(batch.run(find_items([reels], out)))
            stopper.join()
        assert [outcome.item.name for outcome in batch.outcomes] == ["0.wav"] and len(batch.stopped) == jobs
        assert sorted(files_below(out)) == ["0/rest.wav", "0/share.wav"]
        assert not [path for path in out.rglob("*") if path.suffix == ".part"]
        assert run(out, reels, jobs=jobs) == {"0.wav": "skipped"} | {f"{n}.wav": "done" for n in range(1, 5)}

    def test_closing_the_outcomes_stops_what_is_under_way(self, tmp_path: Path) -> None:
        write_audio(tmp_path / "in/0.wav", noise(0.1))
        write_audio(tmp_path / "in/1.wav", noise(1000, 8000))
        batch = Batch(Request(replace(FAKE, engine=SlowEngine)), ModelLoader("cpu"), jobs=2)
        with closing(batch.run(find_items([tmp_path / "in"], tmp_path / "out"))) as outcomes:
            assert next(outcomes).item.name == "0.wav"
        assert [item.name for item in batch.stopped] == ["1.wav"], "it was not done to its end"


class TestWatch:
    """What a watch takes, and when."""

    def test_a_file_is_taken_when_it_rests_and_again_when_it_changed(self, tmp_path: Path) -> None:
        path, now = tmp_path / "a.wav", time.monotonic
        watch = iter(
            Watch(lambda: find_items([tmp_path], tmp_path / "out", empty=True), rest_seconds=0.3, poll_seconds=0.02)
        )
        assert next(watch) is None
        path.write_bytes(b"")
        for _ in range(20):
            assert next(watch) is None, "an empty file is one that is about to be filled"
        for size in range(1, 20):  # grows for longer than it has to rest
            grown = now()
            path.write_bytes(b"x" * size)
            assert next(watch) is None
        assert next(item for item in watch if item).source == path and now() - grown >= 0.3
        for _ in range(25):
            assert next(watch) is None
        path.write_bytes(b"y")
        assert next(item for item in watch if item).source == path

    def test_a_folder_that_is_gone_for_a_while_ends_nothing(self, tmp_path: Path) -> None:
        troubles: list[str] = []
        answers: list[list[Item] | AudioMLError] = [InvalidInput("gone."), InvalidInput("gone."), []]

        def look() -> list[Item]:
            answer = answers.pop(0)
            if isinstance(answer, AudioMLError):
                raise answer
            return answer

        watch = iter(Watch(look, warn=troubles.append, poll_seconds=0.01))
        assert [next(watch) for _ in range(3)] == [None] * 3 and troubles == ["gone. It is tried again."]

    def test_a_batch_goes_on_with_what_comes(self, tmp_path: Path) -> None:
        """Files that come while others are under way; a failed one is tried again only when it has changed."""
        reels, out = tmp_path / "in", tmp_path / "out"
        write_audio(reels / "a.wav", noise(0.1))
        (reels / "bad.wav").write_text("no sound")
        with BatchState(out) as state:
            watch = Watch(
                lambda: find_items([reels], out, is_output=state.is_output), rest_seconds=0.05, poll_seconds=0.02
            )
            batch = Batch(FAKE_REQUEST, ModelLoader("cpu"), jobs=2, state=state)
            with closing(batch.run(watch)) as outcomes:
                assert {next(outcomes).status, next(outcomes).status} == {"done", "failed"}
                write_audio(reels / "b.wav", noise(0.1))
                assert next(outcomes).item.name == "b.wav"
                write_audio(tmp_path / "good.wav", noise(0.1))
                (tmp_path / "good.wav").replace(reels / "bad.wav")
                again = next(outcomes)
            assert (again.item.name, again.status) == ("bad.wav", "done") and not batch.stopped
        assert {outcome.status for outcome in batch.outcomes} == {"done"}, "the newest of each"


class Terminal(io.StringIO):
    """Takes what a terminal would."""

    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize("stderr", [Terminal(), io.StringIO()])
def test_several_items_are_drawn_with_their_total(stderr: io.StringIO, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stderr", stderr)
    monkeypatch.setenv("COLUMNS", "100")
    with ProgressDisplay(n_items=3) as display:
        with display.progress("one.wav") as one, display.progress("[two].wav") as two:
            one.update("separating", 0.5)
            two.update("loading", 0.25)
            with display.paused():
                stderr.write("a line between\n")
        display.count_ended()
    drawn = stderr.getvalue()
    for words in ("one.wav: separating", "[two].wav: loading", "a line between", "1 of 3 files"):
        assert words in drawn
    assert not isinstance(stderr, Terminal) or all(words in drawn for words in ("50%", "25%"))


@pytest.mark.weights
class TestCommandLine:
    """The command as a user meets it."""

    def test_a_second_run_does_what_is_missing(
        self, run_cli: Callable[..., subprocess.CompletedProcess[str]], reels: Path
    ) -> None:
        (reels / "bad.wav").write_text("no sound")
        command = ("separate", "reels/**/*.[wW]*", "-o", "out", "--jobs", "2", "--report-file", "r.json")
        first = run_cli(*command)
        assert first.returncode == 7 and "1 of 3 files failed" in first.stderr, first.stderr
        assert first.stdout.count("vocals.wav") == 2 and "3 of 3 files\n" in first.stderr
        words = first.stdout.split()
        assert words[words.index("DONE") : words.index("REASON")][:6] == ["DONE", "SKIPPED", "FAILED", "2", "0", "1"]
        assert (Path("out") / "day" / "b" / "vocals.wav").exists()
        reports = json.loads(Path("r.json").read_text())["reports"]
        write_audio(reels / "good.wav", noise(0.5))
        (reels / "good.wav").replace(reels / "bad.wav")
        second = run_cli(*command)
        assert second.returncode == 0, second.stderr
        both = json.loads(Path("r.json").read_text())
        assert both["reports"][:2] == reports or both["reports"][1::-1] == reports, "the first run's are kept"
        assert len(both["reports"]) == 3 and len(both["skipped"]) == 2 and both["failures"] == []
        Path("r.json").write_text("precious")
        assert run_cli(*command).returncode == 6 and Path("r.json").read_text() == "precious"

    def test_a_lone_file_has_no_state(
        self, run_cli: Callable[..., subprocess.CompletedProcess[str]], reels: Path
    ) -> None:
        assert run_cli("separate", reels / "a.wav", "-o", "out").returncode == 0
        assert not (Path("out") / STATE_NAME).exists()
        assert run_cli("separate", reels / "a.wav", "-o", "out").returncode == 6

    @pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
    def test_a_signal_ends_a_batch_and_the_next_run_goes_on(
        self, run_cli: Callable[..., subprocess.CompletedProcess[str]], tmp_path: Path, number: int
    ) -> None:
        write_audio(tmp_path / "in/0.wav", noise(1))
        for name in "12":
            write_audio(tmp_path / f"in/{name}.wav", noise(2400, 8000, 1))
        command = ["separate", str(tmp_path / "in"), "-o", str(tmp_path / "out"), "--jobs", "2"]
        running = start(command)
        wait_for_line(running, "2.wav: separating")
        running.send_signal(number)
        said = running.communicate(timeout=60)[1]
        assert running.returncode == {signal.SIGINT: 130, signal.SIGTERM: 143}[number] and "Traceback" not in said
        assert sorted(files_below(tmp_path / "out")) == ["0/accompaniment.wav", "0/vocals.wav"]
        assert not list((tmp_path / "out").rglob("*.part"))
        for name in "12":
            write_audio(tmp_path / f"in/{name}.wav", noise(1), overwrite=True)
        again = run_cli(*command)
        assert again.returncode == 0 and "\n2     1        0" in again.stdout, again.stderr

    def test_watch_takes_what_comes_until_ctrl_c(self, tmp_path: Path) -> None:
        (tmp_path / "in").mkdir()
        running = start(["separate", str(tmp_path / "in"), "-o", str(tmp_path / "out"), "--watch"])
        wait_for_line(running, "Looking for new files")
        write_audio(tmp_path / "in/day/a.wav", noise(1))
        deadline = time.monotonic() + 60
        while not ((tmp_path / "out" / STATE_NAME).exists() and state_of(tmp_path / "out")["done"]):
            assert time.monotonic() < deadline and running.poll() is None
            time.sleep(0.1)
        running.send_signal(signal.SIGINT)
        printed, said = running.communicate(timeout=60)
        assert running.returncode == 0 and "Traceback" not in said and "DONE" in printed
        assert sorted(files_below(tmp_path / "out")) == ["day/a/accompaniment.wav", "day/a/vocals.wav"]

    def test_watch_refuses_a_file(self, run_cli: Callable[..., subprocess.CompletedProcess[str]], reels: Path) -> None:
        ran = run_cli("separate", reels / "a.wav", "--watch")
        assert ran.returncode == 2 and "--watch looks at folders" in ran.stderr


def start(arguments: list[str]) -> subprocess.Popen[str]:
    command = Path(sys.executable).with_name("audio-ml")
    return subprocess.Popen([command, *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def wait_for_line(running: subprocess.Popen[str], words: str) -> None:
    assert running.stderr is not None
    while words not in running.stderr.readline():
        assert running.poll() is None
