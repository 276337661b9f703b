"""A REAPER that only remembers: the functions that a ReaScript calls, over a project of plain values.

Signatures and return values are those of REAPER's own `reaper_python.py`: a function with outputs returns a tuple of
its result and all its arguments, a pointer is text such as "(MediaItem*)0x000000000000002A".
"""

from __future__ import annotations

import ctypes
import sys
import types
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import soundfile

SCRIPT = Path(__file__).parents[1] / "clients/reaper/audio_ml.py"
NOTHING = "(void*)0x0000000000000000"


@dataclass
class Thing:
    """A track, an item, a take or a source, with its values by REAPER's names."""

    kind: str
    values: dict[str, Any] = field(default_factory=dict)
    parent: Any = None
    children: list[str] = field(default_factory=list)


@dataclass
class Project:
    """What a script finds and leaves; `answers` are given to its dialogs in order, None closes one."""

    folder: Path
    answers: list[dict[str, str] | None] = field(default_factory=list)
    things: dict[str, Thing] = field(default_factory=dict)
    tracks: list[str] = field(default_factory=list)
    selected: list[str] = field(default_factory=list)
    regions: list[tuple[float, float, bytes]] = field(default_factory=list)
    cursor: float = 0.0
    asked: list[dict[str, str]] = field(default_factory=list)
    messages: list[str] = field(default_factory=list)
    tips: list[str] = field(default_factory=list)
    undo: list[str] = field(default_factory=list)
    remembered: dict[tuple[str, str], str] = field(default_factory=dict)
    deferred: list[str] = field(default_factory=list)
    at_exit: list[str] = field(default_factory=list)
    in_undo: bool = False

    def make(self, kind: str, values: dict[str, Any] | None = None, parent: str = "") -> str:
        pointer = f"({kind}*)0x{len(self.things) + 1:016X}"
        self.things[pointer] = Thing(kind, values or {}, parent)
        if parent:
            self.things[parent].children.append(pointer)
        return pointer

    def add_track(self, name: str) -> str:
        self.tracks.append(self.make("MediaTrack", {"P_NAME": name}))
        return self.tracks[-1]

    def add_item(
        self, track: str, position: float, length: float, path: Path | None = None, notes: str = "", **take: float
    ) -> str:
        values = {"D_POSITION": position, "D_LENGTH": length, "P_NOTES": notes, "D_VOL": 0.5, "B_LOOPSRC": 0.0}
        item = self.make("MediaItem", values, track)
        if path is not None:
            made = self.make("MediaItem_Take", {"D_PLAYRATE": 1.0, "D_STARTOFFS": 0.0, "D_PITCH": 2.0, **take}, item)
            self.things[made].values["source"] = self.make("PCM_source", {"path": str(path), "type": "WAVE"})
        self.selected.append(item)
        return item

    def stems(self) -> dict[str, list[dict[str, Any]]]:
        """Returns the items by the names of their tracks: the values of item and take, and the file."""
        found: dict[str, list[dict[str, Any]]] = {}
        for track in self.tracks:
            items = found.setdefault(self.things[track].values["P_NAME"], [])
            for item in self.things[track].children:
                takes = [self.things[take].values for take in self.things[item].children]
                source = self.things[takes[0]["source"]].values["path"] if takes else None
                items.append({**(takes[0] if takes else {}), **self.things[item].values, "path": source})
        return found


class Reaper:
    """Runs the script in a project, tick by tick."""

    def __init__(self, project: Project) -> None:
        self.project = project
        self.namespace: dict[str, Any] = {}

    def start(self) -> None:
        """Runs the action up to its first defer."""
        module = types.ModuleType("reaper_python")
        for name, function in _functions(self.project).items():
            setattr(module, name, function)
        sys.modules["reaper_python"] = module
        try:
            self.namespace = {"__name__": "__main__", "__file__": str(SCRIPT)}
            sys.modules["audio_ml_reaper"] = holder = types.ModuleType("audio_ml_reaper")  # where dataclasses look
            holder.__dict__.update(self.namespace | {"__name__": "audio_ml_reaper"})
            exec(compile(SCRIPT.read_text(), SCRIPT, "exec"), holder.__dict__)
            self.namespace = holder.__dict__
            self.namespace["main"]()
        finally:
            del sys.modules["reaper_python"]

    def tick(self) -> bool:
        """Lets the script go on once; tells whether it wants to come back."""
        if self.project.deferred:
            exec(self.project.deferred.pop(0), self.namespace)
        return bool(self.project.deferred)

    def finish(self) -> None:
        """Lets it run to its end, and ends it."""
        while self.tick():
            pass
        self.stop()

    def stop(self) -> None:
        """Ends it, as running the action again does."""
        self.project.deferred.clear()
        for code in self.project.at_exit:
            exec(code, self.namespace)


