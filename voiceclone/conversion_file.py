"""A recording in another voice as a file: as long to the sample, with its timecode and metadata."""

from __future__ import annotations

import dataclasses
import json
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

from audio_ml import loader as loaders
from audio_ml.audio import Audio, Samples
from audio_ml.cloned_voice import ClonedVoice
from audio_ml.downmix import Downmix
from audio_ml.encoders import Identity
from audio_ml.errors import OutputExists
from audio_ml.formats import BitDepth, find_format
from audio_ml.hashing import file_sha256
from audio_ml.loader import ModelLoader
from audio_ml.metadata import Metadata, read_metadata
from audio_ml.progress import Progress
from audio_ml.provenance import Provenance, record
from audio_ml.speaking import Speller
from audio_ml.streams import AudioReader, Resampler, show
from audio_ml.writer import AudioWriter, check_target
from voiceclone.api import convert
from voiceclone.conversion import check_length
from voiceclone.engines.kokoro_convert import CONVERT
from voiceclone.options import marks


@dataclass(frozen=True)
class ConversionReport:
    """What came of a recording that was converted, as a file of `n_samples`; `marked` tells of its watermark."""

    source: str
    path: str
    voice: str
    sample_rate: int
    n_samples: int
    marked: bool
    n_clipped: int
    warnings: tuple[str, ...]
    provenance: Provenance

    def as_dict(self) -> dict[str, Any]:
        """Returns the report as plain values."""
        return dataclasses.asdict(self)


def convert_file(
    path: str | os.PathLike[str],
    target_path: str | os.PathLike[str],
    voice: ClonedVoice,
    *,
    speller: Speller | None = None,
    options: Mapping[str, Any] | None = None,
    overwrite: bool = False,
    loader: ModelLoader | None = None,
    progress: Progress | None = None,
) -> ConversionReport:
    """Lends a voice to a recording and writes it in the format of the target's name, mono, at the source's rate.

    Timecode, markers and tags of the source are carried over, since every sample is where it was.

    Raises:
        InvalidInput: as `convert`, and for a name that is no format of ours.
        OutputError: when the file is there, is the source itself, or cannot be written.
        WeightsError: when a network cannot be had.
    """
    source, target = Path(path), Path(target_path)
    loader, progress = loader or loaders.default(), progress or Progress()
    check_target(target, overwrite)
    reader = AudioReader(source)
    if target.exists() and target.samefile(source):
        raise OutputExists(f"{show(target)} is the recording itself: choose another folder or name.")
    format, info = find_format(target), reader.info
    depth, rate = format.depth_for(info.subtype), format.rate_for(info.sample_rate)
    format.check(depth, 1)
    mixer = Downmix(info.n_channels)
    for block in _blocks(reader, progress) if info.n_channels > 1 else ():
        mixer.add(block)
    mono = [mixer.mix(block) for block in _blocks(reader, progress)]  # all of it is held, but not all of its channels
    audio = Audio(np.concatenate(mono, axis=1), info.sample_rate)
    converted = convert(audio, voice, speller=speller, options=options, loader=loader, progress=progress)
    assert converted.n_samples == audio.n_samples and converted.sample_rate == audio.sample_rate
    metadata = read_metadata(source).cut(0, audio.n_samples, info.sample_rate, rate)
    told = {"voice": voice.name, **(options or {})}
    is_marked = marks(told) and bool(converted.samples.any())  # silence holds no mark
    heard, device, sha256 = [(voice, is_marked)], loader.device.kind, file_sha256(source)
    made_by = record(CONVERT, told, device, source, sha256, metadata.umid, cloned_voices=heard)
    resampler, identity = Resampler(info.sample_rate, rate, 1), _identity(metadata, made_by, rate, depth)
    with AudioWriter(
        target, format, rate, 1, bit_depth=depth, identity=identity, dither_seed=(0,), overwrite=overwrite
    ) as writer:
        for block in resampler.stream([converted.samples]):
            writer.write(block)
        writer.close()
        writer.commit()
    return ConversionReport(
        source=str(source),
        path=str(target),
        voice=voice.name,
        sample_rate=rate,
        n_samples=writer.n_written,
        marked=is_marked,
        n_clipped=writer.n_clipped,
        warnings=(*reader.warnings, *metadata.warnings, *_heard_nothing(source, converted)),
        provenance=made_by,
    )


def _blocks(reader: AudioReader, progress: Progress) -> Iterator[Samples]:
    """Yields the blocks of a recording, unless there is too much of it, by its own word or in truth."""
    check_length((reader.n_expected or 0) / reader.info.sample_rate)
    for block in reader:
        progress.check()
        check_length(reader.n_read / reader.info.sample_rate)
        yield block


def _heard_nothing(source: Path, converted: Audio) -> list[str]:
    """Returns a warning where there was nothing to lend a voice to."""
    return [] if converted.samples.any() else [f"{show(source)} is silent, and so is the result: nobody speaks in it."]


def _identity(metadata: Metadata, made_by: Provenance, rate: int, depth: BitDepth) -> Identity:
    """Returns what the file carries beside sound: what the source had, and what made it."""
    history = f"A=PCM,F={rate},M=mono,T=audio-ml {version('audio-ml')} voice conversion"
    return Identity(
        chunks=metadata.for_stem(coding_history=history, bit_depth=depth),
        tags=metadata.tags,
        is_bw64=metadata.is_bw64,
        provenance=json.dumps(dataclasses.asdict(made_by)),
    )
