"""The tab "Clone" in a real browser: recordings, checks, consent, a voice that is heard and seen, with real models."""

from __future__ import annotations

import json
import re
import time
import wave
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import test_page_access
from browsing import CHROMIUM, FLAGS, WORK_MS, OpenPage, download, go_to, held, needs_chromium, visiting, wait_for
from made_up_voices import made_up_voice
from serving import Server, serving
from test_page_access import serious_findings

import tts
from audio_ml.audio import Audio
from audio_ml.loader import ModelLoader
from audio_ml.streams import AudioReader
from audio_ml.voice_file import SUFFIX, read_voice_file
from audio_ml.voice_library import VoiceLibrary
from audio_ml.writer import write_audio
from ui.server.options import ServerOptions

pytestmark = [pytest.mark.browser, pytest.mark.weights, needs_chromium]
expect = pytest.importorskip("playwright.sync_api").expect
axe = test_page_access.axe

TEXT = (
    "Where were you on Friday? We walked along the river until the lights went out, and nobody said a word. "
    "The committee will meet again in the spring, to discuss what has been learned from the experiment."
)
GO_ON, AGREED, MAKE = "Go on to the consent", "The consent is given: go on", "Make the voice"
WAIT = "The recordings are still being listened to: wait for the checks."
JOB = "**/mine/v1/jobs/*"  # where a page asks for one
DURATION = "audio => new Promise(tell => { audio.ondurationchange = () => tell(audio.duration); audio.load(); })"
FAKE_MICROPHONE = "--use-fake-device-for-media-stream"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AUDIO_ML_VOICES", str(tmp_path_factory.mktemp("voices")))
        with serving(ServerOptions(folder=str(tmp_path_factory.mktemp("server"))), page=True) as server:
            yield server


@pytest.fixture(scope="module")
def reference(tmp_path_factory: pytest.TempPathFactory, loader: ModelLoader) -> Path:
    path = tmp_path_factory.mktemp("reference") / "Anna's söng 🎤.wav"
    write_audio(path, tts.synthesize(TEXT, "hibari/heart", loader=loader).audio, bit_depth="16")
    return path


@pytest.fixture(autouse=True)
def _clear_library(server: Server) -> Iterator[None]:
    yield
    for name in VoiceLibrary.default().names():
        VoiceLibrary.default().delete(name)


@pytest.fixture
def voice(server: Server) -> Any:
    """A voice of nobody in the library."""
    made = made_up_voice("ben")
    embeddings = {name: np.abs(vector) / np.linalg.norm(vector) for name, vector in made.embeddings.items()}
    made = replace(made, embeddings=embeddings)
    VoiceLibrary.default().save(made)
    return made


def choose(page: Any, *paths: Path) -> None:
    page.get_by_label("Upload recordings").set_input_files([str(path) for path in paths])


def outcomes(page: Any) -> dict[str, str]:
    """Waits for the checks, and returns how each went."""
    rows = page.locator("voice-maker .checks li")
    expect(rows).to_have_count(7, timeout=WORK_MS)
    return {row.get_attribute("data-kind"): row.get_attribute("data-outcome") for row in rows.all()}


def press(page: Any, name: str) -> None:
    page.get_by_role("button", name=name, exact=True).click()


def alarms(page: Any) -> Any:
    return page.locator("voice-maker [role=alert]:visible").filter(has_text=re.compile("."))


def record_for(recorder: Any, seconds: int) -> None:
    """Waits until so much was recorded."""

    def is_long_enough() -> bool:
        minutes, _, rest = recorder.locator(".time").inner_text().partition(":")
        return 60 * int(minutes or 0) + float(rest or 0) >= seconds

    wait_for(is_long_enough)


def agree(page: Any) -> None:
    page.get_by_label("Who agrees").fill("Anna Smith")
    page.get_by_label("To what").fill("temp ADR")
    page.get_by_label("This person is the one").check()
    press(page, AGREED)


@contextmanager
def open_with_microphone(browser: Any, server: Server, *flags: str) -> Iterator[Any]:
    """Opens the page in another browser, which has a microphone; flags say what it gives and whether it is allowed."""
    other = browser.browser_type.launch(executable_path=CHROMIUM, args=[*FLAGS, FAKE_MICROPHONE, *flags])
    with visiting(other, server.url) as open_page:
        yield open_page("Clone")
    other.close()


