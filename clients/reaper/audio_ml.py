"""A ReaScript for REAPER (Python 3.8 or later): separates the selected items into tracks under them, and speaks notes.

Put it and `audio_ml_client.py` into one folder, load it in the action list (Actions > New action > Load ReaScript) and
run it on selected items:

- items with sound are separated: one track a stem below the item's own, the stems where the item is;
- items without sound, or else the region at the edit cursor, are spoken: their notes, or the region's name.

It asks for the server, a model and the model's own options, and remembers the answers. REAPER goes on working
meanwhile; run the action again to cancel. All that it puts into the project is one step of undo.
"""

from __future__ import annotations

import colorsys
import ctypes
import functools
import json
import math
import os
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Callable, Iterator, Mapping, Sequence

from reaper_python import *

try:
    _HERE = Path(__file__).resolve().parent
except NameError:  # REAPER runs scripts without it
    _HERE = Path(next(part for part in RPR_get_action_context() if str(part).endswith(".py"))).parent
sys.path[:0] = [str(_HERE), str(_HERE.parent)]

from audio_ml_client import (  # noqa: E402
    Client,
    Result,
    ServerError,
    Step,
    option_text,
    option_types,
    read_option,
    safe_path,
)

TITLE = "audio-ml"
SECTION = "audio-ml"  # of the choices that are remembered
MOST_FIELDS = 16  # that REAPER's dialog has
TEXT_BYTES = 1 << 16
TICK_SECONDS = 0.03  # of work between two looks at the screen
TIMEOUT_SECONDS, PATIENCE_SECONDS = 5.0, 30.0
YES, NO, OK_ONLY = "yes", "no", 0
CURRENT = 0  # project
FOLDER = "audio-ml"  # below the project's recordings
KEPT_OF_ITEM = ("D_FADEINLEN", "D_FADEOUTLEN", "C_FADEINSHAPE", "C_FADEOUTSHAPE", "D_VOL", "D_SNAPOFFSET", "B_LOOPSRC")
KEPT_OF_TAKE = ("D_PLAYRATE", "D_PITCH", "B_PPITCH", "D_VOL", "D_PAN", "I_CHANMODE")

Schema = Mapping[str, Any]
Work = Iterator[Step]


class Refusal(Exception):
    """Something that the user can put right; the message says what."""


@dataclass(frozen=True)
class Excerpt:
    """The part of a file that an item plays: `start` and `duration` in seconds of the file, and at which offset
    from its beginning a take of only that part has to start."""

    start: float
    duration: float
    offset: float


def excerpt_of(
    *,
    offset: float,
    length: float,
    rate: float,
    source_length: float,
    sample_rate: int,
    loops: bool,
    section: float = 0.0,
) -> Excerpt:
    """Returns what an item of `length` seconds plays, whose take begins at `offset` of its source at a play rate.

    The start falls on a sample of the file, so that the stems lie under the item to the sample. An item that runs past
    the end of a looped source plays all of it, again and again. `section` is where the source begins in its file.

    >>> excerpt_of(offset=2.0, length=4.0, rate=0.5, source_length=60.0, sample_rate=48000, loops=False)
    Excerpt(start=2.0, duration=2.0, offset=0.0)
    """
    end = offset + length * rate
    if loops and (end > source_length + 1 / sample_rate or offset < 0):
        return Excerpt(section, source_length, offset)
    begin = math.floor(max(offset, 0.0) * sample_rate + 1e-6) / sample_rate
    duration = min(math.ceil(end * sample_rate - 1e-6) / sample_rate, source_length) - begin
    if duration <= 0:
        raise Refusal("An item plays nothing of its source: move its edges.")
    return Excerpt(section + begin, duration, offset - begin)


# The model's options as dialogs


@dataclass(frozen=True)
class Question:
    """One line of a dialog; `read` turns what was written into a value, or raises `ValueError`."""

    name: str
    caption: str
    default: str
    read: Callable[[str], Any]


def questions(schema: Schema, *, advanced: bool) -> list[Question]:
    """Returns a question for each option of a JSON Schema."""
    return [
        Question(name, _caption(name, rules), option_text(rules.get("default")), functools.partial(read_option, rules))
        for name, rules in schema.get("properties", {}).items()
        if advanced or not rules.get("advanced")
    ]


