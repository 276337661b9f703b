"""The one path from a mixture to its stems: estimates of one model or several, what they leave shared out, in order."""

from __future__ import annotations

import itertools
import tempfile
from collections.abc import Generator, Iterable, Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path

import numpy as np

from audio_ml.audio import Samples
from audio_ml.catalogue import ModelSpec
from audio_ml.chunks import Fifo, in_step, overlap_add
from audio_ml.progress import Progress
from audio_ml.spool import Spool
from separation.channels import ChannelPlan
from separation.ensemble import Blend, EnsembleOptions
from separation.estimation import Estimation, SeparationEngine
from separation.options import RESIDUAL, SeparationOptions
from separation.projection import Projection
from separation.recipe import remainder_stem


class StemStream:
    """Turns blocks of a mixture [channels, n] into pairs of a block and its stems [stems, channels, n].

    Joined, they have exactly as many samples as came in. `engines` are those of the row's parts. `stems` are some
    of the model's, and "residual" where the options make it a stem. Under the policies "project" and "into" one
    stem is the mixture minus the others: it keeps all that the model cannot hear.

    Raises:
        InvalidInput: when the mixture is too loud for floats.
    """

    def __init__(
        self,
        spec: ModelSpec,
        engines: Sequence[SeparationEngine],
        options: SeparationOptions,
        plan: ChannelPlan,
        stems: Sequence[str],
        sample_rate: int,
        progress: Progress,
    ) -> None:
        self._spec, self._options, self._plan = spec, options, plan
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
        self._estimation: Estimation | Blend
        if isinstance(options, EnsembleOptions):
            self._estimation = Blend(spec, engines, options, plan, self._estimated, sample_rate, progress)
        else:
            (engine,) = engines
            self._estimation = Estimation(spec, engine, options, plan, self._estimated, sample_rate, progress)

    def run(self, blocks: Iterable[Samples], n_expected: int | None) -> Generator[tuple[Samples, Samples], None, None]:
        """Yields the pairs; `n_expected` samples are for the progress only.

        Models that want to know the level of the whole have the blocks read twice; an iterator, which
        can be read only once, is kept on disk for that.
        """
        with ExitStack() as stack:
            if self._estimation.wants_scales:
                self._progress.update("listening", 0.0)
                blocks = self._measured(blocks, stack)
            self._progress.update("separating", 0.0)
            n_done = 0
            for mixture, estimates in self._pairs(blocks):
                yield mixture, self._arrange(mixture, estimates)
                n_done += mixture.shape[-1]
                self._progress.update("separating", n_done / n_expected if n_expected else 0.0)

    def _measured(self, blocks: Iterable[Samples], stack: ExitStack) -> Iterable[Samples]:
        """Makes the first pass; returns blocks that can be read again."""
        if not isinstance(blocks, Iterator):
            self._estimation.measure(blocks)
            return blocks
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="audio-ml-")))  # only its owner may enter
        spool = stack.enter_context(Spool(folder / "mixture", (self._plan.n_channels,)))

        def kept() -> Iterator[Samples]:
            for block in blocks:
                spool.add(block)
                yield block

        self._estimation.measure(kept())
        return spool.blocks()

    def _pairs(self, blocks: Iterable[Samples]) -> Iterator[tuple[Samples, dict[str, Samples]]]:
        """Yields blocks of the mixture with the estimates that are made of them, by name."""
        heard, kept = itertools.tee(blocks)
        pairs: Iterator[tuple[Samples, ...]] = in_step([self._estimation.run(heard), kept])
        names = self._estimated
        if self._projects:
            pairs, names = self._projected(pairs), tuple(stem for stem in names if stem != self._target)
        for estimates, mixture in pairs:
            yield mixture, dict(zip(names, estimates, strict=True))

    def _projected(self, pairs: Iterator[tuple[Samples, ...]]) -> Iterator[tuple[Samples, ...]]:
        """Yields all stems but the target with their block of the mixture."""
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
            for estimates, mixture in pairs:
                waiting.push(mixture)
                yield np.concatenate([mixture, estimates.reshape(-1, estimates.shape[-1])])

        for others in overlap_add(rows(), projection.segmentation, projection):
            yield others, waiting.pop(others.shape[-1])

    def _arrange(self, mixture: Samples, estimates: dict[str, Samples]) -> Samples:
        """Returns the stems that were asked for; the remainder takes what is left, passed channels included."""
        passed, last = list(self._plan.passed), self._spec.outputs[-1]
        if self._target is not None and self._target in self._stems:
            estimates[self._target] = mixture - sum(estimates.values())
        elif self._target is None and passed and last in estimates:
            estimates[last][passed] = mixture[passed]
        return np.stack([estimates[stem] for stem in self._stems])
