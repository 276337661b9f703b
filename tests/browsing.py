"""A real Chromium for tests of the page; `browser` and `open_page` are fixtures of conftest.py."""

from __future__ import annotations

import re
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
needs_chromium = pytest.mark.skipif(CHROMIUM is None, reason="needs Chromium, which is not on the PATH")
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
    "--disable-quic",
    "--autoplay-policy=no-user-gesture-required",
]
PAGE_MS, WORK_MS = 60_000, 180_000  # how long a page may take to show something, and work to be done
OpenPage = Callable[..., Any]
KNOWS_WHICH_TABS_FIT = """() => {
    const tabs = document.querySelector('.tab-wrapper'), menu = tabs?.querySelector('.overflow-menu');
    if (!menu) return false;
    const all = [...tabs.querySelectorAll('.visually-hidden button')];
    const needed = all.reduce((sum, button) => sum + button.getBoundingClientRect().width, 0);
    const areTooMany = needed > tabs.querySelector('[role=tablist]').clientWidth;
    return needed > 0 && areTooMany === !menu.classList.contains('hide');
}"""
NOTE_LIT = """root => {
    const note = ({ target }) => target.classList.contains('now') && window.lit.push(target.textContent);
    window.lit = [];
    new MutationObserver(changes => changes.forEach(note)).observe(root, { subtree: true, attributeFilter: ['class'] });
}"""


@contextmanager
def running_browser(*flags: str) -> Iterator[Any]:
    """Runs Chromium for a block, with more flags where a test wants some."""
    sync_api = pytest.importorskip("playwright.sync_api")
    sync_api.expect.set_options(timeout=PAGE_MS)
    with sync_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=[*FLAGS, *flags])
        yield browser
        browser.close()


@contextmanager
def visiting(browser: Any, server_url: str) -> Iterator[OpenPage]:
    """Gives a function that opens the page, each time as another visitor; no page may ask anyone but its server."""
    asked: set[str | None] = set()
    contexts = []

    def only_here(route: Any) -> None:
        address = urlsplit(route.request.url)
        asked.add(address.hostname)
        if address.hostname == "127.0.0.1":
            route.continue_()
        else:
            route.abort()

    def open_one(tab: str = "Separate", url: str = server_url, **settings: Any) -> Any:
        context = browser.new_context(accept_downloads=True, **settings)
        contexts.append(context)
        context.route(re.compile("^(?!data:|blob:)"), only_here)
        page = context.new_page()
        page.set_default_timeout(PAGE_MS)
        page.goto(url)
        go_to(page, tab)
        return page

    yield open_one
    for context in contexts:
        context.close()
    assert asked == {"127.0.0.1"}


def go_to(page: Any, tab: str) -> None:
    """Opens a tab, out of the menu where the screen has no room for all of them."""
    wait_for(lambda: page.evaluate(KNOWS_WHICH_TABS_FIT))
    found = page.get_by_role("tab", name=tab, exact=True)
    if not found.count() or not found.is_visible():
        page.get_by_role("button", name="More tabs").first.click()
        found = page.locator(".overflow-dropdown").first.get_by_role("button", name=tab, exact=True)
    found.click()
    page.locator("[role=tab][aria-selected=true]", has_text=tab).first.wait_for()


def download(page: Any, link: Any, folder: Path) -> Path:
    """Clicks on a link, and returns the file that it gives."""
    with page.expect_download() as caught:
        link.click()
    path = folder / caught.value.suggested_filename
    caught.value.save_as(path)
    return path


def wait_for(look: Callable[[], Any], seconds: float = WORK_MS / 1000) -> Any:
    """Looks until there is something, and returns that."""
    ends_at = time.monotonic() + seconds
    while not (found := look()):
        assert time.monotonic() < ends_at, "it did not come about"
        time.sleep(0.05)
    return found


def lit_in(root: Any) -> Callable[[], list[str]]:
    """Notes in the page what is lit below an element from now on: a test may look when it is over."""
    root.evaluate(NOTE_LIT)
    return lambda: list(root.page.evaluate("window.lit"))


@contextmanager
def held(page: Any, address: str) -> Iterator[list[Any]]:
    """Keeps the first that a page asks for at an address waiting until the block is over, in which it has to ask."""
    waiting: list[Any] = []

    def hold(route: Any) -> None:
        if waiting:
            route.fallback()
        else:
            waiting.append(route)

    page.route(address, hold)
    yield waiting
    wait_for(lambda: page.wait_for_timeout(50) or waiting)
    for route in waiting:
        route.fallback()


def requests_at_rest(page: Any, ms: int = 1500) -> list[str]:
    """Waits for a time in which a page asks nothing, and returns what it asked last if there is none."""
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    for _ in range(WORK_MS // ms):
        asked.clear()
        page.wait_for_timeout(ms)
        if not asked:
            break
    return asked