def _caption(name: str, rules: Schema) -> str:
    choices = [str(each) for each in rules.get("enum", ()) if each is not None]
    limits = [rules.get("minimum"), rules.get("maximum")]
    told = "yes/no" if "boolean" in option_types(rules) else "/".join(choices)
    if limits != [None, None]:
        told = " to ".join("" if limit is None else str(limit) for limit in limits)
    words = [name.replace("_", " "), f"({told})" if told else "", rules.get("unit") or ""]
    return " ".join(word for word in words if word).replace(",", ";")


def ask(title: str, asked: Sequence[Question], remembered: Mapping[str, str]) -> dict[str, Any]:
    """Shows dialogs until every answer can be read; raises `KeyboardInterrupt` when one is closed."""
    answers: dict[str, Any] = {}
    for first in range(0, len(asked), MOST_FIELDS):
        page = asked[first : first + MOST_FIELDS]
        texts = [remembered.get(each.name, each.default) for each in page]
        while True:
            texts = _show(title, [each.caption for each in page], texts)
            wrong = [each.caption for each, text in zip(page, texts) if not _can_read(each, text)]
            if not wrong:
                break
            RPR_MB("This cannot be: " + "; ".join(wrong), TITLE, OK_ONLY)
        answers.update({each.name: each.read(text) for each, text in zip(page, texts)})
    return answers


def _show(title: str, captions: Sequence[str], texts: Sequence[str]) -> list[str]:
    wanted = ",".join([*captions, "extrawidth=200", "separator=\n"])
    shown = RPR_GetUserInputs(
        title, len(captions), wanted, "\n".join(text.replace("\n", " ") for text in texts), TEXT_BYTES
    )
    if not shown[0]:
        raise KeyboardInterrupt
    return (str(shown[4]).split("\n") + [""] * len(captions))[: len(captions)]


def _can_read(question: Question, text: str) -> bool:
    try:
        question.read(text)
    except ValueError:
        return False
    return True


class Memory:
    """What the user chose, kept by REAPER from one session to the next."""

    def read(self, key: str) -> dict[str, str]:
        try:
            found = json.loads(RPR_GetExtState(SECTION, key) or "{}")
        except ValueError:
            return {}
        return {str(name): str(value) for name, value in found.items()} if isinstance(found, dict) else {}

    def write(self, key: str, answers: Mapping[str, Any]) -> None:
        told = {name: option_text(value) for name, value in answers.items()}
        RPR_SetExtState(SECTION, key, json.dumps(told), True)


def _text(name: str, caption: str, default: str) -> Question:
    return Question(name, caption, default, str.strip)


def _switch(name: str, caption: str, default: str) -> Question:
    return Question(name, caption + " (yes/no)", default, functools.partial(read_option, {"type": "boolean"}))


SERVER = (
    _text("url", "Server", "http://127.0.0.1:8600"),
    _text("token_file", "File of its token (empty: none)", ""),
    _switch("shared", "It sees the same disk", NO),
)


def connect(answers: Mapping[str, Any]) -> Client:
    """Returns a client for the server that was chosen."""
    token = os.environ.get("AUDIO_ML_TOKEN")
    if answers["token_file"]:
        try:
            token = Path(answers["token_file"]).expanduser().read_text("ascii").strip()
        except (OSError, ValueError) as error:
            raise Refusal(f"The token's file cannot be read: {error}") from error
    try:
        return Client(answers["url"], token, TIMEOUT_SECONDS, patience=PATIENCE_SECONDS)
    except ValueError as error:
        raise Refusal(str(error)) from error


def ask_model(client: Client, memory: Memory, task: str, answers: Mapping[str, Any]) -> dict[str, Any]:
    """Returns the options that differ from the defaults of the model that was chosen, asked in its own words."""
    model = client.model(answers["model"])
    asked = questions(model.get("options", {}), advanced=answers["advanced"])
    key = "{}/{}".format(task, answers["model"])
    given = ask(f"{TITLE}: {answers['model']}", asked, memory.read(key))
    memory.write(key, given)
    return {each.name: given[each.name] for each in asked if given[each.name] != each.read(each.default)}


# What is in the project


@dataclass(frozen=True)
class Source:
    """An item with sound: its file, which part of it plays, and the track that it is on."""

    item: Any
    take: Any
    track: Any
    path: Path
    position: float
    length: float
    excerpt: Excerpt


