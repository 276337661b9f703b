"""How well the voices speak: word errors, DNSMOS, speed, beside recordings of a person. Writes a Markdown table.

    python -m bench.speech_quality --recordings FOLDER

FOLDER holds utterances of LJ Speech (public domain) as FLAC or WAV, and the words of them in its metadata.csv: the same
judges hear those whose words are there, so that their own mistakes show.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from audio_ml.loader import ModelLoader
from audio_ml.progress import Progress
from audio_ml.streams import read_audio
from bench import machine, results
from bench.markdown import table
from tts.evaluation import Sentence, SpeechEvaluation, choose, evaluate, judge, quality_read_on, read_sentences

VOICES = ("hibari/heart", "kokoro/af_heart")
HIGHEST_RATE, ABOVE_RECORDINGS = 0.02, 0.005  # of word errors: the larger of the first and recordings plus the second
LOWEST_QUALITY = 3.3
SHOWN_SENTENCES = 12


@dataclass(frozen=True)
class Findings:
    """What the judges found of each voice, and of the recordings where there were any."""

    voices: tuple[SpeechEvaluation, ...]
    recordings: SpeechEvaluation | None


def main() -> None:
    """Measures, and writes the report."""
    arguments = _arguments()
    head = machine.describe("bench.speech_quality", sys.argv[1:], None)
    loader = ModelLoader(arguments.device)
    recordings = _judge_recordings(arguments.recordings, loader) if arguments.recordings else None
    sentences = choose(read_sentences(), limit=arguments.limit)
    found = tuple(_evaluate(voice, sentences, loader) for voice in arguments.voice or VOICES)
    results.write(arguments.output, _render(head, Findings(found, recordings)), Findings(found, recordings))


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench.speech_quality", description="Word errors and DNSMOS.")
    parser.add_argument("--recordings", type=Path, metavar="DIR", help="utterances of LJ Speech with metadata.csv")
    parser.add_argument("--voice", action="append", metavar="ID", help=f"by default {' and '.join(VOICES)}")
    parser.add_argument("--limit", type=int, metavar="N", help="only so many sentences")
    parser.add_argument("--device", default="cpu", help="auto, cpu or cuda")
    output = results.REPOSITORY / "docs" / "bench-speech-quality.md"
    parser.add_argument("--output", type=Path, default=output, metavar="FILE")
    return parser.parse_args()


def _evaluate(voice: str, sentences: Sequence[Sentence], loader: ModelLoader) -> SpeechEvaluation:
    results.say(f"{voice}, {len(sentences)} sentences")
    return evaluate(voice, sentences, loader=loader, progress=Progress())


def _judge_recordings(folder: Path, loader: ModelLoader) -> SpeechEvaluation:
    files = {path.stem: path for path in sorted(folder.iterdir()) if path.suffix in (".flac", ".wav")}
    lines = (folder / "metadata.csv").read_text(encoding="utf-8").splitlines()
    transcripts = [line.split("|") for line in lines if line.strip()]
    sentences = [Sentence(id, "LJ Speech", text, spoken) for id, text, spoken in transcripts if id in files]
    if not sentences:
        sys.exit(f"{folder} holds none of the utterances that its metadata.csv has the words of.")
    results.say(f"{len(sentences)} recordings")
    sounds = [read_audio(files[sentence.id]) for sentence in sentences]
    verdicts = tuple(judge(sentence, sound, loader) for sentence, sound in zip(sentences, sounds, strict=True))
    return SpeechEvaluation("recordings of a person (LJ Speech)", verdicts, quality_read_on(sounds, loader))


def _render(head: str, findings: Findings) -> str:
    recorded = findings.recordings
    rate = HIGHEST_RATE if recorded is None else max(HIGHEST_RATE, recorded.errors.rate + ABOVE_RECORDINGS)
    targets = ["*target*", "", "", f"*at most {rate:.2%}*", "*none of 3*", f"*{LOWEST_QUALITY}*", "", "", "", "", ""]
    rows = [_row(voice) for voice in findings.voices]
    header = ["", "sentences", "words", "word errors", "longest gap", "DNSMOS", "one by one", "p5"]
    times = ["work for 1 s of speech", "first sound, median", "first sound, longest"]
    first, *_ = findings.voices
    return (
        "# How well the voices speak\n\n"
        f"{head}\n\n"
        "Sentences of `tts/data/sentences.csv`; the judge of words is Whisper base, that of quality DNSMOS (P.835, "
        "overall) of all sentences one behind the other; one by one, a sentence is shorter than the 9 s that DNSMOS "
        "hears, so it hears repetitions. The longest gap is the longest run of words that were not heard; times are of "
        "a warm process.\n\n"
        f"{table([*header, *times], [*rows, *([_row(recorded)] if recorded else []), targets])}\n\n"
        "Word errors by kind of sentence:\n\n"
        f"{table(['', *(voice.voice for voice in findings.voices)], _category_rows(findings.voices, first))}\n\n"
        + "".join(_worst(voice) for voice in findings.voices)
    )


def _row(found: SpeechEvaluation) -> list[str]:
    factor, first = found.real_time_factor, found.first_sound_ms
    times = ["", "", ""] if factor is None or first is None else [f"{factor:.3f} s", *(f"{ms:.0f} ms" for ms in first)]
    return [
        found.voice,
        str(len(found.verdicts)),
        str(found.errors.n_words),
        f"{found.errors.rate:.2%}",
        str(found.errors.longest_deletion),
        f"{found.quality_read_on:.2f}",
        f"{found.quality_mean:.2f}",
        f"{found.quality_p5:.2f}",
        *times,
    ]


def _category_rows(voices: Sequence[SpeechEvaluation], first: SpeechEvaluation) -> list[list[str]]:
    return [[name, *(f"{voice.by_category[name].errors.rate:.1%}" for voice in voices)] for name in first.by_category]


def _worst(found: SpeechEvaluation) -> str:
    rows = [
        [verdict.sentence.text, verdict.heard, str(verdict.errors.total)] for verdict in found.worst[:SHOWN_SENTENCES]
    ]
    if not rows:
        return f"{found.voice}: every word of every sentence was heard.\n\n"
    return f"{found.voice}, the sentences with most errors:\n\n{table(['written', 'heard', 'errors'], rows)}\n\n"


if __name__ == "__main__":
    main()