def _functions(project: Project) -> dict[str, Callable[..., Any]]:
    return {**_values(project), **_sources(project), **_additions(project), **_talk(project)}


def _values(project: Project) -> dict[str, Callable[..., Any]]:
    """Returns what reads and changes values; a change asserts that it is within one step of undo."""
    things = project.things

    def get(pointer: str, name: str) -> float:
        return float(things[pointer].values.get(name, 0.0))

    def set(pointer: str, name: str, value: Any) -> bool:
        assert project.in_undo, "a change outside of the step of undo"
        things[pointer].values[name] = value
        return True

    def get_set_text(pointer: str, name: str, text: str, is_set: bool) -> tuple[Any, ...]:
        if is_set:
            set(pointer, name, text)
        return (1, pointer, name, things[pointer].values.get(name, ""), is_set)

    def track_value(track: str, name: str) -> float:
        return project.tracks.index(track) + 1.0 if name == "IP_TRACKNUMBER" else get(track, name)

    return {
        "RPR_CountSelectedMediaItems": lambda _: len(project.selected),
        "RPR_GetSelectedMediaItem": lambda _, index: project.selected[index],
        "RPR_GetActiveTake": lambda item: next(iter(things[item].children), NOTHING),
        "RPR_GetMediaItem_Track": lambda item: things[item].parent,
        "RPR_GetMediaItemInfo_Value": get,
        "RPR_SetMediaItemInfo_Value": set,
        "RPR_GetMediaItemTakeInfo_Value": get,
        "RPR_SetMediaItemTakeInfo_Value": set,
        "RPR_SetMediaItemTake_Source": lambda take, source: set(take, "source", source),
        "RPR_GetMediaTrackInfo_Value": track_value,
        "RPR_SetMediaTrackInfo_Value": set,
        "RPR_GetSetMediaItemInfo_String": get_set_text,
        "RPR_GetSetMediaItemTakeInfo_String": get_set_text,
        "RPR_GetSetMediaTrackInfo_String": get_set_text,
    }


def _sources(project: Project) -> dict[str, Callable[..., Any]]:
    """Returns what tells of the files behind takes."""
    things = project.things

    def file_of(pointer: str) -> str:
        values = things[pointer].values
        return file_of(values["section_of"]) if "section_of" in values else str(values["path"])

    def length(pointer: str, _: bool) -> tuple[Any, ...]:
        section = things[pointer].values.get("section")
        return (section[1] if section else soundfile.info(file_of(pointer)).duration, pointer, 0)

    def create(path: str) -> str:
        assert Path(path).is_file()
        return project.make("PCM_source", {"path": path, "type": "WAVE"})

    return {
        "RPR_TakeIsMIDI": lambda take: int(things[take].values.get("midi", 0)),
        "RPR_GetMediaItemTake_Source": lambda take: things[take].values["source"],
        "RPR_GetMediaSourceType": lambda source, _, size: (source, things[source].values["type"], size),
        "RPR_PCM_Source_GetSectionInfo": lambda source, *_: (1, source, *things[source].values["section"]),
        "RPR_GetMediaSourceParent": lambda source: things[source].values["section_of"],
        "RPR_GetMediaSourceFileName": lambda source, _, size: (source, things[source].values["path"], size),
        "RPR_GetMediaSourceLength": length,
        "RPR_GetMediaSourceSampleRate": lambda source: soundfile.info(file_of(source)).samplerate,
        "RPR_GetTakeNumStretchMarkers": lambda take: int(things[take].values.get("stretch", 0)),
        "RPR_PCM_Source_CreateFromFile": create,
    }


