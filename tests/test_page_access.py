"""The page for everybody: axe-core's rules, narrow and wide screens, light and dark."""

from __future__ import annotations

import importlib.util
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from browsing import PAGE_MS, OpenPage, go_to, needs_chromium, requests_at_rest
from serving import Server, serving

from ui.server.options import ServerOptions
from ui.web.page import TABS

pytestmark = [pytest.mark.browser, needs_chromium]
expect = pytest.importorskip("playwright.sync_api").expect
# What fades in is not read before it is there.
STAND_STILL = """() => Promise.allSettled(document.getAnimations()
    .filter(each => each.playState === 'running' && each.effect.getComputedTiming().iterations !== Infinity)
    .map(each => each.finished))"""
SERIOUS = ("serious", "critical")
COUNT_FRAMES = """const next = window.requestAnimationFrame.bind(window);
window.framesAsked = 0;
window.requestAnimationFrame = step => { window.framesAsked++; return next(step); };"""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with serving(ServerOptions(folder=str(tmp_path_factory.mktemp("server"))), page=True) as server:
        yield server


@pytest.fixture(scope="module")
def axe() -> str:
    spec = importlib.util.find_spec("axe_playwright_python")
    if spec is None or spec.origin is None:
        pytest.skip("needs axe-playwright-python, which has axe-core")
    return (Path(spec.origin).parent / "axe.min.js").read_text(encoding="utf-8")


def serious_findings(page: Any, axe: str) -> list[str]:
    page.evaluate(STAND_STILL)
    page.evaluate(axe)
    found = page.evaluate("() => axe.run(document, {resultTypes: ['violations']})")
    return [
        f"{rule['id']}: {node['target']} {node['html'][:200]}"
        for rule in found["violations"]
        if rule["impact"] in SERIOUS
        for node in rule["nodes"]
    ]


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("tab", TABS)
def test_axe_finds_nothing_serious(open_page: OpenPage, axe: str, tab: str, theme: str) -> None:
    page = open_page(tab, color_scheme=theme)
    assert requests_at_rest(page, 500) == []
    assert serious_findings(page, axe) == []


@pytest.mark.parametrize("tab", TABS)
@pytest.mark.parametrize("width", [380, 3840])
def test_a_tab_fits_the_screen(open_page: OpenPage, tab: str, width: int) -> None:
    page = open_page(tab, viewport={"width": width, "height": 800 if width < 1000 else 2160})
    assert requests_at_rest(page, 300) == []
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    too_wide = """width => [...document.querySelectorAll('main *, .gradio-container *')].filter(element => {
        const box = element.getBoundingClientRect();
        return box.width && box.right > width + 1 && !element.closest('[data-scrolls], .tab-container, .overflow-menu');
    }).map(element => element.outerHTML.slice(0, 120))"""
    assert page.evaluate(too_wide, width) == []


def test_a_page_at_rest_draws_nothing(browser: Any, server: Server) -> None:
    page = browser.new_context().new_page()
    page.add_init_script(COUNT_FRAMES)
    page.goto(server.url)
    for tab in TABS:
        go_to(page, tab)
        before, asked, until = -1, 0, time.monotonic() + PAGE_MS / 1000
        while asked != before and time.monotonic() < until:  # what moves at the start comes to its end
            before = asked
            page.wait_for_timeout(500)
            asked = page.evaluate("framesAsked")
        assert 0 < asked == before, tab
    page.context.close()
