"""Cue sheets: `read_sheet` checks one, `preview_sheet` foretells it, `render_sheet` makes voiceover and sessions."""

from tts.cues.casting import Casting, Part, read_casting
from tts.cues.columns import Suggestion, suggest_columns
from tts.cues.options import CueOptions
from tts.cues.preview import LinePreview, SheetPreview, preview_sheet
from tts.cues.render import render_sheet
from tts.cues.report import CueReport, TakeFile
from tts.cues.sheet import Cue, Problem, Sheet, read_sheet
from tts.cues.speaker import LineSpeaker, TextToSpeech

__all__ = [
    "Casting",
    "Cue",
    "CueOptions",
    "CueReport",
    "LinePreview",
    "LineSpeaker",
    "Part",
    "Problem",
    "Sheet",
    "SheetPreview",
    "Suggestion",
    "TakeFile",
    "TextToSpeech",
    "preview_sheet",
    "read_casting",
    "read_sheet",
    "render_sheet",
    "suggest_columns",
]
