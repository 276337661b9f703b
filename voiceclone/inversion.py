"""Style inversion: what Kokoro's decoder must see of a style for two speaker encoders to hear the reference.

A style reaches the decoder through the scales and shifts of its normalisations alone. The best mix of the model's own
voices is where the search begins. From there gradients move the style, and, as in the extended latent space of image
inversion (Abdal et al. 2019, arXiv:1904.03189), what each layer sees of it. The encoders are GE2E and CAM++; those
that judge cloned voices have no part in it. Intonation stays that of the mix.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from audio_ml.cloned_voice import Intonation
from audio_ml.loader import ModelLoader
from audio_ml.nets.kokoro_voices import N_STYLE, N_TIMBRE
from audio_ml.progress import Progress
from audio_ml.torch_threads import use_threads
from voiceclone.engines.kokoro_inversion import (
    KOKORO_INVERSION,
    KokoroInversionEngine,
    Prepared,
    fitting_sentences,
)
from voiceclone.engines.speaker_encoders import CAMPPLUS, GE2E
from voiceclone.options import EnrolOptions
from voiceclone.voice_mix import fit_mix, voice_table

if TYPE_CHECKING:
    import torch

Floats = NDArray[np.float32]

STYLE_SPREAD = 0.143  # root mean square between voices, of a dimension of the timbre half
STYLE_RATE, LAYER_RATE = 0.1, 0.1  # of Adam, in units of the spread between voices
LEAST_RATE = 0.05  # of these, at the end
BETAS = (0.8, 0.95)
CROP_FRAMES = 120  # of 25 ms, that a step says: nearly a sentence, since normalisations hear all of it
NOISE = 0.1  # of the sound's level, added before the encoders, so that they are not pleased by what nobody hears
FRAME_HALVES, FRAME_SOURCES = 2, 120  # of the inputs that have more frames


@dataclass(frozen=True, eq=False)
class Inversion:
    """A table of `styles` [510, 256], the `delta` [256] and `layer_offsets` [n] that lead to the voice itself, and how
    it came to them."""

    styles: Floats
    delta: Floats
    layer_offsets: Floats | None
    report: Mapping[str, Any]


def invert(
    embeddings: Mapping[str, Floats],
    pitch: Intonation,
    options: EnrolOptions,
    loader: ModelLoader,
    progress: Progress,
) -> Inversion:
    """Returns the style of a reference with these `embeddings`, {"ge2e": [256], "campplus": [192]}, and this pitch.

    Raises:
        WeightsError: when a network cannot be had.
    """
    mix = fit_mix(embeddings, pitch)
    report: dict[str, Any] = {"timbre": dict(mix.timbre), "intonation": dict(mix.intonation)}
    progress.update("mixing voices", 0.0)
    if options.quick:
        files = loader.store.open(KOKORO_INVERSION, progress)
        from audio_ml.nets.kokoro_voices import read_voice

        return Inversion(mix.styles(lambda name: read_voice(files[f"{name}.bin"])), _no_delta(), None, report)
    specs = [KOKORO_INVERSION, GE2E, CAMPPLUS]
    with loader.use_all(specs, progress) as (engine, *encoders):
        styles = mix.styles(engine.voice)
        search = _Search(engine, [encoder.network for encoder in encoders], embeddings, styles, options)
        delta, offsets = search.run(progress)
    return Inversion(styles, delta, offsets, report | search.report)


class _Search:
    """Gradient steps, each on a crop of one of the sentences."""

    def __init__(
        self,
        engine: KokoroInversionEngine,
        encoders: list[Any],
        embeddings: Mapping[str, Floats],
        styles: Floats,
        options: EnrolOptions,
    ) -> None:
        import torch

        from voiceclone.nets.resample import To16k

        use_threads(engine.cores)
        self._engine, self._encoders, self._options = engine, encoders, options
        self._wanted = [torch.tensor(embeddings[name], device=engine.kind) for name in ("ge2e", "campplus")]
        self._resample = To16k().to(engine.kind)
        timbre = styles[[len(sentence["phonemes"]) - 1 for sentence in fitting_sentences()], :N_TIMBRE]
        self._timbre = torch.tensor(timbre, device=engine.kind)
        self._styles = styles
        self._spread = self._spread_of_layers()
        self._style_step = torch.zeros(1, N_TIMBRE, device=engine.kind, requires_grad=True)
        self._layer_steps = torch.zeros_like(self._spread, requires_grad=True)
        self.report: dict[str, Any] = {}

    def run(self, progress: Progress) -> tuple[Floats, Floats]:
        """Returns the offsets of the style [256] and of what the layers see [n]."""
        import torch

        sentences, steps = fitting_sentences(), self._options.steps
        generator = np.random.default_rng(self._options.seed)
        optimiser = torch.optim.Adam(
            [{"params": [self._style_step], "lr": STYLE_RATE}, {"params": [self._layer_steps], "lr": LAYER_RATE}],
            betas=BETAS,
        )
        falling = torch.optim.lr_scheduler.LambdaLR(
            optimiser, lambda step: LEAST_RATE + (1 - LEAST_RATE) * 0.5 * (1 + np.cos(np.pi * step / steps))
        )
        prepared: dict[int, Prepared] = {}
        likeness = []
        for step in range(steps):
            progress.update("fitting the voice", step / steps)
            turn = step % len(sentences) if step < len(sentences) else int(generator.integers(len(sentences)))
            if turn not in prepared:
                prepared[turn] = self._engine.prepare(sentences[turn], self._styles)
            with torch.enable_grad():
                found = self._likeness(prepared[turn], turn, generator)
                optimiser.zero_grad()
                (-found.sum()).backward()  # type: ignore[no-untyped-call]
            optimiser.step()
            falling.step()
            likeness.append(found.detach().cpu().numpy())
        last = np.mean(likeness[-min(6, steps) :], axis=0)
        self.report = {"steps": steps, "likeness": {"ge2e": float(last[0]), "campplus": float(last[1])}}
        delta = np.concatenate([STYLE_SPREAD * _numbers(self._style_step)[0], np.zeros(N_STYLE - N_TIMBRE, np.float32)])
        return delta.astype(np.float32), _numbers(self._spread * self._layer_steps)[0]

    def _likeness(self, sentence: Prepared, turn: int, generator: np.random.Generator) -> torch.Tensor:
        """Says a crop of a sentence and returns how like the reference each encoder finds it [encoders]."""
        import torch

        n_frames = sentence["text"].shape[-1]
        length = min(CROP_FRAMES, n_frames)
        begin = int(generator.integers(n_frames - length + 1))
        crop = {
            "text": sentence["text"][..., begin : begin + length],
            "source": sentence["source"][..., FRAME_SOURCES * begin : FRAME_SOURCES * (begin + length) + 1],
        }
        for name in ("pitch", "loudness"):
            crop[name] = sentence[name][..., FRAME_HALVES * begin : FRAME_HALVES * (begin + length)]
        affines = self._engine.affines(self._timbre[turn : turn + 1] + STYLE_SPREAD * self._style_step)
        sound = self._resample(self._engine.decoder(affines=affines + self._spread * self._layer_steps, **crop))
        noise = torch.from_numpy(generator.standard_normal(sound.shape, np.float32)).to(sound.device)
        sound = sound + NOISE * sound.detach().square().mean().sqrt() * noise
        pairs = zip(self._encoders, self._wanted, strict=True)
        return torch.stack([encoder.embed(sound)[0] @ wanted for encoder, wanted in pairs])

    def _spread_of_layers(self) -> torch.Tensor:
        """Returns how far the model's own voices differ in what each layer sees [1, n]."""
        import torch

        rows = np.stack([self._engine.voice(name)[len(self._styles) // 12, :N_TIMBRE] for name in voice_table().names])
        return self._engine.affines(torch.from_numpy(rows).to(self._engine.kind)).std(dim=0, keepdim=True)


def _no_delta() -> Floats:
    return np.zeros(N_STYLE, np.float32)


def _numbers(tensor: torch.Tensor) -> Floats:
    return np.asarray(tensor.detach().cpu().numpy(), np.float32)
