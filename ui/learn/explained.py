"""A separation with everything that is usually thrown away: the clip, the masks, and what each layer made."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from audio_ml.audio import Audio, Samples
from audio_ml.loader import ModelLoader
from audio_ml.progress import Progress
from audio_ml.writer import write_audio
from ui.learn.clip import Clip, read_clip
from ui.learn.example import Example, make_example
from ui.learn.layers import LayerFile
from ui.learn.network import OpenedNetworks, count_frames, magnitudes, opened_model

CLIP, MASKS, LAYERS, NETWORK = "clip.wav", "masks.bin", "layers.bin", "network.json"
FULL_MASK = 65535  # a mask of one, in 16 bits: rounding stays 100 dB below the recording
EXAMPLE_NOTE = "Made here: a sentence spoken by hibari, and a tune of plucked tones. Each is known alone."


@dataclass(frozen=True)
class _Sound:
    """What is looked into; of an example the stems are known."""

    name: str
    clip: Clip
    example: Example | None


def explain(source: Path | None, folder: Path, loader: ModelLoader, progress: Progress) -> dict[str, Any]:
    """Separates the beginning of a recording, or the example, and keeps masks and layers as files in a folder.

    Returns a report: which files there are, the shape of each, and what they mean.

    Raises:
        UnreadableAudio: when the recording is none.
        WeightsError: when the model's files cannot be had.
        Cancelled: when `progress.cancel` was called.
    """
    spec = opened_model()
    sound = _open(source, loader, progress)
    samples = sound.clip.audio.samples
    configuration = OpenedNetworks.configuration
    patches, n_frames = magnitudes(samples, configuration), count_frames(samples.shape[1], configuration)
    with loader.use(spec, progress) as network:
        masks = _masks(network, patches, progress)
        stems = _write_layers(network, patches[0], masks, n_frames, folder, progress)
    kept = np.round(FULL_MASK * masks[0][:, :n_frames]).astype("<u2")
    (folder / MASKS).write_bytes(kept.tobytes())
    write_audio(folder / CLIP, sound.clip.audio, bit_depth="32f")
    return {
        "clip": {
            "file": CLIP,
            "name": sound.name,
            "seconds": sound.clip.audio.duration_seconds,
            "n_samples": sound.clip.audio.n_samples,
            "sample_rate": sound.clip.audio.sample_rate,
        },
        "transform": {
            "n_fft": configuration.n_fft,
            "hop": configuration.hop,
            "first_sample": -configuration.n_fft,
            "n_frames": n_frames,
            "n_bins": configuration.bins,
        },
        "masks": {"file": MASKS, "type": "uint16", "full": FULL_MASK, "shape": list(kept.shape)},
        "stems": list(spec.outputs),
        "truth": _write_truth(sound.example, spec.outputs, folder),
        "network": {"file": NETWORK, "pictures": LAYERS, "stems": stems},
        "model": {"name": "spleeter-2stems", "licence": spec.licence.name, "note": spec.licence.note},
        "notes": list(sound.clip.notes),
    }


def _open(source: Path | None, loader: ModelLoader, progress: Progress) -> _Sound:
    rate = OpenedNetworks.configuration.sample_rate
    if source is not None:
        return _Sound(source.name, read_clip(source, rate), None)
    example = make_example(loader, progress)
    return _Sound("Example", Clip(example.mixture, (EXAMPLE_NOTE,)), example)


def _masks(network: OpenedNetworks, patches: list[Samples], progress: Progress) -> Samples:
    """Returns the masks [stems, 2, frames, bins] of all patches in a row."""
    masks = []
    for number, patch in enumerate(patches):
        progress.update("masks", number / len(patches))
        masks.append(network.masks(patch))
    return np.concatenate(masks, axis=2)


def _write_layers(
    network: OpenedNetworks,
    patch: Samples,
    masks: Samples,
    n_frames: int,
    folder: Path,
    progress: Progress,
) -> list[str]:
    """Writes what both networks make of the first patch, of which the clip fills so many frames."""
    configuration = network.configuration
    pictures = LayerFile(folder / LAYERS, configuration, n_frames)
    told = {}
    for number, stem in enumerate(configuration.instruments):
        progress.update("layers", number / len(masks))
        told[stem] = pictures.describe(network, patch, number, masks[number][:, : configuration.frames])
    pictures.close()
    description = {
        "stems": told,
        "seconds": min(n_frames, configuration.frames) * configuration.hop / configuration.sample_rate,
        "patch_seconds": configuration.frames * configuration.hop / configuration.sample_rate,
        "highest_hz": configuration.bins * configuration.sample_rate / configuration.n_fft,
    }
    (folder / NETWORK).write_text(json.dumps(description), encoding="utf-8")
    return list(told)


def _write_truth(example: Example | None, stems: tuple[str, ...], folder: Path) -> dict[str, str]:
    """Writes the stems of an example as they are known; returns the files by stem."""
    if example is None:
        return {}
    truth: dict[str, Audio] = dict(zip(stems, (example.voice, example.tune), strict=True))
    for stem, audio in truth.items():
        write_audio(folder / f"true {stem}.wav", audio, bit_depth="32f")
    return {stem: f"true {stem}.wav" for stem in truth}
