"""The verbs of this package: `separate` in memory, `separate_file` from file to files in constant memory."""

from __future__ import annotations

import dataclasses
import json
import os
import string
import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

from audio_ml import loader as loaders
from audio_ml import provenance
from audio_ml.audio import Audio, Samples
from audio_ml.catalogue import ModelSpec
from audio_ml.encoders import Identity
from audio_ml.errors import InvalidOption, OutputExists, UnreadableAudio
from audio_ml.excerpt import UNKNOWN_LENGTH, Excerpt
from audio_ml.hashing import file_sha256
from audio_ml.ladder import Ladder
from audio_ml.layouts import MASK_TAG, NO_PLACES, mask_of_speakers
from audio_ml.loader import ModelLoader
from audio_ml.metadata import Metadata, read_metadata
from audio_ml.options import parse
from audio_ml.progress import Progress
from audio_ml.streams import AudioReader, read_audio, show
from audio_ml.writer import check_target
from separation.channels import ChannelPlan, plan_channels
from separation.delivery import Delivery, Form, find_form
from separation.ensemble import check_members, find_model
from separation.lighter import find_lighter
from separation.options import DEFAULT_MODEL, DeliveryOptions, SeparationOptions
from separation.recipe import Recipe, find_recipe
from separation.report import SeparationReport, StemFile
from separation.stream import StemStream

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
        OutOfMemory: when no smaller segment, less precision nor the CPU was enough.

    >>> import numpy as np
    >>> silence = Audio(np.zeros((2, 44100), np.float32), 44100)
    >>> sorted(separate(silence).stems)
    ['accompaniment', 'vocals']
    """
    spec = _spec(model)
    chosen = _options(spec, options)
    recipe = find_recipe(spec, chosen)
    audio, metadata = (mixture, Metadata()) if isinstance(mixture, Audio) else _read(mixture)
    plan = plan_channels(chosen, audio.n_channels, spec.n_channels, metadata.channel_mask, metadata.track_names)
    progress = progress or Progress()
    ladder = _ladder(spec, chosen, loader or loaders.default(), progress)

    def work() -> Samples:
        with ladder.lend() as engines:
            stream = StemStream(spec, engines, ladder.options, plan, recipe.sources, audio.sample_rate, progress)
            with closing(stream.run([audio.samples], audio.n_samples)) as pairs:
                return np.concatenate([recipe.apply(stems) for _, stems in pairs], axis=-1)

    outputs = ladder.run(work)
    return Separation(
        stems={name: Audio(stem, audio.sample_rate) for name, stem in zip(recipe.outputs, outputs, strict=True)},
        residual=Audio(audio.samples - outputs.sum(axis=0), audio.sample_rate),
    )


@dataclass(frozen=True, eq=False)
class _Job:
    """A request that was found to be in order."""

    reader: AudioReader
    metadata: Metadata
    spec: ModelSpec
    options: SeparationOptions
    delivery: DeliveryOptions
    plan: ChannelPlan
    recipe: Recipe
    form: Form
    targets: dict[str, Path]


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
    complete. Unless the options say otherwise, stems have the source's sample rate, channels, bit
    depth, exact length and metadata, and add up to it.

    Raises:
        InvalidInput: for an unknown model or option, or a file that cannot be read or separated.
        WeightsError: when the model's files cannot be had.
        OutputError: when a stem exists already or cannot be written.
        OutOfMemory: when no smaller segment, less precision nor the CPU was enough; the report tells of what was.
        Cancelled: when `progress.cancel` was called.

    >>> report = separate_file("song.mp3", "stems")              # doctest: +SKIP
    >>> report.null_depth_db < -120                              # doctest: +SKIP
    True
    """
    loader, progress = loader or loaders.default(), progress or Progress()
    job = _check(path, out_dir, model, options, delivery)
    source_sha256 = _hash(path, progress)
    ladder = _ladder(job.spec, job.options, loader, progress)
    return ladder.run(
        lambda: _separate(dataclasses.replace(job, options=ladder.options), source_sha256, ladder, progress)
    )


