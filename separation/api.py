"""The verbs of this package: `separate` in memory, `separate_file` from file to files in constant memory."""

from __future__ import annotations

import os
import string
import time
from collections.abc import Iterable, Mapping
from contextlib import ExitStack, closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from audio_ml import catalogue, provenance
from audio_ml import loader as loaders
from audio_ml.audio import Audio, Samples
from audio_ml.catalogue import ModelSpec
from audio_ml.errors import InvalidOption, OutputExists
from audio_ml.formats import FORMATS, BitDepth, source_depth
from audio_ml.hashing import file_sha256
from audio_ml.loader import ModelLoader
from audio_ml.options import parse
from audio_ml.progress import Progress
from audio_ml.streams import AudioReader, read_audio, show
from audio_ml.writer import AudioWriter, check_target
from separation.options import DEFAULT_MODEL, DeliveryOptions, SeparationOptions
from separation.report import NullMeter, SeparationReport, StemFile
from separation.stream import check_channels, chosen_stems, separate_stream

OptionValues = SeparationOptions | Mapping[str, Any] | None


@dataclass(frozen=True)
class Separation:
    """The stems of a mixture by name, and the `residual`: the mixture minus their sum."""

    stems: dict[str, Audio]
    residual: Audio


def separate(
    mixture: Audio | str | os.PathLike[str],
    *,
    model: str | ModelSpec | None = None,
    options: OptionValues = None,
    loader: ModelLoader | None = None,
    progress: Progress | None = None,
) -> Separation:
    """Takes a mixture apart in memory; stems have its sample rate, channels and exact length.

    Raises:
        InvalidInput: for an unknown model or option, or audio that cannot be separated.
        WeightsError: when the model's files cannot be had.

    >>> import numpy as np
    >>> silence = Audio(np.zeros((2, 44100), np.float32), 44100)
    >>> sorted(separate(silence).stems)
    ['accompaniment', 'vocals']
    """
    spec = _spec(model)
    chosen = _options(spec, options)
    names = chosen_stems(spec, chosen)
    audio = mixture if isinstance(mixture, Audio) else read_audio(mixture)
    check_channels(audio.n_channels)
    progress = progress or Progress()
    with (loader or loaders.default()).use(spec, progress) as engine:
        pieces = separate_stream(
            [audio.samples],
            sample_rate=audio.sample_rate,
            n_channels=audio.n_channels,
            n_expected=audio.n_samples,
            spec=spec,
            engine=engine,
            options=chosen,
            progress=progress,
        )
        with closing(pieces):
            stems = np.concatenate([stems for _, stems in pieces], axis=-1)
    return Separation(
        stems={name: Audio(stem, audio.sample_rate) for name, stem in zip(names, stems, strict=True)},
        residual=Audio(audio.samples - stems.sum(axis=0), audio.sample_rate),
    )


