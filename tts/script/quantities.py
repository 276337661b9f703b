"""Times, rates and volumes as scripts write them, in plain markup and in SSML."""

from __future__ import annotations

import math
import re

from audio_ml.errors import InvalidInput
from tts.script.items import Style

LONGEST_PAUSE_SECONDS = 600.0
SLOWEST, FASTEST = 0.5, 2.0  # as the option `speed`
LOUDEST_DB = 12.0  # as the option `volume`
RATE_STEP = 1.25
VOLUME_STEP_DB = 6.0

RATES = {
    name: RATE_STEP**step
    for name, step in {"x-slow": -2, "slow": -1, "medium": 0, "default": 0, "fast": 1, "x-fast": 2}.items()
}
VOLUMES_DB = {"silent": -math.inf} | {
    name: VOLUME_STEP_DB * step
    for name, step in {"x-soft": -2, "soft": -1, "medium": 0, "default": 0, "loud": 1, "x-loud": 2}.items()
}

_NUMBER = r"(?:[0-9]{1,9}(?:\.[0-9]*)?|\.[0-9]+)"
_TIME = re.compile(rf"\+?({_NUMBER})\s*(ms|s|)")
_RATE = re.compile(rf"([+-]?)({_NUMBER})(%?)")
_VOLUME = re.compile(rf"([+-]?{_NUMBER})\s*dB", re.IGNORECASE)
_AMPLITUDE = re.compile(_NUMBER)


def read_seconds(text: str) -> float:
    """Returns the seconds of a time such as "1.5s", "300ms" or "2".

    Raises:
        InvalidInput: for anything else, and beyond `LONGEST_PAUSE_SECONDS`.

    >>> read_seconds("300ms")
    0.3
    """
    match = _TIME.fullmatch(text.strip().lower())
    if match is None:
        raise InvalidInput(f"'{text:.40}' is no length of a pause; write 1.5s or 300ms.")
    seconds = float(match[1]) / (1000 if match[2] == "ms" else 1)
    if seconds > LONGEST_PAUSE_SECONDS:
        raise InvalidInput(f"A pause of {text:.40} is too long; {LONGEST_PAUSE_SECONDS:.0f}s is the longest.")
    return seconds


def read_rate(text: str) -> float:
    """Returns the factor of a rate: "1.2", "120%", "+20%", "-10%", or "x-slow" to "x-fast" (steps of a quarter).

    Raises:
        InvalidInput: for anything else.

    >>> read_rate("120%"), read_rate("-10%"), read_rate("fast")
    (1.2, 0.9, 1.25)
    """
    name = text.strip().lower()
    if name in RATES:
        return RATES[name]
    match = _RATE.fullmatch(name)
    is_relative = match is not None and match[1] != ""
    if match is None or (is_relative and not match[3]):
        raise InvalidInput(f"'{text:.40}' is no rate; write 1.2, 120%, +20%, or one of {', '.join(RATES)}.")
    factor = float(match[2]) / (100 if match[3] else 1)
    if is_relative:
        factor = 1 + factor if match[1] == "+" else 1 - factor
    return round(factor, 9)


def read_volume_db(text: str) -> float:
    """Returns the gain of a volume: "-6dB", "x-soft" to "x-loud" (steps of 6 dB), "silent", or 0 to 100 (amplitude).

    The numbers are those of SSML 1.0 (section 3.2.4): linear, and 100 is the voice's own level.

    Raises:
        InvalidInput: for anything else.

    >>> read_volume_db("+6dB"), read_volume_db("soft"), round(read_volume_db("50"), 2)
    (6.0, -6.0, -6.02)
    """
    name = text.strip().lower()
    if name in VOLUMES_DB:
        return VOLUMES_DB[name]
    if match := _VOLUME.fullmatch(name):
        return float(match[1])
    amplitude = float(name) if _AMPLITUDE.fullmatch(name) else math.inf
    if amplitude > 100:
        raise InvalidInput(f"'{text:.40}' is no volume; write -6dB, 0 to 100, or one of {', '.join(VOLUMES_DB)}.")
    return 20 * math.log10(amplitude / 100) if amplitude else -math.inf


def check_style(style: Style) -> Style:
    """Returns a style that can be spoken.

    Raises:
        InvalidInput: when rates together are beyond 0.5 to 2, or volumes together above +12 dB.
    """
    if not SLOWEST <= style.speed <= FASTEST:
        raise InvalidInput(f"A rate of {style.speed:.4g} in all is out of range; {SLOWEST} to {FASTEST} can be spoken.")
    if style.volume_db > LOUDEST_DB:
        raise InvalidInput(
            f"A volume of {style.volume_db:+.4g} dB in all is too loud; +{LOUDEST_DB:.0f} dB is the most."
        )
    return style
