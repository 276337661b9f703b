"""From a cue sheet to files: what changed is spoken, then guide track, tables and sessions are written anew."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, replace
from functools import partial
from pathlib import Path
from typing import Any

from audio_ml.errors import InvalidInput, OutputExists
from audio_ml.journal import replace_text
from audio_ml.options import parse
from audio_ml.progress import Progress
from audio_ml.streams import show
from tts.cues import plan as plans
from tts.cues.casting import Casting, Part
from tts.cues.guide import guide_blocks
from tts.cues.markers import audacity_labels, markers_csv
from tts.cues.options import CueOptions
from tts.cues.plan import Plan, PlannedTake, key_of, make_plan
from tts.cues.recording import Recording, guide_identity, record, write_take, write_wave
from tts.cues.report import CueReport, TakeFile, describe_take, identity_from, qc_csv, qc_json, take_from
from tts.cues.rpp import rpp_text
from tts.cues.session import Item, Session, arrange
from tts.cues.sheet import Cue, Problem, Sheet
from tts.cues.speaker import LineSpeaker
from tts.cues.state import CueState
from tts.cues.timeline import otio_text
from tts.options import DEFAULT_VOICE

SHARE_OF_REVISION = 0.5  # of the cues of the smaller sheet that are in both, when one is the other's new version
SPREADSHEET = "utf-8-sig"  # Excel takes a table without a byte order mark for Windows-1252


def render_sheet(
    sheet: Sheet,
    out_dir: Path,
    *,
    speaker: LineSpeaker,
    casting: Casting | None = None,
    options: CueOptions | Mapping[str, Any] | None = None,
    voice_options: Mapping[str, Any] | None = None,
    progress: Progress | None = None,
) -> CueReport:
    """Speaks the cues of a sheet into files in a folder, with a guide track, tables for checking, and sessions.

    A row that cannot be done is a problem of the report and keeps no other from being done. A second
    run does only what changed; files that are not ours are never replaced unless `overwrite` is set.
    `voice_options` are for every voice that knows them.

    Raises:
        InvalidInput: for a request that no row could be done with: options, unknown voices, a damaged record.
        OutputError: when the folder cannot be written to.
        WeightsError: when a model's files cannot be had.

    >>> from audio_ml.loader import ModelLoader                                     # doctest: +SKIP
    >>> sheet = read_sheet("adr.csv", find_frame_rate("24"))                        # doctest: +SKIP
    >>> render_sheet(sheet, Path("cues"), speaker=TextToSpeech(ModelLoader())).n_done  # doctest: +SKIP
    12
    """
    chosen = parse(CueOptions, options)
    cast = casting or Casting(default=Part(DEFAULT_VOICE))
    plan = make_plan(sheet, out_dir, speaker, cast, chosen, voice_options or {})
    with CueState(out_dir) as state:
        run = _Run(plan, speaker, state, progress or Progress())
        run.check_hand_over()
        run.speak()
        run.hand_over()
        return run.report()


class _Run:
    """One run of a plan, in a folder whose record is open."""

    def __init__(self, plan: Plan, speaker: LineSpeaker, state: CueState, progress: Progress) -> None:
        self._plan, self._speaker, self._state, self._progress = plan, speaker, state, progress
        self._takes: dict[Cue, dict[int, TakeFile]] = {}
        self._unlevelled: list[Recording] = []
        self._problems = list(plan.problems)
        self._warnings = [*plan.sheet.notes, *(str(warning) for warning in plan.sheet.warnings)]
        self._files: list[str] = []
        self._earlier_files: list[str] = []
        self._n_new = 0

    def check_hand_over(self) -> None:
        """Makes the folder the sheet's own; raises `OutputExists` where it holds what may not be replaced."""
        sheet, former = self._plan.sheet.path.name, self._state.sheet
        if not self._plan.options.overwrite:
            if former not in ("", sheet):
                self._check_revision(former)
            for name in plans.HANDED_OVER:
                self._state.check_free(name)
        self._state.claim(sheet)

    def _check_revision(self, former: str) -> None:
        """Raises `OutputExists` unless the sheet is the former one revised: cues of one are in the other, and when.

        Their numbers and characters alone do not tell: those of most sheets begin with 1.
        """
        noted = self._state.others(plans.HANDED_OVER).values()
        there = {(identity, facts["tc_in"]) for facts in noted if (identity := identity_from(facts)) is not None}
        asked = {(cue.identity, self._plan.sheet.rate.label_at(cue.start)) for cue in self._plan.cues}
        n_known, sheet, folder = len(there & asked), self._plan.sheet.path.name, show(self._plan.folder)
        if n_known < SHARE_OF_REVISION * min(len(there), len(asked)):
            raise OutputExists(
                f"{folder} has the cues of {former}, and {n_known} of the {len(asked)} in {sheet} are among them at "
                "the same time: choose another folder (--overwrite replaces them)."
            )
        self._warnings.append(f"The folder has the cues of {former}: {sheet} is taken for its new version.")

    def speak(self) -> None:
        """Makes every take that is not there yet; what is too short to measure comes last."""
        n_done = 0
        for cue, planned_takes in self._plan.cues.items():
            for planned in planned_takes:
                self._progress.update("speaking", n_done / self._plan.n_takes)
                self._attempt(cue, partial(self._speak, planned))
                n_done += 1
        for recording in self._unlevelled:
            self._attempt(recording.planned.cue, partial(self._level, recording))

    def _attempt(self, cue: Cue, work: Callable[[], None]) -> None:
        """Does a part of a cue; what is wrong with it is the row's problem and no other's."""
        if any(problem.row == cue.row for problem in self._problems):
            return
        try:
            work()
        except (InvalidInput, OutputExists) as error:
            column = self._plan.sheet.title("cue" if isinstance(error, OutputExists) else "line")
            self._problems.append(Problem(cue.row, column, str(error)))

    def _speak(self, planned: PlannedTake) -> None:
        facts = None if self._plan.options.overwrite else self._state.facts(planned.file, planned.key)
        known = None if facts is None else take_from(facts)
        if known is not None:
            cue = planned.cue
            self._keep(
                cue,
                replace(known, row=cue.row, reel=cue.reel, scene=cue.scene, cue=cue.number, take=planned.take + 1),
            )
            return
        if not self._plan.options.overwrite:
            self._state.check_free(planned.file)
        recording = record(planned, self._speaker, self._plan.options, self._plan.target)
        if recording.gain is None:
            self._unlevelled.append(recording)
        else:
            self._write(recording, recording.gain.gain_db)

    def _level(self, recording: Recording) -> None:
        """Writes a take that is too short to measure, with the gain of its character's other lines.

        As of any other, its true peaks stay below the ceiling of the target.
        """
        character = recording.planned.cue.character
        gains = [
            take.gain_db
            for cue, takes in self._takes.items()
            for take in takes.values()
            if cue.character.casefold() == character.casefold() and take.lufs is not None
        ]
        said = f"with the gain of {character}'s other lines" if gains else "as it comes"
        wanted_db = gain_db = statistics.median(gains) if gains else 0.0
        target, peak_dbtp = self._plan.target, recording.loudness.true_peak_dbtp
        if target is not None and peak_dbtp is not None:
            gain_db = min(wanted_db, target.true_peak_dbtp - peak_dbtp)
        held_back = f", {wanted_db - gain_db:.1f} dB lower to keep its peaks below" if gain_db < wanted_db else ""
        warning = f"It is too short to have a loudness: it is {said}{held_back}."
        self._write(replace(recording, warnings=(*recording.warnings, warning)), gain_db)

    def _write(self, recording: Recording, gain_db: float) -> None:
        planned, sheet = recording.planned, self._plan.sheet
        self._make_room(planned.file)
        path = self._plan.folder / planned.file
        n_clipped = write_take(path, recording, gain_db, self._speaker, sheet.path)
        warnings = recording.warnings + ((f"{n_clipped} samples are clipped.",) if n_clipped else ())
        take = describe_take(
            sheet,
            planned.cue,
            planned.take,
            planned.file,
            planned.voice,
            planned.place,
            recording.fitted,
            gain_db,
            recording.loudness.after(gain_db),
            warnings,
        )
        self._state.note(planned.file, planned.key, asdict(take))
        self._keep(planned.cue, take)
        self._n_new += 1

    def _keep(self, cue: Cue, take: TakeFile) -> None:
        self._takes.setdefault(cue, {})[take.take] = take

    def _make_room(self, name: str) -> None:
        warning = None if self._plan.options.overwrite else self._state.set_aside(name)
        if warning is not None:
            self._warnings.append(warning)
        self._state.begin(name)

    def hand_over(self) -> None:
        """Writes the guide track, the sessions and the tables."""
        items = [Item(cue, takes) for cue, takes in self._complete().items()]
        self._note_strangers()
        if items:
            session = arrange(self._plan.sheet.path.stem, self._plan.sheet.rate, self._plan.start, items)
            self._write_guide(session)
            self._write_text(plans.RPP, rpp_text(session, plans.GUIDE))
            self._write_text(plans.OTIO, otio_text(session))
            self._write_text(plans.MARKERS, markers_csv(session), SPREADSHEET)
            self._write_text(plans.LABELS, audacity_labels(session))
        else:
            self._note_outdated()
        report = self.report()
        self._write_text(plans.QC_CSV, qc_csv(report), SPREADSHEET)
        self._write_text(plans.QC_JSON, qc_json(self._plan.sheet, report))

    def _complete(self) -> dict[Cue, tuple[TakeFile, ...]]:
        """Returns the takes of each cue of which none failed, in the order of the sheet."""
        failed = {problem.row for problem in self._problems}
        return {
            cue: tuple(take for _, take in sorted(self._takes[cue].items()))
            for cue in self._plan.cues
            if cue in self._takes and cue.row not in failed
        }

    def _note_strangers(self) -> None:
        """Tells which files of ours are of no row any more; those of rows that fail now are not among them."""
        planned = [take.file for takes in self._plan.cues.values() for take in takes]
        failed = self._plan.sheet.identities - {cue.identity for cue in self._plan.cues}
        found = self._state.others([*planned, *plans.HANDED_OVER])
        self._earlier_files = others = [name for name, facts in found.items() if identity_from(facts) not in failed]
        if others:
            more = f" and {len(others) - 1} more (see {plans.QC_JSON})" if len(others) > 1 else ""
            self._warnings.append(f"Not in this sheet, and left where it is from earlier runs: {others[0]}{more}.")

    def _note_outdated(self) -> None:
        """Tells which files of an earlier run stay although they are not of this one, in which no cue is complete."""
        noted = self._state.others((plans.QC_CSV, plans.QC_JSON))
        if names := [name for name in plans.HANDED_OVER if name in noted]:
            self._warnings.append(f"No cue is complete: {', '.join(names)} stay as an earlier run left them.")

    def _write_guide(self, session: Session) -> None:
        sources = [(item.takes[0].file, self._state.sha256(item.takes[0].file), item.start) for item in session.items]
        key = key_of([session.start, session.name, sources])
        facts = self._state.facts(plans.GUIDE, key)
        if facts is None:
            self._make_room(plans.GUIDE)
            blocks = self._counted(guide_blocks(session, self._plan.folder), session.n_samples)
            path, takes = self._plan.folder / plans.GUIDE, [self._plan.cues[item.cue][0] for item in session.items]
            identity = guide_identity(session, takes, key, self._speaker, self._plan.sheet.path)
            facts = {"n_clipped": write_wave(path, blocks, session.n_samples, identity)}
            self._state.note(plans.GUIDE, key, facts)
        if facts["n_clipped"]:
            self._warnings.append(f"{plans.GUIDE}: {facts['n_clipped']} samples are clipped where cues overlap.")
        self._files.append(plans.GUIDE)

    def _counted(self, blocks: Iterable[Any], n_samples: int) -> Iterable[Any]:
        n_done = 0
        for block in blocks:
            yield block
            n_done += block.shape[1]
            self._progress.update("writing the guide track", n_done / n_samples)

    def _write_text(self, name: str, text: str, encoding: str = "utf-8") -> None:
        key = key_of(text)
        if self._state.facts(name, key) is None:
            self._make_room(name)
            replace_text(self._plan.folder / name, text, encoding)
            self._state.note(name, key, {})
        self._files.append(name)

    def report(self) -> CueReport:
        return CueReport(
            folder=self._plan.folder,
            n_rows=self._plan.sheet.n_rows,
            takes=tuple(take for takes in self._complete().values() for take in takes),
            n_new=self._n_new,
            problems=tuple(sorted(self._problems, key=lambda problem: problem.row)),
            warnings=tuple(self._warnings),
            files=tuple(self._files),
            earlier_files=tuple(self._earlier_files),
        )
