"""From a stream of stems to files: rate, clip policy, the exact remainder, and what is measured on the way."""

from __future__ import annotations

import math
import secrets
from collections.abc import Generator, Iterable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from audio_ml.audio import Samples
from audio_ml.encoders import Identity
from audio_ml.errors import InvalidOption
from audio_ml.formats import FORMATS, BitDepth, Format
from audio_ml.layouts import Layout
from audio_ml.loudness import Loudness, LoudnessMeter
from audio_ml.metadata import Metadata
from audio_ml.progress import Progress
from audio_ml.spool import Spool
from audio_ml.streams import AudioReader, Resampler, show
from audio_ml.writer import AudioWriter, commit_all
from separation.options import DeliveryOptions
from separation.proof import AlignmentMeter, NullMeter, offset_samples
from separation.recipe import Recipe
from separation.report import StemFile

Pair = tuple[Samples, Samples]  # of a mixture [channels, n] and its outputs [outputs, channels, n]

SECONDS_DECODED = 30  # of a lossy file, to find out whether it lies where it should
LARGEST_OFFSET_SECONDS = 0.001  # of a lossy file


@dataclass(frozen=True)
class Form:
    """What the files of a job are like: worked out once from the source and the options."""

    format: Format
    sample_rate: int
    n_channels: int
    bit_depth: BitDepth
    clip: str

    @property
    def is_lossless(self) -> bool:
        return not self.format.lossy

    @property
    def largest_rounding(self) -> float:
        """By how much rounding with dither can change a sample: one and a half steps of the bit depth."""
        return 0.0 if self.bit_depth == "32f" else 1.5 / 2 ** (int(self.bit_depth) - 1)


def find_form(reader: AudioReader, options: DeliveryOptions, layout: Layout) -> Form:
    """Returns the form of the files; a depth that follows the source is the nearest that the format can hold.

    Raises:
        InvalidOption: when the format cannot hold it, or an integer depth should not clip.
    """
    format, n_channels = FORMATS[options.format], reader.info.n_channels
    depth = format.depth_for(reader.info.subtype) if options.bit_depth == "same" else options.bit_depth
    depth = "32f" if format.lossy else depth  # before coding
    format.check(depth, n_channels, layout)
    clip = options.clip if options.clip != "auto" else "none" if depth == "32f" and not format.lossy else "warn"
    if clip == "none" and depth != "32f":
        raise InvalidOption(f"Option 'clip' cannot be 'none' for {depth} bits, which end at full scale; choose 32f.")
    rate = options.sample_rate or reader.info.sample_rate
    return Form(format, format.rate_for(rate), n_channels, depth, clip)