def _item(item: Any, name: str) -> float:
    return float(RPR_GetMediaItemInfo_Value(item, name))


def _take(take: Any, name: str) -> float:
    return float(RPR_GetMediaItemTakeInfo_Value(take, name))


def _exists(pointer: Any) -> bool:
    """Tells a pointer from REAPER's null, which Python gets as text like "(MediaItem*)0x0000000000000000"."""
    return bool(pointer) and not str(pointer).rstrip("0").endswith(")0x")


def selected_items() -> list[Any]:
    return [RPR_GetSelectedMediaItem(CURRENT, index) for index in range(RPR_CountSelectedMediaItems(CURRENT))]


def has_sound(item: Any) -> bool:
    take = RPR_GetActiveTake(item)
    return _exists(take) and not RPR_TakeIsMIDI(take)


def read_source(item: Any) -> Source:
    """Returns what an item plays; raises `Refusal` for what is more than an excerpt of a file."""
    take = RPR_GetActiveTake(item)
    source, section = RPR_GetMediaItemTake_Source(take), 0.0
    length = float(RPR_GetMediaSourceLength(source, False)[0])
    if RPR_GetMediaSourceType(source, "", 64)[1] == "SECTION":
        _, _, section, length, is_reversed = RPR_PCM_Source_GetSectionInfo(source, 0.0, 0.0, False)[:5]
        if is_reversed:
            raise Refusal("An item plays its source backwards: glue it first.")
        source = RPR_GetMediaSourceParent(source)
    if RPR_GetTakeNumStretchMarkers(take):
        raise Refusal("An item has stretch markers: glue it first.")
    path = str(RPR_GetMediaSourceFileName(source, "", 4096)[1])
    if not os.path.isfile(path):
        raise Refusal("An item has no file on the disk: glue it first.")
    excerpt = excerpt_of(
        offset=_take(take, "D_STARTOFFS"),
        length=_item(item, "D_LENGTH"),
        rate=_take(take, "D_PLAYRATE"),
        source_length=float(length),
        sample_rate=int(RPR_GetMediaSourceSampleRate(source)) or 48000,
        loops=bool(_item(item, "B_LOOPSRC")),
        section=float(section),
    )
    track = RPR_GetMediaItem_Track(item)
    return Source(item, take, track, Path(path), _item(item, "D_POSITION"), _item(item, "D_LENGTH"), excerpt)


@dataclass(frozen=True)
class Note:
    """A text and when it is said; `track` is that of its item, None for a region."""

    text: str
    position: float
    track: Any = None


def read_notes() -> list[Note]:
    """Returns the notes of the selected items without sound, or else the name of the region at the edit cursor."""
    notes = []
    for item in selected_items():
        text = str(RPR_GetSetMediaItemInfo_String(item, "P_NOTES", "", False)[3])
        if not has_sound(item) and text.strip():
            notes.append(Note(text, _item(item, "D_POSITION"), RPR_GetMediaItem_Track(item)))
    if not notes:
        index = int(RPR_GetLastMarkerAndCurRegion(CURRENT, RPR_GetCursorPosition(), 0, 0)[3])
        if index >= 0:
            position, name = _region(index)
            notes += [Note(name, position)] if name.strip() else []
    return notes


def _region(index: int) -> tuple[float, str]:
    """Returns where a region begins, and its name, which only REAPER's own function gives to Python."""
    function = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_int, *[ctypes.c_void_p] * 5)(rpr_getfp("EnumProjectMarkers"))
    is_region, number = ctypes.c_bool(), ctypes.c_int()
    position, end, name = ctypes.c_double(), ctypes.c_double(), ctypes.c_char_p()
    function(index, *map(ctypes.addressof, (is_region, position, end, name, number)))
    return position.value, (name.value or b"").decode("utf-8", "replace")


# What comes into the project


def new_folder(name: str) -> Path:
    """Returns a folder of that name among the project's recordings that is not there yet."""
    recordings = Path(str(RPR_GetProjectPathEx(CURRENT, "", 4096)[1])) / FOLDER
    kept = "".join(each if each.isalnum() or each in " -_.()" else "_" for each in name).strip(" .") or "_"
    number = 1
    while True:
        folder = recordings / (kept if number == 1 else f"{kept}-{number}")
        if not folder.exists():
            return folder
        number += 1