def test_no_voice_without_consent(open_page: OpenPage, server: Server, reference: Path) -> None:
    """The step cannot be gone past, each missing thing is told at its place, and the server asks once more."""
    page = open_page("Clone")
    press(page, GO_ON)
    expect(alarms(page)).to_have_text(["Record or upload something first: a voice is made of recordings."])
    refused: list[str] = []
    uploads = server.services.options.uploads_folder
    page.on("response", lambda reply: refused.append(reply.url) if reply.status == 409 else None)
    before = set(uploads.iterdir())
    for is_wanted in (False, True):
        with held(page, JOB):
            choose(page, reference)
            expect(page.get_by_role("progressbar", name="Progress of the checks")).to_be_visible()
            if is_wanted:
                press(page, GO_ON)
                expect(alarms(page)).to_have_text([WAIT])
            else:
                press(page, f"Remove {reference.name}")
        if not is_wanted:
            wait_for(lambda: page.wait_for_timeout(50) or not {*uploads.iterdir()} - before)
    found = outcomes(page)
    assert set(found.values()) <= {"pass", "unknown"} and found["speakers"] == found["noise"] == "pass"
    expect(alarms(page)).to_have_count(0)  # what they were waited for is over
    assert refused == []  # what is taken out is not read any more
    wait_for(lambda: page.wait_for_timeout(50) or not server.services.store.find())  # the job of the checks goes, too
    press(page, GO_ON)
    expect(page.get_by_role("heading", name="The consent of this person")).to_be_focused()
    expect(page.get_by_role("button", name=MAKE)).to_be_hidden()
    press(page, AGREED)
    expect(alarms(page)).to_have_count(3)
    expect(page.get_by_label("Name of the voice")).to_be_hidden()
    expect(page.get_by_label("Who agrees")).to_be_focused()
    page.get_by_label("When").fill("2099-01-01")
    agree(page)
    expect(alarms(page)).to_have_text(["That day is still to come: say when they agreed."])
    page.get_by_label("When").fill("2025-11-26")
    press(page, AGREED)
    expect(page.get_by_text("Anna Smith agreed on 2025-11-26 to: temp ADR.")).to_be_visible()
    assert_on_one_line(page)
    press(page, MAKE)
    expect(alarms(page)).to_have_text(["Give the voice a name."])
    page.get_by_label("Name of the voice").fill("a/b")
    press(page, MAKE)
    expect(alarms(page)).to_contain_text("no name for a voice")
    asked = """async () => (await fetch('mine/v1/jobs', {method: 'POST', headers: {'Content-Type': 'application/json'},
        body: JSON.stringify({task: 'enroll', name: 'ben', inputs: [{upload: 'x'}]})})).json()"""
    assert page.evaluate(asked)["error"]["type"] == "ConsentMissing"
    go_to(page, "Models")
    memory = page.get_by_role("region", name="Memory")
    expect(memory).to_contain_text("Silero VAD); a part that references are checked with.", timeout=WORK_MS)


def assert_on_one_line(page: Any) -> None:
    """The button of a choice stands before its words, on a narrow page too."""
    page.set_viewport_size({"width": 780, "height": 900})
    words = """label => { const range = document.createRange(); range.selectNodeContents(label.lastChild);
        return range.getClientRects()[0].left - label.firstChild.getBoundingClientRect().right; }"""
    for choice in ("Full", "Quick"):
        assert 0 < page.locator("voice-maker label").filter(has_text=f"{choice}:").evaluate(words) < 30


