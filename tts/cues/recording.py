"""One take as a file: the line said, fitted, brought to its loudness, and written as Broadcast Wave at its timecode."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from itertools import chain
from pathlib import Path

import numpy as np

from audio_ml import bext, provenance
from audio_ml.audio import Audio, Samples
from audio_ml.cloned_voice import ClonedVoice
from audio_ml.encoders import Identity
from audio_ml.errors import InvalidInput
from audio_ml.formats import FORMATS
from audio_ml.loudness import Gain, Loudness, LoudnessMeter, Target, gain_to
from audio_ml.provenance import Provenance
from audio_ml.speech import Speech
from audio_ml.streams import Resampler
from audio_ml.writer import AudioWriter
from tts.cues.fit import FASTEST, SLOWEST, Fitted, fit_line
from tts.cues.options import BIT_DEPTH, SAMPLE_RATE, CueOptions
from tts.cues.plan import PlannedTake
from tts.cues.session import Session
from tts.cues.speaker import LineSpeaker

PACE_LIMITS = (0.5, 2.0)  # of the option `speed`
ORIGINATOR = "audio-ml"


@dataclass(frozen=True, eq=False)
class Recording:
    """A take before its gain; `gain` is None where it is too short to have a loudness of its own."""

    planned: PlannedTake
    fitted: Fitted
    loudness: Loudness
    gain: Gain | None
    warnings: tuple[str, ...]


def record(planned: PlannedTake, speaker: LineSpeaker, options: CueOptions, target: Target | None) -> Recording:
    """Says a take and fits it to its slot.

    Raises:
        InvalidInput: when there is nothing to say, or it does not fit although it has to.
    """
    said: list[Speech] = []
    is_marked = bool(planned.options.get("watermark"))
    its_options = {**planned.options, "watermark": False} if is_marked else planned.options
    asked = float(planned.options["speed"])
    paces = max(SLOWEST, PACE_LIMITS[0] / asked), min(FASTEST, PACE_LIMITS[1] / asked)

    def say(factor: float) -> Audio:
        speed = float(np.clip(asked * factor, *PACE_LIMITS))
        said.append(speaker.say(planned.cue.line, planned.voice, {**its_options, "speed": speed}))
        return _at_file_rate(said[-1].audio)

    fitted = fit_line(say, planned.place.slot, options.fit, fill=options.fill, paces=paces)
    excess = fitted.excess_samples(planned.place.slot)
    if options.fit == "fail" and excess > 0:
        raise InvalidInput(f"The line is {1000 * excess / SAMPLE_RATE:.0f} ms longer than its slot.")
    # At last, since a mark does not survive stretching; a line in another voice may call a cloned one as well.
    if is_marked or said[-1].marked:
        fitted = dataclasses.replace(fitted, audio=speaker.mark(fitted.audio))
    meter = LoudnessMeter(SAMPLE_RATE, 1, true_peak=True)
    meter.add(fitted.audio.samples)
    loudness = meter.result()
    gain = Gain(0.0)
    warnings = [warning.message for warning in said[0].warnings]
    if target is not None:
        if loudness.integrated_lufs is None:
            return Recording(planned, fitted, loudness, None, tuple(warnings))
        gain = gain_to(target, loudness)
        if gain.held_back_db > 0:
            warnings.append(f"It is {gain.held_back_db:.1f} dB below {target.lufs:g} LUFS, to keep its peaks below.")
    return Recording(planned, fitted, loudness, gain, tuple(warnings))


def write_take(path: Path, recording: Recording, gain_db: float, speaker: LineSpeaker, source: Path) -> int:
    """Writes a take with its timecode and provenance; returns how many samples were clipped."""
    planned = recording.planned
    spec = speaker.model(planned.voice)
    about = {"voice": planned.voice, "take": planned.take + 1, **planned.options}
    about |= {"fit_speed": recording.fitted.speed, "fit_stretch": recording.fitted.stretch, "gain_db": gain_db}
    line_sha256 = hashlib.sha256(planned.cue.line.encode("utf-8", "surrogatepass")).hexdigest()
    heard = _cloned(planned, speaker)
    made_by = provenance.record(spec, about, speaker.device, source, line_sha256, cloned_voices=heard)
    description = _bext(f"{planned.cue.character}: {planned.cue.line}", planned.place.start, spec.name)
    identity = _identity(description, made_by)
    samples = recording.fitted.audio.samples * np.float32(10 ** (gain_db / 20))
    return write_wave(path, [samples], samples.shape[1], identity)


def guide_identity(
    session: Session, takes: Sequence[PlannedTake], key: str, speaker: LineSpeaker, source: Path
) -> Identity:
    """Returns what the guide track of a sheet carries: the cloned voices of all takes in it are told as theirs are.

    The `key` stands for what it is mixed of.
    """
    made_by = provenance.record_mix(
        (speaker.model(voice) for voice in dict.fromkeys(take.voice for take in takes)),
        speaker.device,
        source,
        key,
        cloned_voices=chain.from_iterable(_cloned(take, speaker) for take in takes),
    )
    return _identity(_bext(f"Guide track of {session.name}", session.start, "guide"), made_by)


def _cloned(take: PlannedTake, speaker: LineSpeaker) -> Sequence[tuple[ClonedVoice, bool]]:
    return speaker.cloned(take.cue.line, take.voice, take.options)


def _identity(description: bytes, made_by: Provenance) -> Identity:
    record = json.dumps(dataclasses.asdict(made_by), default=str)
    return Identity(chunks=((b"bext", description),), provenance=record)


def write_wave(path: Path, blocks: Iterable[Samples], n_samples: int, identity: Identity) -> int:
    """Writes a stream [1, n] as 48 kHz, 24 bit in place of what is there; returns how many samples were clipped."""
    wav = FORMATS["wav"]
    with AudioWriter(
        path,
        wav,
        SAMPLE_RATE,
        1,
        bit_depth=BIT_DEPTH,
        n_expected=n_samples,
        identity=identity,
        dither_seed=(0,),
        overwrite=True,
    ) as writer:
        for block in blocks:
            writer.write(block)
        writer.close()
        writer.commit()
        return writer.n_clipped


def _bext(description: str, start: int, made_with: str) -> bytes:
    history = f"A=PCM,F={SAMPLE_RATE},W={BIT_DEPTH},M=mono,T=audio-ml {version('audio-ml')} {made_with}"
    return bext.with_history_line(bext.create(description, ORIGINATOR, start), history)


def _at_file_rate(audio: Audio) -> Audio:
    resampler = Resampler(audio.sample_rate, SAMPLE_RATE, audio.n_channels)
    samples = np.concatenate(list(resampler.stream([audio.samples])), axis=1)
    return Audio(samples.mean(axis=0, keepdims=True, dtype=np.float32), SAMPLE_RATE)
