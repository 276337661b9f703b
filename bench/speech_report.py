"""The report of the bench of text to speech, in Markdown."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from bench.markdown import megabytes, seconds, table
from bench.measure import Measurement, medians
from bench.speech_borders import BASS_DB, BASS_HZ, N_WORDS, TARGET_MS, TREBLE_DB, TREBLE_HZ, Borders
from bench.speech_commands import Comparison, Side
from bench.speech_control import Control
from bench.speech_first import TARGET_MS as FIRST_SOUND_MS
from bench.speech_first import FirstSounds
from bench.speech_long import TARGET_SHARE, Hearing, LongText

SHOWN_TEXTS = 10


@dataclass(frozen=True)
class Findings:
    """All that was measured; what is empty was not asked for. `skipped` says which models could not be had, and why."""

    comparisons: list[Comparison]
    first_sounds: list[FirstSounds]
    long_texts: list[LongText]
    borders: list[Borders]
    controls: list[Control]
    skipped: list[str]


def render(head: str, findings: Findings) -> str:
    """Returns the report; `head` is the table that says on what was measured."""
    parts = [
        "# Text to speech\n",
        head,
        _comparisons(findings.comparisons) if findings.comparisons else "",
        _first_sounds(findings.first_sounds) if findings.first_sounds else "",
        _long_texts(findings.long_texts) if findings.long_texts else "",
        _borders(findings.borders) if findings.borders else "",
        _controls(findings.controls) if findings.controls else "",
        "\n".join(f"Not measured: {reason}" for reason in findings.skipped),
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def _comparisons(comparisons: Sequence[Comparison]) -> str:
    n_runs = len(comparisons[0].processes["ours"].runs)
    processes = [row for found in comparisons for row in _sides(found.label, found.processes, has_memory=True)]
    warm = [row for found in comparisons for row in _sides(found.label, found.warm, has_memory=False)]
    same = "the same" if all(found.is_same for found in comparisons) else "NOT always the same"
    header = ["text", "", "wall", "CPU", "length of speech", "ours against it: wall", "CPU"]
    return (
        "## Against hibari's own front end\n\n"
        f"The same texts by `hibari TEXT -o FILE` and `audio-ml speak TEXT -o FILE`, in turn; medians of {n_runs}. "
        "More than 1 is faster. Speech of ours is shorter where silence at the ends of sentences is cut to measure; it "
        f"has the times of the words as well. All processes of ours wrote {same} samples.\n\n"
        "Whole processes from a cold start:\n\n"
        f"{table([*header, 'peak memory'], processes)}\n\n"
        f"Warm, in one process, loaded before:\n\n{table(header, warm)}"
    )


def _sides(label: str, sides: dict[str, Side], *, has_memory: bool) -> list[list[str]]:
    ours = medians(sides["ours"].runs)
    return [
        _side(label if place == 0 else "", name, side, ours if name != "ours" else None, has_memory)
        for place, (name, side) in enumerate(sides.items())
    ]


def _side(label: str, name: str, side: Side, ours: Measurement | None, has_memory: bool) -> list[str]:
    found = medians(side.runs)
    ratios = ["", ""]
    if ours is not None:
        ratios = [f"**{found.wall_seconds / ours.wall_seconds:.2f}**", f"{found.cpu_seconds / ours.cpu_seconds:.2f}"]
    cells = [
        label,
        name,
        seconds(found.wall_seconds),
        seconds(found.cpu_seconds),
        seconds(side.speech_seconds),
        *ratios,
    ]
    return [*cells, megabytes(found.peak_bytes)] if has_memory else cells


def _first_sounds(conditions: Sequence[FirstSounds]) -> str:
    summary = [
        [
            found.condition,
            *(_milliseconds(found.quantile(share)) for share in (0.5, 0.95, 1.0)),
            _milliseconds(max(text.longest_ms for text in found.texts)),
            f"{sum(text.median_ms < FIRST_SOUND_MS for text in found.texts)} of {len(found.texts)}",
        ]
        for found in conditions
    ]
    waits = [{text.label: text for text in found.texts} for found in conditions]
    slowest = [
        [
            text.label,
            f"{text.n_characters:,}",
            *(_milliseconds(of[text.label].median_ms) for of in waits),
            seconds(text.first_chunk_seconds),
        ]
        for text in conditions[0].slowest[:SHOWN_TEXTS]
    ]
    names = [found.condition for found in conditions]
    header = ["", "median", "p95", "slowest text", "slowest of all runs", f"under {FIRST_SOUND_MS} ms"]
    return (
        "## First sound\n\n"
        f"`tts.stream` in a warm process, from the call to the first chunk, hibari; {len(waits[0])} texts of all "
        f"kinds, each counted with the median of its runs.\n\n{table(header, summary)}\n\n"
        "The slowest texts:\n\n"
        f"{table(['text', 'characters', *names, 'first chunk sounds for'], slowest)}"
    )


def _long_texts(texts: Sequence[LongText]) -> str:
    rows = [
        [
            f"{found.n_characters:,}",
            seconds(found.speech_seconds),
            seconds(found.measured.wall_seconds),
            f"{found.real_time_factor:.3f}",
            megabytes(found.measured.peak_bytes),
            f"{found.n_words:,}",
            str(found.n_lost),
            "yes" if found.words_are_the_text else "no",
            str(found.n_backward),
            *_hearing(found.hearing),
        ]
        for found in texts
    ]
    header = ["characters", "speech", "wall", "real-time factor", "peak memory", "words", "without a time"]
    checks = ["words in order are the text", "times that run back", "words a judge heard", "longest run not heard"]
    return (
        "## Long texts\n\n"
        "`audio-ml speak --file CHAPTER --captions json`, whole processes; chapters of made-up plain sentences. The "
        f"judge is Whisper base; its count is to be within {TARGET_SHARE:.0%}.\n\n{table([*header, *checks], rows)}"
    )


def _hearing(hearing: Hearing | str) -> list[str]:
    if isinstance(hearing, str):
        return [hearing, ""]
    return [f"{hearing.n_heard:,} of {hearing.n_words:,} ({hearing.difference:+.2%})", str(hearing.longest_lost)]


def _borders(borders: Sequence[Borders]) -> str:
    rows = [_border(found) for found in borders]
    header = ["model", "text", "borders", "mean", "p95", "worst", f"within {TARGET_MS} ms", "begins", "ends"]
    return (
        "## Times of words\n\n"
        f"Texts of {N_WORDS} words that begin with an s and have no other, as sentences of one word, as a list with "
        "commas, and without any mark. `Speech.words` against the sound, measured on its own: a word begins where the "
        f"power above {TREBLE_HZ} Hz rises to {TREBLE_DB:.0f} dB of the loudest, and ends where that below "
        f"{BASS_HZ} Hz falls to {BASS_DB:.0f} dB. Begins and ends: the median error with its sign, + where the time is "
        "late. Texts in which there are not as many sounds of an s as words are unclear, and not counted.\n\n"
        f"{table([*header, 'unclear texts', 'worst in'], rows)}"
    )


def _border(found: Borders) -> list[str]:
    if not found.begins_ms:
        return [found.model, found.form, "0", *[""] * 6, f"{found.n_unclear} of {found.n_texts}", ""]
    errors = np.abs(found.begins_ms + found.ends_ms)
    return [
        found.model,
        found.form,
        str(errors.size),
        *(_milliseconds(value) for value in (errors.mean(), np.quantile(errors, 0.95), errors.max())),
        f"{np.mean(errors <= TARGET_MS):.1%}",
        *(f"{np.median(ms):+.0f} ms" for ms in (found.begins_ms, found.ends_ms)),
        f"{found.n_unclear} of {found.n_texts}",
        found.worst_text,
    ]


def _controls(controls: Sequence[Control]) -> str:
    asked = [speed for speed, _ in controls[0].speeds]
    speeds = [[found.model, *(f"{got:.2f}" for _, got in found.speeds)] for found in controls]
    sameness = [
        [
            found.model,
            *(
                "yes" if is_so else "no"
                for is_so in (
                    found.same_seed_is_same,
                    found.fresh_loader_is_same,
                    found.other_seed_is_same,
                    found.stream_is_whole,
                    found.file_is_whole,
                )
            ),
        ]
        for found in controls
    ]
    header = ["same samples with", "the same seed", "a fresh loader", "another seed", "a stream, joined", "a file"]
    return (
        "## Control\n\n"
        "Speed asked for and got, without pauses between sentences, whose length is an option of its own:\n\n"
        f"{table(['', *(f'{speed:g}' for speed in asked)], speeds)}\n\n"
        f"{table(header, sameness)}"
    )


def _milliseconds(value: float) -> str:
    return f"{value:.0f} ms"
