"""A sheet before any work: every line with its voice and whether it is likely to fit, and every row that is wrong."""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from audio_ml.errors import InvalidInput
from audio_ml.options import parse
from tts.cues.casting import Casting, Part
from tts.cues.options import CueOptions
from tts.cues.plan import PlannedTake, make_plan
from tts.cues.sheet import Cue, Problem, Sheet
from tts.cues.speaker import TextToSpeech
from tts.options import DEFAULT_VOICE
from tts.phonemes.lexicon import read_lexicon


@dataclass(frozen=True)
class LinePreview:
    """A line as it would be said: by whom, from when, and in about how many seconds; `slot_seconds` are there for it.

    `warnings` are what of the text cannot be said as it stands.
    """

    row: int
    scene: str
    cue: str
    character: str
    line: str
    voice: str
    tc_in: str
    slot_seconds: float | None
    seconds: float
    warnings: tuple[str, ...]

    @property
    def excess_seconds(self) -> float | None:
        """By how much the line is likely to be longer than its slot; below 0 it is shorter."""
        return None if self.slot_seconds is None else self.seconds - self.slot_seconds


@dataclass(frozen=True)
class SheetPreview:
    """The lines that can be done, in order of the sheet, each row that cannot, and what is merely odd.

    `characters` are spelled as where they speak first; one with other capitals is the same.
    """

    lines: tuple[LinePreview, ...]
    problems: tuple[Problem, ...]
    warnings: tuple[str, ...]
    characters: tuple[str, ...]


def preview_sheet(
    sheet: Sheet,
    *,
    speaker: TextToSpeech,
    casting: Casting | None = None,
    options: CueOptions | Mapping[str, Any] | None = None,
    voice_options: Mapping[str, Any] | None = None,
) -> SheetPreview:
    """Tells what `render_sheet` would be asked to do, without a model and without writing anything.

    Raises:
        InvalidInput: for a request that no row could be done with, as `render_sheet`.
    """
    for path in (voice_options or {}).get("lexicon", ()):
        read_lexicon(Path(path).expanduser())  # else every line would tell what is wrong with it
    chosen, cast = parse(CueOptions, options), casting or Casting(default=Part(DEFAULT_VOICE))
    with tempfile.TemporaryDirectory() as nowhere:
        plan = make_plan(sheet, Path(nowhere), speaker, cast, chosen, voice_options or {})
    problems = list(plan.problems)
    lines = []
    for cue, takes in plan.cues.items():
        try:
            lines.append(_line(sheet, cue, takes[0], speaker))
        except InvalidInput as error:
            problems.append(Problem(cue.row, sheet.title("line"), str(error)))
    return SheetPreview(
        lines=tuple(lines),
        problems=tuple(sorted(problems, key=lambda problem: problem.row)),
        warnings=(*sheet.notes, *(str(warning) for warning in sheet.warnings)),
        characters=tuple(_characters(sheet)),
    )


def _characters(sheet: Sheet) -> Iterable[str]:
    names: dict[str, str] = {}
    for cue in sheet.cues:
        names.setdefault(cue.character.casefold(), cue.character)
    return names.values()


def _line(sheet: Sheet, cue: Cue, planned: PlannedTake, speaker: TextToSpeech) -> LinePreview:
    told = speaker.estimate(cue.line, planned.voice, planned.options)
    if not told.seconds:
        raise InvalidInput(told.warnings[0].message if told.warnings else "Nothing in the line can be spoken.")
    return LinePreview(
        row=cue.row,
        scene=cue.scene,
        cue=cue.number,
        character=cue.character,
        line=cue.line,
        voice=planned.voice,
        tc_in=sheet.rate.label_at(cue.start),
        slot_seconds=None if cue.slot is None else float(cue.slot),
        seconds=told.seconds,
        warnings=tuple(warning.message for warning in told.warnings),
    )
