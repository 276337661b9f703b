"""Screenshots of every tab of the page, at work, for docs/pictures.

    python -m bench.page_pictures [--output FOLDER] [--only TAB ...]

It wants Chromium (`chromium` on the PATH) and playwright; what is separated and spoken is made here.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from audio_ml.writer import write_audio
from bench import results
from bench.page import browser_of_bench, example_clip
from bench.server_process import Server
from ui.web.page import TABS

OUTPUT = results.REPOSITORY / "docs" / "pictures"
SIZE = {"width": 1280, "height": 900}
WORK_MS = 180_000
SECONDS_TO_SETTLE = 1.5
SAID = "Where is everybody? The boat leaves at five, with us or without us."


def main() -> None:
    """Opens each tab, has it do something where that is short, and writes a picture of it; one is narrow and dark."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--output", type=Path, default=OUTPUT)
    parser.add_argument("--only", nargs="*", default=list(TABS), choices=list(TABS))
    arguments = parser.parse_args()
    arguments.output.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder, browser_of_bench() as browser, Server(Path(folder)) as server:
        visitor = browser.new_context(viewport=SIZE)  # one for all, so that the history has something to show
        for tab in arguments.only:
            results.say(tab)
            page = visitor.new_page()
            _open(page, server, tab)
            if tab in ACTIONS:
                ACTIONS[tab](page, Path(folder))
            _take(page, arguments.output / f"page-{tab.lower()}.png")
            page.close()
        narrow = browser.new_context(viewport={"width": 380, "height": 800}, color_scheme="dark").new_page()
        _open(narrow, server, next(iter(TABS)))
        _take(narrow, arguments.output / "page-narrow-dark.png")


def _open(page: Any, server: Server, tab: str) -> None:
    page.goto(f"http://127.0.0.1:{server.port}/")
    page.get_by_role("tab", name=tab, exact=True).click()


def _take(page: Any, path: Path) -> None:
    page.wait_for_timeout(SECONDS_TO_SETTLE * 1000)
    page.screenshot(path=path)


def _separate(page: Any, folder: Path) -> None:
    clip = folder / "song.wav"
    write_audio(clip, example_clip(), bit_depth="16")
    page.locator("input[type=file]").first.set_input_files(clip)
    page.get_by_text(clip.stem).first.wait_for()
    page.get_by_role("button", name="Separate", exact=True).click()
    page.get_by_text("exactly as long as the source").wait_for(timeout=WORK_MS)


def _speak(page: Any, _: Path) -> None:
    page.get_by_role("textbox", name="Text", exact=True).fill(SAID)
    page.get_by_role("button", name="Speak", exact=True).click()
    page.get_by_role("group", name="Words").wait_for(timeout=WORK_MS)
    page.locator("audio").first.evaluate("(audio, seconds) => { audio.currentTime = seconds; }", 1.5)


def _learn(page: Any, _: Path) -> None:
    page.locator("learn-tour").get_by_text("What a mask is: paint").click()
    page.get_by_role("button", name="Use the example").first.click()
    painter = page.locator("mask-painter")
    painter.get_by_role("button", name="Play", exact=False).first.wait_for(timeout=WORK_MS)
    painter.scroll_into_view_if_needed()


ACTIONS: dict[str, Callable[[Any, Path], None]] = {"Separate": _separate, "Speak": _speak, "Learn": _learn}


if __name__ == "__main__":
    main()
