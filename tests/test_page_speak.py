"""The tab Speak as a user meets it: a real server, a real browser, the small voice that comes with the installation."""

from __future__ import annotations

import dataclasses
import re
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from browsing import (
    PAGE_MS,
    WORK_MS,
    OpenPage,
    download,
    go_to,
    held,
    lit_in,
    needs_chromium,
    requests_at_rest,
    wait_for,
)
from fake_speech import FAKE_SPEECH
from serving import Server, serving

import tts
from audio_ml.catalogue import Licence
from audio_ml.errors import InvalidOption
from audio_ml.streams import AudioReader
from ui.server.options import ServerOptions

pytestmark = [pytest.mark.browser, pytest.mark.weights, needs_chromium]
expect = pytest.importorskip("playwright.sync_api").expect

NEWS = "Good morning, everybody. Here is the news 🎸 of today."
LONG = "The river was low that summer, and the boats lay tilted on the mud. " * 20
SHEET = """Scene,Cue,Character,TC In,TC Out,Line
12,3,HERO,01:00:00:12,01:00:02:12,Where is everybody?
12,4,Old Man,01:00:03:00,01:00:03:12,They went away a very long time ago.
12,5,HERO,01:00:09:00,01:00:08:00,Backwards.
"""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with serving(ServerOptions(folder=str(tmp_path_factory.mktemp("server"))), page=True) as server:
        yield server


def write(page: Any, text: str) -> None:
    page.get_by_role("textbox", name="Text", exact=True).fill(text)


def speak(page: Any) -> Any:
    return page.get_by_role("button", name="Speak", exact=True)


def alerts(page: Any) -> Any:
    return page.get_by_role("alert").filter(has_text=re.compile("."), visible=True)


def jobs(page: Any) -> list[dict[str, Any]]:
    """Returns the visitor's jobs, the newest first."""
    return list(page.evaluate("async () => (await (await fetch('mine/v1/jobs')).json()).jobs"))


