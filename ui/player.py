"""Plays speech while it is made, through whatever player the system has."""

from __future__ import annotations

import contextlib
import shutil
import subprocess
from types import TracebackType

from audio_ml.audio import Samples
from audio_ml.errors import MissingDependency, OutputError
from audio_ml.wav import encode

# Programs that play 16-bit mono from their standard input; {rate} is in Hz.
PLAYERS = (
    ("pw-cat", "--playback", "--format=s16", "--rate={rate}", "--channels=1", "-"),
    ("paplay", "--raw", "--format=s16le", "--rate={rate}", "--channels=1"),
    ("aplay", "-q", "-t", "raw", "-f", "S16_LE", "-r", "{rate}", "-c", "1", "-"),
    ("play", "-q", "-t", "raw", "-e", "signed", "-b", "16", "-r", "{rate}", "-c", "1", "-"),
    ("ffplay", "-loglevel", "error", "-nodisp", "-autoexit", "-f", "s16le", "-ar", "{rate}", "-i", "-"),
)


class Player:
    """A player that is given sound piece by piece; leaving the `with` block waits until all is heard.

    `has_ended` tells whether it takes no more, because the listener closed it or it failed.

    Raises:
        MissingDependency: when the system has none of the `PLAYERS`.
        OutputError: at the end of the block, with its name and exit code, when the player failed.
    """

    def __init__(self, sample_rate: int) -> None:
        found = next((player for player in PLAYERS if shutil.which(player[0])), None)
        if found is None:
            names = ", ".join(player[0] for player in PLAYERS)
            raise MissingDependency(f"Nothing here can play sound: install one of {names} (ffplay comes with FFmpeg).")
        command = [part.format(rate=sample_rate) for part in found]
        self._name = found[0]
        self.has_ended = False
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL)

    def play(self, samples: Samples) -> None:
        """Hands samples [1, time] on; a player that has ended is left alone."""
        assert self._process.stdin is not None
        if self.has_ended:
            return
        try:
            self._process.stdin.write(encode(samples, "16"))
            self._process.stdin.flush()
        except BrokenPipeError:
            self.has_ended = True

    def __enter__(self) -> Player:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._process.stdin is not None
        with contextlib.suppress(BrokenPipeError):
            self._process.stdin.close()
        if kind is not None:
            self._process.terminate()
            self._process.wait()
        elif code := self._process.wait():
            raise OutputError(f"The player {self._name} failed with exit code {code}; -o FILE needs no player.")
