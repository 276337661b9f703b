"""Whatever the lengths, a stream that is cut and joined again is the stream."""

from __future__ import annotations

import threading
from itertools import accumulate

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from audio_ml.chunks import Fifo, Segmentation, WeightedSegmentation, crossfade, in_step, overlap_add, triangle


@st.composite
def plans(draw: st.DrawFn) -> Segmentation:
    length = draw(st.integers(1, 50))
    hop = draw(st.integers(1, length))
    return Segmentation(length, hop, lead=length - hop + draw(st.integers(0, 20)))


@given(st.lists(st.integers(1, 70), max_size=8), plans(), st.integers(1, 3))
def test_cut_and_joined_is_the_stream(sizes: list[int], plan: Segmentation, workers: int) -> None:
    stream = np.random.default_rng(0).standard_normal((2, sum(sizes))).astype(np.float32)
    blocks = np.split(stream, list(accumulate(sizes))[:-1], axis=1) if sizes else []
    window = crossfade(plan.length, plan.hop)
    joined = list(overlap_add(blocks, plan, lambda segment: segment * window, workers))
    assert sum(block.shape[1] for block in joined) == stream.shape[1]
    if joined:
        np.testing.assert_allclose(np.concatenate(joined, axis=1), stream, atol=1e-5)


@given(plans())
def test_shifted_crossfades_sum_to_one(plan: Segmentation) -> None:
    window, total = crossfade(plan.length, plan.hop), np.zeros(plan.length * 3 + plan.hop)
    for start in range(0, total.size - plan.length + 1, plan.hop):
        total[start : start + plan.length] += window
    np.testing.assert_allclose(total[plan.length : 2 * plan.length], 1, atol=1e-5)


def test_a_segment_has_more_axes_than_the_stream() -> None:
    """An engine returns [stems, channels, length] for [channels, length]."""
    stream = np.ones((2, 25), np.float32)
    joined = list(overlap_add([stream], Segmentation(10, 10, 0), lambda segment: np.stack([segment, 2 * segment])))
    assert np.concatenate(joined, axis=-1).shape == (2, 2, 25)
    assert np.all(joined[0][1] == 2)


def test_memory_is_bounded_by_the_workers() -> None:
    """No more segments are cut ahead than are being worked on, however long the stream is."""
    most, under_way, lock = 0, 0, threading.Lock()

    def block_source():
        nonlocal under_way, most
        for _ in range(100):
            with lock:
                under_way += 1
                most = max(most, under_way)
            yield np.zeros((1, 10), np.float32)

    for _ in overlap_add(block_source(), Segmentation(10, 10, 0), lambda segment: segment, workers=3):
        with lock:
            under_way -= 1
    assert most <= 3 + 2


def test_an_error_in_a_worker_reaches_the_caller() -> None:
    def fail(segment: np.ndarray) -> np.ndarray:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        list(overlap_add([np.zeros((1, 100), np.float32)], Segmentation(10, 10, 0), fail, workers=2))


@given(st.lists(st.integers(0, 20)), st.data())
def test_a_fifo_gives_back_what_it_took(sizes: list[int], data: st.DataObject) -> None:
    stream = np.arange(sum(sizes), dtype=np.float32)[None]
    fifo, start, taken = Fifo(), 0, []
    for size in sizes:
        fifo.push(stream[:, start : start + size])
        start += size
        if fifo.n_samples:
            taken.append(fifo.pop(data.draw(st.integers(1, fifo.n_samples))))
    if fifo.n_samples:
        taken.append(fifo.pop(fifo.n_samples))
    np.testing.assert_array_equal(np.concatenate([*taken, stream[:, :0]], axis=1), stream)


@pytest.mark.parametrize("n_samples", [1, 7, 50, 99, 100, 101, 175, 176, 1000, 1234])
@pytest.mark.parametrize("workers", [1, 3])
def test_weighted_segments_are_those_of_demucs(n_samples: int, workers: int) -> None:
    """The reference is the package's own way to cut and join, with a model that depends on what is where."""
    import torch
    from demucs.apply import TensorChunk, center_trim

    length, hop = 100, 75
    stream = np.random.default_rng(n_samples).standard_normal((2, n_samples)).astype(np.float32)

    def model(segment: np.ndarray) -> np.ndarray:
        return np.stack([2 * segment, np.cumsum(segment, axis=-1)])

    plan = WeightedSegmentation(length, hop, triangle(length))
    blocks = [stream[:, start : start + 13] for start in range(0, n_samples, 13)]
    joined = np.concatenate(list(overlap_add(blocks, plan, model, workers)), axis=-1)
    weights = torch.cat([torch.arange(1, length // 2 + 1), torch.arange(length - length // 2, 0, -1)]).float()
    expected, total = np.zeros((2, 2, n_samples)), np.zeros(n_samples)
    for start in range(0, n_samples, hop):
        chunk = TensorChunk(torch.from_numpy(stream)[None], start, length)
        made = center_trim(torch.from_numpy(model(chunk.padded(length)[0].numpy())), chunk.length).numpy()
        weight = (weights / weights.max()).numpy()[: chunk.length]
        expected[..., start : start + chunk.length] += weight * made
        total[start : start + chunk.length] += weight
    assert joined.shape == expected.shape
    np.testing.assert_allclose(joined, expected / total, atol=1e-4)


def test_streams_go_in_step_however_they_are_cut() -> None:
    numbers = np.arange(100, dtype=np.float32)
    first = iter([numbers[:10], numbers[10:10], numbers[10:]])
    second = iter([numbers[:33], numbers[33:90], numbers[90:]])
    pairs = list(in_step([first, second]))
    for one, other in pairs:
        np.testing.assert_array_equal(one, other)
    np.testing.assert_array_equal(np.concatenate([one for one, _ in pairs]), numbers)


def test_when_one_of_several_streams_fails_the_threads_of_the_others_end() -> None:
    """They work with a model that is given back as soon as the error arrives."""

    def fail(segment: np.ndarray) -> np.ndarray:
        raise ZeroDivisionError

    plan, before = Segmentation(10, 10, 0), set(threading.enumerate())
    blocks = [np.zeros((1, 100), np.float32)]
    streams = [overlap_add(blocks, plan, function, workers=2) for function in (lambda segment: segment, fail)]
    with pytest.raises(ZeroDivisionError) as failed:
        list(in_step(streams))
    assert failed.value.__traceback__ is not None  # which holds all that was under way
    assert set(threading.enumerate()) <= before