def add_track(after: Any, name: str) -> Any:
    """Adds a track below another, or at the end, with a colour that the name always has."""
    index = RPR_CountTracks(CURRENT) if after is None else int(RPR_GetMediaTrackInfo_Value(after, "IP_TRACKNUMBER"))
    RPR_InsertTrackAtIndex(index, True)
    track = RPR_GetTrack(CURRENT, index)
    RPR_GetSetMediaTrackInfo_String(track, "P_NAME", name, True)
    red, green, blue = (round(255 * part) for part in colorsys.hls_to_rgb(sum(name.encode()) * 0.618 % 1, 0.55, 0.5))
    RPR_SetMediaTrackInfo_Value(track, "I_CUSTOMCOLOR", RPR_ColorToNative(red, green, blue) | 0x1000000)
    return track


def add_item(track: Any, path: Path, position: float, length: float) -> tuple[Any, Any]:
    """Puts a file on a track; returns the item and its take."""
    item = RPR_AddMediaItemToTrack(track)
    take = RPR_AddTakeToMediaItem(item)
    RPR_SetMediaItemTake_Source(take, RPR_PCM_Source_CreateFromFile(str(path)))
    RPR_GetSetMediaItemTakeInfo_String(take, "P_NAME", path.stem, True)
    RPR_SetMediaItemInfo_Value(item, "D_POSITION", position)
    RPR_SetMediaItemInfo_Value(item, "D_LENGTH", length)
    return item, take


def add_stems(sources: Sequence[Source], stems: Sequence[Mapping[str, Path]], *, mute: bool) -> None:
    """Puts the stems of each source under it; sources on one track share the tracks of the stems."""
    tracks: dict[tuple[str, str], Any] = {}
    last: dict[str, Any] = {}
    for source, files in zip(sources, stems):
        for stem, path in files.items():
            above = str(source.track)
            if (above, stem) not in tracks:
                last[above] = tracks[above, stem] = add_track(last.get(above, source.track), stem)
            item, take = add_item(tracks[above, stem], path, source.position, source.length)
            for name in KEPT_OF_ITEM:
                RPR_SetMediaItemInfo_Value(item, name, _item(source.item, name))
            for name in KEPT_OF_TAKE:
                RPR_SetMediaItemTakeInfo_Value(take, name, _take(source.take, name))
            RPR_SetMediaItemTakeInfo_Value(take, "D_STARTOFFS", source.excerpt.offset)
        if mute:
            RPR_SetMediaItemInfo_Value(source.item, "B_MUTE", 1)


def add_speech(notes: Sequence[Note], files: Sequence[Path], voice: str) -> None:
    """Puts each text as a sound on one new track, where its note is."""
    track = add_track(notes[-1].track, "Speech" + (": " + voice if voice else ""))
    for note, path in zip(notes, files):
        item, take = add_item(track, path, note.position, 1.0)
        length = float(RPR_GetMediaSourceLength(RPR_GetMediaItemTake_Source(take), False)[0])
        RPR_SetMediaItemInfo_Value(item, "D_LENGTH", length)


def in_one_undo(name: str, change: Callable[[], None]) -> None:
    RPR_Undo_BeginBlock2(CURRENT)
    RPR_PreventUIRefresh(1)
    try:
        change()
    finally:
        RPR_PreventUIRefresh(-1)
        RPR_Undo_EndBlock2(CURRENT, name, -1)
    RPR_UpdateArrange()
    RPR_Main_OnCommand(40047, 0)  # build missing peaks


# The two requests


def separate(sources: Sequence[Source], memory: Memory) -> Work:
    """Asks, and then separates one item after the other; yields how far it is."""
    asked = (
        *SERVER,
        _text("model", "Model", "spleeter-2stems"),
        _switch("advanced", "Ask for advanced options", NO),
        _switch("mute", "Mute the items that were separated", YES),
    )
    client, answers = _ask_first("separate", asked, memory)
    options = ask_model(client, memory, "separate", answers)
    done = []
    for number, source in enumerate(sources):
        folder = new_folder(source.path.stem)
        steps = client.steps(
            "separate",
            inputs=[source.path],
            shared=answers["shared"],
            model=answers["model"],
            options=options,
            delivery={
                "filename": "{stem}.{ext}",
                "start_seconds": source.excerpt.start,
                "duration_seconds": source.excerpt.duration,
            },
            place=lambda name, folder=folder: safe_path(folder, name),
        )
        result = yield from _counted(steps, number, len(sources))
        done.append({Path(name).stem: path for name, path in result.paths.items()})
    in_one_undo("Separate items into stems", lambda: add_stems(sources, done, mute=answers["mute"]))


