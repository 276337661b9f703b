"""Timecode of film and video (SMPTE ST 12-1, and ST 12-3 for the high frame rates), and its exact place in samples.

A time is a `Fraction` of seconds since midnight, so nothing is rounded before the sample. Timecode
counts frames: at 23.976 an hour of it lasts 3603.6 seconds. It wraps at 24 hours, so a label names a
time of one day and nothing behind it.
"""

from __future__ import annotations

import contextlib
import re
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from audio_ml.errors import InvalidInput, InvalidOption, did_you_mean

HOURS_PER_DAY = 24
MINUTES_PER_DAY = 60 * HOURS_PER_DAY
NEAR_FPS = Fraction(1, 100)  # 23.976 and 24 are further apart; files round the former
DROPPED_PER_NOMINAL = Fraction(2, 30)  # labels left out each minute: 2 at 29.97, 4 at 59.94 (ST 12-1 section 5.2.2)

_LABEL = re.compile(r"(\d{1,2})[:;](\d{1,2})[:;](\d{1,2})[:;](\d{1,3})")
_CLOCK = re.compile(r"(?:(\d{1,2}):)?(\d{1,2}):(\d{1,2})(?:[.,](\d{1,9}))?")
_SECONDS = re.compile(r"\d{1,7}(?:[.,]\d{1,9})?")


