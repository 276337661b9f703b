"""Writes OpenTimelineIO: a track for each character, a clip for each cue with its takes as media, gaps, markers."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from typing import Any

from tts.cues.options import SAMPLE_RATE
from tts.cues.session import Item, Session, lanes


def otio_text(session: Session) -> str:
    """Returns the timeline at the sheet's frame rate, its tracks beginning at the session's start.

    Times are in frames and parts of frames, so that they are right to the sample. Media are available
    from their own timecode (the TimeReference of the files). Cues of one character that overlap go to a second track.
    """
    import opentimelineio as otio

    clock = _Clock(otio, session)
    timeline = otio.schema.Timeline(session.name)
    timeline.global_start_time = clock.time(session.start)
    for character, items in session.by_character().items():
        for number, lane in enumerate(lanes(items), start=1):
            name = character if number == 1 else f"{character} {number}"
            timeline.tracks.append(_track(otio, clock, name, session.start, lane))
    for item in session.items:
        marked = clock.range(item.start - session.start, 0)
        metadata = {"audio-ml": {"line": item.cue.line, "notes": item.cue.notes}}
        timeline.tracks.markers.append(otio.schema.Marker(item.label, marked, metadata=metadata))
    return str(otio.adapters.write_to_string(timeline, "otio_json"))


class _Clock:
    """Times of samples as frames of the timeline."""

    def __init__(self, otio: Any, session: Session) -> None:
        self._otio, self._fps = otio, session.rate.fps

    def time(self, samples: int) -> Any:
        frames = Fraction(samples, SAMPLE_RATE) * self._fps
        return self._otio.opentime.RationalTime(float(frames), float(self._fps))

    def range(self, start: int, n_samples: int) -> Any:
        return self._otio.opentime.TimeRange(self.time(start), self.time(n_samples))


def _track(otio: Any, clock: _Clock, name: str, start: int, items: Sequence[Item]) -> Any:
    track = otio.schema.Track(name, kind=otio.schema.TrackKind.Audio)
    position = start
    for item in items:
        if item.start > position:
            track.append(otio.schema.Gap(source_range=clock.range(0, item.start - position)))
        track.append(_clip(otio, clock, item))
        position = item.end
    return track


def _clip(otio: Any, clock: _Clock, item: Item) -> Any:
    clip = otio.schema.Clip(item.label, source_range=clock.range(item.start, item.n_samples))
    media = {
        f"T{take.take:02}": otio.schema.ExternalReference(take.file, clock.range(take.start, take.n_samples))
        for take in item.takes
    }
    clip.set_media_references(media, f"T{item.takes[0].take:02}")
    clip.metadata["audio-ml"] = {"cue": item.cue.number, "scene": item.cue.scene, "line": item.cue.line}
    return clip