def speak(notes: Sequence[Note], memory: Memory) -> Work:
    """Asks, and then speaks one note after the other; yields how far it is."""
    asked = (
        *SERVER,
        _text("model", "Model", "hibari"),
        _text("voice", "Voice (empty: the model's first)", ""),
        _switch("advanced", "Ask for advanced options", NO),
    )
    client, answers = _ask_first("speak", asked, memory)
    options = ask_model(client, memory, "speak", answers)
    folder, files = new_folder("speech"), []
    for number, note in enumerate(notes):
        target = folder / f"{number + 1:03}.wav"
        steps = client.steps(
            "speak",
            text=note.text,
            model=answers["model"],
            voice=answers["voice"] or None,
            options=options,
            delivery={"format": "wav"},
            place=lambda name, target=target: target,
        )
        yield from _counted(steps, number, len(notes))
        files.append(target)
    in_one_undo("Speak notes", lambda: add_speech(notes, files, answers["voice"]))


def _ask_first(task: str, asked: Sequence[Question], memory: Memory) -> tuple[Client, dict[str, Any]]:
    answers = ask(f"{TITLE}: {task}", asked, {**memory.read(task), **memory.read("server")})
    client = connect(answers)
    models = [model["id"] for model in client.models() if task in model.get("jobs", ())]
    if answers["model"] not in models:
        listed = "\n".join(models)
        raise Refusal(f"The server has no model {answers['model']} for this. It has:\n{listed}")
    memory.write(task, answers)
    memory.write("server", {each.name: answers[each.name] for each in SERVER})
    return client, answers


def _counted(steps: Any, number: int, n_all: int) -> Any:
    """Goes through the steps of one of several items; closing it cancels that item's job on the server."""
    try:
        while True:
            try:
                step = next(steps)
            except StopIteration as end:
                result: Result = end.value
                return result
            count = "" if n_all == 1 else f" ({number + 1} of {n_all})"
            yield Step(step.stage + count, step.fraction, step.eta_seconds)
    finally:
        steps.close()


# REAPER's loop

_work: list[Work] = []


def audio_ml_tick() -> None:
    """Works for a moment, and asks REAPER to come back."""
    ends = time.monotonic() + TICK_SECONDS
    try:
        while time.monotonic() < ends:
            step = next(_work[0])
            left = "" if not step.eta_seconds else f", {step.eta_seconds:.0f} s left"
            _tell(f"{TITLE}: {step.stage} {step.fraction:.0%}{left} (run it again to cancel)")
            if not step.stage.startswith(("uploading", "downloading")):
                break  # it is the server's turn
    except StopIteration:
        _end("")
    except KeyboardInterrupt:  # a dialog was closed
        _end("")
    except (Refusal, ServerError, OSError) as error:
        _end(str(error))
    else:
        RPR_defer("audio_ml_tick()")


def audio_ml_cancel() -> None:
    """Cancels what is under way; REAPER calls it when the script ends for whatever reason."""
    while _work:
        _work.pop().close()  # type: ignore[attr-defined]
    _tell("")


def _end(message: str) -> None:
    audio_ml_cancel()
    if message:
        RPR_MB(message, TITLE, OK_ONLY)


def _tell(text: str) -> None:
    RPR_TrackCtl_SetToolTip(text, 100, 100, True)


def main() -> None:
    """Finds out what is selected, and begins."""
    memory = Memory()
    try:
        sources = [read_source(item) for item in selected_items() if has_sound(item)]
        notes = [] if sources else read_notes()
    except Refusal as error:
        RPR_MB(str(error), TITLE, OK_ONLY)
        return
    if not sources and not notes:
        RPR_MB(
            "Select items with sound to separate them, or items with notes, or put the edit cursor into a region that "
            "has a name, to have them spoken.",
            TITLE,
            OK_ONLY,
        )
        return
    if "RPR_set_action_options" in globals():
        RPR_set_action_options(1)  # running it again ends this run
    RPR_atexit("audio_ml_cancel()")
    _work.append(separate(sources, memory) if sources else speak(notes, memory))
    audio_ml_tick()


if __name__ == "__main__":
    main()
