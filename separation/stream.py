"""The one path from a mixture to its stems: resample, cut, separate, join, resample back, in constant memory."""

from __future__ import annotations

from collections.abc import Generator, Iterable, Iterator, Sequence
from typing import Any, Protocol

import numpy as np

from audio_ml.audio import Samples
from audio_ml.catalogue import ModelSpec
from audio_ml.chunks import Fifo, Segmentation, overlap_add
from audio_ml.errors import InvalidInput, InvalidOption, did_you_mean
from audio_ml.progress import Progress
from audio_ml.streams import BLOCK_SAMPLES, Resampler
from separation.options import SeparationOptions

MAX_CHANNELS = 2


class SeparationEngine(Protocol):
    """What an engine of this task offers; `separate` must be safe to call from `workers` threads at once."""

    workers: int

    def segmentation(self, options: Any) -> Segmentation:
        """Returns how the stream is cut for these options."""

    def separate(self, segment: Samples, stems: Sequence[str], options: Any) -> Samples:
        """Returns [len(stems), channels, length] for a segment [channels, length] at the model's rate."""


def chosen_stems(spec: ModelSpec, options: SeparationOptions) -> tuple[str, ...]:
    """Returns the stems that were asked for.

    Raises:
        InvalidOption: when the model has no stem of that name.
    """
    for stem in options.stems:
        if stem not in spec.outputs:
            hint = did_you_mean(stem, spec.outputs)
            raise InvalidOption(f"{spec.name} has no stem '{stem}'.{hint} It has {', '.join(spec.outputs)}.")
    return tuple(dict.fromkeys(options.stems)) or spec.outputs


def check_channels(n_channels: int) -> None:
    """Raises `InvalidInput` for more than two channels: leaving some out would lose the dialogue of a 5.1 mix."""
    if n_channels > MAX_CHANNELS:
        raise InvalidInput(
            f"The mixture has {n_channels} channels; mono and stereo can be separated. Bring it as stereo pairs."
        )


def separate_stream(
    blocks: Iterable[Samples],
    *,
    sample_rate: int,
    n_channels: int,
    n_expected: int | None,
    spec: ModelSpec,
    engine: SeparationEngine,
    options: SeparationOptions,
    progress: Progress,
) -> Generator[tuple[Samples, Samples], None, None]:
    """Yields blocks of the mixture [channels, n] with their stems [stems, channels, n], at `sample_rate`.

    Joined, they have exactly as many samples as came in. Where the options say that the stems add
    up, the model's last stem is the mixture minus the others: it keeps all that the model cannot hear.
    """
    stems = chosen_stems(spec, options)
    remainder = spec.outputs[-1] if options.adds_up and spec.outputs[-1] in stems else None
    estimated = spec.outputs[:-1] if remainder else stems
    mixture = Fifo()
    to_model = Resampler(sample_rate, spec.sample_rate, spec.n_channels)
    to_source = Resampler(spec.sample_rate, sample_rate, len(estimated) * n_channels)

    def model_input() -> Iterator[Samples]:
        for block in blocks:
            mixture.push(block)
            yield to_model.push(_as_channels(block, spec.n_channels))
        yield to_model.finish()

    def estimates() -> Iterator[Samples]:
        plan = engine.segmentation(options)
        separated = overlap_add(
            model_input(), plan, lambda segment: engine.separate(segment, estimated, options), engine.workers
        )
        for block in separated:
            yield to_source.push(_as_channels(block, n_channels).reshape(-1, block.shape[-1]))
        yield to_source.finish()

    ready, n_done = Fifo(), 0
    progress.update("separating", 0.0)
    for estimate in _padded(estimates(), mixture, ready):
        if not np.isfinite(estimate).all():
            raise InvalidInput(
                f"The mixture is too loud for {spec.name}: its samples go beyond what floats can square."
            )
        ready.push(estimate.reshape(len(estimated), n_channels, -1))
        while n_samples := min(ready.n_samples, mixture.n_samples, BLOCK_SAMPLES):
            block = mixture.pop(n_samples)
            yield block, _arrange(block, ready.pop(n_samples), estimated, stems, remainder)
            n_done += n_samples
        progress.update("separating", n_done / n_expected if n_expected else 0.0)


def _padded(estimates: Iterator[Samples], mixture: Fifo, ready: Fifo) -> Iterator[Samples]:
    """Passes estimates on; resampling there and back may end a sample or two before the mixture does."""
    n_rows = 0
    for estimate in estimates:
        n_rows = estimate.shape[0]
        yield estimate
    missing = mixture.n_samples - ready.n_samples
    if missing > 0:
        yield np.zeros((n_rows, missing), np.float32)


def _as_channels(block: Samples, n_channels: int) -> Samples:
    """Repeats mono [..., 1, n] to the channels wanted, or takes the mean of stereo to mono."""
    if block.shape[-2] == n_channels:
        return block
    if n_channels == 1:
        mean: Samples = block.mean(axis=-2, keepdims=True)
        return mean
    return np.repeat(block, n_channels, axis=-2)


def _arrange(
    mixture: Samples,
    estimates: Samples,
    estimated: Sequence[str],
    stems: Sequence[str],
    remainder: str | None,
) -> Samples:
    """Orders the estimates as the stems were asked for and adds the remainder."""
    by_name = dict(zip(estimated, estimates, strict=True))
    if remainder:
        by_name[remainder] = mixture - estimates.sum(axis=0)
    return np.stack([by_name[stem] for stem in stems])