def _separate(job: _Job, source_sha256: str, ladder: Ladder[SeparationOptions], progress: Progress) -> SeparationReport:
    """Writes the stems of a request; nothing is left of them when it fails."""
    reader, info, began = job.reader, job.reader.info, time.perf_counter()
    with ExitStack() as stack:
        engines = stack.enter_context(ladder.lend())
        loaded = time.perf_counter()
        made_by = _provenance(job, source_sha256, ladder)
        identity = Identity(
            chunks=job.metadata.for_stem(
                coding_history=_history(job), keep_umid=job.delivery.keep_umid, bit_depth=job.form.bit_depth
            ),
            tags=job.metadata.tags,
            channel_mask=_mask(job),
            is_bw64=job.metadata.is_bw64,
            provenance=json.dumps(dataclasses.asdict(made_by)),
        )
        written = Delivery(job.targets, job.recipe, job.form, job.delivery, reader, job.plan.layout, identity, stack)
        stream = StemStream(job.spec, engines, job.options, job.plan, job.recipe.sources, info.sample_rate, progress)
        pairs = stream.run(reader, reader.n_expected)
        stack.callback(pairs.close)  # its threads end before the model is given back
        written.run(pairs, progress)
        files = written.finish(job.metadata, _history(job), job.delivery.keep_umid)
        done = time.perf_counter()
    return _report(job, written, files, (loaded - began, done - loaded), made_by, ladder.warnings)


def _mask(job: _Job) -> int | None:
    """Returns the channel mask of the files: the source's, unless the options name other loudspeakers."""
    speakers, kept = job.plan.layout.speakers, job.metadata.channel_mask
    if len(speakers) <= 2:
        return kept
    named = mask_of_speakers(speakers)
    if named is None and job.form.format.name == "flac":
        return 0
    return named if job.options.layout else kept


def _provenance(job: _Job, source_sha256: str, ladder: Ladder[SeparationOptions]) -> provenance.Provenance:
    """Returns what is made of what, by which weights; those are here by now."""
    chosen, umid = _chosen(job), job.metadata.umid
    return provenance.record(job.spec, chosen, ladder.device, job.reader.path, source_sha256, umid, ladder.loader.store)


def _check(
    path: str | os.PathLike[str],
    out_dir: str | os.PathLike[str],
    model: str | ModelSpec | None,
    options: OptionValues,
    delivery: DeliveryOptions | Mapping[str, Any] | None,
) -> _Job:
    """Finds out all that could be wrong with a request before any work."""
    spec = _spec(model)
    chosen = _options(spec, options)
    form_options = parse(DeliveryOptions, delivery)
    recipe = find_recipe(spec, chosen)
    reader = AudioReader(path, form_options.start_seconds, form_options.duration_seconds)
    metadata = _with_mask(read_metadata(path, tags_of_wave=form_options.format != "wav"), reader)
    plan = plan_channels(chosen, reader.info.n_channels, spec.n_channels, metadata.channel_mask, metadata.track_names)
    form = find_form(reader, form_options, plan.layout)
    targets = _name_targets(Path(path), Path(out_dir), spec, recipe.outputs, form_options)
    for target in targets.values():
        _check_target(target, Path(path), form_options.overwrite)
    start = round(form_options.start_seconds * reader.info.sample_rate)
    n_samples = reader.n_expected if reader.n_expected is not None else UNKNOWN_LENGTH
    metadata = metadata.cut(start, n_samples, reader.info.sample_rate, form.sample_rate)
    return _Job(reader, metadata, spec, chosen, form_options, plan, recipe, form, targets)


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
    outputs = find_recipe(spec, _options(spec, options)).outputs
    return _name_targets(Path(path), Path(out_dir), spec, outputs, parse(DeliveryOptions, delivery))


def check_request(
    *,
    model: str | ModelSpec | None = None,
    options: OptionValues = None,
    delivery: DeliveryOptions | Mapping[str, Any] | None = None,
) -> None:
    """Raises what `separate_file` would raise for any file: a batch asks once, before its first file."""
    output_paths("track", "", model=model, options=options, delivery=delivery)


def _read(path: str | os.PathLike[str]) -> tuple[Audio, Metadata]:
    return read_audio(path), _with_mask(read_metadata(path, tags_of_wave=False), AudioReader(path))


def _with_mask(metadata: Metadata, reader: AudioReader) -> Metadata:
    return dataclasses.replace(metadata, channel_mask=metadata.channel_mask or reader.info.channel_mask)


def _spec(model: str | ModelSpec | None) -> ModelSpec:
    return model if isinstance(model, ModelSpec) else find_model(model or DEFAULT_MODEL)


def _ladder(
    spec: ModelSpec, options: SeparationOptions, loader: ModelLoader, progress: Progress
) -> Ladder[SeparationOptions]:
    """Returns what lends the engines of a row's parts, and begins anew with less when memory runs out."""
    return Ladder(loader, spec.parts, options, partial(find_lighter, spec), progress)


