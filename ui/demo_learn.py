"""The page's part of `make demo`: a sentence as machines have said it since 1939, which the tab "Learn" tells about."""

from __future__ import annotations

import json
from pathlib import Path

from audio_ml.loader import ModelLoader
from ui.console import shown_progress

LINE = "The tide was early this morning."


def tell_history(folder: Path, loader: ModelLoader) -> None:
    """Says a sentence in every way, and prints where each is and who thought of it."""
    from ui.learn import history

    (target := folder / "learn").mkdir(exist_ok=True)
    with shown_progress("history", quiet=False) as progress:
        history.tell_history(LINE, target, loader, progress)
    told = json.loads((target / history.INDEX).read_text(encoding="utf-8"))
    print(f'\nA short history of speech synthesis, made here: "{told["text"]}"')
    for era in told["eras"]:
        print(f"  {target / era['file']}: {era['title']}, {era['year']}")
    print("The page shows how each works, lets you paint on a spectrogram, and does all else in a browser: audio-ml ui")