def separate_file(
    path: str | os.PathLike[str],
    out_dir: str | os.PathLike[str],
    *,
    model: str | ModelSpec | None = None,
    options: OptionValues = None,
    delivery: DeliveryOptions | Mapping[str, Any] | None = None,
    loader: ModelLoader | None = None,
    progress: Progress | None = None,
) -> SeparationReport:
    """Takes a media file of any length apart, into one file per stem, in constant memory.

    Everything is checked before work begins, and no stem appears under its name before all are
    complete. Stems have the source's sample rate, channels and exact length.

    Raises:
        InvalidInput: for an unknown model or option, or a file that cannot be read or separated.
        WeightsError: when the model's files cannot be had.
        OutputError: when a stem exists already or cannot be written.
        Cancelled: when `progress.cancel` was called.

    >>> report = separate_file("song.mp3", "stems")              # doctest: +SKIP
    >>> report.null_depth_db < -120                              # doctest: +SKIP
    True
    """
    spec = _spec(model)
    chosen = _options(spec, options)
    form = parse(DeliveryOptions, delivery)
    reader = AudioReader(path, form.start_seconds, form.duration_seconds)
    check_channels(reader.info.n_channels)
    targets = _name_targets(Path(path), Path(out_dir), spec, chosen, form)
    for target in targets.values():
        _check_target(target, Path(path), form.overwrite)
    source_sha256 = file_sha256(path)
    progress = progress or Progress()
    began = time.perf_counter()
    with ExitStack() as stack:
        writers = [stack.enter_context(_writer(target, reader, form)) for target in targets.values()]
        engine = stack.enter_context((loader or loaders.default()).use(spec, progress))
        loaded = time.perf_counter()
        pieces = separate_stream(
            reader.blocks(),
            sample_rate=reader.info.sample_rate,
            n_channels=reader.info.n_channels,
            n_expected=reader.n_expected,
            spec=spec,
            engine=engine,
            options=chosen,
            progress=progress,
        )
        stack.callback(pieces.close)  # its threads end before the model is given back
        null_depths = _write(pieces, writers)
        done = time.perf_counter()
    files = tuple(_stem_file(stem, writer, form, reader) for stem, writer in zip(targets, writers, strict=True))
    device = (loader or loaders.default()).device.kind
    made_by = provenance.record(spec, chosen, device, path, source_sha256)
    return _report(reader, spec, files, null_depths, (loaded - began, done - loaded), made_by)


def output_paths(
    path: str | os.PathLike[str],
    out_dir: str | os.PathLike[str],
    *,
    model: str | ModelSpec | None = None,
    options: OptionValues = None,
    delivery: DeliveryOptions | Mapping[str, Any] | None = None,
) -> dict[str, Path]:
    """Returns the path that `separate_file` would write each stem to, whether it exists or not; raises as it does."""
    spec = _spec(model)
    return _name_targets(Path(path), Path(out_dir), spec, _options(spec, options), parse(DeliveryOptions, delivery))


def check_request(
    *,
    model: str | ModelSpec | None = None,
    options: OptionValues = None,
    delivery: DeliveryOptions | Mapping[str, Any] | None = None,
) -> None:
    """Raises what `separate_file` would raise for any file: a batch asks once, before its first file."""
    output_paths("track", "", model=model, options=options, delivery=delivery)


def _spec(model: str | ModelSpec | None) -> ModelSpec:
    return model if isinstance(model, ModelSpec) else catalogue.find("separation", model or DEFAULT_MODEL)


def _options(spec: ModelSpec, values: OptionValues) -> SeparationOptions:
    options = parse(spec.options, values)
    assert isinstance(options, SeparationOptions)
    return options


def _name_targets(
    source: Path, out_dir: Path, spec: ModelSpec, options: SeparationOptions, form: DeliveryOptions
) -> dict[str, Path]:
    track = source.stem if source.stem.strip(". ") else "_"
    targets: dict[str, Path] = {}
    for stem in chosen_stems(spec, options):
        name = _fill_template(form.filename, {"track": track, "stem": stem, "model": spec.name, "ext": form.format})
        target = out_dir / name
        if ".." in Path(name).parts or Path(name).is_absolute():
            raise InvalidOption(f"Option 'filename' cannot be {form.filename!r}: it leaves the output folder.")
        if target in targets.values():
            raise InvalidOption(f"Option 'filename' gives {show(target)} to more than one stem; add {{stem}} to it.")
        targets[stem] = target
    return targets


def _fill_template(template: str, fields: Mapping[str, str]) -> str:
    """Fills in bare fields only: no attributes, no widths."""
    try:
        parts = list(string.Formatter().parse(template))
    except ValueError as error:
        raise InvalidOption(f"Option 'filename' cannot be {template!r}: {error}.") from error
    if any(name is not None and (name not in fields or form or how) for _, name, form, how in parts):
        known = ", ".join(f"{{{name}}}" for name in fields)
        raise InvalidOption(f"Option 'filename' cannot be {template!r}: it may have {known}.")
    if not template.endswith("{ext}"):
        raise InvalidOption(f"Option 'filename' cannot be {template!r}: it has to end in {{ext}}.")
    return template.format(**fields)


