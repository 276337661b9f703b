"""REAPER's script against a REAPER that only remembers: stems lie under their items, to the sample, in one undo."""

from __future__ import annotations

import json
import math
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from signals import noise
from stand_in_reaper import Project, Reaper
from stand_in_server import StandIn, stand_in

from audio_ml.audio import Audio
from audio_ml.writer import write_audio
from separation.options import DeliveryOptions, SeparationOptions

RATE = 44100
NAME = "spleeter-2stems"


@pytest.fixture
def server(tmp_path: Path) -> Iterator[StandIn]:
    write_audio(tmp_path / "vocals.wav", noise(1))
    with stand_in() as running:
        content = (tmp_path / "vocals.wav").read_bytes()
        running.files = {"vocals.wav": content, "accompaniment.wav": content}
        properties = {
            "mwf": {"type": "boolean", "default": False},
            "overlap": {"type": "number", "default": 0.25, "minimum": 0, "maximum": 0.99},
            "stems": {"type": "array", "items": {"type": "string"}, "default": []},
            "segment_seconds": {"type": ["number", "null"], "default": None, "unit": "s", "advanced": True},
            "residual": {"type": "string", "default": "project", "enum": ["project", "file"], "advanced": True},
        }
        running.models = [
            {"id": NAME, "jobs": ["separate"], "options": {"properties": properties}},
            {"id": "hibari", "jobs": ["speak"], "options": {"properties": {}}},
        ]
        yield running


@pytest.fixture
def project(tmp_path: Path) -> Project:
    (tmp_path / "recordings").mkdir()
    return Project(tmp_path / "recordings")


@pytest.fixture
def song(tmp_path: Path) -> Path:
    audio = noise(10)
    write_audio(tmp_path / "song.wav", Audio(audio.samples, RATE))
    return tmp_path / "song.wav"


def run(project: Project, server: StandIn, *answers: dict[str, str] | None) -> Reaper:
    project.answers = [{"Server": server.url}, *answers]
    reaper = Reaper(project)
    reaper.start()
    reaper.finish()
    return reaper


