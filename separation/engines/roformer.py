"""BS-RoFormer and Mel-Band RoFormer: vocals and accompaniment at their best, or four stems; slow without a GPU.

Lu et al. 2023, arXiv 2309.02612; Wang et al. 2023, arXiv 2310.01809. Checkpoints by their trainers.
"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np
from pydantic import Field

from audio_ml import exhaustion
from audio_ml.audio import Samples
from audio_ml.catalogue import Licence, ModelSpec, Row, WeightFile
from audio_ml.chunks import WeightedSegmentation
from audio_ml.device import Device, prefers_half
from audio_ml.sources import HubSource, UrlSource
from audio_ml.state_dicts import check_tensors, read_manifest, read_state_dict
from separation.batching import Batch
from separation.nets.roformer_architecture import BS_BANDS, SAMPLE_RATE, Architecture, mel_bands
from separation.options import SeparationOptions

if TYPE_CHECKING:
    import torch

MANIFESTS = Path(__file__).parents[1] / "manifests"
FADE = 0.1  # share of a segment at each end over which it gives way to its neighbours, as its trainers have it
BATCH = {"cpu": 1, "mps": 1, "cuda": 4}  # segments at once
SHORTEST_SECONDS = 2.0  # of a segment that is halved for want of memory
ACCOMPANIMENT = "accompaniment"
STEMS_OF_FOUR = ("vocals", "drums", "bass", "other")


class RoformerOptions(SeparationOptions):
    """Options of the RoFormer models."""

    overlap: float = Field(
        0.5,
        ge=0,
        le=0.9,
        description="Share of each segment that the next one covers again: smoother, and slower.",
        json_schema_extra={"advanced": True},
    )
    segment_seconds: float | None = Field(
        None,
        ge=1,
        le=30,
        description="Length of a segment; the one the model was trained on by default. Shorter takes less memory.",
        json_schema_extra={"flag": "--segment", "unit": "s", "advanced": True},
    )
    precision: Literal["auto", "full", "half"] = Field(
        "auto",
        description="'full' computes in 32 bits; 'half' in 16, up to twice as fast; "
        "'auto' takes half where the processor is made for it.",
        json_schema_extra={"advanced": True},
    )


class VocalRoformerOptions(RoformerOptions):
    """Options of the models that estimate one stem; what is left of the mixture is the other."""

    @property
    def adds_up(self) -> bool:
        return True


@dataclass(frozen=True)
class Checkpoint:
    """A published network: its shape, the list of its tensors, the order of its stems, and its segments."""

    architecture: Architecture
    manifest: Path
    stems: tuple[str, ...]
    segment_samples: int


class RoformerEngine:
    """Runs the network on a segment, or on a batch of them; safe to call from several threads."""

    workers = 1  # one segment keeps every core busy

    def __init__(self, files: Mapping[str, Path], device: Device, *, checkpoint: Checkpoint) -> None:
        (path,) = files.values()  # before torch, whose import takes seconds: they may be out of reach

        import torch

        from separation.nets.roformer import Roformer

        state = read_state_dict(path)
        check_tensors(state, read_manifest(checkpoint.manifest), path.name)
        with torch.device("meta"):  # its own initial weights would take seconds, and the memory twice
            network = Roformer(checkpoint.architecture)
        network.load_state_dict(state, strict=True, assign=True)
        self._network = network.float().to(device.kind).eval()
        self._checkpoint, self._kind, self._batch = checkpoint, device.kind, BATCH[device.kind]
        if device.kind == "cpu":
            torch.set_num_threads(device.cores)

    def segmentation(self, options: RoformerOptions) -> WeightedSegmentation:
        """Returns how the stream is cut: into as many of the model's segments as are run at once."""
        return self._cut(options).segmentation()

    def separate(self, segment: Samples, stems: Sequence[str], options: RoformerOptions) -> Samples:
        """Returns the stems [len(stems), 2, length] of a segment [2, length].

        Raises:
            OutOfMemory: when the device's memory does not hold a segment.
        """
        import torch

        cut = self._cut(options)
        known = self._checkpoint.stems
        asked = [stem for stem in known if stem in stems or ACCOMPANIMENT in stems]
        what = f"{cut.size} segments" if cut.size > 1 else "A segment"
        # Not inference_mode: there autocast would cast the weights again for every use.
        with exhaustion.reported(f"{what} of {cut.length / SAMPLE_RATE:g} s"), torch.no_grad():
            mixture = torch.from_numpy(cut.cut(segment)).to(self._kind)
            indices = [known.index(stem) for stem in asked]
            found = self._network(mixture, indices, self._half(options)).float().cpu().numpy()
        estimates = dict(zip(asked, cut.join(found), strict=True))
        if ACCOMPANIMENT in stems:
            estimates[ACCOMPANIMENT] = segment - sum(estimates.values())
        return np.stack([estimates[stem] for stem in stems])

    def lighter(self, options: RoformerOptions) -> tuple[str, RoformerOptions] | None:
        """Returns options that take less memory, with a phrase for what they change; None where none are left."""
        seconds = self._cut(options).length / SAMPLE_RATE / 2
        if seconds >= SHORTEST_SECONDS:
            return f"segments of {seconds:.1f} s", options.model_copy(update={"segment_seconds": seconds})
        if self._kind != "cpu" and self._half(options) is None:  # a CPU was seen to need no less in half
            return "half precision", options.model_copy(update={"precision": "half"})
        return None

    def _cut(self, options: RoformerOptions) -> Batch:
        """Returns the model's segments, which are whole frames, as many as are run at once."""
        frame = self._checkpoint.architecture.hop
        wanted = self._checkpoint.segment_samples
        if options.segment_seconds is not None:
            wanted = round(options.segment_seconds * SAMPLE_RATE)
        length = max(wanted // frame, 1) * frame
        hop = max(round(length * (1 - options.overlap)), 1)
        rising = (np.arange(length, dtype=np.float32) + 0.5) / np.float32(FADE * length)
        return Batch(length, hop, np.minimum(np.minimum(rising, rising[::-1]), np.float32(1)), self._batch)

    def _half(self, options: RoformerOptions) -> torch.dtype | None:
        """Returns the type that half precision is on this device, or None for full precision."""
        import torch

        if options.precision == "full" or (options.precision == "auto" and not prefers_half(self._kind)):
            return None
        return torch.bfloat16 if self._kind == "cpu" else torch.float16


BS_ROFORMER = Checkpoint(
    Architecture(BS_BANDS, dim=512, depth=12, norms_each=False, mask_layers=2),
    manifest=MANIFESTS / "bs-roformer.tsv",
    stems=("vocals",),
    segment_samples=352_800,
)
BS_ROFORMER_4STEMS = Checkpoint(
    Architecture(BS_BANDS, dim=384, depth=8, norms_each=False, mask_layers=2, mask_expansion=2, n_stems=4),
    manifest=MANIFESTS / "bs-roformer-4stems.tsv",
    stems=("drums", "bass", "other", "vocals"),
    segment_samples=485_100,
)
MEL_BAND_ROFORMER = Checkpoint(
    Architecture(mel_bands(60), dim=384, depth=6, norms_each=True, mask_layers=3),
    manifest=MANIFESTS / "mel-band-roformer.tsv",
    stems=("vocals",),
    segment_samples=352_800,
)
KARAOKE = dataclasses.replace(MEL_BAND_ROFORMER, stems=("lead_vocals",))

_UVR = "https://github.com/TRvlvr/model_repo/releases/download/all_public_uvr_models/"
_MSST = "https://github.com/ZFTurbo/Music-Source-Separation-Training/releases/download/"
_KIM_REVISION = "ac9b0614ab3cd7f77219e18ba494dfd93956c348"
_NOT_STATED = Licence("not stated", commercial=None, note="The release that has the weights names no licence.")


def _row(
    name: str,
    checkpoint: Checkpoint,
    summary: str,
    licence: Licence,
    memory_bytes: int,
    file: WeightFile,
    aliases: tuple[str, ...] = (),
) -> ModelSpec:
    is_vocal = len(checkpoint.stems) == 1
    return ModelSpec(
        name=name,
        aliases=aliases,
        task="separation",
        summary=summary,
        licence=licence,
        files=(file,),
        outputs=(*checkpoint.stems, ACCOMPANIMENT) if is_vocal else STEMS_OF_FOUR,
        sample_rate=SAMPLE_RATE,
        n_channels=2,
        memory_bytes=memory_bytes,
        options=VocalRoformerOptions if is_vocal else RoformerOptions,
        engine=functools.partial(RoformerEngine, checkpoint=checkpoint),
    )


MODELS: list[Row] = [
    _row(
        "mel-band-roformer",
        MEL_BAND_ROFORMER,
        "Vocals and accompaniment by a Mel-Band RoFormer: the best here for vocals; slow without a GPU.",
        Licence("MIT", commercial=True, note="By its model card."),
        memory_bytes=1_050_000_000,
        file=WeightFile(
            "MelBandRoformer.ckpt",
            913_106_900,
            "87201f4d31afb5bc79993230fc49446918425574db48c01c405e44f365c7559e",
            (HubSource("KimberleyJSN/melbandroformer", "MelBandRoformer.ckpt", _KIM_REVISION),),
        ),
        aliases=("mel-band-roformer-kim",),
    ),
    _row(
        "mel-band-roformer-karaoke",
        KARAOKE,
        "Lead vocals, and the accompaniment with its backing vocals, by a Mel-Band RoFormer; slow without a GPU.",
        _NOT_STATED,
        memory_bytes=1_050_000_000,
        file=WeightFile(
            "mel_band_roformer_karaoke_aufr33_viperx_sdr_10.1956.ckpt",
            913_096_801,
            "1de20d459332fe8869aeb01327a31df0032262706e1365114e852dc271779813",
            (UrlSource(_UVR + "mel_band_roformer_karaoke_aufr33_viperx_sdr_10.1956.ckpt"),),
        ),
    ),
    _row(
        "bs-roformer",
        BS_ROFORMER,
        "Vocals and accompaniment by a large BS-RoFormer; very slow without a GPU.",
        _NOT_STATED,
        memory_bytes=780_000_000,
        file=WeightFile(
            "model_bs_roformer_ep_317_sdr_12.9755.ckpt",
            639_331_213,
            "5b84f37e8d444c8cb30c79d77f613a41c05868ff9c9ac6c7049c00aefae115aa",
            (UrlSource(_UVR + "model_bs_roformer_ep_317_sdr_12.9755.ckpt"),),
        ),
        aliases=("bs-roformer-viperx",),
    ),
    _row(
        "bs-roformer-4stems",
        BS_ROFORMER_4STEMS,
        "Vocals, drums, bass and other by a BS-RoFormer that learned from MUSDB18-HQ; very slow without a GPU.",
        Licence(
            "not stated",
            commercial=None,
            note="The repository that released it is MIT and says nothing of its weights; "
            "MUSDB18-HQ, which they were trained on, is for academic use.",
        ),
        memory_bytes=650_000_000,
        file=WeightFile(
            "model_bs_roformer_ep_17_sdr_9.6568.ckpt",
            527_385_512,
            "3e9daecd70aaed5b5a0d1f861cc4d77eaa45afb3fc6301b1cf32c1be0f5868fb",
            (UrlSource(_MSST + "v1.0.12/model_bs_roformer_ep_17_sdr_9.6568.ckpt"),),
        ),
    ),
]