def _options(spec: ModelSpec, values: OptionValues) -> SeparationOptions:
    try:
        options = parse(spec.options, values)
    except InvalidOption as error:
        raise InvalidOption(f"{spec.name}: {error}") from error
    assert isinstance(options, SeparationOptions)
    check_members(spec, options)
    return options


def _name_targets(
    source: Path, out_dir: Path, spec: ModelSpec, outputs: tuple[str, ...], form: DeliveryOptions
) -> dict[str, Path]:
    track = source.stem if source.stem.strip(". ") else "_"
    targets: dict[str, Path] = {}
    for stem in outputs:
        name = _fill_template(form.filename, {"track": track, "stem": stem, "model": spec.name, "ext": form.format})
        target = out_dir / name
        if ".." in Path(name).parts or Path(name).is_absolute():
            raise InvalidOption(f"Option 'filename' cannot be {form.filename!r}: it leaves the output folder.")
        if str(target).casefold() in {str(other).casefold() for other in targets.values()}:
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


def _hash(path: str | os.PathLike[str], progress: Progress) -> str:
    try:
        return file_sha256(path, progress.check)
    except OSError as error:
        raise UnreadableAudio(f"{show(path)} went away while it was read: {error.strerror}.") from error


def _chosen(job: _Job) -> dict[str, Any]:
    """Returns every option as it takes effect."""
    chosen = job.options.model_dump(mode="json") | job.delivery.model_dump(mode="json", exclude={"overwrite"})
    in_effect = {"residual": str(job.options.residual_policy), "channels": job.plan.policy, "clip": job.form.clip}
    return chosen | in_effect


def _history(job: _Job) -> str:
    """Returns the line of a bext's CodingHistory for what was done here (EBU R 98)."""
    form, n_channels = job.form, job.form.n_channels
    width = "32" if form.bit_depth == "32f" else form.bit_depth
    mode = {1: "mono", 2: "stereo"}.get(n_channels, "multi")
    made = f"audio-ml {version('audio-ml')} {job.spec.name}"
    return f"A=PCM,F={form.sample_rate},W={width},M={mode},T={made}"


def _holds(file: StemFile, n_expected: int) -> bool:
    """Tells whether a file has every sample; a lossy one may end in a frame of silence."""
    return file.n_samples >= n_expected if file.bit_depth == "lossy" else file.n_samples == n_expected


def _misplaced(job: _Job) -> tuple[str, ...]:
    """Says where programs may play channels from loudspeakers that they are not for."""
    if job.form.format.name != "flac" or _mask(job) != 0:
        return ()
    said = ", ".join(speaker or "a track" for speaker in job.plan.layout.speakers)
    return (
        f"FLAC has an order of loudspeakers of its own, and these are others ({said}). The stems say so "
        f"({MASK_TAG}={NO_PLACES[0]}), but not every program reads that; WAV has no such order.",
    )


def _report(
    job: _Job,
    written: Delivery,
    files: tuple[StemFile, ...],
    seconds: tuple[float, float],
    made_by: provenance.Provenance,
    steps: Sequence[str],
) -> SeparationReport:
    reader, metadata, is_wav = job.reader, job.metadata, job.form.format.name == "wav"
    n_expected = Excerpt(0, None, reader.info.sample_rate, job.form.sample_rate).rescale(reader.n_read)
    carried, left_behind = job.metadata.fate(in_wave=is_wav)
    return SeparationReport(
        source=os.fspath(reader.path),
        model=job.spec.name,
        sample_rate=reader.info.sample_rate,
        n_channels=reader.info.n_channels,
        n_samples=reader.n_read,
        files=files,
        null_depth_db=written.computed.depth_db if job.recipe.complete else None,
        null_depth_written_db=written.written.depth_db if job.recipe.complete else None,
        length_ok=all(_holds(file, n_expected) for file in files),
        channel_policy=job.plan.policy,
        residual_policy=str(job.options.residual_policy),
        clip_policy=job.form.clip,
        rescale_gain_db=written.rescale_gain_db,
        carried=carried,
        left_behind=left_behind,
        seconds_loading=seconds[0],
        seconds_separating=seconds[1],
        warnings=(
            *reader.warnings,
            *(f"{show(reader.path)}: {text}." for text in metadata.warnings),
            *written.warnings(files),
            *_misplaced(job),
            *steps,
        ),
        provenance=made_by,
    )