@pytest.mark.slow
def test_the_whole_way_from_a_recording_to_a_voice_that_speaks(
    open_page: OpenPage, server: Server, reference: Path, tmp_path: Path
) -> None:
    page = open_page("Clone")
    choose(page, reference)
    outcomes(page)
    press(page, GO_ON)
    agree(page)
    page.get_by_label("Name of the voice").fill("anna")
    page.get_by_label("Quick").check()
    page.get_by_role("button", name=MAKE, exact=True).dblclick()
    page.get_by_label("Name of the voice").fill("bert")
    expect(page.get_by_role("button", name=MAKE, exact=True)).to_be_disabled()  # it is in the making
    made = page.locator("job-list[tasks=enroll] .made")
    expect(made).to_contain_text("“anna” is here", timeout=5 * WORK_MS)
    expect(page.get_by_text("“anna” is made: it is in the library.")).to_be_visible()
    expect(made).to_contain_text("What it said, to the reference: ")
    expect(made).to_contain_text("For comparison, the nearest built-in voice, kokoro/")
    assert made.get_by_label("anna speaks").evaluate(DURATION) > 2
    assert len(server.services.store.find()) == 1
    page.reload()
    page.get_by_role("tab", name="Clone", exact=True).click()
    expect(made).to_contain_text("“anna” is here")
    page.get_by_role("tab", name="Voices", exact=True).click()
    card = page.get_by_role("article", name="anna")
    expect(card).to_contain_text("Anna Smith agreed on")
    card.get_by_role("button", name="Hear anna").click()
    expect(card.locator("audio")).to_be_visible(timeout=WORK_MS)
    wait_for(lambda: card.locator("audio").evaluate("audio => audio.currentTime") > 0.2)
    page.get_by_role("tab", name="Speak with it").click()
    expect(page.get_by_label("Voice", exact=True).first).to_have_value("anna")
    page.get_by_label("Text", exact=True).fill("Good morning to you all.")
    press(page, "Speak")
    said = page.locator("job-list[tasks=clone] .said")
    expect(said.locator("audio")).to_be_visible(timeout=WORK_MS)
    expect(said.locator(".report")).to_contain_text("What it said, to the reference: ")
    expect(page.locator("job-list[tasks=clone] .asked")).to_contain_text("anna, ")
    said.get_by_text("Pictures").click()
    expect(said.locator(".grid")).to_have_count(4)
    expect(said.locator(".likenesses")).to_contain_text("What it said, to the reference: ")
    with wave.open(str(download(page, said.get_by_role("link", name="speech.wav"), tmp_path))) as file:
        assert file.getnframes() > file.getframerate()


@pytest.mark.slow
def test_a_recording_made_here_is_converted(browser: Any, server: Server, reference: Path, voice: Any) -> None:
    plain = reference.with_name("speech.wav")
    plain.write_bytes(reference.read_bytes())
    flags = ("--use-fake-ui-for-media-stream", f"--use-file-for-fake-audio-capture={plain}")
    with open_with_microphone(browser, server, *flags) as page:
        page.get_by_role("tab", name="Lend it to a recording").click()
        press(page, "Record it here")
        record_for(page.locator("sound-recorder[into='#clone-recordings']"), 3)
        press(page, "Stop")
        expect(page.locator("#clone-recordings")).to_contain_text("speech 1")
        press(page, "Convert")
        expect(page.locator("job-list[tasks=convert] .said audio")).to_be_visible(timeout=WORK_MS)


def test_what_the_microphone_hears_becomes_a_reference(browser: Any, server: Server, reference: Path) -> None:
    plain = reference.with_name("spoken.wav")
    plain.write_bytes(reference.read_bytes())
    flags = ("--use-fake-ui-for-media-stream", f"--use-file-for-fake-audio-capture={plain}")
    with open_with_microphone(browser, server, *flags) as page:
        press(page, "Record a reference")
        expect(page.locator("voice-maker sound-recorder meter").first).to_be_visible()
        record_for(page.locator("sound-recorder[name=reference]"), 4)
        press(page, "Stop")
        expect(page.locator(".recording .name")).to_have_text("reference 1.wav")
        wait_for(lambda: page.locator(".recording audio").evaluate("audio => audio.duration > 3.5"))
        assert outcomes(page)["length"] in ("warn", "pass")  # it is longer where the machine stood still meanwhile
        press(page, "Remove reference 1.wav")
        expect(page.locator("voice-maker .checks li")).to_have_count(0)


@pytest.mark.parametrize("why", ["refused", "silent"])
def test_why_nothing_was_recorded_is_told_at_the_button(why: str, browser: Any, server: Server, tmp_path: Path) -> None:
    silence = tmp_path / "silence.wav"
    write_audio(silence, Audio(np.zeros((1, 96000), np.float32), 48000), bit_depth="16")
    allowed = ("--use-fake-ui-for-media-stream", f"--use-file-for-fake-audio-capture={silence}")
    with open_with_microphone(browser, server, *(allowed if why == "silent" else ())) as page:
        recorder = page.locator("sound-recorder[name=reference]")
        recorder.get_by_role("button").click()
        if why == "silent":
            record_for(recorder, 1)
            recorder.get_by_role("button", name="Stop").click()
        expect(recorder.get_by_role("alert")).to_contain_text(f"The {'recording' if why == 'silent' else 'microphone'}")
        expect(recorder.get_by_role("alert")).to_contain_text(why)
        expect(recorder.get_by_role("button", name="Record a reference")).to_be_enabled()


