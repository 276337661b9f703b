"""What one model makes of a mixture: resampled, cut, separated, joined and resampled back, in constant memory."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

import numpy as np

from audio_ml.audio import Samples
from audio_ml.catalogue import ModelSpec
from audio_ml.chunks import Fifo, Segmentation, WeightedSegmentation, in_step, map_in_order, overlap_add
from audio_ml.errors import InvalidInput
from audio_ml.progress import Progress
from audio_ml.streams import BLOCK_SAMPLES, Resampler
from separation.channels import ChannelPlan
from separation.options import SeparationOptions

SHIFT_SECONDS = 0.5  # the segments of shifted runs begin that much earlier at the most
SILENT_DEVIATION = 1e-8  # keeps the scale of silence finite, as in Demucs


class SeparationEngine(Protocol):
    """What an engine of this task offers; `separate` must be safe to call from `workers` threads at once."""

    workers: int

    def segmentation(self, options: Any) -> Segmentation | WeightedSegmentation:
        """Returns how the stream is cut for these options."""

    def separate(self, segment: Samples, stems: Sequence[str], options: Any) -> Samples:
        """Returns [len(stems), channels, length] for a segment [channels, length] at the model's rate."""


@runtime_checkable
class RememberingEngine(Protocol):
    """What an engine offers whose networks remember what came before; each lane of each run has its own memory."""

    workers: int

    def segmentation(self, options: Any) -> Segmentation:
        """Returns how the stream is cut for these options."""

    def begin(self, stems: Sequence[str], options: Any) -> Callable[[Samples], Samples]:
        """Returns what separates the segments of one lane, as `SeparationEngine.separate`; it is called in order."""


@dataclass(frozen=True)
class Scale:
    """The `mean` and `deviation` of what a model hears of one lane, over the whole mixture."""

    mean: float
    deviation: float


@dataclass(frozen=True)
class View:
    """One run over the mixture: begun `offset` samples early, with its polarity turned where `sign` is -1."""

    offset: int
    sign: int


