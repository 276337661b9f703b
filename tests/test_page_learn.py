"""The tour of the tab "Learn" in a real browser: by keyboard, on a narrow screen, with real voices."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import test_page_access
from browsing import WORK_MS, OpenPage, lit_in, needs_chromium, wait_for
from serving import Server, serving
from test_page_access import serious_findings

from audio_ml.audio import Audio
from audio_ml.writer import write_audio
from ui.learn.lessons import LESSONS
from ui.server.options import ServerOptions

pytestmark = [pytest.mark.browser, pytest.mark.weights, needs_chromium]
expect = pytest.importorskip("playwright.sync_api").expect
axe = test_page_access.axe
LONG_MS = 2 * WORK_MS
HEADING = "() => document.activeElement.textContent"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with serving(ServerOptions(folder=str(tmp_path_factory.mktemp("server"))), page=True) as server:
        yield server


def go_to(page: Any, number: int) -> None:
    """Goes to a section as a keyboard does."""
    expect(page.locator("learn-tour a[aria-current=step]")).to_be_visible()  # the tour is alive
    page.locator("learn-tour a").nth(number - 1).press("Enter")
    expect(page.locator(f"#learn-{number} h2")).to_be_focused()


def test_the_tour_is_walked_by_keyboard(open_page: OpenPage) -> None:
    page = open_page("Learn")
    go_to(page, 1)
    back, following = (page.get_by_role("button", name=name) for name in ("Back", "Next"))
    expect(back).to_be_disabled()
    for number, lesson in enumerate(LESSONS, 1):
        assert page.evaluate(HEADING) == f"{number}. {lesson.title}"
        expect(page.locator(".learn-section").nth(number - 1)).to_be_visible()
        assert page.locator(".learn-section:visible").count() == 1
        expect(page.locator("learn-tour a[aria-current=step]")).to_have_text(lesson.title)
        expect(page.get_by_text(f"Section {number} of {len(LESSONS)}")).to_be_visible()
        if number < len(LESSONS):
            following.focus()
            page.keyboard.press("Enter")
    expect(following).to_be_disabled()
    back.focus()
    page.keyboard.press("Space")
    expect(page.get_by_role("heading", name=LESSONS[-2].title)).to_be_focused()
    page.reload()
    page.get_by_role("tab", name="Learn", exact=True).click()
    expect(page.get_by_role("heading", name=LESSONS[-2].title)).to_be_visible()  # where the visitor was


def test_sources_unfold_to_the_code_itself(open_page: OpenPage) -> None:
    page = open_page("Learn")
    go_to(page, 4)
    section = page.locator("#learn-4")
    section.get_by_text("The paper, the code and the licence").click()
    section.get_by_text("in ui/learn/reading.py").click()
    code = section.get_by_role("region", name="Code of read_aloud")
    expect(code).to_be_visible()
    assert "\n" in code.inner_text() and code.inner_text().startswith("def read_aloud(")


SPECTRA = """async () => {
    const { spectra, fromLevelsAlone } = await import('/elements/learn-spectrum.js');
    const rate = 24000;
    const tone = Float32Array.from({ length: rate }, (_, i) => 0.5 * Math.sin(2 * Math.PI * 1500 * i / rate));
    const { levels, nBins } = spectra(tone, 1024, 9);
    const middle = levels.slice(4 * nBins, 5 * nBins);
    const peak = middle.indexOf(Math.max(...middle));
    const click = new Float32Array(rate); click[12000] = 1;
    const spread = size => {  // samples around the click that hold 90 % of the power
        const sound = fromLevelsAlone(click, size);
        const total = sound.reduce((sum, x) => sum + x * x, 0);
        for (let reach = 1; ; reach++) {
            const part = sound.slice(12000 - reach, 12001 + reach).reduce((sum, x) => sum + x * x, 0);
            if (part >= 0.9 * total) return reach;
        }
    };
    const whole = fromLevelsAlone(tone, 1024);
    const power = x => Math.sqrt(x.slice(4000, 20000).reduce((sum, v) => sum + v * v, 0) / 16000);
    const [short, long, ratio] = [spread(64), spread(4096), power(whole) / power(tone)];
    return { hz: peak * rate / 1024, level: middle[peak], short, long, ratio };
}"""


def test_the_browsers_spectra_are_right_and_long_windows_smear(open_page: OpenPage) -> None:
    found = open_page("Learn").evaluate(SPECTRA)
    assert found["hz"] == 1500 and found["level"] == pytest.approx(0.5, rel=1e-3)
    assert found["short"] < 64 and found["long"] > 800  # a click stays one, or becomes a hiss
    assert 0.5 < found["ratio"] < 1.2


def test_a_window_is_chosen_and_a_sound_of_ones_own_is_seen(open_page: OpenPage, tmp_path: Path) -> None:
    page = open_page("Learn")
    go_to(page, 1)
    lesson = page.locator("spectrum-lesson")
    slider = lesson.get_by_role("slider", name="Length of the window")
    before = lesson.get_by_role("img").get_attribute("aria-label")
    slider.focus()
    page.keyboard.press("ArrowRight")
    expect(lesson.get_by_role("status")).to_contain_text("Windows of 42.7 ms: tones nearer than about 47 Hz")
    expect(lesson.get_by_role("img")).not_to_have_attribute("aria-label", before)
    picture = lesson.locator("canvas")
    one = picture.evaluate("canvas => canvas.toDataURL()")
    own = tmp_path / "own.wav"
    write_audio(own, Audio(np.sin(np.arange(24000) / 10)[None].astype(np.float32), 24000))
    lesson.get_by_role("combobox", name="Sound").select_option("A file of your own …")
    lesson.locator("input[type=file]").set_input_files(own)
    expect(lesson.get_by_role("img", name="A file of your own")).to_be_visible()
    wait_for(lambda: picture.evaluate("canvas => canvas.toDataURL()") != one)
    lesson.get_by_role("button", name="Hear what the picture keeps").click()
    broken = tmp_path / "broken.wav"
    broken.write_bytes(b"no sound")
    lesson.locator("input[type=file]").set_input_files(broken)
    expect(lesson.get_by_role("alert")).to_contain_text("broken.wav is no sound")


def test_a_sentence_is_followed_to_its_wave(open_page: OpenPage) -> None:
    page = open_page("Learn")
    go_to(page, 4)
    section = page.locator("#learn-4")
    section.get_by_label("A sentence").fill("It cost $5.")
    section.get_by_role("button", name="Show the way").press("Enter")
    path = section.locator("speech-path")
    expect(path.get_by_text("It cost five dollars.")).to_be_visible(timeout=WORK_MS)
    phones = path.get_by_role("group", name="Phonemes").get_by_role("button")
    assert phones.count() > 10
    phones.first.focus()
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowRight")
    expect(phones.nth(2)).to_be_focused()
    expect(path.get_by_role("status")).to_contain_text("Heard: t of It")
    for name in ("Mel spectrogram, from low to high", "Wave", "Pitch over time"):
        expect(path.get_by_role("img", name=name)).to_be_visible()
    expect(path.locator("button.now")).to_have_count(0, timeout=WORK_MS)
    lit = lit_in(path)
    path.get_by_role("button", name="Play all").click()
    wait_for(lit)
    expect(path.locator("button.now")).to_have_count(0, timeout=WORK_MS)  # played to its end
    path.get_by_text("As a table").click()
    lengths = [int(cell) for cell in path.locator("tbody td:nth-child(2)").all_inner_texts()]
    assert len(lengths) == phones.count() and sum(lengths) > 1000
    section.get_by_label("A sentence").fill("   ")
    section.get_by_role("button", name="Show the way").click()
    expect(section.get_by_role("alert").filter(has_text="The text is empty")).to_be_visible()


def test_machines_speak_since_1939(open_page: OpenPage) -> None:
    page = open_page("Learn")
    go_to(page, 6)
    section = page.locator("#learn-6")
    section.get_by_label("A short sentence").fill("Hello there.")
    section.get_by_role("button", name="Make it in every way").press("Enter")
    history = section.locator("speech-history")
    expect(history.get_by_text("Homer Dudley")).to_be_visible(timeout=LONG_MS)
    assert history.locator(".eras > li").count() >= 6
    expect(history.get_by_role("img", name="stretches of recordings")).to_be_visible()
    lit = lit_in(history)
    history.get_by_role("button", name="Play Formant synthesis").press("Enter")
    assert "1980" in wait_for(lit)[0]
    history.get_by_role("button", name="Stop").press("Enter")
    expect(history.locator("li.now")).to_have_count(0)
    expect(section.get_by_role("row", name="eSpeak NG")).to_be_visible()


ONE_AT_A_TIME = """async () => {
    const { bufferOf, play } = await import('/elements/learn-sound.js');
    const { LoopPlayer } = await import('/elements/loop-player.js');
    const { wavFile } = await import('/elements/wav.js');
    const quiet = new Float32Array(5 * 24000);
    let isPiece = true;
    play(bufferOf(quiet, 24000), { ended: () => (isPiece = false) });
    const loop = new LoopPlayer(24000, quiet.length);
    loop.sound = [quiet];
    loop.play({ begin: 0, end: 5 }, { isLoop: true });
    const told = [[isPiece, loop.isPlaying]];
    const audio = document.createElement('audio');
    audio.src = URL.createObjectURL(wavFile([quiet], 24000));
    document.body.append(audio);
    await audio.play();
    told.push([loop.isPlaying, !audio.paused]);
    play(bufferOf(quiet, 24000));
    return [...told, [!audio.paused]];
}"""


def test_what_begins_to_play_has_the_others_stop(open_page: OpenPage) -> None:
    assert open_page("Learn").evaluate(ONE_AT_A_TIME) == [[False, True], [False, True], [False]]


def test_the_map_of_voices_is_read_with_keys_and_as_a_table(open_page: OpenPage) -> None:
    page = open_page("Learn")
    go_to(page, 5)
    kinds = {"anna": "this voice", "kokoro/af_heart": "built-in", "kokoro/am_adam": "built-in", "ben": "this voice"}
    places = [
        {"name": name, "kind": kind, "group": "" if kind == "this voice" else "female", "x": x / 4, "y": x % 2}
        for x, (name, kind) in enumerate(kinds.items())
    ]
    told = {"voices": [], "pairs": [], "meaning_from": "", "map": {"places": places, "axes": {"x": "low", "y": "high"}}}
    page.route("**/several/files/voices.json", lambda route: route.fulfill(json=told))
    page.locator("#learn-5").evaluate("""section => {
        const found = document.createElement('voice-embeddings');
        found.setAttribute('job', '/several');
        section.append(found);
    }""")
    found = page.locator("voice-embeddings")
    expect(found.get_by_role("group", name="Map of 4 voices")).to_be_visible()
    expect(found.locator(".legend")).to_contain_text("voices that spoke here")
    found.get_by_role("img", name="anna").focus()
    page.keyboard.press("ArrowRight")
    expect(found.locator(".told")).to_contain_text("am_adam: built-in voice, female, 0.500 away")
    found.get_by_text("The map as a table").click()
    assert [row[:1] for row in found.locator("figure.map tbody th").all_inner_texts()] == ["a", "a", "a", "b"]


STOPPED_IN_THE_PAUSE = """() => new Promise((resolve) => {
    const history = document.createElement('speech-history');
    history.setAttribute('job', '/history');
    document.body.append(history);
    const begin = () => {
        const [all, stop] = history.querySelectorAll('.controls button');
        const card = history.querySelector('.eras > li');
        new MutationObserver(() => {
            if (card.classList.contains('now')) return;
            stop.click();
            setTimeout(() => resolve(history.querySelectorAll('li.now').length), 600);
        }).observe(card, { attributes: true });
        all.click();
    };
    const look = () => (history.querySelector('.eras') ? begin() : setTimeout(look, 20));
    look();
})"""


def test_stop_ends_what_is_played_one_after_the_other_in_a_pause_too(open_page: OpenPage, tmp_path: Path) -> None:
    page, sound = open_page("Learn"), tmp_path / "a.wav"
    write_audio(sound, Audio(np.zeros((1, 24000), np.float32), 24000))
    era: dict[str, Any] = dict.fromkeys(("year", "title", "people", "idea", "here", "today", "licence"), "")
    era |= {"file": "a.wav", "code": [], "mel": {"levels_db": [[-80, 0]]}}
    page.route("**/history/files/history.json", lambda route: route.fulfill(json={"eras": [era, era]}))
    page.route("**/history/files/a.wav", lambda route: route.fulfill(path=sound))
    assert page.evaluate(STOPPED_IN_THE_PAUSE) == 0


@pytest.mark.parametrize("width", [380, 3840])
def test_every_section_fits_the_screen(open_page: OpenPage, width: int) -> None:
    page = open_page("Learn", viewport={"width": width, "height": 900})
    for number in range(1, len(LESSONS) + 1):
        go_to(page, number)
        page.locator(f"#learn-{number}").get_by_text("the code and the licence").click()
        assert page.evaluate("document.documentElement.scrollWidth") <= width


def test_axe_finds_nothing_serious_in_any_section(open_page: OpenPage, axe: str) -> None:
    page = open_page("Learn")
    for number in range(1, len(LESSONS) + 1):
        go_to(page, number)
        page.locator(f"#learn-{number}").get_by_text("the code and the licence").click()
        assert serious_findings(page, axe) == []