NO_WORKLET = """() => {
    const media = navigator.mediaDevices, ask = media.getUserMedia.bind(media);
    media.getUserMedia = async (wanted) => (window.given = await ask(wanted));
    AudioWorklet.prototype.addModule = () => Promise.reject(new DOMException('Gone', 'AbortError'));
}"""


def test_a_recording_that_cannot_be_begun_gives_the_microphone_back(browser: Any, server: Server) -> None:
    with open_with_microphone(browser, server, "--use-fake-ui-for-media-stream") as page:
        page.evaluate(NO_WORKLET)
        press(page, "Record a reference")
        alarm = page.locator("sound-recorder[name=reference]").get_by_role("alert")
        expect(alarm).to_contain_text("Recording could not be begun")
        assert page.evaluate("() => given.getTracks().map((track) => track.readyState)") == ["ended"]


DROPPED_CHECK = """async (bytes) => {
    const { send } = await import('/elements/send.js');
    const { ReferenceChecks } = await import('/elements/reference-checks.js');
    const { ask } = await import('/elements/address.js');
    const checks = new ReferenceChecks(() => false, () => {});
    await checks.run([await send(new File([new Uint8Array(bytes)], 'a.wav'))]);
    const before = (await ask('/jobs')).jobs.length;
    checks.clear();
    return before;
}"""


def test_a_recording_that_is_taken_out_while_it_is_sent_leaves_nothing(
    open_page: OpenPage, server: Server, reference: Path
) -> None:
    page, uploads = open_page("Clone"), server.services.options.uploads_folder
    before = set(uploads.iterdir())
    with held(page, "**/mine/v1/uploads/*") as pieces:
        choose(page, reference)
        wait_for(lambda: page.wait_for_timeout(50) or pieces)
        (begun,) = {*uploads.iterdir()} - before
        press(page, f"Remove {reference.name}")
        wait_for(lambda: page.wait_for_timeout(50) or not begun.exists())
    assert set(uploads.iterdir()) == before


def test_a_check_that_nobody_waits_for_any_more_leaves_nothing(
    open_page: OpenPage, server: Server, tmp_path: Path
) -> None:
    path = tmp_path / "silence.wav"
    write_audio(path, Audio(np.zeros((1, 48000), np.float32), 16000))
    page, ends = open_page("Clone"), time.monotonic() + WORK_MS / 1000
    assert page.evaluate(DROPPED_CHECK, list(path.read_bytes())) == 1
    while page.evaluate("async () => (await (await fetch('mine/v1/jobs')).json()).jobs.length"):
        assert time.monotonic() < ends, "the check is still among the jobs"
        page.wait_for_timeout(50)


def test_bad_files_are_told_where_they_are(open_page: OpenPage, tmp_path: Path) -> None:
    (tmp_path / "silence.wav.wav").write_text("not a recording")
    (tmp_path / "empty.wav").write_bytes(b"")
    write_audio(tmp_path / "silence.wav", Audio(np.zeros((1, 48000), np.float32), 16000))
    page = open_page("Clone")
    choose(page, tmp_path / "empty.wav")
    at = page.locator(".recording").filter(has_text="empty.wav")
    expect(at.get_by_role("alert")).to_contain_text("empty.wav is empty")
    choose(page, tmp_path / "silence.wav", tmp_path / "silence.wav.wav")
    at = page.get_by_role("list", name="Your reference").get_by_role("listitem")
    expect(at.last.get_by_role("alert")).to_contain_text("silence.wav.wav", timeout=WORK_MS)
    expect(at.nth(1).locator("[role=alert]")).to_have_text("")
    assert set(outcomes(page).values()) == {"fail", "unknown"}
    expect(page.locator("[data-kind=length]")).to_contain_text("silence.wav is silent")
    press(page, GO_ON)
    expect(page.get_by_label("Who agrees")).to_be_hidden()
    told = alarms(page).filter(has_text="No voice can be made of this yet: see what is not fit above.")
    expect(told.first).to_be_visible()


