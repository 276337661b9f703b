"""Where the resonances of a man's mouth lie for each phoneme of English, as formant synthesisers are told by tables.

Vowels: the means of 33 men in Peterson and Barney 1952, "Control methods used in a study of the vowels" (J. Acoust.
Soc. Am. 24). Consonants: after the tables of Klatt 1980, "Software for a cascade/parallel formant synthesizer"
(J. Acoust. Soc. Am. 67), rounded. Symbols are misaki's (`tts.phonemes.alphabet`).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Formants = tuple[float, float, float]  # F1, F2, F3 in Hz
Manner = Literal["vowel", "glide", "nasal", "fricative", "stop", "aspirate", "pause"]

MEN: dict[str, Formants] = {  # Peterson and Barney 1952, table II
    "i": (270, 2290, 3010),
    "ɪ": (390, 1990, 2550),
    "ɛ": (530, 1840, 2480),
    "æ": (660, 1720, 2410),
    "ɑ": (730, 1090, 2440),
    "ɔ": (570, 840, 2410),
    "ʊ": (440, 1020, 2240),
    "u": (300, 870, 2240),
    "ʌ": (640, 1190, 2390),
    "ɜ": (490, 1350, 1690),
}


@dataclass(frozen=True)
class Noise:
    """A hiss: resonances of noise, each (centre in Hz, bandwidth in Hz, gain)."""

    peaks: tuple[tuple[float, float, float], ...]


@dataclass(frozen=True)
class Target:
    """What a phoneme asks of mouth and voice; a second `end` makes a diphthong.

    `seconds` is how long it lasts where it bears no stress, `voicing` and `hiss` are amplitudes.
    """

    manner: Manner
    start: Formants
    end: Formants | None = None
    seconds: float = 0.075
    voicing: float = 1.0
    hiss: float = 0.0
    noise: Noise | None = None


LABIAL = Noise(((1400, 1200, 0.5), (7500, 6000, 0.6)))
DENTAL = Noise(((6500, 4000, 0.7), (1600, 900, 0.15)))
HISSING = Noise(((5200, 900, 0.7), (7600, 1800, 1.0), (9800, 2500, 0.6)))
HUSHING = Noise(((2700, 450, 1.0), (4100, 900, 0.7), (5800, 1800, 0.35)))
ALVEOLAR = Noise(((3900, 1300, 0.9), (6400, 2500, 0.8)))
VELAR = Noise(((1900, 350, 1.0), (4300, 1200, 0.25)))


def _vowel(symbol: str, seconds: float) -> Target:
    return Target("vowel", MEN[symbol], seconds=seconds)


TARGETS: dict[str, Target] = {
    "i": _vowel("i", 0.085),
    "ɪ": _vowel("ɪ", 0.065),
    "ɛ": _vowel("ɛ", 0.075),
    "æ": _vowel("æ", 0.10),
    "ɑ": _vowel("ɑ", 0.10),
    "ɔ": _vowel("ɔ", 0.105),
    "ʊ": _vowel("ʊ", 0.07),
    "u": _vowel("u", 0.085),
    "ʌ": _vowel("ʌ", 0.075),
    "ɜ": _vowel("ɜ", 0.11),
    "ə": Target("vowel", (500, 1350, 2400), seconds=0.05),
    "ɐ": Target("vowel", (600, 1300, 2400), seconds=0.055),
    "ᵊ": Target("vowel", (500, 1350, 2400), seconds=0.035),
    "ᵻ": Target("vowel", (400, 1850, 2500), seconds=0.05),
    "a": Target("vowel", (700, 1500, 2450), seconds=0.09),
    "ɒ": Target("vowel", (600, 900, 2430), seconds=0.09),
    "A": Target("vowel", (510, 1850, 2480), (330, 2200, 2800), 0.13),
    "I": Target("vowel", (700, 1180, 2450), (380, 2000, 2600), 0.145),
    "O": Target("vowel", (540, 1000, 2350), (370, 830, 2250), 0.125),
    "Q": Target("vowel", (500, 1300, 2350), (370, 900, 2250), 0.125),
    "W": Target("vowel", (700, 1230, 2450), (400, 900, 2300), 0.145),
    "Y": Target("vowel", (540, 860, 2400), (370, 2000, 2550), 0.155),
    "w": Target("glide", (290, 620, 2150), seconds=0.065, voicing=0.65),
    "j": Target("glide", (260, 2100, 3000), seconds=0.06, voicing=0.65),
    "ɹ": Target("glide", (320, 1150, 1450), seconds=0.07, voicing=0.7),
    "l": Target("glide", (350, 1050, 2800), seconds=0.065, voicing=0.65),
    "m": Target("nasal", (300, 1100, 2130), seconds=0.07, voicing=0.55),
    "n": Target("nasal", (300, 1450, 2470), seconds=0.065, voicing=0.55),
    "ŋ": Target("nasal", (300, 2000, 2600), seconds=0.075, voicing=0.55),
    "f": Target("fricative", (340, 1100, 2080), seconds=0.095, voicing=0, hiss=0.13, noise=LABIAL),
    "v": Target("fricative", (250, 1100, 2080), seconds=0.06, voicing=0.5, hiss=0.05, noise=LABIAL),
    "θ": Target("fricative", (320, 1290, 2540), seconds=0.09, voicing=0, hiss=0.09, noise=DENTAL),
    "ð": Target("fricative", (270, 1290, 2540), seconds=0.045, voicing=0.55, hiss=0.025, noise=DENTAL),
    "s": Target("fricative", (320, 1500, 2600), seconds=0.10, voicing=0, hiss=0.30, noise=HISSING),
    "z": Target("fricative", (260, 1500, 2600), seconds=0.07, voicing=0.4, hiss=0.16, noise=HISSING),
    "ʃ": Target("fricative", (300, 1840, 2750), seconds=0.105, voicing=0, hiss=0.34, noise=HUSHING),
    "ʒ": Target("fricative", (300, 1840, 2750), seconds=0.07, voicing=0.4, hiss=0.18, noise=HUSHING),
    "h": Target("aspirate", (500, 1400, 2450), seconds=0.06, voicing=0, hiss=0.5),
    "p": Target("stop", (300, 950, 2150), seconds=0.085, voicing=0, hiss=0.22, noise=LABIAL),
    "b": Target("stop", (220, 1000, 2150), seconds=0.07, voicing=0.22, hiss=0.10, noise=LABIAL),
    "t": Target("stop", (320, 1750, 2650), seconds=0.075, voicing=0, hiss=0.42, noise=ALVEOLAR),
    "d": Target("stop", (220, 1700, 2600), seconds=0.06, voicing=0.22, hiss=0.20, noise=ALVEOLAR),
    "k": Target("stop", (300, 1900, 2500), seconds=0.085, voicing=0, hiss=0.42, noise=VELAR),
    "ɡ": Target("stop", (220, 1900, 2500), seconds=0.065, voicing=0.22, hiss=0.20, noise=VELAR),
    "ʧ": Target("stop", (300, 1840, 2750), seconds=0.12, voicing=0, hiss=0.40, noise=HUSHING),
    "ʤ": Target("stop", (250, 1840, 2750), seconds=0.09, voicing=0.22, hiss=0.24, noise=HUSHING),
    "T": Target("glide", (300, 1700, 2600), seconds=0.03, voicing=0.35),
    "ʔ": Target("pause", (500, 1400, 2400), seconds=0.05, voicing=0),
}
PAUSE_SECONDS = {",": 0.18, ";": 0.25, ":": 0.25, "—": 0.22, "–": 0.22, ".": 0.32, "!": 0.32, "?": 0.32, "…": 0.4}