class Delivery:
    """Writes the outputs of a job, one file each, and measures them on the way.

    All files get their names in `finish`, or none does.
    """

    def __init__(
        self,
        targets: dict[str, Path],
        recipe: Recipe,
        form: Form,
        options: DeliveryOptions,
        source: AudioReader,
        layout: Layout,
        identity: Identity,
        stack: ExitStack,
    ) -> None:
        self.rescale_gain_db = 0.0
        self.computed, self.written = NullMeter(), NullMeter()
        self._recipe, self._form, self._source, self._stack = recipe, form, source, stack
        self._asked_rate = options.sample_rate or source.info.sample_rate
        n_expected = source.n_expected
        if n_expected is not None:
            n_expected = round(n_expected * form.sample_rate / source.info.sample_rate)
        self._writers = [
            stack.enter_context(
                AudioWriter(
                    target,
                    form.format,
                    form.sample_rate,
                    form.n_channels,
                    bit_depth=form.bit_depth,
                    bitrate_kbps=options.bitrate_kbps,
                    n_expected=n_expected,
                    identity=identity,
                    dither_seed=(options.seed, index) if options.dither == "tpdf" else None,
                    overwrite=options.overwrite,
                )
            )
            for index, target in enumerate(targets.values())
        ]
        self._outputs = tuple(targets)
        within = None if form.is_lossless else SECONDS_DECODED * form.sample_rate
        self._alignment = [AlignmentMeter(within) for _ in targets]
        self._loudness = [
            LoudnessMeter(
                form.sample_rate,
                form.n_channels,
                layout=layout,
                true_peak=options.report == "full",
            )
            for _ in targets
        ]

    def run(self, pairs: Iterable[Pair], progress: Progress) -> None:
        """Writes a stream of mixtures and stems, at the source's rate, to its end."""
        delivered = _resampled(
            ((mixture, self._recipe.apply(stems)) for mixture, stems in pairs),
            self._source.info.sample_rate,
            self._form.sample_rate,
            self._form.n_channels,
        )
        if self._form.clip == "rescale-all":
            delivered = rescaled = self._rescaled(delivered, progress)
            self._stack.callback(rescaled.close)  # its spool goes before the writers remove the folder
        for mixture, outputs in delivered:
            self.computed.add(mixture, outputs)
            held = self._write(mixture, outputs)
            self.written.add(mixture, held)
            for index, output in enumerate(held):
                self._loudness[index].add(output)
                self._alignment[index].add(mixture, output)

    def finish(self, metadata: Metadata, history: str, keep_umid: bool) -> tuple[StemFile, ...]:
        """Completes the files with what was measured, gives them their names, and describes them."""
        described = []
        for index, (stem, writer) in enumerate(zip(self._outputs, self._writers, strict=True)):
            loudness = self._loudness[index].result()
            chunks = metadata.for_stem(
                coding_history=history, keep_umid=keep_umid, loudness=loudness, bit_depth=self._form.bit_depth
            )
            writer.close(chunks)
            described.append(self._describe(stem, writer, loudness, self._alignment[index]))
        commit_all(self._writers)
        return tuple(described)

    def _write(self, mixture: Samples, outputs: Samples) -> Samples:
        """Returns the outputs as their files hold them; the remainder takes up the rounding of the others.

        What was clipped off another stem does not go into it: that would be heard there.
        """
        held = np.empty_like(outputs)
        remainder, rounding = self._recipe.remainder, self._form.largest_rounding
        left = mixture
        for index, output in enumerate(outputs):
            if index != remainder:
                held[index] = self._writers[index].write(output)
                is_clipped = np.abs(held[index] - output) > rounding
                left = left - (np.where(is_clipped, output, held[index]) if is_clipped.any() else held[index])
        if remainder is not None:
            held[remainder] = self._writers[remainder].write(left)
        return held

    def _rescaled(self, pairs: Iterable[Pair], progress: Progress) -> Generator[Pair, None, None]:
        """Turns everything down by one factor if anything is beyond full scale: in a second pass, from a spool."""
        shape = (len(self._outputs) + 1, self._form.n_channels)
        spool_path = self._writers[0].path.with_name(f".{secrets.token_hex(8)}.part")
        with Spool(spool_path, shape) as spool:
            peak = 0.0
            for mixture, outputs in pairs:
                spool.add(np.concatenate([mixture[None], outputs]))
                peak = max(peak, float(np.abs(outputs).max(initial=0.0)))
            headroom = self._form.largest_rounding * (len(self._outputs) + 1)  # the remainder takes up the others'
            full = 1.0 if self._form.bit_depth == "32f" else 1.0 - headroom
            factor = np.float32(min(1.0, full / peak) if peak else 1.0)
            self.rescale_gain_db = 20 * math.log10(factor)
            n_done = 0
            for block in spool.blocks():
                n_done += block.shape[-1]
                progress.update("writing", n_done / spool.n_samples)
                yield block[0] * factor, block[1:] * factor

    def _describe(self, stem: str, writer: AudioWriter, loudness: Loudness, alignment: AlignmentMeter) -> StemFile:
        lossless = self._form.is_lossless
        return StemFile(
            stem=stem,
            path=str(writer.path),
            format=self._form.format.name,
            sample_rate=self._form.sample_rate,
            bit_depth=self._form.bit_depth if lossless else "lossy",
            n_channels=self._form.n_channels,
            n_samples=writer.n_held if writer.n_held is not None else writer.n_written,
            n_clipped=writer.n_clipped,
            offset_samples=alignment.offset_samples if lossless else _decoded_offset(writer, alignment),
            loudness=loudness,
        )

    def warnings(self, files: Sequence[StemFile]) -> list[str]:
        """Returns what a user has to know of the files that were written."""
        asked, rate = self._asked_rate, self._form.sample_rate
        said = []
        if asked != rate:
            said.append(f"The stems have {rate} Hz: {self._form.format.name} cannot hold the {asked} Hz asked for.")
        for file in files:
            if file.n_clipped and self._form.bit_depth != "32f":
                said.append(
                    f"{show(file.path)}: {file.n_clipped} samples beyond full scale were clipped; a bit depth of 32f "
                    "keeps them, and the clip policy 'rescale-all' turns all stems down."
                )
            elif file.n_clipped and self._form.clip == "warn":
                said.append(f"{show(file.path)}: {file.n_clipped} samples are beyond full scale.")
            limit = LARGEST_OFFSET_SECONDS * rate
            if file.offset_samples and (self._form.is_lossless or abs(file.offset_samples) > limit):
                side = "behind" if file.offset_samples > 0 else "before"
                said.append(f"{show(file.path)} lies {abs(file.offset_samples)} samples {side} the source.")
        return said


def _resampled(pairs: Iterable[Pair], from_rate: int, to_rate: int, n_channels: int) -> Iterator[Pair]:
    """Brings mixture and outputs to the rate of the files together, so that they still add up."""
    if from_rate == to_rate:
        yield from pairs
        return
    resampler: Resampler | None = None
    rest: Samples | None = None
    for mixture, outputs in pairs:
        resampler = resampler or Resampler(from_rate, to_rate, (len(outputs) + 1) * n_channels)
        rows = np.concatenate([mixture, outputs.reshape(-1, outputs.shape[-1])])
        yield _pair(resampler.push(rows), n_channels)
    rest = resampler.finish() if resampler else None
    if rest is not None:
        yield _pair(rest, n_channels)


def _pair(rows: Samples, n_channels: int) -> Pair:
    return rows[:n_channels], rows[n_channels:].reshape(-1, n_channels, rows.shape[-1])


def _decoded_offset(writer: AudioWriter, alignment: AlignmentMeter) -> int | None:
    """Decodes where the file is loudest and returns the lag behind what was coded."""
    if alignment.stem is None:
        return None
    length = len(alignment.stem)
    seconds = (alignment.begin / writer.sample_rate, length / writer.sample_rate)
    blocks = list(AudioReader(writer.temporary, *seconds).blocks())
    decoded = np.concatenate(blocks, axis=1)[alignment.channel]
    return offset_samples(alignment.stem, decoded)
