"""Screenshots of every tab of the page, at work, for docs/pictures.

    python -m bench.page_pictures [--output FOLDER] [--only TAB ...]

It wants Chromium (`chromium` on the PATH) and playwright; what is separated, spoken and cloned is made here.
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


def main() -> None:
    """Opens each tab, has it do something where that is short, and writes a picture of it, in light and in dark."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--output", type=Path, default=OUTPUT)
    parser.add_argument("--only", nargs="*", default=list(TABS), choices=list(TABS))
    arguments = parser.parse_args()
    arguments.output.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder, browser_of_bench() as browser, Server(Path(folder)) as server:
        for tab in arguments.only:
            results.say(tab)
            page = browser.new_context(viewport=SIZE).new_page()
            _open(page, server, tab)
            if tab in ACTIONS:
                ACTIONS[tab](page, Path(folder))
            _take(page, arguments.output / f"page-{tab.lower()}.png")
            page.context.close()
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


ACTIONS: dict[str, Callable[[Any, Path], None]] = {"Separate": _separate}


if __name__ == "__main__":
    main()
