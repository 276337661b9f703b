"""Recordings looked at before a voice is made of them: every check with how it went, those that are passed, too."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

import numpy as np

from audio_ml.audio import Audio
from audio_ml.errors import InvalidInput
from audio_ml.loader import ModelLoader
from audio_ml.progress import Progress
from voiceclone.band_levels import SAMPLE_RATE
from voiceclone.findings import LANGUAGES, SURE_OF_LANGUAGE, Finding
from voiceclone.recordings import Heard, Passage, Recording, listen
from voiceclone.reference import (
    ENOUGH_SECONDS,
    USED_SECONDS,
    LanguageOf,
    choose,
    ge2e,
    join,
    judge,
    measure,
    notes_of,
    nothing_said,
)
from voiceclone.speakers import Drift, Embed, measure_drift

Outcome = Literal["pass", "warn", "fail", "unknown"]
OUTCOMES: Mapping[str, Outcome] = {"refuse": "fail", "warning": "warn", "note": "pass"}
TITLES = {
    "length": "Length of speech",
    "level": "Level",
    "noise": "Noise",
    "clipping": "Clipping",
    "bandwidth": "Bandwidth",
    "speakers": "One speaker",
    "language": "Language",
}


@dataclass(frozen=True)
class Check:
    """One check by its `kind` and `title`; `value` in `unit` is what was measured, None where nothing could be."""

    kind: str
    title: str
    outcome: Outcome
    value: float | None
    unit: str
    message: str


@dataclass(frozen=True)
class Checked:
    """What became of all checks; `notes` says what is not used of the recordings, and why."""

    checks: tuple[Check, ...]
    notes: tuple[str, ...]
    speech_seconds: float

    @property
    def is_fit(self) -> bool:
        """Whether a voice can be made of them."""
        return all(check.outcome != "fail" for check in self.checks)

    def as_dict(self) -> dict[str, Any]:
        """Returns it as JSON has it."""
        return {
            "is_fit": self.is_fit,
            "speech_seconds": self.speech_seconds,
            "checks": [asdict(check) for check in self.checks],
            "notes": list(self.notes),
        }


def check_references(
    recordings: Sequence[Recording],
    *,
    seconds: float = USED_SECONDS,
    embed: Embed | None = None,
    language_of: LanguageOf | None = None,
    loader: ModelLoader,
    progress: Progress,
) -> Checked:
    """Looks at recordings as `voiceclone.reference.prepare` does, but goes on behind what that refuses.

    Raises:
        InvalidInput: when there is none.
        UnreadableAudio: when a file cannot be read.
        WeightsError: when a network cannot be had.
    """
    if not recordings:
        raise InvalidInput("There is no reference: give one recording of the voice, or several.")
    sources = listen(recordings, ENOUGH_SECONDS, loader, progress)
    found = [passage for source in sources for passage in source.passages]
    total = sum(passage.speech_seconds for passage in found)
    if not found:
        return Checked(tuple(_unheard(nothing_said(sources))), (), 0.0)
    notes = tuple(note.message for note in notes_of(sources, total, seconds))
    chosen = choose(found, seconds)
    speech = join(chosen)
    progress.update("telling voices apart", 0.0)
    drift = measure_drift(speech, SAMPLE_RATE, embed or ge2e(loader, progress))
    progress.update("telling languages apart", 0.5)
    language = language_of(Audio(speech[None], SAMPLE_RATE)) if language_of else None
    return Checked(tuple(_checks(total, speech, sources, chosen, drift, language)), notes, total)


def _checks(
    total: float,
    speech: np.ndarray[Any, np.dtype[np.float32]],
    sources: Sequence[Heard],
    chosen: Sequence[Passage],
    drift: Drift | None,
    language: tuple[str, float] | None,
) -> Iterator[Check]:
    """Yields the checks, in the order in which they are shown; `chosen` are the passages that `speech` joins."""
    measured = measure(chosen, speech, sources)
    judged = judge(total, measured, chosen, chosen, drift, language, can_be_cleaned=False)
    told: dict[str, tuple[float | None, str, str]] = {
        "length": (total, "s", f"There are {total:.0f} s of speech."),
        "level": (measured["level_db"], "dBFS", f"The speech is at {measured['level_db']:.0f} dBFS: loud enough."),
        "noise": (measured["snr_db"], "dB", f"What else is heard lies {measured['snr_db']:.0f} dB below the speech."),
        "clipping": (measured["clipped"], "share", "Nothing that could be heard is cut off at full scale."),
        "bandwidth": (
            measured["bandwidth_hz"],
            "Hz",
            f"The speech reaches up to {measured['bandwidth_hz'] / 1000:.1f} kHz.",
        ),
        "speakers": _of_drift(drift),
        "language": _of_language(language),
    }
    for kind, title in TITLES.items():
        finding, (value, unit, message) = judged[kind], told[kind]
        if finding is not None:
            yield Check(kind, title, OUTCOMES[finding.severity], finding.value, finding.unit, finding.message)
        else:
            yield Check(kind, title, "unknown" if value is None else "pass", value, unit, message)


def _of_drift(drift: Drift | None) -> tuple[float | None, str, str]:
    if drift is None:
        return None, "cosine", "There is too little speech to tell whether one person speaks."
    return drift.likeness, "cosine", "One person speaks, as far as can be heard."


def _of_language(language: tuple[str, float] | None) -> tuple[float | None, str, str]:
    if language is None:
        return None, "probability", "Not checked: pip install 'audio-ml[judges]' on this machine tells languages apart."
    code, probability = language
    if probability < SURE_OF_LANGUAGE:
        return None, "probability", "It cannot be told for sure which language this is; voices speak English here."
    return probability, "probability", f"The speech is in {'English' if code == 'en' else LANGUAGES.get(code, code)}."


def _unheard(finding: Finding) -> Iterator[Check]:
    """Yields the checks of recordings in which nobody speaks: the first one says so, the others cannot be made."""
    for kind, title in TITLES.items():
        if kind == finding.kind:
            yield Check(kind, title, "fail", finding.value, finding.unit, finding.message)
        else:
            yield Check(kind, title, "unknown", None, "", "Not checked, for there is no speech.")
