"""The report of `bench.clone`."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import fmean
from typing import TYPE_CHECKING

from bench.markdown import table
from voiceclone.evaluation import CloneEvaluation
from voiceclone.evaluation.clones import Ceiling, Verdict, alike_of, errors_of, quality_of

if TYPE_CHECKING:
    from bench.clone import Findings

LEAST_ALIKE, MOST_WORD_ERRORS, LEAST_QUALITY = 0.55, 0.04, 3.3
MOST_ENROLMENT_SECONDS, MOST_QUICK_SECONDS, MOST_WORK_SECONDS = 60, 10, 1.0
SHOWN_SENTENCES = 12
HEADER = ["", "sentences", "ERes2Net", "ECAPA", "ERes2Net, together", "to the reference", "word errors", "DNSMOS"]
TIMES = ["recognised", "voice made in", "work for 1 s of speech"]

Groups = Sequence[tuple[str, CloneEvaluation]]


def render(head: str, findings: Findings) -> str:
    """Returns the report in Markdown."""
    cloned = findings.cloned
    people = [(clone.name, cloned.only([clone.name])) for clone in cloned.clones]
    groups = _groups(cloned, findings.choosing)
    rows = [_row(name, found) for name, found in [*people, *groups]]
    goals = [
        "*target*",
        "",
        f"*{LEAST_ALIKE}*",
        "",
        "",
        "",
        f"*at most {MOST_WORD_ERRORS:.0%}*",
        f"*{LEAST_QUALITY}*",
        "",
    ]
    goals += [f"*at most {MOST_ENROLMENT_SECONDS} s*", f"*at most {MOST_WORK_SECONDS:.1f} s*"]
    return (
        "# How good cloned voices are\n\n"
        f"{head}\n\n"
        "Each voice is made from the first 10 s of recordings of one person; the likeness is "
        f"{findings.likeness:g}, the same for all measures. ERes2Net and ECAPA-TDNN, which have no part in cloning, "
        "compare each sentence with other recordings of the person, one by one (mean of the cosines; mean ± standard "
        "deviation over sentences); with all of them together, or the whole reference, as one embedding, the same "
        "speech reads higher. Recognised is the share of sentences that ERes2Net finds more alike the right person "
        "than any other of the set. The judge of words is Whisper base, that of quality DNSMOS (P.835, overall), "
        "sentence by sentence.\n\n"
        f"Settings were chosen on {' and '.join(findings.choosing)}; what counts is the row of the others.\n\n"
        f"{table([*HEADER, *TIMES], [*rows, goals])}\n\n"
        + _calibration([*people, *groups])
        + _quick(findings)
        + _worst(cloned.verdicts)
    )


def _groups(found: CloneEvaluation, choosing: Sequence[str]) -> Groups:
    others = [clone.name for clone in found.clones if clone.name not in choosing]
    parts = [("settings were chosen on", found.only(choosing)), ("**the others**", found.only(others)), ("all", found)]
    return [(f"{name} ({len(part.clones)})", part) for name, part in parts if part.clones]


def _row(name: str, found: CloneEvaluation) -> list[str]:
    made = fmean(clone.enrolment_seconds for clone in found.clones)
    together = fmean(verdict.alike_together["eres2net"] for verdict in found.verdicts)
    to_reference = fmean(verdict.alike_reference["eres2net"] for verdict in found.verdicts)
    return [
        name,
        str(len(found.verdicts)),
        str(alike_of(found.verdicts, "eres2net")),
        str(alike_of(found.verdicts, "ecapa")),
        f"{together:.2f}",
        f"{to_reference:.2f}",
        f"{found.errors.rate:.1%} of {found.errors.n_words}",
        str(quality_of(found.verdicts)),
        f"{found.recognised:.0%}",
        f"{made:.1f} s",
        f"{found.real_time_factor:.2f} s",
    ]


def _calibration(groups: Groups) -> str:
    rows = [
        [name, *_measures(found.ceiling), *(_measures(found.floor) if found.floor else [""] * 4), _floor(found)]
        for name, found in groups
    ]
    parts = ["ERes2Net", "ECAPA", "together", "DNSMOS"]
    header = ["", f"the person: {parts[0]}", *parts[1:], f"not cloned: {parts[0]}", *parts[1:], "who"]
    return (
        "Between what these lie. The ceiling is the person: still other recordings, cut to the length of the "
        "sentences, compared in the same way. The floor is no clone: the built-in English voice that is nearest to the "
        "reference, to the encoders that voices are fitted with.\n\n"
        f"{table(header, rows)}\n\n"
    )


def _measures(found: Sequence[Verdict | Ceiling]) -> list[str]:
    together = fmean(each.alike_together["eres2net"] for each in found)
    return [str(alike_of(found, "eres2net")), str(alike_of(found, "ecapa")), f"{together:.2f}", str(quality_of(found))]


def _floor(found: CloneEvaluation) -> str:
    if not found.floor:
        return ""
    names = dict.fromkeys(clone.floor_voice.rpartition("/")[2] for clone in found.clones if clone.floor)
    return f"{', '.join(names)}; word errors {errors_of(found.floor).rate:.1%}"


def _quick(findings: Findings) -> str:
    if not findings.quick.clones:
        return ""
    rows = [_row(name, found) for name, found in _groups(findings.quick, findings.choosing)]
    rows.append(["*target*", *[""] * 8, f"*at most {MOST_QUICK_SECONDS} s*", ""])
    return f"Made in seconds, as a mix of built-in voices (`--quick`):\n\n{table([*HEADER, *TIMES], rows)}\n\n"


def _worst(verdicts: Sequence[Verdict]) -> str:
    wrong = sorted((each for each in verdicts if each.errors.total), key=lambda each: -each.errors.total)
    if not wrong:
        return "Every word of every sentence was heard.\n"
    rows = [[each.sentence, each.heard, str(each.errors.total)] for each in wrong[:SHOWN_SENTENCES]]
    return f"The sentences with most word errors:\n\n{table(['written', 'heard', 'errors'], rows)}\n"