def _additions(project: Project) -> dict[str, Callable[..., Any]]:
    """Returns what adds to the project."""

    def insert_track(index: int, _: bool) -> None:
        assert project.in_undo
        project.tracks.insert(index, project.make("MediaTrack"))

    def begin(_: int) -> None:
        project.in_undo = True

    def end(_: int, name: str, flags: int) -> None:
        assert project.in_undo and flags == -1
        project.in_undo = False
        project.undo.append(name)

    return {
        "RPR_CountTracks": lambda _: len(project.tracks),
        "RPR_InsertTrackAtIndex": insert_track,
        "RPR_GetTrack": lambda _, index: project.tracks[index],
        "RPR_ColorToNative": lambda red, green, blue: red | green << 8 | blue << 16,
        "RPR_AddMediaItemToTrack": lambda track: project.make("MediaItem", parent=track),
        "RPR_AddTakeToMediaItem": lambda item: project.make("MediaItem_Take", parent=item),
        "RPR_Undo_BeginBlock2": begin,
        "RPR_Undo_EndBlock2": end,
        "RPR_PreventUIRefresh": lambda _: None,
        "RPR_UpdateArrange": lambda: None,
        "RPR_Main_OnCommand": lambda *_: None,
    }


def _talk(project: Project) -> dict[str, Callable[..., Any]]:
    """Returns dialogs, what is remembered, regions and the loop."""

    def ask(title: str, n_inputs: int, captions: str, values: str, size: int) -> tuple[Any, ...]:
        names = captions.split(",")
        assert names[-1] == "separator=\n" and len(names) == n_inputs + 2, captions
        shown = dict(zip(names[:n_inputs], values.split("\n"), strict=True))
        project.asked.append({"title": title, **shown})
        answer = project.answers.pop(0) if project.answers else {}
        if answer is None:
            return (0, title, n_inputs, captions, values, size)
        assert all(any(caption.startswith(name) for caption in shown) for name in answer), (answer, shown)
        told = [
            next((text for name, text in answer.items() if caption.startswith(name)), was)
            for caption, was in shown.items()
        ]
        return (1, title, n_inputs, captions, "\n".join(told), size)

    def current_region(_: int, time: float, *rest: int) -> tuple[Any, ...]:
        found = [number for number, (start, end, _) in enumerate(project.regions) if start <= time < end]
        return (0, time, -1, found[0] if found else -1)

    def enumerate_markers(index: int, region: Any, position: Any, end: Any, name: Any, number: Any) -> int:
        start, stop, text = project.regions[index]
        ctypes.c_bool.from_address(region).value = True
        ctypes.c_double.from_address(position).value = start
        ctypes.c_double.from_address(end).value = stop
        ctypes.c_char_p.from_address(name).value = text
        ctypes.c_int.from_address(number).value = index + 1
        return index + 1

    native = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_int, *[ctypes.c_void_p] * 5)(enumerate_markers)

    def remember(section: str, key: str, value: str, persist: bool) -> None:
        assert persist and "\n" not in value
        project.remembered[section, key] = value

    return {
        "rpr_getfp": lambda name: {"EnumProjectMarkers": ctypes.cast(native, ctypes.c_void_p).value}[name],
        "RPR_GetExtState": lambda section, key: project.remembered.get((section, key), ""),
        "RPR_SetExtState": remember,
        "RPR_GetUserInputs": ask,
        "RPR_MB": lambda text, *_: project.messages.append(text),
        "RPR_TrackCtl_SetToolTip": lambda text, *_: project.tips.append(text),
        "RPR_GetProjectPathEx": lambda _, text, size: (0, str(project.folder), size),
        "RPR_GetCursorPosition": lambda: project.cursor,
        "RPR_GetLastMarkerAndCurRegion": current_region,
        "RPR_defer": project.deferred.append,
        "RPR_atexit": project.at_exit.append,
    }
