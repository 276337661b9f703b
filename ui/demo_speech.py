"""The speaking half of `make demo`: a hard sentence with its words' times, then a cue sheet, dubbed to the frame."""

from __future__ import annotations

from pathlib import Path

import tts
from audio_ml.loader import ModelLoader
from audio_ml.timecode import find_frame_rate
from tts.captions import write_captions
from tts.cues import TextToSpeech, read_sheet, render_sheet
from ui.console import shown_progress

SENTENCE = "At 3:45 pm on 5/6/2026, Dr. Smith of Elm Dr. paid $1,234.56 for 5kg of tea. 😀"
SHEET = """scene,cue,character,tc in,tc out,line
12,1,ANNA,10:00:00:00,10:00:02:00,Where were you on Friday the 5th?
12,2,BEN,10:00:02:12,10:00:04:12,"At the station, from 9:30 until midnight."
12,3,ANNA,10:00:05:00,10:00:05:12,Then who called me from your number?
"""


def speak_and_dub(folder: Path, loader: ModelLoader) -> None:
    """Speaks a sentence and a cue sheet into a folder, and prints where everything is."""
    spoken = folder / "sentence.wav"
    report = tts.synthesize_file(SENTENCE, spoken, delivery={"overwrite": True}, loader=loader)
    write_captions(report.files[0].words, spoken.with_suffix(".srt"))
    print(f"\nSpoken by {report.voice}, nothing lost: {spoken}, {spoken.with_suffix('.srt')}")
    for word in report.files[0].words:
        print(f"  {word.start_seconds:6.3f} s  {word.text:<20} {word.phonemes}")
    sheet = folder / "sheet.csv"
    sheet.write_text(SHEET, encoding="utf-8")
    with shown_progress("cue sheet", quiet=False) as progress:
        dubbed = render_sheet(
            read_sheet(sheet, find_frame_rate("25")),
            folder / "cues",
            speaker=TextToSpeech(loader),
            options={"frame_rate": "25", "loudness": "ebu-r128"},
            progress=progress,
        )
    print(f"\nA cue sheet, {dubbed.n_done} of {dubbed.n_rows} cues done: {folder / 'cues'}")
    for take in dubbed.takes:
        slot = "" if take.excess_ms is None else f", {take.excess_ms:+.0f} ms against its slot"
        print(f"  {take.file}: at {take.tc_in}, {take.seconds:.2f} s{slot} {take.fit}")