def _check_target(target: Path, source: Path, overwrite: bool) -> None:
    check_target(target, overwrite)
    if target.exists() and target.samefile(source):
        raise OutputExists(f"{show(target)} is the source itself; choose another output folder or name.")


def _writer(target: Path, reader: AudioReader, form: DeliveryOptions) -> AudioWriter:
    return AudioWriter(
        target,
        FORMATS[form.format],
        reader.info.sample_rate,
        reader.info.n_channels,
        bit_depth=_bit_depth(reader, form),
        bitrate_kbps=form.bitrate_kbps,
        n_expected=reader.n_expected,
        overwrite=form.overwrite,
    )


def _bit_depth(reader: AudioReader, form: DeliveryOptions) -> BitDepth:
    """Returns the depth of the stems; where it follows the source, the nearest that the format can hold."""
    if form.bit_depth != "same":
        return form.bit_depth
    depth, held = source_depth(reader.info.subtype), FORMATS[form.format].bit_depths
    return depth if depth in held or not held else held[-1]


def _write(pieces: Iterable[tuple[Samples, Samples]], writers: list[AudioWriter]) -> tuple[float, float]:
    """Writes all stems and names them; returns their null depth in dBFS as computed, and as the files hold them."""
    computed, written = NullMeter(), NullMeter()
    for mixture, stems in pieces:
        stored = [writer.write(stem) for writer, stem in zip(writers, stems, strict=True)]
        computed.add(mixture, stems)
        written.add(mixture, np.stack(stored))
    _finish(writers)
    return computed.depth_db, written.depth_db


def _report(
    reader: AudioReader,
    spec: ModelSpec,
    files: tuple[StemFile, ...],
    null_depths: tuple[float, float],
    seconds: tuple[float, float],
    made_by: provenance.Provenance,
) -> SeparationReport:
    complete = {file.stem for file in files} == set(spec.outputs)
    return SeparationReport(
        source=os.fspath(reader.path),
        model=spec.name,
        sample_rate=reader.info.sample_rate,
        n_channels=reader.info.n_channels,
        n_samples=reader.n_read,
        files=files,
        null_depth_db=null_depths[0] if complete else None,
        null_depth_written_db=null_depths[1] if complete else None,
        length_ok=all(file.n_samples == reader.n_read for file in files),
        seconds_loading=seconds[0],
        seconds_separating=seconds[1],
        warnings=(*reader.warnings, *_rate_warning(reader, files), *_clip_warnings(files)),
        provenance=made_by,
    )


def _finish(writers: list[AudioWriter]) -> None:
    """Names all stems, or none."""
    for writer in writers:
        writer.close()
    committed: list[AudioWriter] = []
    try:
        for writer in writers:
            writer.commit()
            committed.append(writer)
    except BaseException:
        for writer in committed:
            writer.path.unlink(missing_ok=True)
        raise


def _stem_file(stem: str, writer: AudioWriter, form: DeliveryOptions, reader: AudioReader) -> StemFile:
    depth = "lossy" if FORMATS[form.format].lossy else _bit_depth(reader, form)
    return StemFile(
        stem, os.fspath(writer.path), form.format, writer.sample_rate, depth, writer.n_written, writer.n_clipped
    )


def _rate_warning(reader: AudioReader, files: tuple[StemFile, ...]) -> tuple[str, ...]:
    rate = files[0].sample_rate
    if rate == reader.info.sample_rate:
        return ()
    return (f"The stems have {rate} Hz: the format cannot hold the {reader.info.sample_rate} Hz of the source.",)


def _clip_warnings(files: tuple[StemFile, ...]) -> tuple[str, ...]:
    return tuple(
        f"{show(file.path)}: {file.n_clipped} samples beyond full scale were clipped; a bit depth of 32f keeps them."
        for file in files
        if file.n_clipped
    )
