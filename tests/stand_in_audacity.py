"""An Audacity that only remembers: the commands of mod-script-pipe over tracks of plain values.

Replies are as Audacity's: lines, "BatchCommand finished: OK" or "Failed!", an empty line.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import soundfile


@dataclass
class StandInAudacity:
    """Its tracks, labels and selection; `version` says whether it can tell what is selected."""

    version: tuple[int, int] = (3, 7)
    tracks: list[dict[str, Any]] = field(default_factory=list)
    selection: tuple[float, float] = (0.0, 0.0)
    commands: list[str] = field(default_factory=list)
    export_seconds: float | None = None  # otherwise the selection's
    opens_at: float = 0.0  # where an import lands
    replies: list[str] = field(default_factory=list)
    undone: list[list[Any]] = field(default_factory=list)

    def send(self, line: str) -> None:
        """Does a command, whose reply is there to be received."""
        self.commands.append(line)
        name, _, rest = line.partition(":")
        found = re.findall(r'(\w+)=(?:"([^"]*)"|(\S+))', rest)
        parameters = {key: quoted or bare for key, quoted, bare in found}
        try:
            said = getattr(self, f"_{name.lower()}")(**parameters) or ""
            status = "OK"
        except (AttributeError, TypeError, KeyError) as error:
            said, status = f"no such thing: {error}", "Failed!"
        self.replies += [*(f"{part}\n" for part in said.splitlines()), f"BatchCommand finished: {status}\n", "\n"]

    def receive(self) -> str:
        """Returns the next line of a reply."""
        return self.replies.pop(0)

    def add_track(self, name: str, start: float, end: float, *, selected: bool = True, channels: int = 2) -> None:
        track = {
            "name": name,
            "kind": "wave",
            "start": start,
            "end": end,
            "channels": channels,
            "selected": int(selected),
        }
        self.tracks.append(track)

    def labels(self) -> list[list[Any]]:
        """Returns start, end and text of all labels."""
        return [label for track in self.tracks for label in track.get("labels", [])]

    def _getinfo(self, Type: str, Format: str) -> str:  # noqa: N803
        assert Format == "JSON"
        if Type == "Tracks":
            return json.dumps([{k: v for k, v in track.items() if k != "labels"} for track in self.tracks], indent=1)
        if Type == "Labels":
            return json.dumps([[i, track["labels"]] for i, track in enumerate(self.tracks) if "labels" in track])
        if Type == "Selection" and self.version >= (3, 7):
            return json.dumps({"Start": self.selection[0], "End": self.selection[1]})
        raise KeyError(Type)

    def _addlabel(self) -> None:
        track = next((each for each in self.tracks if "labels" in each and each["selected"]), None) or next(
            (each for each in self.tracks if "labels" in each), None
        )
        if track is None:
            track = {"name": "Label Track", "kind": "label", "selected": 0, "labels": []}
            self.tracks.append(track)
            self.undone = [["track"]]
        else:
            self.undone = [["label", track, [*self.selection, ""]]]
        track["labels"] = sorted([*track["labels"], [*self.selection, ""]])

    def _undo(self) -> None:
        what, *rest = self.undone.pop()
        if what == "track":
            self.tracks.pop()
        else:
            rest[0]["labels"].remove(rest[1])

    def _newlabeltrack(self) -> None:
        for track in self.tracks:
            track["selected"] = 0
        self.tracks.append({"name": "Label Track", "kind": "label", "selected": 1, "labels": []})

    def _setlabel(self, Label: str, Text: str) -> None:  # noqa: N803
        self.labels()[int(Label)][2] = Text

    def _selecttime(self, Start: str, End: str, RelativeTo: str) -> None:  # noqa: N803
        assert RelativeTo == "ProjectStart"
        self.selection = float(Start), float(End)

    def _selecttracks(self, Track: str, TrackCount: str, Mode: str) -> None:  # noqa: N803
        assert (TrackCount, Mode) == ("1", "Set")
        for index, track in enumerate(self.tracks):
            track["selected"] = int(index == int(Track))

    def _settrackstatus(self, Name: str) -> None:  # noqa: N803
        self._chosen()["name"] = Name

    def _settrackaudio(self, Mute: str) -> None:  # noqa: N803
        self._chosen()["mute"] = int(Mute)

    def _setclip(self, At: str, Start: str) -> None:  # noqa: N803
        track = self._chosen()
        assert track["start"] <= float(At) < track["end"]
        track["end"] += float(Start) - track["start"]
        track["start"] = float(Start)

    def _chosen(self) -> dict[str, Any]:
        (track,) = (track for track in self.tracks if track["selected"])
        return track

    def _export2(self, Filename: str, NumChannels: str) -> None:  # noqa: N803
        import numpy as np

        start, end = self.selection
        seconds = end - start if self.export_seconds is None else self.export_seconds
        soundfile.write(Filename, np.zeros((round(44100 * seconds), int(NumChannels))), 44100)

    def _import2(self, Filename: str) -> None:  # noqa: N803
        assert Path(Filename).is_file()
        info = soundfile.info(Filename)
        self.add_track(Path(Filename).stem, self.opens_at, self.opens_at + info.duration, channels=info.channels)
