"""Segments, cross-fades and overlap-add as a stream: the only copy of that maths.

A stream of blocks of any size is cut into overlapping segments, a function turns each segment
[channels, length] into an array [..., length], and the results are added where they overlap.
Memory does not grow with the length of the stream.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import TypeVar

import numpy as np

from audio_ml.audio import Samples

Given = TypeVar("Given")
Made = TypeVar("Made")


@dataclass(frozen=True)
class Segmentation:
    """How a stream is cut: segments of `length` samples, one every `hop`, after `lead` samples of silence.

    The results of the segments must add up to the whole by themselves, through windows that sum to
    one (see `crossfade`). A sample is complete once every segment that covers it was added, so
    `lead` has to be at least `length - hop`.
    """

    length: int
    hop: int
    lead: int

    def __post_init__(self) -> None:
        assert 0 < self.hop <= self.length, "segments must not leave gaps"
        assert self.lead >= self.length - self.hop, "the first samples would miss segments"


@dataclass(frozen=True, eq=False)
class WeightedSegmentation:
    """How a stream is cut for a model that sees waveforms: segments of `length` samples, one every `hop`, from 0 on.

    The segments that the stream's end cuts short are centred: more of the stream to their left, silence to
    their right; unless `centred` is False, for a model that takes any length and gets them as short as they are.
    Results count by `weights` [length], from the segment's first sample on, and each sample is
    divided by the sum of the weights that fell on it. With the weights of `triangle` this is the way of
    Demucs (Défossez 2021, "Hybrid spectrogram and waveform source separation").
    """

    length: int
    hop: int
    weights: Samples
    centred: bool = True

    def __post_init__(self) -> None:
        assert 0 < self.hop <= self.length, "segments must not leave gaps"
        assert self.weights.shape == (self.length,) and self.weights.min() > 0


class Fifo:
    """A queue of samples: blocks [..., n] of any size go in, blocks of the size asked for come out."""

    def __init__(self) -> None:
        self._blocks: deque[Samples] = deque()
        self.n_samples = 0

    def push(self, block: Samples) -> None:
        if block.shape[-1]:
            self._blocks.append(block)
            self.n_samples += block.shape[-1]

    def pop(self, n_samples: int) -> Samples:
        """Takes the oldest `n_samples`, of which there must be enough."""
        assert 0 < n_samples <= self.n_samples
        parts, missing = [], n_samples
        while missing:
            block = self._blocks.popleft()
            if block.shape[-1] > missing:
                self._blocks.appendleft(block[..., missing:])
                block = block[..., :missing]
            parts.append(block)
            missing -= block.shape[-1]
        self.n_samples -= n_samples
        return parts[0] if len(parts) == 1 else np.concatenate(parts, axis=-1)


def crossfade(length: int, hop: int) -> Samples:
    """Returns weights [length] for segments that begin every `hop`: shifted by the hop, they sum to one.

    A squared sine over the segment, divided by the sum of its own shifts; without overlap all ones.

    >>> bool(np.allclose(crossfade(4, 2)[:2] + crossfade(4, 2)[2:], 1))
    True
    """
    base = np.sin((np.arange(length) + 0.5) * np.pi / length) ** 2
    total = np.zeros(length)
    for shift in range(-(length - 1) // hop * hop, length, hop):
        low, high = max(shift, 0), min(length + shift, length)
        if low < high:
            total[low:high] += base[low - shift : high - shift]
    return (base / total).astype(np.float32)


def triangle(length: int) -> Samples:
    """Returns weights [length] that rise to one in the middle and fall again, zero nowhere."""
    rising = np.arange(1, length // 2 + 1)
    falling = np.arange(length - length // 2, 0, -1)
    return (np.concatenate([rising, falling]) / (length - length // 2)).astype(np.float32)


def overlap_add(
    blocks: Iterable[Samples],
    plan: Segmentation | WeightedSegmentation,
    function: Callable[[Samples], Samples],
    workers: int = 1,
) -> Iterator[Samples]:
    """Yields `function` of the stream [channels, n], joined again, with exactly as many samples as came in.

    Segments are handed to up to `workers` threads.
    """
    if isinstance(plan, WeightedSegmentation):
        yield from _weighted_overlap_add(blocks, plan, function, workers)
        return
    cutter = _Cutter(blocks, plan)
    pending = None
    emitted = -plan.lead
    for result in map_in_order(function, cutter, workers):
        if pending is None:
            pending = np.zeros(result.shape, np.float32)
        pending += result
        complete = pending[..., : plan.hop].copy()
        pending[..., : -plan.hop] = pending[..., plan.hop :]
        pending[..., -plan.hop :] = 0
        begin, emitted = max(0, -emitted), emitted + plan.hop
        end = plan.hop if cutter.n_samples is None else plan.hop - max(0, emitted - cutter.n_samples)
        if begin < end:
            yield complete[..., begin:end]


class _Cutter:
    """Iterates over the segments of a stream; `n_samples` is the stream's length once it has ended."""

    def __init__(self, blocks: Iterable[Samples], plan: Segmentation) -> None:
        self._blocks = blocks
        self._plan = plan
        self.n_samples: int | None = None

    def __iter__(self) -> Iterator[Samples]:
        plan, fifo, seen, held = self._plan, Fifo(), 0, None
        for block in self._blocks:
            if held is None:
                held = np.zeros((block.shape[0], plan.length), np.float32)
                fifo.push(np.zeros((block.shape[0], plan.lead), np.float32))
                self._fill(held, fifo, plan.length - plan.hop)
            fifo.push(block)
            seen += block.shape[-1]
            while fifo.n_samples >= plan.hop:
                yield self._next(held, fifo)
        if held is None:
            self.n_samples = 0
            return
        self.n_samples = seen
        n_segments = -(-(plan.lead + seen) // plan.hop)
        n_done = (plan.lead + seen - (plan.length - plan.hop)) // plan.hop
        for _ in range(n_segments - n_done):
            missing = plan.hop - fifo.n_samples
            fifo.push(np.zeros((held.shape[0], max(missing, 0)), np.float32))
            yield self._next(held, fifo)

    def _fill(self, held: Samples, fifo: Fifo, n_samples: int) -> None:
        """Puts the stream's first samples at the end of `held`, ready for the first shift."""
        if n_samples:
            held[:, -n_samples:] = fifo.pop(n_samples)

    def _next(self, held: Samples, fifo: Fifo) -> Samples:
        hop = self._plan.hop
        held[:, :-hop] = held[:, hop:]
        held[:, -hop:] = fifo.pop(hop)
        return held.copy()


def _weighted_overlap_add(
    blocks: Iterable[Samples], plan: WeightedSegmentation, function: Callable[[Samples], Samples], workers: int
) -> Iterator[Samples]:
    cutter = _CentringCutter(blocks, plan)
    total: Samples | None = None
    weight: Samples = np.zeros(plan.length, np.float32)
    for result in map_in_order(function, cutter, workers):
        before, n_samples = cutter.cuts.popleft()
        if total is None:
            total = np.zeros((*result.shape[:-1], plan.length), np.float32)
        total[..., :n_samples] += result[..., before : before + n_samples] * plan.weights[:n_samples]
        weight[:n_samples] += plan.weights[:n_samples]
        is_last = n_samples <= plan.hop
        done = n_samples if is_last else plan.hop
        yield total[..., :done] / weight[:done]
        for sums in (total, weight):
            sums[..., : plan.length - done] = sums[..., done:].copy()
            sums[..., plan.length - done :] = 0


class _CentringCutter:
    """Iterates over the segments of a stream; `cuts` says of each where its own samples lie: (before, how many)."""

    def __init__(self, blocks: Iterable[Samples], plan: WeightedSegmentation) -> None:
        self._blocks = blocks
        self._plan = plan
        self.cuts: deque[tuple[int, int]] = deque()

    def __iter__(self) -> Iterator[Samples]:
        length, hop, context = self._plan.length, self._plan.hop, self._plan.length // 2
        held: deque[Samples] = deque()  # from `kept` on
        kept = begin = seen = 0
        for block in self._blocks:
            held.append(block)
            seen += block.shape[-1]
            while begin + length <= seen:
                kept = _forget(held, kept, begin - context)
                yield self._cut(held, kept, begin, begin + length)
                begin += hop
        while begin < seen:
            kept = _forget(held, kept, begin - context)
            yield self._cut(held, kept, begin, seen)
            begin += hop

    def _cut(self, held: deque[Samples], kept: int, begin: int, end: int) -> Samples:
        """Returns the segment for the samples from `begin` to `end`, centred in it; `held` begins at `kept`."""
        before = (self._plan.length - (end - begin)) // 2 if self._plan.centred else 0
        self.cuts.append((before, end - begin))
        joined = held[0] if len(held) == 1 else np.concatenate(held, axis=-1)
        held.clear()
        held.append(joined)
        n_samples = self._plan.length if self._plan.centred else end - begin
        segment = np.zeros((len(joined), n_samples), np.float32)
        first = max(begin - before, 0)
        segment[:, first - (begin - before) : before + end - begin] = joined[:, first - kept : end - kept]
        return segment


def _forget(held: deque[Samples], kept: int, wanted: int) -> int:
    """Drops what lies before `wanted` of blocks that begin at `kept`; returns where they begin now."""
    while held and kept + held[0].shape[-1] <= wanted:
        kept += held.popleft().shape[-1]
    if held and kept < wanted:
        held[0] = held[0][:, wanted - kept :]
        kept = wanted
    return kept


def in_step(streams: Sequence[Iterator[Samples]]) -> Iterator[tuple[Samples, ...]]:
    """Yields blocks of several streams side by side, each time as many samples of each; they are equally long."""
    waiting = [Fifo() for _ in streams]
    try:
        while True:
            for fifo, stream in zip(waiting, streams, strict=True):
                while not fifo.n_samples and (block := next(stream, None)) is not None:
                    fifo.push(block)
            if not all(fifo.n_samples for fifo in waiting):
                assert not any(fifo.n_samples for fifo in waiting), "the streams are not equally long"
                return
            n_samples = min(fifo.n_samples for fifo in waiting)
            yield tuple(fifo.pop(n_samples) for fifo in waiting)
    finally:  # where one fails, the threads of the others end before the error goes on
        for stream in streams:
            if isinstance(stream, Generator):
                stream.close()


def map_in_order(function: Callable[[Given], Made], given: Iterable[Given], workers: int) -> Iterator[Made]:
    """Yields `function` of each in order, `workers` of them side by side and no more than that in hand."""
    if workers == 1:
        yield from map(function, given)
        return
    with ThreadPoolExecutor(workers, thread_name_prefix="segment") as pool:
        under_way: deque[Future[Made]] = deque()
        try:
            for one in given:
                under_way.append(pool.submit(function, one))
                if len(under_way) >= workers:
                    yield under_way.popleft().result()
            while under_way:
                yield under_way.popleft().result()
        finally:
            for future in under_way:
                future.cancel()
