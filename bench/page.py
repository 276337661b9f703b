"""The page, measured: its first paint, what it takes at rest, and the time from a dropped clip to the first sound.

    python -m bench.page [--runs 5] [--rest-seconds 30] [--output FILE]

It wants Chromium (`chromium` on the PATH), playwright and, for processor time, Linux.
"""

from __future__ import annotations

import argparse
import os
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np

from audio_ml.audio import Audio
from audio_ml.writer import write_audio
from bench import machine, results
from bench.markdown import table
from bench.server_process import Server, descendants, processor_seconds

OUTPUT = results.REPOSITORY / "docs" / "bench-page.md"
FLAGS = ("--no-sandbox", "--disable-gpu", "--disable-background-networking", "--no-first-run")
CLIP_SECONDS, RATE = 20, 44100
FORM = "Separate"  # the button that a visitor came for
PAINTED = "performance.getEntriesByName('first-contentful-paint')[0].startTime / 1000"
PLAYS = "document.querySelector('stem-player')?.engine?.position > 0"


@dataclass(frozen=True)
class Findings:
    """Seconds of each run; `at_rest` is the processor time that a second of rest takes, in seconds."""

    first_paint: list[float]
    form_shown: list[float]
    drop_to_sound_cold: list[float]
    drop_to_sound_warm: list[float]
    at_rest: dict[str, float]


def main() -> None:
    """Measures, and writes the report."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--rest-seconds", type=float, default=30.0)
    parser.add_argument("--output", type=Path, default=OUTPUT)
    arguments = parser.parse_args()
    setting = machine.describe("bench.page", sys.argv[1:], None)
    with tempfile.TemporaryDirectory() as folder, browser_of_bench() as browser:
        findings = _measure(browser, Path(folder), arguments.runs, arguments.rest_seconds)
    results.write(arguments.output, _report(setting, findings), findings)


def _measure(browser: Any, folder: Path, n_runs: int, rest_seconds: float) -> Findings:
    clip = folder / "clip.wav"
    write_audio(clip, example_clip(), bit_depth="16")
    paints, forms, cold, warm = [], [], [], []
    at_rest = {}
    for run in range(n_runs):
        results.say(f"run {run + 1} of {n_runs}")
        (data := folder / f"server {run}").mkdir()
        with Server(data) as server:
            page = browser.new_context().new_page()
            began = time.perf_counter()
            page.goto(f"http://127.0.0.1:{server.port}/")
            _button(page).wait_for()
            forms.append(time.perf_counter() - began)
            paints.append(page.evaluate(PAINTED))
            cold.append(_drop_to_sound(page, clip))
            page.context.close()
            page = browser.new_context().new_page()
            page.goto(f"http://127.0.0.1:{server.port}/")
            _button(page).wait_for()
            warm.append(_drop_to_sound(page, clip))
            page.context.close()
            if run == 0:
                at_rest = _rest(browser, server, rest_seconds)
    return Findings(paints, forms, cold, warm, at_rest)


def _button(page: Any) -> Any:
    return page.get_by_role("button", name=FORM, exact=True)


def _drop_to_sound(page: Any, clip: Path) -> float:
    """Drops a clip and asks for its stems as fast as a page lets anybody, and plays them as soon as they are there."""
    began = time.perf_counter()
    page.locator("input[type=file]").first.set_input_files(clip)
    page.get_by_text(clip.stem).first.wait_for()
    _button(page).click()
    page.get_by_role("button", name="Play", exact=True).click(timeout=60_000)
    while not page.evaluate(PLAYS):
        time.sleep(0.01)
    return time.perf_counter() - began


def _rest(browser: Any, server: Server, seconds: float) -> dict[str, float]:
    """Returns what server and browser take while a page is open and nobody does anything."""
    page = browser.new_context().new_page()
    page.goto(f"http://127.0.0.1:{server.port}/")
    _button(page).wait_for()
    time.sleep(5)  # until what was asked for has come
    results.say(f"{seconds:.0f} s of rest")
    before = server.cpu_seconds(), _browser_seconds(server)
    page.wait_for_timeout(seconds * 1000)
    after = server.cpu_seconds(), _browser_seconds(server)
    page.context.close()
    return {
        name: (end - begin) / seconds for name, begin, end in zip(("server", "browser"), before, after, strict=True)
    }


def _browser_seconds(server: Server) -> float:
    """Returns the processor time of this program's children, but for the server and its own."""
    others = {server.pid, *descendants(server.pid)}
    return sum(processor_seconds(pid) for pid in descendants(os.getpid()) if pid not in others)


def example_clip() -> Audio:
    """Returns 20 s of stereo that are no silence: three tones that come and go, and noise."""
    seconds = np.arange(CLIP_SECONDS * RATE) / RATE
    tones = sum(
        np.sin(2 * np.pi * hertz * seconds) * np.sin(np.pi * seconds * k) ** 2
        for k, hertz in enumerate((220.0, 330.0, 495.0), start=1)
    )
    noise = np.random.default_rng(0).standard_normal((2, seconds.size)) * 0.02
    return Audio((0.1 * tones + noise).astype(np.float32), RATE)


@contextmanager
def browser_of_bench() -> Iterator[Any]:
    """Runs Chromium for a block."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=FLAGS)
        yield browser
        browser.close()


def _report(setting: str, findings: Findings) -> str:
    def row(what: str, seconds: list[float], asked: str) -> list[str]:
        return [what, f"{median(seconds):.2f} s", f"{min(seconds):.2f} to {max(seconds):.2f} s", asked]

    times = [
        row("first contentful paint", findings.first_paint, "2 s"),
        row("from the address to a form that can be used", findings.form_shown, ""),
        row(
            f"from a dropped {CLIP_SECONDS} s clip to the first sound of its stems, cold",
            findings.drop_to_sound_cold,
            "8 s",
        ),
        row("the same, the model being in memory", findings.drop_to_sound_warm, ""),
    ]
    rest = [[name, f"{100 * share:.1f} % of a core"] for name, share in findings.at_rest.items()]
    return "\n".join(
        (
            "# The page",
            "",
            "Made by `python -m bench.page`: a real Chromium, a server just started, Spleeter's two stems.",
            "",
            setting,
            "",
            table(["", "median", "runs", "asked"], times),
            "",
            "A page that is open while nobody does anything takes:",
            "",
            table(["", "processor"], rest),
            "",
        )
    )


if __name__ == "__main__":
    main()