class Estimation:
    """Runs one model over blocks of a mixture: yields its estimates of `stems`, exactly as long as the mixture.

    With `shifts` or `invert` in the options it is the mean of several runs, side by side.

    Raises:
        InvalidInput: when the mixture is too loud for floats.
    """

    def __init__(
        self,
        spec: ModelSpec,
        engine: SeparationEngine | RememberingEngine,
        options: SeparationOptions,
        plan: ChannelPlan,
        stems: Sequence[str],
        sample_rate: int,
        progress: Progress,
    ) -> None:
        self.stems = tuple(stems)
        self._spec, self._engine, self._options, self._plan = spec, engine, options, plan
        self._sample_rate, self._progress = sample_rate, progress
        self._by_subtraction = options.adds_up and set(stems) == set(spec.outputs)
        self._asked = self.stems[:-1] if self._by_subtraction else self.stems
        self.scales: tuple[Scale, ...] = ()

    @property
    def wants_scales(self) -> bool:
        """Whether `measure` has to hear the whole mixture first."""
        return self._spec.normalised

    def measure(self, blocks: Iterable[Samples]) -> None:
        """The first pass: finds mean and standard deviation of every lane, of the mean of its channels."""
        n_lanes, n_channels = len(self._plan.lanes), self._spec.n_channels
        count, total, squares = 0, np.zeros(n_lanes), np.zeros(n_lanes)
        for block in blocks:
            self._progress.check()
            heard = self._plan.hear(block, n_channels).reshape(n_lanes, n_channels, -1)
            mono = heard.mean(axis=1, dtype=np.float64)
            count += mono.shape[-1]
            total += mono.sum(axis=-1)
            squares += np.square(mono).sum(axis=-1)
        means = total / max(count, 1)
        variances = np.maximum(squares - count * means**2, 0) / max(count - 1, 1)
        deviations = np.sqrt(variances) + SILENT_DEVIATION
        self.scales = tuple(Scale(*pair) for pair in zip(means.tolist(), deviations.tolist(), strict=True))

    def run(self, blocks: Iterable[Samples]) -> Iterator[Samples]:
        """Yields the estimates [stems, heard channels, n] of blocks [channels, n], at the rate of the mixture."""
        n_given, n_made, ready = 0, 0, Fifo()

        def counted() -> Iterator[Samples]:
            nonlocal n_given
            for block in blocks:
                n_given += block.shape[-1]
                yield block

        to_source = Resampler(self._spec.sample_rate, self._sample_rate, len(self.stems) * self._plan.n_heard)
        for estimates in self._resampled(counted(), to_source):
            if not np.isfinite(estimates).all():
                raise InvalidInput(
                    f"The mixture is too loud for {self._spec.name}: its samples go beyond what floats can square."
                )
            ready.push(estimates.reshape(len(self.stems), self._plan.n_heard, -1))
            while n_samples := min(ready.n_samples, n_given - n_made, BLOCK_SAMPLES):
                n_made += n_samples
                yield ready.pop(n_samples)
        missing = n_given - n_made
        if missing > 0:  # resampling there and back may end a sample or two before the mixture does
            yield np.zeros((len(self.stems), self._plan.n_heard, missing), np.float32)

    def _resampled(self, blocks: Iterator[Samples], to_source: Resampler) -> Iterator[Samples]:
        for separated in self._separated(blocks):
            for start in range(0, separated.shape[-1], BLOCK_SAMPLES):  # the whole at once would take 30 MB
                block = separated[..., start : start + BLOCK_SAMPLES]
                yield to_source.push(self._plan.place(block).reshape(-1, block.shape[-1]))
        yield to_source.finish()

    def _separated(self, blocks: Iterator[Samples]) -> Iterator[Samples]:
        """Yields [stems, lanes * model channels, n] at the model's rate: the mean over all views."""
        plan, n_channels = self._plan, self._spec.n_channels
        to_model = Resampler(self._sample_rate, self._spec.sample_rate, len(plan.lanes) * n_channels)
        heard = Fifo()

        def model_input() -> Iterator[Samples]:
            for block in itertools.chain((plan.hear(block, n_channels) for block in blocks), [None]):
                resampled = to_model.finish() if block is None else to_model.push(block)
                if self._by_subtraction:
                    heard.push(resampled)
                yield resampled

        views = self._views()
        inputs = itertools.tee(model_input(), len(views))
        for made in in_step([self._seen(view, given) for view, given in zip(views, inputs, strict=True)]):
            separated = made[0] if len(made) == 1 else np.asarray(sum(made) / np.float32(len(made)), np.float32)
            if self._by_subtraction:
                rest = heard.pop(separated.shape[-1])[None] - separated.sum(axis=0, keepdims=True)
                separated = np.concatenate([separated, rest])
            yield separated

    def _views(self) -> list[View]:
        n_shifts = max(1, self._options.shifts)
        step = SHIFT_SECONDS * self._spec.sample_rate / n_shifts
        signs = (1, -1) if self._options.invert else (1,)
        return [View(round(step * number), sign) for number in range(n_shifts) for sign in signs]

    def _seen(self, view: View, given: Iterator[Samples]) -> Iterator[Samples]:
        """Yields what the engine makes of one view, as long as what is given."""

        def shifted() -> Iterator[Samples]:
            n_rows = len(self._plan.lanes) * self._spec.n_channels
            if view.offset:
                yield np.zeros((n_rows, view.offset), np.float32)
            for block in given:
                yield block if view.sign == 1 else -block

        cut, early = self._engine.segmentation(self._options), view.offset
        for separated in overlap_add(shifted(), cut, self._separator(view.sign), self._segment_workers):
            block = separated[..., early:] if early else separated
            early = max(0, early - separated.shape[-1])
            if block.shape[-1]:
                yield block if view.sign == 1 else -block

    @property
    def _remembers(self) -> bool:
        return isinstance(self._engine, RememberingEngine)

    @property
    def _segment_workers(self) -> int:
        """How many segments may be under way at once; where the engine remembers, its workers share the lanes."""
        return 1 if self._remembers else self._engine.workers

    def _begin(self) -> Callable[[Samples], Samples]:
        """Returns what separates the segments of one lane."""
        engine = self._engine
        if isinstance(engine, RememberingEngine):
            return engine.begin(self._asked, self._options)
        return lambda lane: engine.separate(lane, self._asked, self._options)

    def _separator(self, sign: int) -> Callable[[Samples], Samples]:
        n_lanes, n_channels, n_stems = len(self._plan.lanes), self._spec.n_channels, len(self._asked)
        scales = self.scales or (None,) * n_lanes
        begun = [self._begin() for _ in range(n_lanes)]
        lane_workers = min(self._engine.workers, n_lanes) if self._remembers else 1

        def of_lane(index: int, lane: Samples) -> Samples:
            self._progress.check()
            scale = scales[index]
            if not lane.any() and not self._remembers:
                return np.zeros((n_stems, *lane.shape), np.float32)  # the stems of silence are silent
            if scale is None:
                return begun[index](lane)
            mean, deviation = np.float32(sign * scale.mean), np.float32(scale.deviation)
            return begun[index]((lane - mean) / deviation) * deviation + mean

        def separate(segment: Samples) -> Samples:
            """Returns [stems, rows, length] of a segment [rows, length] that holds one lane after the other."""
            if n_lanes == 1:
                return of_lane(0, segment)
            lanes = segment.reshape(n_lanes, n_channels, segment.shape[-1])
            made = map_in_order(lambda index: of_lane(index, lanes[index]), range(n_lanes), lane_workers)
            return np.stack(list(made), axis=1).reshape(n_stems, *segment.shape)

        return separate