def test_the_file_of_the_recorder_is_what_was_heard(open_page: OpenPage, tmp_path: Path) -> None:
    samples = [0.0, 0.5, -0.5, 1.5, -1.5, 1 / 2**23]
    code = """async ([samples, nChannels, isFloat]) => {
        const { wavFile } = await import(new URL('elements/wav.js', document.baseURI));
        const channels = Array.from({ length: nChannels }, () => new Float32Array(samples));
        return [...new Uint8Array(await wavFile(channels, 44100, isFloat).arrayBuffer())];
    }"""
    path, page = tmp_path / "heard.wav", open_page("Clone")
    path.write_bytes(bytes(page.evaluate(code, [samples, 2, True])))
    floats = AudioReader(path)
    assert floats.info.sample_rate == 44100
    assert np.array_equal(np.concatenate(list(floats.blocks()), axis=1), np.float32([samples, samples]))
    path.write_bytes(bytes(page.evaluate(code, [samples, 1, False])))
    with wave.open(str(path)) as file:
        assert (file.getframerate(), file.getnchannels(), file.getsampwidth()) == (44100, 1, 3)
        content = file.readframes(10)
    values = [int.from_bytes(content[at : at + 3], "little", signed=True) for at in range(0, len(content), 3)]
    assert values == [0, 1 << 22, -(1 << 22), (1 << 23) - 1, -(1 << 23), 1]


def test_a_voice_is_exported_and_deleted_with_the_keyboard_but_not_by_mistake(
    open_page: OpenPage, server: Server, voice: Any, tmp_path: Path
) -> None:
    page = open_page("Clone")
    page.get_by_role("tab", name="Voices", exact=True).click()
    card = page.get_by_role("article", name="ben")
    expect(card).to_contain_text("Anna Smith agreed on 2026-11-26 to: temp ADR for reel 3 (in writing).")
    expect(card.locator(".facts")).to_have_text(re.compile(r"^A style of its own; \d+ s of speech"))
    file = download(page, card.get_by_role("link", name="Export ben"), tmp_path)
    assert file.name == f"ben{SUFFIX}" and read_voice_file(file).sha256 == voice.sha256
    card.get_by_role("button", name="Delete ben").focus()
    page.keyboard.press("Enter")
    dialog = page.get_by_role("dialog")
    expect(dialog.get_by_role("button", name="Keep it")).to_be_focused()
    page.keyboard.press("Escape")
    expect(dialog).to_have_count(0)
    assert VoiceLibrary.default().names() == ["ben"]
    expect(card.get_by_role("button", name="Delete ben")).to_be_focused()
    page.keyboard.press("Enter")
    expect(dialog.get_by_role("button", name="Keep it")).to_be_focused()
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    expect(card).to_have_count(0)
    expect(page.get_by_text("There is no cloned voice on this machine.")).to_be_visible()
    assert VoiceLibrary.default().names() == []
    notes = [json.loads(line) for line in (server.services.options.data_folder / "audit.log").read_text().splitlines()]
    assert [note["what"] for note in notes if note.get("voice") == "ben"] == ["export", "delete"]
    assert all(note["caller"].startswith("page/") for note in notes if note.get("voice") == "ben")


def test_pictures_can_be_read_with_keys_and_as_a_table(open_page: OpenPage, voice: Any) -> None:
    page = open_page("Clone", color_scheme="dark")
    page.get_by_role("tab", name="Voices", exact=True).click()
    page.get_by_role("article", name="ben").get_by_text("Pictures").click()
    view = page.locator("voice-view")
    heat = view.locator(".heat")
    heat.locator(".grid").focus()
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowDown")
    number = float(voice.embeddings["ge2e"][17])
    expect(heat.get_by_role("status")).to_contain_text("Number 18 of 256: ")
    told = heat.get_by_role("status").inner_text().removeprefix("Number 18 of 256: ")
    assert float(told) == pytest.approx(number, abs=0.001)
    mel = view.locator(".mel")
    assert mel.locator(".grid").get_attribute("aria-label").startswith("Mel spectrogram, ben, the reference: 0.3 s")
    mel.locator("canvas").hover(position={"x": 1, "y": 1})
    expect(mel.get_by_role("status")).to_have_text(re.compile(r"^0\.00 s, "))
    points = view.locator("svg .point[role=img]")
    expect(points.nth(20)).to_be_attached()
    view.locator("svg .point[tabindex='0']").focus()
    expect(view.locator(".map .told")).to_contain_text("ben: this voice")
    page.keyboard.press("ArrowRight")
    nearest = view.locator(".map .told").inner_text()
    view.get_by_text("The map as a table").click()
    rows = view.locator("tbody tr")
    assert rows.count() == points.count() and rows.nth(1).inner_text().split()[0] == nearest.partition(":")[0]
    far = [float(text) for text in view.locator("tbody td:last-child").all_inner_texts()]
    assert far == sorted(far) and far[0] == 0


