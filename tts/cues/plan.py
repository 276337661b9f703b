"""What a sheet asks for, checked before any work: which line is said how, fits where, and is written to which file."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

from audio_ml.errors import AudioMLError, InvalidInput, InvalidOption, did_you_mean
from audio_ml.loudness import Target, find_target
from audio_ml.timecode import to_samples
from audio_ml.writer import check_target
from tts.cues.casting import Casting, Part
from tts.cues.naming import check_template, name_files
from tts.cues.options import SAMPLE_RATE, CueOptions
from tts.cues.report import Placement
from tts.cues.sheet import Cue, Problem, Sheet
from tts.cues.speaker import LineSpeaker

RECIPE = 2  # counts up when the same request gives other files
GUIDE, RPP, OTIO = "guide.wav", "session.rpp", "session.otio"
QC_CSV, QC_JSON, MARKERS, LABELS = "qc.csv", "qc.json", "markers.csv", "labels.txt"
HANDED_OVER = (GUIDE, QC_CSV, QC_JSON, MARKERS, LABELS, RPP, OTIO)


@dataclass(frozen=True, eq=False)
class PlannedTake:
    """A take to be made: `options` are all of them, `key` stands for everything that decides its file."""

    cue: Cue
    take: int
    file: str
    voice: str
    options: Mapping[str, Any]
    place: Placement
    key: str


@dataclass(frozen=True, eq=False)
class Plan:
    """The takes of each cue that can be done, and the rows that cannot."""

    sheet: Sheet
    folder: Path
    options: CueOptions
    target: Target | None
    start: int | None
    cues: Mapping[Cue, tuple[PlannedTake, ...]]
    problems: tuple[Problem, ...]

    @property
    def n_takes(self) -> int:
        return sum(map(len, self.cues.values()))


def make_plan(
    sheet: Sheet,
    folder: Path,
    speaker: LineSpeaker,
    casting: Casting,
    options: CueOptions,
    voice_options: Mapping[str, Any],
) -> Plan:
    """Finds out all that could be wrong with a request.

    Raises:
        InvalidOption: for options that no voice of the cast knows, and a guide that begins behind a cue.
        UnknownVoice: naming the character.
        OutputUnwritable: when there is a folder where a file should be.
    """
    check_template(options.filename, options.takes)
    names, doubled = name_files(options.filename, sheet, options.takes, HANDED_OVER)
    parts, uncast = _cast(sheet, casting)
    problems = sorted((*sheet.problems, *doubled, *uncast), key=lambda problem: problem.row)
    bad = {problem.row for problem in problems}
    start = _start(sheet, options.guide_start, [cue for cue in sheet.cues if cue.row not in bad])
    voices = _Voices(speaker, options, voice_options)
    voices.check(parts)
    cues = {
        cue: tuple(voices.plan(cue, parts[cue.character], take, file) for take, file in enumerate(names[cue]))
        for cue in sheet.cues
        if cue.row not in bad
    }
    for name in (*HANDED_OVER, *(planned.file for takes in cues.values() for planned in takes)):
        check_target(folder / name, overwrite=True)  # what may be replaced is for the record of the folder to say
    target = None if options.loudness is None else find_target(options.loudness)
    return Plan(sheet, folder, options, target, start, cues, tuple(problems))


def _cast(sheet: Sheet, casting: Casting) -> tuple[dict[str, Part], list[Problem]]:
    parts: dict[str, Part] = {}
    problems = []
    for cue in sheet.cues:
        try:
            parts[cue.character] = casting.part(cue.character)
        except InvalidInput as error:
            problems.append(Problem(cue.row, sheet.title("character"), str(error)))
    return parts, problems


def _start(sheet: Sheet, guide_start: str | None, cues: list[Cue]) -> int | None:
    if guide_start is None:
        return None
    try:
        start = sheet.rate.seconds(guide_start)
    except InvalidInput as error:
        raise InvalidOption(f"Option 'guide_start': {error}") from error
    early = min(cues, key=lambda cue: cue.start, default=None)
    if early is not None and early.start < start:
        said = sheet.rate.label_at(early.start)
        raise InvalidOption(f"Option 'guide_start' cannot be {guide_start}: cue {early.name} begins at {said}.")
    return to_samples(start, SAMPLE_RATE)


class _Voices:
    """Works out what a voice is told for a take."""

    def __init__(self, speaker: LineSpeaker, options: CueOptions, given: Mapping[str, Any]) -> None:
        self._speaker, self._options, self._given = speaker, options, given
        self._told: dict[tuple[str, str, int], tuple[Mapping[str, Any], Mapping[str, str]]] = {}

    def check(self, parts: Mapping[str, Part]) -> None:
        """Asks every part for every take; an error names the character."""
        known: set[str] = set()
        for character, part in parts.items():
            try:
                known |= set(self._speaker.model(part.voice).options.model_fields)
                for take in range(self._options.takes):
                    self._tell(part, take)
            except (InvalidInput, OSError) as error:
                kind = type(error) if isinstance(error, AudioMLError) else InvalidInput
                raise kind(f"{character}: {error}") from error
        unknown = next((name for name in self._given if name not in known), None) if parts else None
        if unknown is not None:
            raise InvalidOption(f"No voice of this cast knows the option '{unknown}'.{did_you_mean(unknown, known)}")

    def plan(self, cue: Cue, part: Part, take: int, file: str) -> PlannedTake:
        options, fingerprint = self._tell(part, take)
        start = to_samples(cue.start, SAMPLE_RATE)
        slot = None if cue.end is None else to_samples(cue.end, SAMPLE_RATE) - start
        described = {
            "recipe": RECIPE,
            "line": cue.line,
            "character": cue.character,
            "voice": dict(fingerprint),
            "options": dict(options),
            "place": [start, slot],
            "frame_rate": self._options.frame_rate,
            "fit": [self._options.fit, self._options.fill],
            "loudness": self._options.loudness,
        }
        key = key_of(described | self._called(cue.line, part.voice, options))
        return PlannedTake(cue, take, file, part.voice, options, Placement(start, slot), key)

    def _called(self, line: str, voice: str, options: Mapping[str, Any]) -> dict[str, list[str]]:
        """Returns which cloned voices are heard in a line; what is wrong with it is told when it is said."""
        try:
            called = [cloned.sha256 for cloned, _ in self._speaker.cloned(line, voice, options)]
        except InvalidInput:
            return {}
        return {"cloned": called} if called else {}

    def _tell(self, part: Part, take: int) -> tuple[Mapping[str, Any], Mapping[str, str]]:
        place = (part.voice, json.dumps(dict(part.options), sort_keys=True), take)
        if place not in self._told:
            fields = self._speaker.model(part.voice).options.model_fields
            given = {name: value for name, value in self._given.items() if name in fields}
            options = self._speaker.options(part.voice, given | dict(part.options), take)
            self._told[place] = options, self._speaker.fingerprint(part.voice, options)
        return self._told[place]


def key_of(described: Any) -> str:
    """Returns what stands for a description: equal ones have the same, others another."""

    def plain(value: Any) -> Any:
        return str(value) if isinstance(value, (Path, Fraction)) else list(value)

    return hashlib.sha256(json.dumps(described, sort_keys=True, default=plain).encode()).hexdigest()
