"""The guide track: the first take of every cue at its place, in one file."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from audio_ml.audio import Samples
from audio_ml.streams import BLOCK_SAMPLES, read_audio
from tts.cues.session import Item, Session


def guide_blocks(session: Session, folder: Path) -> Iterator[Samples]:
    """Yields the track [1, n] in blocks from the session's start; overlapping cues are summed.

    Only the cues that are heard in a block are in memory.
    """
    waiting = list(reversed(session.items))
    heard: list[tuple[Item, Samples]] = []
    for begin in range(session.start, session.start + session.n_samples, BLOCK_SAMPLES):
        end = min(begin + BLOCK_SAMPLES, session.start + session.n_samples)
        while waiting and waiting[-1].start < end:
            item = waiting.pop()
            heard.append((item, read_audio(folder / item.takes[0].file).samples))
        block = np.zeros((1, end - begin), np.float32)
        for item, samples in heard:
            first, last = max(begin, item.start), min(end, item.start + samples.shape[1])
            block[:, first - begin : last - begin] += samples[:, first - item.start : last - item.start]
        heard = [(item, samples) for item, samples in heard if item.start + samples.shape[1] > end]
        yield block
