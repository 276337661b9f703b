"""Cue sheets: `read_sheet` checks one, `render_sheet` makes its temp voiceover, guide track and sessions."""

from tts.cues.casting import Casting, Part, read_casting
from tts.cues.options import CueOptions
from tts.cues.render import render_sheet
from tts.cues.report import CueReport, TakeFile
from tts.cues.sheet import Cue, Problem, Sheet, read_sheet
from tts.cues.speaker import LineSpeaker, TextToSpeech

__all__ = [
    "Casting",
    "Cue",
    "CueOptions",
    "CueReport",
    "LineSpeaker",
    "Part",
    "Problem",
    "Sheet",
    "TakeFile",
    "TextToSpeech",
    "read_casting",
    "read_sheet",
    "render_sheet",
]
