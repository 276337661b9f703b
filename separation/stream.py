"""The one path from a mixture to its stems: resample, cut, separate, join, resample back, in constant memory."""

from __future__ import annotations

from collections.abc import Generator, Iterable, Iterator, Sequence
from typing import Any, Protocol

import numpy as np

from audio_ml.audio import Samples
from audio_ml.catalogue import ModelSpec
from audio_ml.chunks import Fifo, Segmentation, overlap_add
from audio_ml.errors import InvalidInput
from audio_ml.progress import Progress
from audio_ml.streams import BLOCK_SAMPLES, Resampler
from separation.channels import ChannelPlan
from separation.options import RESIDUAL, SeparationOptions
from separation.projection import Projection
from separation.recipe import remainder_stem


class SeparationEngine(Protocol):
    """What an engine of this task offers; `separate` must be safe to call from `workers` threads at once."""

    workers: int

    def segmentation(self, options: Any) -> Segmentation:
        """Returns how the stream is cut for these options."""

    def separate(self, segment: Samples, stems: Sequence[str], options: Any) -> Samples:
        """Returns [len(stems), channels, length] for a segment [channels, length] at the model's rate."""


class StemStream:
    """Turns blocks of a mixture [channels, n] into pairs of a block and its stems [stems, channels, n].

    Joined, they have exactly as many samples as came in. `stems` are some of the model's, and "residual"
    where the options make it a stem. Under the policies "project" and "into" one stem is the mixture
    minus the others: it keeps all that the model cannot hear.

    Raises:
        InvalidInput: when the mixture is too loud for floats.
    """

    def __init__(
        self,
        spec: ModelSpec,
        engine: SeparationEngine,
        options: SeparationOptions,
        plan: ChannelPlan,
        stems: Sequence[str],
        sample_rate: int,
        progress: Progress,
    ) -> None:
        self._spec, self._engine, self._options, self._plan = spec, engine, options, plan
        self._stems, self._sample_rate, self._progress = tuple(stems), sample_rate, progress
        self._target = remainder_stem(spec, options)
        same_rate = sample_rate == spec.sample_rate
        is_whole = options.adds_up and same_rate  # the estimates leave nothing
        shares = options.residual_policy.kind == "project" and not is_whole
        self._projects = self._target is not None and (shares or plan.downmix is not None)
        if self._projects or RESIDUAL in stems:
            self._estimated = spec.outputs
        elif self._target in stems:
            self._estimated = tuple(stem for stem in spec.outputs if stem != self._target)
        else:
            self._estimated = self._stems
        self._mixture = Fifo()

    def run(self, blocks: Iterable[Samples], n_expected: int | None) -> Generator[tuple[Samples, Samples], None, None]:
        """Yields the pairs; `n_expected` samples are for the progress only."""
        self._progress.update("separating", 0.0)
        n_done = 0
        pairs, names = self._aligned(self._estimates(blocks)), self._estimated
        if self._projects:
            pairs, names = self._projected(pairs), tuple(stem for stem in names if stem != self._target)
        for mixture, estimates in pairs:
            yield mixture, self._arrange(mixture, dict(zip(names, estimates, strict=True)))
            n_done += mixture.shape[-1]
            self._progress.update("separating", n_done / n_expected if n_expected else 0.0)

    def _estimates(self, blocks: Iterable[Samples]) -> Iterator[Samples]:
        """Yields the model's estimates [estimated, heard channels, n] at the rate of the mixture."""
        spec, plan = self._spec, self._plan
        by_subtraction = self._options.adds_up and set(self._estimated) == set(spec.outputs)
        asked = self._estimated[:-1] if by_subtraction else self._estimated
        heard = Fifo()
        to_model = Resampler(self._sample_rate, spec.sample_rate, len(plan.lanes) * spec.n_channels)
        to_source = Resampler(spec.sample_rate, self._sample_rate, len(self._estimated) * plan.n_heard)

        def model_input() -> Iterator[Samples]:
            for block in blocks:
                self._mixture.push(block)
                resampled = to_model.push(plan.hear(block, spec.n_channels))
                if by_subtraction:
                    heard.push(resampled)
                yield resampled
            rest = to_model.finish()
            if by_subtraction:
                heard.push(rest)
            yield rest

        def separate(segment: Samples) -> Samples:
            return self._separate_lanes(segment, asked)

        cut = self._engine.segmentation(self._options)
        for separated in overlap_add(model_input(), cut, separate, self._engine.workers):
            for start in range(0, separated.shape[-1], BLOCK_SAMPLES):  # the whole at once would take 30 MB
                block = separated[..., start : start + BLOCK_SAMPLES]
                if by_subtraction:
                    block = np.concatenate([block, heard.pop(block.shape[-1])[None] - block.sum(axis=0, keepdims=True)])
                yield to_source.push(plan.place(block).reshape(-1, block.shape[-1]))
        yield to_source.finish()

    def _separate_lanes(self, segment: Samples, stems: Sequence[str]) -> Samples:
        """Returns [stems, rows, length] of a segment [rows, length] that holds one lane after the other."""
        n_model_channels = self._spec.n_channels
        if len(segment) == n_model_channels and segment.any():
            return self._engine.separate(segment, stems, self._options)
        separated = np.zeros((len(stems), *segment.shape), np.float32)
        for row in range(0, len(segment), n_model_channels):
            lane = slice(row, row + n_model_channels)
            self._progress.check()
            if segment[lane].any():  # the stems of silence are silent
                separated[:, lane] = self._engine.separate(segment[lane], stems, self._options)
        return separated

    def _aligned(self, estimates: Iterator[Samples]) -> Iterator[tuple[Samples, Samples]]:
        """Yields blocks of the mixture with their estimates, no longer than `BLOCK_SAMPLES`."""
        ready, mixture, n_rows = Fifo(), self._mixture, len(self._estimated) * self._plan.n_heard
        for estimate in _and_silence(estimates, n_rows, mixture, ready):
            if not np.isfinite(estimate).all():
                raise InvalidInput(
                    f"The mixture is too loud for {self._spec.name}: its samples go beyond what floats can square."
                )
            ready.push(estimate.reshape(len(self._estimated), self._plan.n_heard, -1))
            while n_samples := min(ready.n_samples, mixture.n_samples, BLOCK_SAMPLES):
                yield mixture.pop(n_samples), ready.pop(n_samples)

    def _projected(self, pairs: Iterator[tuple[Samples, Samples]]) -> Iterator[tuple[Samples, Samples]]:
        """Yields blocks of the mixture with all stems but the target."""
        plan, waiting = self._plan, Fifo()
        assert self._target is not None
        projection = Projection(
            self._sample_rate,
            self._spec.sample_rate,
            plan.n_channels,
            len(self._estimated),
            self._estimated.index(self._target),
            plan.passed,
            whole=plan.downmix is not None,
        )

        def rows() -> Iterator[Samples]:
            for mixture, estimates in pairs:
                waiting.push(mixture)
                yield np.concatenate([mixture, estimates.reshape(-1, estimates.shape[-1])])

        for others in overlap_add(rows(), projection.segmentation, projection):
            yield waiting.pop(others.shape[-1]), others

    def _arrange(self, mixture: Samples, estimates: dict[str, Samples]) -> Samples:
        """Returns the stems that were asked for; the remainder takes what is left, passed channels included."""
        passed, last = list(self._plan.passed), self._spec.outputs[-1]
        if self._target is not None and self._target in self._stems:
            estimates[self._target] = mixture - sum(estimates.values())
        elif self._target is None and passed and last in estimates:
            estimates[last][passed] = mixture[passed]
        return np.stack([estimates[stem] for stem in self._stems])


def _and_silence(estimates: Iterator[Samples], n_rows: int, mixture: Fifo, ready: Fifo) -> Iterator[Samples]:
    """Passes estimates on; resampling there and back may end a sample or two before the mixture does."""
    yield from estimates
    missing = mixture.n_samples - ready.n_samples
    if missing > 0:
        yield np.zeros((n_rows, missing), np.float32)