class TestText:
    def test_a_text_becomes_a_take_with_its_words_lit(self, open_page: OpenPage, tmp_path: Path) -> None:
        page = open_page("Speak")
        write(page, NEWS)
        expect(page.get_by_text(re.compile(r"^About [34] s, 10 words\.$"))).to_be_visible()
        speak(page).click()
        words = page.get_by_role("group", name="Words")
        expect(words).to_have_text(NEWS, timeout=WORK_MS)
        expect(page.get_by_role("list", name="Settings")).to_contain_text("hibari/heart")
        (job,) = jobs(page)
        told = job["report"]["files"][0]["words"]
        audio = page.locator("audio").first
        for word in told[1::3]:
            middle = (word["start_seconds"] + word["end_seconds"]) / 2
            audio.evaluate("(audio, seconds) => { audio.currentTime = seconds; }", middle)
            expect(page.locator(".word.now")).to_have_text(word["text"])
        lit = lit_in(words)
        audio.evaluate("audio => { audio.currentTime = 0; audio.loop = true; audio.play(); }")
        wait_for(lambda: told[-1]["text"] in lit())
        audio.evaluate("audio => audio.pause()")
        audio.evaluate("(audio, seconds) => { audio.currentTime = seconds; }", told[-1]["start_seconds"] + 0.01)
        expect(page.locator(".word.now")).to_have_text(told[-1]["text"])
        words.press("ArrowLeft")
        expect(page.locator(".word.now")).to_have_text(told[-2]["text"])
        words.press("ArrowRight")
        expect(page.locator(".word.now")).to_have_text(told[-1]["text"])

        name = "Good morning everybody Here is the news - hibari heart"
        files = {kind: download(page, page.get_by_role("link", name=f"Download {name}.{kind}"), tmp_path) for kind in
                 ("wav", "mp3", "srt")}  # fmt: skip
        assert files["wav"].name == f"{name}.wav"
        assert AudioReader(files["wav"]).info.sample_rate == 24000
        assert AudioReader(files["mp3"]).info.n_channels == 1
        assert "Good morning" in files["srt"].read_text()

    def test_what_is_wrong_is_told_below_the_text_while_it_is_written(self, open_page: OpenPage) -> None:
        page = open_page("Speak")
        speak(page).click()
        expect(alerts(page)).to_have_text("Write what is to be said first.")
        write(page, "Wait [pause 9 parsecs] for me.")
        expect(alerts(page)).to_have_text(re.compile("'9 parsecs' is no length of a pause"))
        speak(page).click()
        expect(alerts(page)).to_have_count(1)
        write(page, "Привет")
        expect(page.get_by_role("list", name="Warnings")).to_contain_text("not in Latin script")
        expect(alerts(page)).to_have_count(0)
        page.get_by_role("textbox", name="Voice", exact=True).fill("nobody")
        expect(alerts(page)).to_have_text(re.compile("Unknown voice 'nobody'"))
        assert jobs(page) == []

    def test_takes_differ_and_twice_is_once(self, open_page: OpenPage, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("ui.server.page.SECONDS_OF_A_DOUBLE_CLICK", 60)  # as long as it may take the machine
        page = open_page("Speak")
        write(page, LONG)
        speak(page).dblclick()
        expect(page.get_by_role("article")).to_have_count(1)
        expect(page.get_by_role("group", name="Words")).to_be_visible(timeout=WORK_MS)
        assert len(jobs(page)) == 1
        page.get_by_role("button", name="Another take").click()
        expect(page.get_by_role("article")).to_have_count(2)
        expect(page.locator(".job .line")).to_have_text(["Done.", "Done."], timeout=WORK_MS)
        second, first = jobs(page)
        assert second["request"]["options"]["seed"] == 1 and not first["request"].get("options")
        names = [job["files"][0]["name"].rpartition(".")[0] for job in (first, second)]
        begin = "The river was low that summer and the bo - hibari heart"
        assert names[0] == begin and names[1].startswith(f"{begin} - ") and "seed 1" in names[1]
        lengths = {job["report"]["files"][0]["duration_seconds"] for job in (first, second)}
        assert len(lengths) == 2
        for press in ("Delete", "Delete for good?"):
            page.get_by_role("article").last.get_by_role("button", name=press).click()
        expect(page.get_by_role("article")).to_have_count(1)
        page.get_by_role("button", name="Another take").click()
        expect(page.get_by_role("article")).to_have_count(2)
        assert [job["request"]["options"]["seed"] for job in jobs(page)] == [2, 1]

    def test_options_and_pronunciations_reach_the_voice(self, open_page: OpenPage) -> None:
        page = open_page("Speak")
        write(page, "Nguyen is here.")
        page.get_by_role("spinbutton", name=re.compile("Speed")).fill("1.5")
        page.get_by_role("button", name="Pronunciations").click()
        page.get_by_label("Word 1", exact=True).fill("Nguyen")
        expect(alerts(page)).to_have_text("Row 1, 'Nguyen': say how it sounds.")
        page.get_by_label("Sound of word 1").fill("?")
        expect(alerts(page)).to_have_text(re.compile(r"^Row 1, 'Nguyen': Syllable '\?' of the respelling"))
        page.get_by_label("Sound of word 1").fill("win")
        page.reload()  # which a draft outlives
        go_to(page, "Speak")
        expect(page.get_by_role("textbox", name="Text", exact=True)).to_have_value("Nguyen is here.")
        page.get_by_role("spinbutton", name=re.compile("Speed")).fill("1.5")
        page.get_by_role("button", name="Pronunciations").click()
        expect(page.get_by_label("Sound of word 1")).to_have_value("win")
        expect(alerts(page)).to_have_count(0)
        expect(page.get_by_label("Word 2", exact=True)).to_be_visible()
        speak(page).click()
        expect(page.get_by_role("group", name="Words")).to_be_visible(timeout=WORK_MS)
        (job,) = jobs(page)
        assert job["request"]["options"] == {"speed": 1.5} and job["inputs"] == ["Pronunciations.csv"]
        assert job["report"]["files"][0]["words"][0]["phonemes"].replace("ˈ", "") == "wɪn"

    def test_a_row_that_cannot_be_read_is_told_at_the_button_and_shown(self, open_page: OpenPage) -> None:
        page = open_page("Speak")
        write(page, NEWS)
        page.get_by_role("button", name="Pronunciations").click()
        page.get_by_label("Word 1", exact=True).fill("news")
        page.get_by_label("Sound of word 1").fill("nooz")
        page.get_by_label("Word 2", exact=True).fill("Qxzvbn")
        page.get_by_label("Sound of word 2").fill("/ʘʘʘ/")
        wrong = "Row 2, 'Qxzvbn': 'ʘ' (symbol 1 of '/ʘʘʘ/') is no sound of English in IPA."
        expect(alerts(page)).to_have_text(wrong)
        page.get_by_role("button", name="Pronunciations").click()
        expect(alerts(page)).to_have_count(0)
        speak(page).click()
        mend = "Pronunciations below has a row that cannot be read: mend it first."
        expect(alerts(page)).to_have_text([mend, wrong])  # the table is open again
        expect(page.get_by_text(re.compile("^About [34] s, 10 words"))).to_be_visible()
        page.get_by_role("button", name="Pronunciations").click()
        write(page, f"{NEWS} And more.")
        expect(page.get_by_text(re.compile("^About [0-9]+ s, 12 words"))).to_be_visible()
        expect(alerts(page)).to_have_count(0)  # told once, and the table stays closed
        page.get_by_role("button", name="Pronunciations").click()
        page.get_by_label("Sound of word 2").fill("kyoo")
        expect(alerts(page)).to_have_count(0)
        assert jobs(page) == []

    def test_voices_are_filtered_heard_chosen_and_mixed(self, open_page: OpenPage) -> None:
        page = open_page("Speak")
        voice, gallery = page.get_by_role("textbox", name="Voice", exact=True), page.get_by_role("list", name="Voices")
        expect(gallery.get_by_role("button", name="Heart", exact=False).first).to_have_attribute("aria-pressed", "true")
        hear = page.get_by_role("button", name="Hear hibari/heart")
        with held(page, "**/audio/speech"):
            hear.click()
            expect(hear).to_have_attribute("aria-pressed", "true")
            expect(hear).to_have_attribute("aria-busy", "true")  # nothing is heard yet
        expect(hear).to_have_attribute("aria-busy", "false", timeout=WORK_MS)
        expect(hear).to_have_attribute("aria-pressed", "false", timeout=WORK_MS)  # it was heard to its end
        expect(alerts(page)).to_have_count(0)

        chosen, last = gallery.get_by_role("button").first, gallery.get_by_role("listitem").last
        chosen.focus()
        for key, reached in (
            ("End", last),
            ("Tab", last.locator("voice-sample")),
            ("Home", gallery.get_by_role("listitem").first),
        ):
            page.keyboard.press(key)
            expect(reached.locator("button:focus")).to_have_count(1)
        page.keyboard.press("ArrowDown")
        expect(gallery.get_by_role("listitem").nth(1).locator("voice-sample button")).to_be_focused()

        filters = page.locator("voice-gallery .filters")
        filters.get_by_label("Model").select_option("kokoro")
        filters.get_by_label("Language").select_option("British English")
        expect(gallery.get_by_role("listitem")).to_have_count(8)
        filters.get_by_label("Voice").select_option("male")
        expect(gallery.get_by_role("listitem")).to_have_count(4)
        gallery.get_by_role("button", name="George").first.click()
        expect(voice).to_have_value("kokoro/bm_george")
        page.get_by_role("button", name="Mix kokoro/bm_lewis").click()
        expect(voice).to_have_value("kokoro/bm_george*0.50+bm_lewis*0.50")
        page.get_by_role("slider", name="Share of kokoro/bm_lewis").fill("100")
        expect(voice).to_have_value("kokoro/bm_george*0.33+bm_lewis*0.67")
        write(page, "Good morning.")
        expect(page.get_by_text(re.compile("^(About|2 s)"))).to_be_visible()
        expect(alerts(page)).to_have_count(0)
        frame, away = (
            page.locator(".mixer").bounding_box(),
            page.get_by_role("button", name="Take kokoro/bm_george out"),
        )
        button = away.bounding_box()
        assert button["x"] + button["width"] + 4 < frame["x"] + frame["width"] and frame["y"] + 4 < button["y"]
        away.click()
        expect(voice).to_have_value("kokoro/bm_lewis")

    def test_keys_alone_are_enough(self, open_page: OpenPage) -> None:
        page = open_page("Speak")
        page.get_by_role("tab", name="Text", exact=True).focus()
        page.keyboard.press("Tab")
        page.keyboard.press("Tab")
        assert page.evaluate("document.activeElement.tagName") == "TEXTAREA"
        page.keyboard.type("Good morning.")
        expect(page.get_by_text("2 s or less, 2 words.", exact=True)).to_be_visible()
        page.keyboard.press("Tab")
        expect(speak(page)).to_be_focused()
        page.keyboard.press("Enter")
        expect(page.get_by_role("group", name="Words")).to_be_visible(timeout=WORK_MS)
        for _ in range(80):
            page.keyboard.press("Tab")
            if page.evaluate("document.activeElement.tagName") == "AUDIO":
                break
        lit = lit_in(page.get_by_role("group", name="Words"))
        page.locator("audio").first.evaluate("audio => { audio.loop = true; }")
        page.keyboard.press("Space")
        wait_for(lit)


class TestCueSheet:
    @pytest.fixture
    def page(self, open_page: OpenPage) -> Any:
        page = open_page("Speak")
        page.get_by_role("tab", name="Cue sheet").click()
        expect(page.get_by_role("button", name="Render all")).to_be_visible()
        return page

    @staticmethod
    def choose(page: Any, path: Path, content: str = SHEET) -> None:
        path.write_text(content)
        page.locator("#cues-sheet input[type=file]").set_input_files(path)
        expect(page.get_by_text(path.stem, exact=False).first).to_be_visible(timeout=PAGE_MS)

    def test_a_sheet_becomes_fitted_cues(self, page: Any, tmp_path: Path) -> None:
        self.choose(page, tmp_path / "adr.csv")
        lines = page.get_by_role("region", name="Lines of the sheet")
        expect(lines.get_by_role("row")).to_have_count(4, timeout=PAGE_MS)
        expect(lines.get_by_text("may be too long")).to_have_count(1)
        expect(lines.get_by_role("row", name=re.compile("is not after"))).to_contain_text("cannot")
        expect(page.get_by_label("Voice of Old Man", exact=True)).to_have_value("")
        hear = page.get_by_role("button", name="Hear cue 12 3")
        hear.click()
        expect(hear).to_have_attribute("aria-pressed", "false", timeout=WORK_MS)
        page.get_by_role("button", name="Render all").dblclick()
        queued = page.get_by_text("2 lines are in the queue.")
        states = lines.locator("tr[data-line] .state")
        expect(states).to_have_text(["ok", "over"], timeout=WORK_MS)

        expect(queued).to_have_count(0)  # for they are no longer
        fit = page.get_by_role("region", name="What came of each line")
        expect(fit.get_by_role("row")).to_have_count(4)
        expect(fit.get_by_role("row", name=re.compile("Old Man"))).to_contain_text("over")
        expect(fit.get_by_role("row", name=re.compile("Row 4"))).to_contain_text("is not after")
        (job,) = jobs(page)
        assert job["request"]["voice"] == "hibari/heart"
        archive = download(page, page.get_by_role("link", name="Download all (zip)"), tmp_path)
        names = zipfile.ZipFile(archive).namelist()
        assert {"S012_Q003_HERO_T01.wav", "guide.wav", "session.rpp", "session.otio", "qc.csv"} <= set(names)

    def test_progress_counts_all_lines_though_the_first_alone_are_shown(self, page: Any) -> None:
        told = {"id": "0a1b", "state": "running", "stage": "speaking", "fraction": 0.5}
        page.route("**/mine/v1/jobs/0a1b", lambda route: route.fulfill(json=told))
        page.evaluate("""() => {
            const place = document.createElement('div');
            const row = '<tr data-line><td class="state"></td></tr>';
            place.innerHTML = `<div id="cue-preview"><table>${row}${row}${row}</table></div>
                <cue-progress job="0a1b" lines="4" takes="2"></cue-progress>`;
            document.body.append(place);
        }""")
        expect(page.locator("#cue-preview .state")).to_have_text(["done", "done", "speaking"])

    def test_columns_are_chosen_where_they_are_not_found(self, page: Any, tmp_path: Path) -> None:
        self.choose(page, tmp_path / "odd.csv", SHEET.replace("TC In", "Von"))
        expect(alerts(page)).to_have_text("Say in which column the timecode in is: open Columns.", timeout=PAGE_MS)
        page.get_by_role("listbox", name="Timecode in").or_(page.get_by_label("Timecode in")).first.click()
        page.get_by_role("option", name="Von").click()
        lines = page.get_by_role("region", name="Lines of the sheet")
        expect(lines.get_by_role("row")).to_have_count(4)
        expect(alerts(page)).to_have_count(0)

    def test_what_was_asked_before_a_sheet_came_does_not_hide_its_lines(self, page: Any, tmp_path: Path) -> None:
        with held(page, "**/gradio_api/run/**") as asked:
            page.get_by_label("Voice of who is not cast").fill("kokoro/am_michael")
            wait_for(lambda: page.wait_for_timeout(50) or asked)
            self.choose(page, tmp_path / "adr.csv")
            page.wait_for_timeout(1000)  # in which an answer could come that must not be lost
        requests_at_rest(page, 500)
        lines = page.get_by_role("region", name="Lines of the sheet")
        expect(lines.get_by_role("row")).to_have_count(4)
        expect(lines.get_by_role("row", name=re.compile("Old Man"))).to_contain_text("kokoro/am_michael")

    def test_what_matters_of_a_line_is_in_sight(self, page: Any, tmp_path: Path) -> None:
        page.set_viewport_size({"width": 1400, "height": 1000})
        self.choose(
            page, tmp_path / "adr.csv", SHEET.replace("Where is", "I have looked for all of you here. Where is")
        )
        lines = page.get_by_role("region", name="Lines of the sheet")
        expect(lines.get_by_role("row")).to_have_count(4)
        assert lines.evaluate("table => table.scrollWidth <= table.clientWidth")
        page.get_by_role("button", name="Render all").click()
        fit = page.get_by_role("region", name="What came of each line")
        expect(fit.get_by_role("row")).to_have_count(4, timeout=WORK_MS)
        box, link = fit.bounding_box(), fit.get_by_role("link").first.bounding_box()
        assert link["x"] + link["width"] < box["x"] + box["width"]

    def test_the_cast_is_chosen(self, page: Any, tmp_path: Path) -> None:
        self.choose(page, tmp_path / "adr.csv")
        page.get_by_label("Voice of HERO", exact=True).select_option("kokoro/am_michael")
        lines = page.get_by_role("region", name="Lines of the sheet")
        expect(lines.get_by_role("row", name=re.compile("HERO"))).to_contain_text("kokoro/am_michael")
        expect(lines.get_by_role("row", name=re.compile("Old Man"))).to_contain_text("hibari/heart")

    def test_a_mistake_is_told_where_it_is(self, page: Any, tmp_path: Path) -> None:
        page.get_by_role("button", name="Render all").click()
        expect(alerts(page)).to_have_text("Choose a cue sheet first.")
        self.choose(page, tmp_path / "notes.pdf", "%PDF")
        expect(alerts(page)).to_have_text("notes.pdf cannot be read: save the sheet as .xlsx or .csv.", timeout=PAGE_MS)
        page.get_by_label("Clear").or_(page.get_by_label("Remove this file")).filter(visible=True).first.click()
        self.choose(page, tmp_path / "adr.csv")
        expect(alerts(page)).to_have_count(0)
        assert jobs(page) == []


def test_the_server_tells_what_the_gallery_shows(server: Server) -> None:
    voices = server.ask("GET", "/v1/audio/voices").json["voices"]
    heart = next(voice for voice in voices if voice["id"] == "hibari/heart")
    assert heart["licence"] == {"name": "Apache-2.0", "commercial": True} and heart["verified"] and not heart["mixes"]
    assert next(voice for voice in voices if voice["id"] == "kokoro/af_heart")["mixes"]


def test_a_page_for_commercial_use_takes_no_other_voice(monkeypatch: pytest.MonkeyPatch) -> None:
    from ui.web import voice_terms

    class Shop:
        commercial_only = True

    spec = dataclasses.replace(FAKE_SPEECH, licence=Licence("CC-BY-NC-4.0", commercial=False))
    voice_terms.check_voices(Shop(), [None, "kokoro/af_heart*0.5+af_bella*0.5"])  # type: ignore[arg-type]
    monkeypatch.setattr(voice_terms, "find_speaker", lambda *_: tts.find_speaker(None, spec))
    with pytest.raises(InvalidOption, match=r"not for commercial use \(CC-BY-NC-4\.0\)"):
        voice_terms.check_voices(Shop(), ["fake/low"])  # type: ignore[arg-type]