def show_made(page: Any, name: str) -> None:
    """Has the list of voices in the making show one that is done, and one that is not."""
    rest = {"task": "enroll", "created": "2026-11-26T12:00:00Z", "files": [], "warnings": [], "inputs": ["a.wav"] * 9}
    report = {"voice": name, "speech_seconds": 24.0, "consent": None, "findings": []}
    done = {"id": "done", "state": "done", "request": {"name": name}, "report": report, **rest}
    told = {"stage": "fitting the voice", "fraction": 0.15, "eta_seconds": 578, "position": None}
    making = {"id": "making", "state": "running", "request": {"name": "A voice with a long name"}, **told, **rest}
    page.route("**/mine/v1/jobs?*task=enroll", lambda route: route.fulfill(json={"jobs": [done, making]}))
    page.route("**/mine/v1/jobs/making", lambda route: route.fulfill(json=making))
    page.evaluate("document.dispatchEvent(new CustomEvent('audio-ml-job-started', {detail: 'done'}))")
    card = page.get_by_role("article", name="A voice with a long name")
    line, cancel = (card.locator(each).bounding_box() for each in (".line", "button:visible"))
    assert line["y"] >= cancel["y"] + cancel["height"], "what it does stands below its name and buttons"


def test_nothing_is_begun_without_a_voice_and_a_text(open_page: OpenPage, voice: Any, server: Server) -> None:
    page = open_page("Clone")
    voices = page.get_by_label("Voice", exact=True)
    page.get_by_role("tab", name="Speak with it").click()
    expect(voices.first).to_have_value("ben")
    VoiceLibrary.default().save(replace(voice, name="zoe"))
    page.get_by_role("tab", name="Make a voice").click()
    show_made(page, "zoe")
    for _ in range(2):  # and again, when another was chosen since
        press(page, "Speak with “zoe”")
        expect(voices.first).to_have_value("zoe")
        voices.first.click()
        page.get_by_role("option", name="ben").click()
        expect(voices.first).to_have_value("ben")
        page.get_by_role("tab", name="Make a voice").click()
    VoiceLibrary.default().delete("zoe")
    press(page, "Speak with “zoe”")
    expect(page.get_by_text("There is no voice “zoe” any more.")).to_be_visible()
    press(page, "Speak")
    expect(page.get_by_text("Write what the voice is to say.")).to_be_visible()
    page.get_by_role("tab", name="Lend it to a recording").click()
    press(page, "Convert")
    expect(page.get_by_text("Upload or record speech first.")).to_be_visible()
    VoiceLibrary.default().delete("ben")
    page.get_by_role("tab", name="Speak with it").click()
    expect(page.get_by_label("Voice", exact=True).first).to_have_value("")
    press(page, "Speak")
    expect(page.get_by_text("Choose a voice first")).to_be_visible()


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_axe_finds_nothing_serious_in_the_steps_and_pictures(
    open_page: OpenPage, voice: Any, axe: str, theme: str
) -> None:
    page = open_page("Clone", color_scheme=theme)
    for step in range(3):
        show = "n => document.querySelectorAll('voice-maker .step').forEach((body, at) => body.hidden = at !== n)"
        page.evaluate(show, step)
        assert serious_findings(page, axe) == []
    page.get_by_role("tab", name="Voices", exact=True).click()
    page.get_by_role("article", name="ben").get_by_text("Pictures").click()
    expect(page.locator("voice-view svg .point[role=img]").first).to_be_visible()
    page.get_by_text("The map as a table").click()
    assert serious_findings(page, axe) == []
