"""Separates what is selected in Audacity into labelled tracks, and speaks texts into it (Python 3.8 or later).

Switch mod-script-pipe on in Audacity (Preferences > Modules, then start it anew), keep this file and
`audio_ml_client.py` in one folder, and run while Audacity is open:

    python3 audio_ml_audacity.py separate --model htdemucs
    python3 audio_ml_audacity.py speak "Good morning." --voice heart
    python3 audio_ml_audacity.py options htdemucs

`separate` exports the selection, has the server separate it, and brings each stem in as a track at the place of the
selection. `speak` puts a text at the selection's start, with a label for each word. Ctrl-C cancels.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Callable, Iterator, Mapping, Sequence

_HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(_HERE), str(_HERE.parent)]

from audio_ml_client import Client, ServerError, Step, option_text, read_option  # noqa: E402

OK = "BatchCommand finished: OK"
SAME_SECONDS = 0.01  # lengths and places that are meant to be equal
INSIDE_SECONDS = 0.001
MOST_LABELS = 500  # a label is three commands


class AudacityError(Exception):
    """Audacity does not answer, or says no; the message says what to do."""


@dataclass(frozen=True)
class Selection:
    """What is selected: from when to when, in seconds, and on which tracks."""

    start: float
    end: float
    tracks: tuple[int, ...]
    names: tuple[str, ...]
    n_channels: int


class Audacity:
    """The scripting pipe of a running Audacity: `send` and `receive` are its two ends, as text."""

    def __init__(self, send: Callable[[str], None], receive: Callable[[], str]) -> None:
        self._send = send
        self._receive = receive

    def do(self, command: str, **parameters: Any) -> str:
        """Has a command done and returns what it says; raises `AudacityError` when that is no success."""
        told = " ".join(f"{name}={_quoted(value)}" for name, value in parameters.items())
        self._send(f"{command}: {told}".rstrip())
        lines: list[str] = []
        while True:
            line = self._receive()
            if not line:
                raise AudacityError("Audacity closed the pipe.")
            if not line.strip() and lines:
                break
            lines.append(line.rstrip("\r\n"))
        *said, status = [line for line in lines if line]
        if status != OK:
            raise AudacityError(f"Audacity did not do {command}: {' '.join([*said, status])}")
        return "\n".join(said)

    def get(self, kind: str) -> Any:
        """Returns what Audacity tells of Tracks, Labels or the Selection."""
        told = self.do("GetInfo", Type=kind, Format="JSON")
        try:
            return json.loads(told)
        except ValueError as error:
            raise AudacityError(f"Audacity tells nothing of {kind}: {told[:200]}") from error

    def selection(self) -> Selection:
        """Returns what is selected; raises `AudacityError` when that is no sound."""
        tracks = self.get("Tracks")
        chosen = [index for index, track in enumerate(tracks) if track.get("selected") and track["kind"] == "wave"]
        start, end = self.span()
        if not chosen:
            raise AudacityError("Select a part of a track first.")
        names = tuple(str(tracks[index]["name"]) for index in chosen)
        return Selection(start, end, tuple(chosen), names, max(int(tracks[index]["channels"]) for index in chosen))

    def span(self) -> tuple[float, float]:
        """Returns from when to when is selected, in seconds."""
        with contextlib.suppress(AudacityError):  # before Audacity 3.7, it does not tell
            told = {str(name).lower(): value for name, value in self.get("Selection").items()}
            return float(told["start"]), float(told["end"])
        before = self._labels()
        self.do("AddLabel")  # takes the selection's place
        new = [label for label in self._labels() if label not in before]
        self.do("Undo")
        if not new:
            raise AudacityError("Select a part of a track first, where there is no label of the same length.")
        return float(new[0][0]), float(new[0][1])

    def _labels(self) -> list[Any]:
        return [label for _, labels in self.get("Labels") for label in labels]

    def select(self, start: float, end: float) -> None:
        """Selects a time."""
        self.do("SelectTime", Start=start, End=end, RelativeTo="ProjectStart")

    def bring_in(self, path: Path, name: str, start: float) -> None:
        """Imports a file as a track of that name that begins at a time."""
        self.do("Import2", Filename=path)
        tracks = self.get("Tracks")
        index = len(tracks) - 1
        self.do("SelectTracks", Track=index, TrackCount=1, Mode="Set")
        self.do("SetTrackStatus", Name=name)
        self.do("SetClip", At=float(tracks[index]["start"]) + INSIDE_SECONDS, Start=start)
        begins = float(self.get("Tracks")[index]["start"])
        if abs(begins - start) > SAME_SECONDS:
            raise AudacityError(f"The track {name} begins at {begins:.3f} s and not at {start:.3f} s: move it there.")

    def label(self, words: Sequence[Mapping[str, Any]], start: float) -> None:
        """Adds a track of labels, one a word, whose times count from `start`."""
        self.do("NewLabelTrack")
        for word in words:
            self.select(start + word["start_seconds"], start + word["end_seconds"])
            self.do("AddLabel")
        blank = [index for index, label in enumerate(self._labels()) if not label[2]]
        for index, word in zip(blank[-len(words) :], words):
            self.do("SetLabel", Label=index, Text=word["text"])


def _quoted(value: Any) -> str:
    """Returns a parameter as Audacity reads it; its quotes cannot be escaped."""
    if isinstance(value, (int, float)):
        return repr(value)
    return '"' + str(value).replace('"', "'").replace("\n", " ") + '"'


@contextlib.contextmanager
def running_audacity() -> Iterator[Audacity]:
    """Opens the pipe of the Audacity that runs here."""
    if os.name == "nt":
        to, source, end = "\\\\.\\pipe\\ToSrvPipe", "\\\\.\\pipe\\FromSrvPipe", "\r\n\0"
    else:
        number = os.getuid()
        to, source, end = f"/tmp/audacity_script_pipe.to.{number}", f"/tmp/audacity_script_pipe.from.{number}", "\n"
    if os.name != "nt" and not (os.path.exists(to) and os.path.exists(source)):
        raise AudacityError(
            "Audacity has no scripting pipe: start it, and switch mod-script-pipe on in its preferences (Modules)."
        )
    try:
        with open(to, "w", encoding="utf-8", newline="") as sink, open(source, encoding="utf-8") as replies:

            def send(line: str) -> None:
                sink.write(line + end)
                sink.flush()

            yield Audacity(send, replies.readline)
    except OSError as error:
        raise AudacityError(f"Audacity's scripting pipe cannot be used: {error}") from error


def separate(audacity: Audacity, client: Client, asked: argparse.Namespace) -> None:
    """Separates the selection into tracks at its place."""
    chosen = audacity.selection()
    if chosen.end - chosen.start <= 0:
        raise AudacityError("Select a part of a track first: this is only a place.")
    options = read_options(client, asked.model, asked.option)
    with tempfile.TemporaryDirectory() as folder:
        mixture = Path(folder) / "selection.wav"
        audacity.do("Export2", Filename=mixture, NumChannels=min(chosen.n_channels, 2))
        if not mixture.is_file():
            raise AudacityError("Audacity exported nothing: is the selection empty?")
        done = client.separate(
            mixture,
            folder,
            model=asked.model,
            options=options,
            delivery={"filename": "{stem}.{ext}"},
            on_progress=show,
        )
        seconds = float((done.job.report or {})["duration_seconds"])
        if abs(seconds - (chosen.end - chosen.start)) > SAME_SECONDS:
            raise AudacityError(
                f"Audacity exported {seconds:.2f} s where {chosen.end - chosen.start:.2f} s are selected: select sound "
                "only, without gaps at its ends."
            )
        for path in done.paths.values():
            audacity.bring_in(path, f"{' + '.join(chosen.names)} - {path.stem}", chosen.start)
    if asked.mute:
        for index in chosen.tracks:
            audacity.do("SelectTracks", Track=index, TrackCount=1, Mode="Set")
            audacity.do("SetTrackAudio", Mute=1)
    audacity.select(chosen.start, chosen.end)


def speak(audacity: Audacity, client: Client, asked: argparse.Namespace) -> None:
    """Speaks a text at the selection's start, on a new track, with a label for each word."""
    start = audacity.span()[0] if asked.at is None else asked.at
    options = read_options(client, asked.model, asked.option)
    with tempfile.TemporaryDirectory() as folder:
        sound = Path(folder) / "speech.wav"
        done = client.speak_file(
            asked.text, sound, voice=asked.voice, model=asked.model, options=options, on_progress=show
        )
        audacity.bring_in(sound, " ".join(asked.text.split())[:40], start)
    words = [word for file in (done.job.report or {})["files"] for word in file["words"]]
    if len(words) > MOST_LABELS:
        print(f"{len(words)} words get no labels: that would take too long.", file=sys.stderr)
    elif words and not asked.no_labels:
        audacity.label(words, start)


