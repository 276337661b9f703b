"""A reference: recordings of somebody's speech, checked before anything else, and brought into the form a voice is made
of: mono, 24 kHz, the best of the speech, without long pauses, at one level."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from audio_ml import loader as loaders
from audio_ml.audio import Audio, Samples
from audio_ml.errors import InvalidInput, ReferenceTooShort, ReferenceUnfit
from audio_ml.judges import heard
from audio_ml.loader import ModelLoader
from audio_ml.loudness import LoudnessMeter
from audio_ml.progress import Progress
from voiceclone import band_levels, findings
from voiceclone.band_levels import SAMPLE_RATE
from voiceclone.clipping import crowded_share
from voiceclone.engines.speaker_encoders import GE2E
from voiceclone.findings import Finding
from voiceclone.recordings import Heard, Passage, Recording, listen
from voiceclone.speakers import Drift, Embed, Embeddings, measure_drift

USED_SECONDS = 30.0
ENOUGH_SECONDS = 300.0  # of speech, to choose the best of
LEVEL_LUFS = -23.0
HIGHEST_PEAK = 0.95
FADE = SAMPLE_RATE // 100
GOOD_ENOUGH_DB = 40.0  # a passage is not preferred for being cleaner than that

Denoiser = Callable[[Audio, Progress], Audio]
LanguageOf = Callable[[Audio], tuple[str, float]]  # a language such as "en", and its probability


@dataclass(frozen=True, eq=False)
class Reference:
    """Speech of one person that is fit to make a voice of.

    `audio` is mono at 24 kHz and at -23 LUFS; `sources` are the recordings it comes from, whose lowest rate is
    `sample_rate` and whose speech had `loudness_lufs`. `findings` holds warnings and notes, `measured` what they go by.
    """

    audio: Audio
    findings: tuple[Finding, ...]
    speech_seconds: float
    found_seconds: float
    sample_rate: int
    loudness_lufs: float
    sources: tuple[str, ...]
    measured: Mapping[str, float]

    def as_dict(self) -> dict[str, Any]:
        """Returns all but the sound, as JSON has it."""
        fields = {field.name: getattr(self, field.name) for field in dataclasses.fields(self) if field.name != "audio"}
        return {
            **fields,
            "findings": [finding.as_dict() for finding in self.findings],
            "sources": list(self.sources),
            "measured": dict(self.measured),
        }


def prepare(
    references: Recording | Sequence[Recording],
    *,
    seconds: float = USED_SECONDS,
    denoiser: Denoiser | None = None,
    embed: Embed | None = None,
    language_of: LanguageOf | None = None,
    loader: ModelLoader | None = None,
    progress: Progress | None = None,
) -> Reference:
    """Checks one or many recordings of a person and returns the best `seconds` of their speech.

    A `denoiser` cleans that speech up before it is judged. `embed` tells voices apart, with GE2E if none is given.
    `language_of` tells languages apart, such as `audio_ml.judges.whisper.spoken_language`: by default, nothing does.

    Raises:
        UnreadableAudio: when a file cannot be read.
        ReferenceTooShort: when there is too little speech, or none.
        ReferenceUnfit: when it is noisy, clipped or muffled beyond use, or of more than one person.
        WeightsError: when a network cannot be had.
    """
    recordings = [references] if isinstance(references, (Audio, str, os.PathLike)) else list(references)
    if not recordings:
        raise InvalidInput("There is no reference: give one recording of the voice, or several.")
    loader, progress = loader or loaders.default(), progress or Progress()
    sources = listen(recordings, ENOUGH_SECONDS, loader, progress)
    found = [passage for source in sources for passage in source.passages]
    total = sum(passage.speech_seconds for passage in found)
    _refuse(findings.of_length(total) if found else nothing_said(sources))
    notes = notes_of(sources, total, seconds)
    first = chosen = choose(found, seconds)
    speech = join(chosen)
    loudness = _loudness(speech)
    if denoiser is not None:
        chosen, speech = _cleaned(speech, denoiser, loader, progress)
        notes.append(findings.of_cleaning(_snr_db(first), _snr_db(chosen)))
    measured = measure(first, speech, sources) | {"snr_db": _snr_db(chosen)}
    drift = measure_drift(speech, SAMPLE_RATE, embed or ge2e(loader, progress))
    language = language_of(Audio(speech[None], SAMPLE_RATE)) if language_of else None
    judged = judge(total, measured, first, chosen, drift, language, can_be_cleaned=denoiser is None)
    for finding in judged.values():
        _refuse(finding)
        notes += [finding] if finding else []
    return Reference(
        audio=Audio(normalise(speech)[None], SAMPLE_RATE),
        findings=tuple(sorted(notes, key=lambda finding: finding.severity != "warning")),
        speech_seconds=sum(passage.speech_seconds for passage in chosen),
        found_seconds=total,
        sample_rate=min(source.sample_rate for source in sources if source.passages),
        loudness_lufs=loudness,
        sources=tuple(source.source for source in sources if source.passages),
        measured=measured | ({"likeness_within": drift.likeness} if drift else {}),
    )


def judge(
    total_seconds: float,
    measured: Mapping[str, float],
    first: Sequence[Passage],
    chosen: Sequence[Passage],
    drift: Drift | None,
    language: tuple[str, float] | None,
    *,
    can_be_cleaned: bool,
) -> dict[str, Finding | None]:
    """Returns by kind what is to be said of speech, None where all is well or nothing was measured.

    `first` are its passages as they were recorded, `chosen` as they were measured: the same, unless cleaned up.
    """
    return {
        "length": findings.of_length(total_seconds),
        "noise": findings.of_noise(measured["snr_db"], can_be_cleaned),
        "clipping": findings.of_clipping(measured["clipped"]),
        "bandwidth": findings.of_bandwidth(measured["bandwidth_hz"]),
        "level": findings.of_level(min(passage.level_db for passage in first)),
        "language": findings.of_language(*language) if language else None,
        "speakers": _of_speakers(drift, first, chosen),
    }


def choose(passages: Sequence[Passage], seconds: float) -> list[Passage]:
    """Returns the best passages, `seconds` of speech at the most unless the first alone is longer, in their order."""

    def quality(passage: Passage) -> float:
        return min(passage.snr_db, GOOD_ENOUGH_DB) - 200 * passage.clipped + min(passage.speech_seconds, 3.0)

    best = sorted(range(len(passages)), key=lambda index: -quality(passages[index]))
    chosen: list[int] = []
    missing = seconds
    for index in best:
        if not chosen or passages[index].speech_seconds <= missing:
            chosen.append(index)
            missing -= passages[index].speech_seconds
    return [passages[index] for index in sorted(chosen)]


def join(passages: Sequence[Passage]) -> Samples:
    """Returns passages one after the other [time], each source at the mean level of all of them."""
    levels = {
        source: float(np.mean([passage.level_db for passage in passages if passage.source == source]))
        for source in {passage.source for passage in passages}
    }
    mean = float(np.mean(list(levels.values())))
    ramp = np.linspace(0, 1, FADE, dtype=np.float32)
    parts = []
    for passage in passages:
        part = passage.samples * np.float32(10 ** ((mean - levels[passage.source]) / 20))
        part[:FADE] *= ramp
        part[-FADE:] *= ramp[::-1]
        parts.append(part)
    return np.concatenate(parts)


def normalise(speech: Samples) -> Samples:
    """Returns speech [time] at -23 LUFS, or lower where its peaks ask for that."""
    gain_db = LEVEL_LUFS - _loudness(speech)
    limit_db = float(20 * np.log10(HIGHEST_PEAK / max(float(np.abs(speech).max()), 1e-9)))
    return speech * np.float32(10 ** (min(gain_db, limit_db) / 20))


def _loudness(speech: Samples) -> float:
    """Returns the integrated loudness of speech [time] in LUFS, however faint it is: no gate shuts it out."""
    peak = max(float(np.abs(speech).max()), 1e-9)
    meter = LoudnessMeter(SAMPLE_RATE, 1)
    meter.add(speech[None] / np.float32(peak))
    measured = meter.result().integrated_lufs
    assert measured is not None, "speech that reaches full scale is above the gate"
    return measured + float(20 * np.log10(peak))


def _snr_db(passages: Sequence[Passage]) -> float:
    weights = [passage.speech_seconds for passage in passages]
    return float(np.average([passage.snr_db for passage in passages], weights=weights))


def measure(chosen: Sequence[Passage], speech: Samples, sources: Sequence[Heard]) -> dict[str, float]:
    """Returns what the findings go by: of passages as they were recorded, and of their speech, cleaned up or not."""
    weights = [passage.speech_seconds for passage in chosen]
    flat = float(np.average([passage.clipped for passage in chosen], weights=weights))
    reach = [
        (source.speech_seconds, band_levels.bandwidth_hz(source.spectrum)) for source in sources if source.passages
    ]
    return {
        "snr_db": _snr_db(chosen),
        "clipped": max(flat, crowded_share(speech)),
        "bandwidth_hz": min(hz for _, hz in reach),
        "level_db": float(np.average([passage.level_db for passage in chosen], weights=weights)),
    }


def _cleaned(
    speech: Samples, denoiser: Denoiser, loader: ModelLoader, progress: Progress
) -> tuple[list[Passage], Samples]:
    cleaned = denoiser(Audio(speech[None], SAMPLE_RATE), progress)
    (source,) = listen([cleaned], ENOUGH_SECONDS, loader, progress)
    if source.speech_seconds < findings.LEAST_SECONDS:
        message = "Cleaning the reference up left too little of its speech: use a cleaner recording."
        raise ReferenceUnfit(message)
    return list(source.passages), join(source.passages)


def ge2e(loader: ModelLoader, progress: Progress) -> Embed:
    """Returns what hears in sounds who speaks."""

    def embed(sounds: Sequence[Audio]) -> Embeddings:
        with loader.use(GE2E, progress) as engine:
            return np.stack([engine.embedding(heard(sound, GE2E.sample_rate)) for sound in sounds])

    return embed


def _refuse(finding: Finding | None) -> None:
    if finding is not None and finding.severity == "refuse":
        raise (ReferenceTooShort if finding.kind == "length" else ReferenceUnfit)(finding.message)


def nothing_said(sources: Sequence[Heard]) -> Finding:
    """Returns what is to be said of recordings in which no speech was found."""
    peak = max(source.peak for source in sources)
    names = " and ".join(source.source for source in sources)
    if peak <= findings.SILENT_PEAK:
        message = f"{names} is silent: give a recording in which the person speaks."
    else:
        message = f"Nobody speaks in {names}, as far as can be heard: music and noise cannot become a voice."
    return Finding("length", "refuse", 0.0, "s", message)


def notes_of(sources: Sequence[Heard], total: float, seconds: float) -> list[Finding]:
    """Returns what is to be said of what is not used, and of files that are not quite right."""
    cut = [source for source in sources if not source.whole]
    found = [
        Finding(
            "part",
            "note",
            source.seconds_heard,
            "s",
            f"The first {_minutes(source.seconds_heard)} of {source.source} hold enough speech; the rest is not used.",
        )
        for source in cut
    ]
    if total > seconds:
        message = f"{_minutes(total)} of speech were found; the cleanest {seconds:.0f} s of it are used."
        found.append(Finding("best", "note", total, "s", message))
    silent = [source for source in sources if not source.passages]
    found += [
        Finding("empty", "warning", 0.0, "s", f"Nobody speaks in {source.source}: it is not used.") for source in silent
    ]
    return found + [Finding("file", "warning", 0.0, "", warning) for source in sources for warning in source.warnings]


def _minutes(seconds: float) -> str:
    return f"{seconds:.0f} s" if seconds < 100 else f"{seconds // 60:.0f} min {seconds % 60:.0f} s"


def _of_speakers(drift: Drift | None, first: Sequence[Passage], chosen: Sequence[Passage]) -> Finding | None:
    """Returns what is to be said of how far a voice drifts along passages: `first` as they were recorded, `chosen` as
    they were measured."""
    in_noise = _snr_db(first) < findings.GOOD_SNR_DB
    if drift is None or not (drift.is_doubtful or drift.tells_of_two(in_noise)):
        return None
    passage, seconds = _passage_at(drift.change_seconds, chosen)
    if chosen is not first:  # cut out of what was joined before it was cleaned up
        passage, seconds = _passage_at(seconds, first)
    place = f"{seconds:.1f} s of {passage.source}"
    if drift.tells_of_two(in_noise):
        message = (
            f"More than one person speaks in the reference, the second from about {place} on: give speech of one alone."
        )
        return Finding("speakers", "refuse", drift.likeness, "cosine", message)
    message = f"The voice changes at about {place}: if that is somebody else, cut it out."
    return Finding("speakers", "warning", drift.likeness, "cosine", message)


def _passage_at(seconds: float, passages: Sequence[Passage]) -> tuple[Passage, float]:
    """Returns which passage of joined ones a moment belongs to, and when that is in its own recording."""
    for passage in passages:
        length = passage.samples.size / SAMPLE_RATE
        if seconds < length or passage is passages[-1]:
            break
        seconds -= length
    return passage, passage.start_seconds + seconds
