"""The widgets of options on a page, in a real browser: what is written beside each is its description as it is."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass

import pytest
import uvicorn
from browsing import OpenPage, needs_chromium

from audio_ml import catalogue
from audio_ml.options import OptionField, describe
from separation import DeliveryOptions
from tts.cues import CueOptions
from tts.voices import option_models
from ui.server.launch import listen
from ui.web.page import PageServer, page_app

pytestmark = [pytest.mark.browser, needs_chromium]

MARKS = "*a* **b** _c_ __d__ [e](f) [g](https://h/) [i 1s] \\j \\[k\\] $l$ $$m$$ <n> & &lt; ~~o~~ 1. p_q_r |s|"
ODD = [
    OptionField("marks", "text", "", MARKS, "--marks"),
    OptionField("number", "number", 0.0, f"# {MARKS}", "--number"),
    OptionField("flag", "flag", False, f"- {MARKS}", "--flag"),
    OptionField("choice", "choice", "a", f"1. {MARKS}", "--choice", choices=("a", "b")),
]


def all_fields() -> list[OptionField]:
    specs = [spec for task in ("separation", "tts", "conversion") for spec in catalogue.models(task)]
    models = dict.fromkeys([*(spec.options for spec in specs), *option_models(), DeliveryOptions, CueOptions])
    fields = [field for model in models for field in describe(model)]
    return [*ODD, *{field.description: field for field in fields}.values()]


@dataclass(frozen=True)
class Served:
    url: str


@pytest.fixture(scope="module")
def server() -> Iterator[Served]:
    import gradio as gr

    from ui.web.widgets import draw

    with gr.Blocks() as page, gr.Tabs(), gr.Tab("Options"):
        for field in all_fields():
            draw(field, ("vocals", "drums"))
    app = page_app(page)
    with listen("127.0.0.1", 0) as listener:
        running = PageServer(uvicorn.Config(app, log_level="warning", timeout_graceful_shutdown=1), app)
        thread = threading.Thread(target=running.run, kwargs={"sockets": [listener]}, daemon=True)
        thread.start()
        ends = time.monotonic() + 60
        while not running.started:
            assert thread.is_alive() and time.monotonic() < ends, "the server did not start"
            time.sleep(0.02)
        yield Served(f"http://127.0.0.1:{listener.getsockname()[1]}")
        running.should_exit = True
        thread.join()


def test_a_description_is_shown_as_it_is(open_page: OpenPage) -> None:
    page = open_page("Options")
    shown = page.locator(".info-text").all_inner_texts()
    assert shown == [field.description for field in all_fields()]
    assert len(shown) > 40
