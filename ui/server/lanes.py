"""Lanes: jobs of like cost wait for each other, and for nobody else. Each lane belongs to one worker process."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from ui.server.request import JobRequest

SHORT_FILE = 30_000_000  # bytes: some three minutes of WAV
UNCOMPRESSED = (".wav", ".wave", ".rf64", ".w64", ".bw64", ".aif", ".aiff", ".caf", ".au")
COMPRESSION = 10  # what the others make of a byte, or more
SHORT_TEXT = 2_000  # characters: some two minutes of speech
SPEECH_SHARE = 0.25  # of the memory budget, where both workers have one device


@dataclass(frozen=True)
class Lane:
    """A lane by `name`, whose jobs run in a worker, as many at once as it has `slots`."""

    name: str
    worker: str
    slots: int


DEVICE = "device"  # the worker that owns the accelerator, or the CPU where there is none
SPEECH = "speech"  # light speech, on the CPU
LANES = {
    lane.name: lane
    for lane in (
        Lane("speech", SPEECH, 2),
        Lane("script", SPEECH, 1),
        Lane("short", DEVICE, 1),
        Lane("long", DEVICE, 1),
        Lane("files", DEVICE, 1),
    )
}


def lane_of(request: JobRequest, inputs: Sequence[Mapping[str, str]]) -> Lane:
    """Returns the lane of a job, by what it is likely to cost.

    >>> lane_of(JobRequest(task="speak", text="Good morning."), []).name
    'speech'
    """
    if request.task in ("speak", "clone", "explain_speech"):
        return LANES["speech" if len(request.text or "") <= SHORT_TEXT else "script"]
    if request.task in ("pull", "verify"):  # nothing is computed
        return LANES["files"]
    if request.task in ("cues", "history"):
        return LANES["script"]
    if request.task == "enroll":
        return LANES["long"]
    if request.task == "check_reference" and sum(map(_cost, inputs)) <= SHORT_FILE:
        return LANES["speech"]  # small networks on a CPU, and somebody waits for what they say
    return LANES["short" if sum(map(_cost, inputs)) <= SHORT_FILE else "long"]


def _cost(ref: Mapping[str, str]) -> int:
    """Returns how many bytes of WAV an input is worth, by its size and the ending of its name."""
    if "path" not in ref:
        return SHORT_FILE + 1
    try:
        size = Path(ref["path"]).stat().st_size
    except OSError:
        return 0  # it went just now: the job will say so
    return size if Path(ref.get("name", ref["path"])).suffix.lower() in UNCOMPRESSED else COMPRESSION * size


def share_budget(total: int | None, *, one_device: bool) -> dict[str, int | None]:
    """Returns what each worker may keep in memory; on one device the shares sum to the total.

    >>> share_budget(4_000_000_000, one_device=True)
    {'device': 3000000000, 'speech': 1000000000}
    """
    if total is None or not one_device:
        return {DEVICE: total, SPEECH: None}
    speech = int(total * SPEECH_SHARE)
    return {DEVICE: total - speech, SPEECH: speech}