class TestSeparation:
    def test_stems_lie_under_the_item_as_it_plays(self, project: Project, server: StandIn, song: Path) -> None:
        track = project.add_track("Song")
        project.add_track("Other")
        project.add_item(track, 12.5, 2.0, song, D_STARTOFFS=1.0, D_PLAYRATE=1.5)
        run(project, server)
        assert not project.messages
        assert [project.things[each].values["P_NAME"] for each in project.tracks] == [
            *("Song", "vocals", "accompaniment", "Other")
        ]
        assert server.bodies[0]["delivery"] == {
            "filename": "{stem}.{ext}",
            "start_seconds": 1.0,
            "duration_seconds": 3.0,
        }
        for stem in ("vocals", "accompaniment"):
            (item,) = project.stems()[stem]
            kept = ("D_POSITION", "D_LENGTH", "D_PLAYRATE", "D_STARTOFFS", "D_PITCH", "D_VOL")
            assert [item[name] for name in kept] == [12.5, 2.0, 1.5, 0.0, 2.0, 0.5]
            assert Path(item["path"]) == project.folder / f"audio-ml/song/{stem}.wav"
        assert project.stems()["Song"][0]["B_MUTE"] == 1
        assert project.undo == ["Separate items into stems"]
        colours = {project.things[each].values.get("I_CUSTOMCOLOR") for each in project.tracks[1:3]}
        assert len(colours) == 2 and all(colour and colour & 0x1000000 for colour in colours)

    def test_items_of_one_track_share_the_tracks_of_stems(self, project: Project, server: StandIn, song: Path) -> None:
        first, second = project.add_track("A"), project.add_track("B")
        for track, position in ((first, 0.0), (first, 5.0), (second, 1.0)):
            project.add_item(track, position, 2.0, song)
        run(project, server)
        found = project.stems()
        assert [project.things[each].values["P_NAME"] for each in project.tracks] == [
            *("A", "vocals", "accompaniment", "B", "vocals", "accompaniment")
        ]
        assert len(found["A"]) == 2 and len(server.bodies) == 3
        assert [len(project.things[each].children) for each in project.tracks] == [2, 2, 2, 1, 1, 1]
        assert len({item["path"] for item in found["vocals"]}) == 3
        assert sorted(path.name for path in (project.folder / "audio-ml").iterdir()) == ["song", "song-2", "song-3"]

    def test_a_section_of_a_file_is_found_in_the_file(self, project: Project, server: StandIn, song: Path) -> None:
        item = project.add_item(project.add_track("A"), 0.0, 2.0, song, D_STARTOFFS=0.5)
        take = project.things[item].children[0]
        whole = project.things[take].values["source"]
        section = {"type": "SECTION", "section": (3.0, 4.0, 0), "section_of": whole}
        project.things[take].values["source"] = project.make("PCM_source", section)
        run(project, server)
        assert server.bodies[0]["delivery"]["start_seconds"] == 3.5
        assert server.bodies[0]["delivery"]["duration_seconds"] == 2.0

    @pytest.mark.parametrize(("what", "told"), [("stretch", "stretch markers"), ("reversed", "backwards")])
    def test_what_is_no_plain_excerpt_is_named(
        self, project: Project, server: StandIn, song: Path, what: str, told: str
    ) -> None:
        item = project.add_item(project.add_track("A"), 0.0, 2.0, song)
        values = project.things[project.things[item].children[0]].values
        if what == "stretch":
            values["stretch"] = 2
        else:
            section = {"type": "SECTION", "section": (3.0, 4.0, 1), "section_of": values["source"]}
            values["source"] = project.make("PCM_source", section)
        run(project, server)
        assert told in project.messages[0] and not server.requests and not project.undo

    def test_options_are_the_models_own_and_only_those_that_differ_are_sent(
        self, project: Project, server: StandIn, song: Path
    ) -> None:
        project.add_item(project.add_track("A"), 0.0, 2.0, song)
        run(project, server, {"mwf": "yes", "stems": "vocals, drums"})
        assert list(project.asked[1]) == ["title", "mwf (yes/no)", "overlap (0 to 0.99)", "stems"]
        assert server.bodies[0]["options"] == {"mwf": True, "stems": ["vocals", "drums"]}

    def test_choices_are_remembered(self, project: Project, server: StandIn, song: Path) -> None:
        project.add_item(project.add_track("A"), 0.0, 2.0, song)
        run(project, server, {"overlap": "0.5"})
        run(project, server)
        assert project.asked[2]["Server"] == server.url and project.asked[3]["overlap (0 to 0.99)"] == "0.5"
        assert all(section == "audio-ml" for section, _ in project.remembered)
        assert json.loads(project.remembered["audio-ml", "server"])["url"] == server.url

    def test_an_answer_that_cannot_be_is_asked_for_again(self, project: Project, server: StandIn, song: Path) -> None:
        project.add_item(project.add_track("A"), 0.0, 2.0, song)
        run(project, server, {"overlap": "1.5"}, {"overlap": "0.1"})
        assert "overlap" in project.messages[0] and project.asked[2]["overlap (0 to 0.99)"] == "1.5"
        assert server.bodies[0]["options"] == {"overlap": 0.1}

    def test_a_closed_dialog_is_the_end(self, project: Project, server: StandIn, song: Path) -> None:
        project.add_item(project.add_track("A"), 0.0, 2.0, song)
        run(project, server, None)
        assert not project.messages and not project.undo and not server.jobs

    def test_running_it_again_cancels_and_leaves_the_project_as_it_was(
        self, project: Project, server: StandIn, song: Path
    ) -> None:
        server.faults.seconds = 300
        project.add_item(project.add_track("A"), 0.0, 2.0, song)
        project.answers = [{"Server": server.url}]
        reaper = Reaper(project)
        reaper.start()
        ends = time.monotonic() + 60
        while not server.jobs and time.monotonic() < ends:
            reaper.tick()
        for _ in range(20):
            reaper.tick()
        assert any("%" in tip for tip in project.tips)
        reaper.stop()
        assert len(server.cancelled) == 1 and not server.jobs
        assert not project.undo and len(project.tracks) == 1 and not list(project.folder.rglob("*.wav"))

    def test_no_tick_holds_the_screen(self, project: Project, server: StandIn, song: Path) -> None:
        server.faults.seconds = 1.0
        project.add_item(project.add_track("A"), 0.0, 2.0, song)

        def longest() -> float:
            project.undo.clear()
            project.answers = [{"Server": server.url}]
            reaper = Reaper(project)
            reaper.start()
            took, is_running = [], True
            while is_running:
                began = time.monotonic()
                is_running = reaper.tick()
                took.append(time.monotonic() - began)
            assert project.undo and len(took) > 20
            return max(took)

        assert any(longest() < 0.5 for _ in range(3))  # the machine may stand still now and then

    def test_a_full_queue_is_waited_for_with_the_screen_alive(
        self, project: Project, server: StandIn, song: Path
    ) -> None:
        server.faults.busy, server.faults.retry_after = 2, "1"
        project.add_item(project.add_track("A"), 0.0, 2.0, song)
        project.answers = [{"Server": server.url}]
        reaper = Reaper(project)
        began = time.monotonic()
        reaper.start()
        n_ticks = 0
        while reaper.tick():
            n_ticks += 1
        assert project.undo and len(server.bodies) == 1 and time.monotonic() - began > 2
        assert n_ticks > 10 and any("room in the queue" in tip for tip in project.tips)

    def test_what_the_server_says_no_to_is_shown(self, project: Project, server: StandIn, song: Path) -> None:
        server.faults.fail_with = {"type": "OutOfMemory", "message": "Too little memory.", "code": 507}
        project.add_item(project.add_track("A"), 0.0, 2.0, song)
        run(project, server)
        assert project.messages == ["Too little memory."] and not project.undo

    def test_an_unknown_model_is_told_with_those_there_are(self, project: Project, server: StandIn, song: Path) -> None:
        project.add_item(project.add_track("A"), 0.0, 2.0, song)
        project.answers = [{"Server": server.url, "Model": "hibari"}]
        reaper = Reaper(project)
        reaper.start()
        reaper.finish()
        assert NAME in project.messages[0]