@dataclass(frozen=True)
class FrameRate:
    """A rate of timecode: its exact `fps`, and whether it leaves out labels to keep up with the clock.

    >>> FRAME_RATES["29.97df"].label(17982), FRAME_RATES["29.97df"].frames("01:00:00;00")
    ('00:10:00;00', 107892)
    """

    name: str
    fps: Fraction
    is_drop_frame: bool = False

    @property
    def nominal(self) -> int:
        """The frames that a second of timecode counts: 24 at 23.976."""
        return -(-self.fps.numerator // self.fps.denominator)

    @property
    def is_clock(self) -> bool:
        """Whether timecode and clock agree, so that a second of one is a second of the other."""
        return self.fps.denominator == 1

    @property
    def _n_dropped(self) -> int:
        return int(self.nominal * DROPPED_PER_NOMINAL) if self.is_drop_frame else 0

    @property
    def frames_per_day(self) -> int:
        return self._first_of_minute(MINUTES_PER_DAY)

    def frames(self, label: str) -> int:
        """Returns the number of a frame since midnight from "HH:MM:SS:FF" or, of drop-frame rates, with ";".

        Raises:
            InvalidInput: when there is no such label at this rate.
        """
        match = _LABEL.fullmatch(label.strip())
        if match is None:
            raise InvalidInput(f"'{label}' is not a timecode: write HH:MM:SS:FF.")
        hours, minutes, seconds, frame = map(int, match.groups())
        if ";" in label and not self.is_drop_frame:
            raise InvalidInput(f"'{label}' is drop-frame timecode (;), but the frame rate is {self.name}.")
        _check_clock(label, hours, minutes, seconds)
        if frame >= self.nominal:
            raise InvalidInput(f"'{label}' has no frame {frame}: at {self.name} they go up to {self.nominal - 1}.")
        if seconds == 0 and minutes % 10 and frame < self._n_dropped:
            first = f";{self._n_dropped:02}, but for each tenth one"
            raise InvalidInput(f"'{label}' is left out of drop-frame timecode: its minutes begin with {first}.")
        return self._first_of_minute(60 * hours + minutes) + seconds * self.nominal + frame - self._gone(minutes)

    def label(self, frames: int) -> str:
        """Returns the label of a frame since midnight; after 24 hours it begins anew."""
        frames %= self.frames_per_day
        ten_minutes, rest = divmod(frames, self._first_of_minute(10))
        minute_of_ten = 0
        while minute_of_ten < 9 and rest >= self._first_of_minute(minute_of_ten + 1):
            minute_of_ten += 1
        minutes = 10 * ten_minutes + minute_of_ten
        in_minute = rest - self._first_of_minute(minute_of_ten) + self._gone(minute_of_ten)
        seconds, frame = divmod(in_minute, self.nominal)
        digits = len(str(self.nominal - 1))
        mark = ";" if self.is_drop_frame else ":"
        return f"{minutes // 60:02}:{minutes % 60:02}:{seconds:02}{mark}{frame:0{digits}}"

    def label_at(self, seconds: Fraction) -> str:
        """Returns the label of the frame that is shown at a time."""
        return self.label(int(seconds * self.fps // 1))

    def seconds(self, text: str) -> Fraction:
        """Returns a time of day: of timecode with frames, a clock "HH:MM:SS.mmm" (or "MM:SS.mmm"), or bare seconds.

        Raises:
            InvalidInput: when it is none of these, or "HH:MM:SS" at a rate where clock and timecode part.

        >>> FRAME_RATES["23.976"].seconds("01:00:00:00"), FRAME_RATES["25"].seconds("00:00:01.040")
        (Fraction(18018, 5), Fraction(26, 25))
        """
        text = text.strip()
        if _LABEL.fullmatch(text):
            return self.frames(text) / self.fps
        if _SECONDS.fullmatch(text):
            return Fraction(text.replace(",", "."))
        match = _CLOCK.fullmatch(text)
        if match is None:
            raise InvalidInput(f"'{text}' is not a time: write HH:MM:SS:FF, HH:MM:SS.mmm, or seconds.")
        hours, minutes, seconds = int(match[1] or 0), int(match[2]), int(match[3])
        _check_clock(text, hours, minutes, seconds)
        if match[4] is None and not self.is_clock:
            raise InvalidInput(
                f"'{text}' may be timecode or clock, which part at {self.name}: write {text}:00 or {text}.000."
            )
        fraction = Fraction(int(match[4]), 10 ** len(match[4])) if match[4] else Fraction(0)
        return 3600 * hours + 60 * minutes + seconds + fraction

    def _first_of_minute(self, minutes: int) -> int:
        """Returns the number of frames in so many minutes from midnight."""
        return minutes * 60 * self.nominal - self._n_dropped * (minutes - -(-minutes // 10))

    def _gone(self, minutes: int) -> int:
        """Returns how many labels the beginning of this minute lacks."""
        return self._n_dropped if minutes % 10 else 0


def _film(nominal: int) -> Fraction:
    """Returns the rate that NTSC slowed down by 1000/1001."""
    return Fraction(nominal * 1000, 1001)


FRAME_RATES = {
    rate.name: rate
    for rate in (
        FrameRate("23.976", _film(24)),
        FrameRate("24", Fraction(24)),
        FrameRate("25", Fraction(25)),
        FrameRate("29.97", _film(30)),
        FrameRate("29.97df", _film(30), is_drop_frame=True),
        FrameRate("30", Fraction(30)),
        FrameRate("47.952", _film(48)),
        FrameRate("48", Fraction(48)),
        FrameRate("50", Fraction(50)),
        FrameRate("59.94", _film(60)),
        FrameRate("59.94df", _film(60), is_drop_frame=True),
        FrameRate("60", Fraction(60)),
    )
}

_ALIASES = {"23.98": "23.976", "23.97": "23.976", "47.95": "47.952"}


def find_frame_rate(name: str) -> FrameRate:
    """Returns a frame rate by its name.

    Raises:
        InvalidOption: naming those there are.

    >>> find_frame_rate("29.97 DF").is_drop_frame, find_frame_rate("23.98").fps
    (True, Fraction(24000, 1001))
    """
    plain = name.strip().lower().replace(" ", "").removesuffix("fps").removesuffix("ndf")
    rate = FRAME_RATES.get(_ALIASES.get(plain, plain))
    if rate is None:
        hint = did_you_mean(plain, FRAME_RATES)
        raise InvalidOption(f"Unknown frame rate '{name}'.{hint} It is one of {', '.join(FRAME_RATES)}.")
    return rate


def to_samples(seconds: Fraction, sample_rate: int) -> int:
    """Returns the sample nearest to a time; one halfway between two goes to the later.

    >>> to_samples(FRAME_RATES["29.97"].seconds("00:00:00:01"), 48000)  # 1601.6
    1602
    """
    return int((seconds * sample_rate + Fraction(1, 2)) // 1)


def start_samples(label: str, pictures_per_second: Fraction, sample_rate: int) -> int | None:
    """Returns the sample that a film's start timecode names, or None where its rate leaves that open.

    At 48 pictures a second and more, timecode may count each of them or every second or fourth one.

    >>> start_samples("01:00:00:00", Fraction(50), 48000), start_samples("01:00:00:05", Fraction(50), 48000)
    (172800000, None)
    """
    found = set()
    for rate in FRAME_RATES.values():
        is_near = any(abs(rate.fps * n - pictures_per_second) < NEAR_FPS for n in (1, 2, 4))
        if is_near and rate.is_drop_frame == (";" in label):
            with contextlib.suppress(InvalidInput):  # no such label at this rate
                found.add(to_samples(rate.frames(label) / rate.fps, sample_rate))
    return found.pop() if len(found) == 1 else None


def take_start_timecode(container: Any, tags: dict[str, str]) -> tuple[str, ...]:
    """Makes the start timecode of a film, open in PyAV, a time reference among its tags, which an excerpt moves.

    Where that cannot be, returns its name, as of what is left behind.
    """
    of_streams = [stream.metadata["timecode"] for stream in container.streams if "timecode" in stream.metadata]
    pictures, sounds = container.streams.video, container.streams.audio
    if not pictures or not sounds:
        return ("timecode",) if of_streams and "timecode" not in tags else ()
    of_container = tags.pop("timecode", None)
    label = next(iter(of_streams), of_container)
    if label is None:
        return ()
    time = start_samples(label, pictures[0].average_rate or Fraction(0), sounds[0].rate)
    if time is None:
        return ("timecode",)
    tags.setdefault("time_reference", str(time))
    return ()


def to_seconds(samples: int, sample_rate: int) -> Fraction:
    """Returns the time of a sample."""
    return Fraction(samples, sample_rate)


def _check_clock(text: str, hours: int, minutes: int, seconds: int) -> None:
    if hours >= HOURS_PER_DAY:
        raise InvalidInput(f"'{text}' is past midnight: timecode ends at 23:59:59 and begins anew.")
    if minutes > 59 or seconds > 59:
        raise InvalidInput(f"'{text}' is not a time: minutes and seconds go up to 59.")