def read_options(client: Client, model: str | None, given: Sequence[str]) -> dict[str, Any]:
    """Returns options that were given as NAME=VALUE, as the model's own schema reads them."""
    if not given:
        return {}
    if model is None:
        raise AudacityError("Options are a model's: name it with --model.")
    schema = client.model(model)["options"]["properties"]
    options = {}
    for each in given:
        name, _, text = each.partition("=")
        if name not in schema:
            raise AudacityError(f"{model} has no option {name}. It has: {', '.join(schema)}")
        try:
            options[name] = read_option(schema[name], text)
        except ValueError as error:
            raise AudacityError(f"Option {name} cannot be {text!r}: {error}.") from error
    return options


def show(step: Step) -> None:
    """Draws how far a request is."""
    print(f"\r{step.stage} {step.fraction:4.0%}   ", end="", file=sys.stderr, flush=True)


def print_options(client: Client, model: str) -> None:
    """Prints the options of a model with their defaults."""
    for name, rules in client.model(model)["options"]["properties"].items():
        print(f"{name}={option_text(rules.get('default'))}\n    {rules.get('description', '')}")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description="Stems and speech of an audio-ml server, in Audacity.")
    parser.add_argument("--server", default=os.environ.get("AUDIO_ML_SERVER", "http://127.0.0.1:8600"), metavar="URL")
    parser.add_argument("--token-file", type=Path, metavar="FILE", help="otherwise AUDIO_ML_TOKEN has the token")
    commands = parser.add_subparsers(dest="command", required=True)
    stems = commands.add_parser("separate", help="the selection into tracks")
    stems.add_argument("--model")
    stems.add_argument("--mute", action="store_true", help="mute the tracks that were separated")
    speech = commands.add_parser("speak", help="a text, at the selection's start")
    speech.add_argument("text")
    speech.add_argument("--model")
    speech.add_argument("--voice")
    speech.add_argument("--at", type=float, metavar="SECONDS", help="begin there")
    speech.add_argument("--no-labels", action="store_true", help="no labels of the words")
    for command in (stems, speech):
        command.add_argument("--option", action="append", default=[], metavar="NAME=VALUE", help="of the model")
    listed = commands.add_parser("options", help="what a model can be told")
    listed.add_argument("model")
    return parser


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the command line and returns its exit code."""
    asked = _parser().parse_args(arguments)
    try:
        token = os.environ.get("AUDIO_ML_TOKEN")
        if asked.token_file:
            token = asked.token_file.read_text("ascii").strip()
        client = Client(asked.server, token)
        if asked.command == "options":
            print_options(client, asked.model)
            return 0
        with running_audacity() as audacity:
            (separate if asked.command == "separate" else speak)(audacity, client, asked)
    except KeyboardInterrupt:
        print("\nStopped; nothing was brought in.", file=sys.stderr)
        return 130
    except (AudacityError, ServerError, OSError, ValueError) as error:
        print(f"\naudio-ml: {error}", file=sys.stderr)
        return 1
    print(file=sys.stderr)
    return 0


if __name__ == "__main__":
    sys.exit(main())