class TestSpeech:
    def test_notes_are_spoken_where_they_are(self, project: Project, server: StandIn) -> None:
        server.files = {"speech.wav": server.files["vocals.wav"]}
        track = project.add_track("Script")
        for position, text in ((1.5, "Good morning."), (4.0, "Good night.")):
            project.add_item(track, position, 1.0, notes=text)
        run(project, server)
        assert [body["text"] for body in server.bodies] == ["Good morning.", "Good night."]
        items = project.stems()["Speech"]
        assert [(item["D_POSITION"], item["D_LENGTH"]) for item in items] == [(1.5, 1.0), (4.0, 1.0)]
        assert len({item["path"] for item in items}) == 2 and project.undo == ["Speak notes"]

    def test_without_items_the_region_at_the_cursor_is_spoken(self, project: Project, server: StandIn) -> None:
        server.files = {"speech.wav": server.files["vocals.wav"]}
        project.regions, project.cursor = [(0.0, 2.0, b"no"), (2.0, 5.0, "Schöner Morgen.".encode())], 3.0
        run(project, server)
        assert server.bodies[0]["text"] == "Schöner Morgen."
        assert [item["D_POSITION"] for item in project.stems()["Speech"]] == [2.0]

    def test_nothing_to_do_is_told(self, project: Project, server: StandIn) -> None:
        run(project, server)
        assert "Select items" in project.messages[0]


@pytest.fixture(scope="module")
def script(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What the script defines."""
    reaper = Reaper(Project(tmp_path_factory.mktemp("project")))
    reaper.start()
    return reaper.namespace


class TestExcerpt:
    """Which part of a file an item plays, against what it plays sample by sample."""

    @settings(max_examples=60, deadline=None)
    @given(
        offset=st.floats(-2, 9),
        length=st.floats(0.01, 20),
        rate=st.floats(0.25, 4),
        section=st.sampled_from([0.0, 1.5]),
        loops=st.booleans(),
    )
    def test_the_stem_plays_what_the_item_plays(
        self, script: dict[str, Any], offset: float, length: float, rate: float, section: float, loops: bool
    ) -> None:
        asked = {"offset": offset, "length": length, "rate": rate, "section": section, "loops": loops}
        try:
            excerpt = script["excerpt_of"](**asked, source_length=10.0, sample_rate=RATE)
        except script["Refusal"]:
            assert offset + length * rate <= 0
            return
        start = (excerpt.start - section) * RATE
        assert abs(start - round(start)) < 1e-6  # on a sample
        assert start >= 0 and excerpt.start - section + excerpt.duration <= 10.0 + 1e-9
        for share in (0.0, 0.3, 1.0):  # a moment of the item: the place in the file that the stem's own file has there
            at = offset + share * length * rate
            there = excerpt.offset + share * length * rate
            if loops:
                at, there = at % 10.0, there % excerpt.duration if excerpt.duration == 10.0 else there
            if 0 <= at <= 10.0 and 0 <= there <= excerpt.duration:
                assert math.isclose(excerpt.start - section + there, at, abs_tol=1e-6)
            elif not loops:
                assert at <= 1e-9 or at >= 10.0 - 1e-9 or there <= excerpt.duration + 1 / RATE

    def test_questions_read_what_they_show(self, script: dict[str, Any]) -> None:
        from ui.server.schema import schema_of

        for options in (SeparationOptions, DeliveryOptions):
            schema = schema_of(options)
            for question in script["questions"](schema, advanced=True):
                value = question.read(question.default)
                default = schema["properties"][question.name].get("default")
                assert value == (list(default) if isinstance(default, tuple) else default), question.name
                assert "," not in question.caption
