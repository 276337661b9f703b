"""How good conversion is: recordings of people in the voices of the others, heard by judges that had no part in it.

    python -m bench.convert FOLDER [--each N] [--choosing NAME ...]

FOLDER holds a folder of recordings for each person. Of everybody, the first recordings of ten seconds make the voice,
every second of the others is what the judges know them by, and from the rest `--each` recordings are converted to
all other voices. Settings were chosen on the people named by `--choosing`; results are told without them, too.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from statistics import fmean

import tts
import voiceclone
from audio_ml.audio import Audio
from audio_ml.cloned_voice import ClonedVoice, Consent
from audio_ml.loader import ModelLoader
from audio_ml.voice_file import encode, read_voice_file
from bench import machine, results
from bench.markdown import table
from voiceclone.evaluation.conversions import Conversion, ConversionEvaluation, evaluate_conversions
from voiceclone.evaluation.judged import JUDGES
from voiceclone.evaluation.subjects import Subject, read_subjects

SUFFIX = ".voice.safetensors"
CONSENT = Consent("a reader of LibriSpeech", "2015-04-19", "published under CC BY 4.0 for speech research")


def main() -> None:
    """Measures, and writes the report."""
    parser = argparse.ArgumentParser(prog="python -m bench.convert", description="Conversion of real speech.")
    parser.add_argument("folder", type=Path, metavar="FOLDER")
    parser.add_argument("--each", type=int, default=1, metavar="N", help="recordings of everybody that are converted")
    parser.add_argument("--choosing", nargs="*", default=["1688", "2033"], metavar="NAME")
    parser.add_argument("--steps", type=int, default=None, metavar="N", help="of fitting a voice")
    parser.add_argument("--voices", type=Path, metavar="FOLDER", help="where the voices are kept, and taken from")
    parser.add_argument("--output", type=Path, default=results.REPOSITORY / "docs" / "bench-convert.md", metavar="FILE")
    given = parser.parse_args()
    head = machine.describe("bench.convert", sys.argv[1:], None)
    loader = ModelLoader("cpu")
    options = {} if given.steps is None else {"steps": given.steps}

    def enroll(subject: Subject) -> ClonedVoice:
        kept = given.voices / f"{subject.name}{SUFFIX}" if given.voices else None
        if kept is not None and kept.exists():
            return read_voice_file(kept)
        results.say(f"making the voice of {subject.name}")
        voice = voiceclone.enroll(
            list(subject.reference), f"reader-{subject.name}", CONSENT, options=options, loader=loader
        )
        if kept is not None:
            kept.parent.mkdir(parents=True, exist_ok=True)
            kept.write_bytes(encode(voice))
        return voice

    def convert(audio: Audio, voice: ClonedVoice) -> Audio:
        results.say(f"converting {audio.duration_seconds:.1f} s to {voice.name}")
        return voiceclone.convert(audio, voice, speller=tts.spell, loader=loader)

    found = evaluate_conversions(
        read_subjects(given.folder), enroll=enroll, convert=convert, each=given.each, loader=loader
    )
    results.write(given.output, _render(head, found, given.choosing), found)


def _render(head: str, found: ConversionEvaluation, choosing: Sequence[str]) -> str:
    fresh = ConversionEvaluation(
        tuple(pair for pair in found.conversions if not {pair.source, pair.target} & set(choosing))
    )
    parts = {"all": found, f"without {' and '.join(choosing)}": fresh} if choosing else {"all": found}
    parts = {name: part for name, part in parts.items() if part.conversions}
    similarity = [f"{judge}, to the {whom}" for judge in JUDGES for whom in ("target", "source")]
    summary = table(
        ["speakers", "pairs", *similarity, "nearer the target", "word errors", "melody", "DNSMOS", "length kept"],
        [_row(name, part) for name, part in parts.items()],
    )
    pairs = table(
        ["from", "to", *similarity, "word errors", "melody"],
        [_pair(pair) for pair in found.conversions],
    )
    return "\n\n".join(
        [
            "# Conversion of real speech",
            head,
            __doc__.split("\n\n", 2)[2].strip(),
            "Similarities are cosines of embeddings, mean ± standard deviation; word errors are against what the judge "
            "hears in the recording itself; melody is the correlation of log pitch where both are voiced, by pYIN. "
            f"The whole took {found.real_time_factor:.2f} s for a second of speech, the mark included.",
            summary,
            pairs,
        ]
    )


def _row(name: str, part: ConversionEvaluation) -> list[str]:
    spreads = [spread for judge in JUDGES for spread in (part.to_target(judge), part.to_source(judge))]
    nearer = sum(pair.is_nearer_target for pair in part.conversions)
    kept = sum(pair.length_kept for pair in part.conversions)
    n_pairs = len(part.conversions)
    melodies = [pair.melody for pair in part.conversions if pair.melody is not None]
    return [
        name,
        str(n_pairs),
        *map(str, spreads),
        f"{nearer} of {n_pairs}",
        f"{100 * part.errors.rate:.1f} %",
        f"{fmean(melodies):.3f} (least {min(melodies):.3f})" if melodies else "",
        f"{part.quality.mean:.2f} (recordings {part.quality_before.mean:.2f})",
        f"{kept} of {n_pairs}",
    ]


def _pair(pair: Conversion) -> list[str]:
    similarity = [f"{scores[judge]:.2f}" for judge in JUDGES for scores in (pair.to_target, pair.to_source)]
    errors = f"{pair.errors.total} of {pair.errors.n_words}"
    return [pair.source, pair.target, *similarity, errors, "" if pair.melody is None else f"{pair.melody:.3f}"]


if __name__ == "__main__":
    main()
