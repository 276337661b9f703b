"""What is to be said about a reference: what was measured, what that means, and what to do.

Each limit says what was measured to choose it, on LJ Speech, VCTK p287 and LibriSpeech 1688 and 2033: how alike
(cosine of GE2E) damaged speech is to other recordings of the same person. Undamaged speech reads .95 to .97 there,
other people .50 to .64; refused is what falls towards the middle between them, warned of is what falls by about .03.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Literal

Severity = Literal["refuse", "warning", "note"]

# Length: 1 s .76 to .80, 2 s .83 to .89, 3 s .86 to .92, 5 s .91 to .95, 8 s .94 to .97.
LEAST_SECONDS, GOOD_SECONDS = 3.0, 8.0
# Pink noise at 25 dB .94 to .97, 20 dB .89 to .95, 15 dB .81 to .88, 10 dB .75 to .81, 5 dB .68 to .75. Clean speech
# measures 28.5 dB and more, four songs with singing 15.0 and less.
LEAST_SNR_DB, GOOD_SNR_DB = 10.0, 22.0
# Clipped samples: 1 % .95 to .97, 3 % .94 to .96, 10 % .90 to .93, 20 % .83 to .89; heard from less than 1 % on.
MOST_CLIPPED, HEARD_CLIPPED = 0.15, 0.003
# Low-passed at 6 kHz .93 to .97, 5 kHz .91 to .95, 4 kHz .85 to .93, 3 kHz .79 to .93, 2 kHz .72 to .83.
LEAST_BANDWIDTH_HZ, GOOD_BANDWIDTH_HZ = 2200.0, 6500.0
TELEPHONE_HZ = 4200.0
# The voice activity finds speech unchanged down to -60 dBFS RMS; at 16 bits a quiet recording is mostly rounding.
QUIET_DB = -50.0
SILENT_PEAK = 10 ** (-60 / 20)
# The probability of a language by Whisper base: at most 0.72 for another one in 48 recordings of English speech and
# song, noisy ones among them; 0.98 and more for Spanish, French, Italian and Portuguese of synthetic voices.
SURE_OF_LANGUAGE = 0.85
LANGUAGES = {
    "ar": "Arabic",
    "de": "German",
    "es": "Spanish",
    "fr": "French",
    "hi": "Hindi",
    "it": "Italian",
    "ja": "Japanese",
    "ko": "Korean",
    "nl": "Dutch",
    "pl": "Polish",
    "pt": "Portuguese",
    "ru": "Russian",
    "tr": "Turkish",
    "zh": "Chinese",
}


@dataclass(frozen=True)
class Finding:
    """One thing about a reference: `kind` names it, `value` in `unit` is what was measured."""

    kind: str
    severity: Severity
    value: float
    unit: str
    message: str

    def as_dict(self) -> dict[str, Any]:
        """Returns it as JSON has it."""
        return asdict(self)


def of_length(seconds: float) -> Finding | None:
    """Returns what is to be said of so many seconds of speech."""
    if seconds < LEAST_SECONDS:
        message = (
            f"There are {seconds:.1f} s of speech in the reference: {LEAST_SECONDS:.0f} s are the least, "
            "and 10 s or more make a better voice."
        )
        return Finding("length", "refuse", seconds, "s", message)
    if seconds < GOOD_SECONDS:
        message = f"There are only {seconds:.1f} s of speech in the reference: with 10 s or more it will be more alike."
        return Finding("length", "warning", seconds, "s", message)
    return None


def of_noise(snr_db: float, can_be_cleaned: bool) -> Finding | None:
    """Returns what is to be said of speech so far above what else is heard."""
    advice = "clean it up, or record it in a quieter place" if can_be_cleaned else "use a cleaner recording"
    if snr_db < LEAST_SNR_DB:
        message = f"The speech lies only {max(snr_db, 0):.0f} dB above noise or music in the reference: {advice}."
        return Finding("noise", "refuse", snr_db, "dB", message)
    if snr_db < GOOD_SNR_DB:
        message = f"Noise or music lies {snr_db:.0f} dB below the speech, and part of it will stay: better {advice}."
        return Finding("noise", "warning", snr_db, "dB", message)
    return None


def of_clipping(share: float) -> Finding | None:
    """Returns what is to be said when this share of the speech's samples is cut off."""
    if share > MOST_CLIPPED:
        message = f"{share:.0%} of the speech is cut off at full scale: record it again at a lower level."
        return Finding("clipping", "refuse", share, "share", message)
    if share > HEARD_CLIPPED:
        message = (
            f"{share:.1%} of the speech is cut off at full scale, which may be heard in the voice: "
            "better record it at a lower level."
        )
        return Finding("clipping", "warning", share, "share", message)
    return None


def of_bandwidth(bandwidth_hz: float) -> Finding | None:
    """Returns what is to be said of speech that reaches no higher than this."""
    khz = f"{bandwidth_hz / 1000:.1f} kHz"
    if bandwidth_hz < LEAST_BANDWIDTH_HZ:
        message = f"The speech holds nothing above {khz}, too little to know a voice by: use a fuller recording."
        return Finding("bandwidth", "refuse", bandwidth_hz, "Hz", message)
    if bandwidth_hz < GOOD_BANDWIDTH_HZ:
        like = " like a telephone" if bandwidth_hz < TELEPHONE_HZ else ""
        message = (
            f"The speech holds nothing above {khz}{like}, so the voice will be less alike: "
            "better use a fuller recording."
        )
        return Finding("bandwidth", "warning", bandwidth_hz, "Hz", message)
    return None


def of_level(level_db: float) -> Finding | None:
    """Returns what is to be said of speech of this level, RMS in dBFS."""
    if level_db >= QUIET_DB:
        return None
    message = f"The speech is very quiet, at {level_db:.0f} dBFS: it was raised, and its noise with it."
    return Finding("level", "warning", level_db, "dBFS", message)


def of_language(code: str, probability: float) -> Finding | None:
    """Returns what is to be said of speech in a language, such as "es", that it is in with this probability."""
    if code == "en" or probability < SURE_OF_LANGUAGE:
        return None
    message = (
        f"The speech seems to be {LANGUAGES.get(code, f'in another language ({code})')}: the voice will speak English, "
        "and be less alike than with a reference in English."
    )
    return Finding("language", "warning", probability, "probability", message)


def of_cleaning(before_db: float, after_db: float) -> Finding:
    """Returns what is to be said of a reference that was cleaned up, by its distance from the noise."""
    message = (
        f"The reference was cleaned up: its speech lay {max(before_db, 0):.0f} dB above noise or music, "
        f"now {after_db:.0f} dB."
    )
    if before_db < LEAST_SNR_DB:
        message = f"{message} From so much of it a voice suffers all the same: better use a cleaner recording."
    return Finding("cleaned", "warning" if before_db < LEAST_SNR_DB else "note", after_db, "dB", message)
