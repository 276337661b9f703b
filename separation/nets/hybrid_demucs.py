"""Hybrid Demucs: the network of the package `demucs`, made as its published file says.

Défossez 2021, "Hybrid spectrogram and waveform source separation" (MDX workshop). Published files differ in what
their spectrogram branch gives (complex numbers, or amplitudes for a Wiener filter) and in how they pad, so the
arguments that a file names are kept beside its weights.
"""

from __future__ import annotations

import inspect
import json
from collections.abc import Mapping, Sequence
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any

from audio_ml.errors import WeightsCorrupt
from audio_ml.state_dicts import check_tensors, load_strictly, read_manifest, read_state_dict
from separation.nets.demucs_checkpoint import read_package

if TYPE_CHECKING:
    import torch

STEMS = ("drums", "bass", "other", "vocals")
SAMPLE_RATE = 44100
MANIFESTS = Path(__file__).parents[1] / "manifests"
CLASS = "demucs.hdemucs.HDemucs"
TORCHAUDIO_ARGUMENTS = {"sources": list(STEMS), "channels": 48, "samplerate": SAMPLE_RATE}  # torchaudio.hdemucs_high
TORCHAUDIO_BRANCHES = {"freq_encoder": "encoder", "freq_decoder": "decoder"}
TORCHAUDIO_BRANCHES |= {"time_encoder": "tencoder", "time_decoder": "tdecoder"}
TORCHAUDIO_UNUSED = "time_encoder.4.norm1."  # its network makes the layer and leaves before it

Arguments = dict[str, Any]


def hybrid_demucs(arguments: Mapping[str, Any]) -> torch.nn.Module:
    """Returns the network with random weights: mixtures [batch, 2, n] -> stems [batch, stems, 2, n], any n."""
    from demucs.hdemucs import HDemucs

    network: torch.nn.Module = HDemucs(**{**arguments, "rescale": 0})  # it would scale random weights
    return network.eval()


def build(output: Path, published: Path) -> None:
    """Writes weights and arguments out of a published file: the package's checkpoint, or the hub's safetensors.

    Raises:
        WeightsCorrupt: when it is not one of this network, or its weights are not those that its arguments ask for.
    """
    if published.suffix == ".safetensors":
        described = _metadata(published)
        klass, given = described.get("klass"), (described.get("args", "[]"), described.get("kwargs", "{}"))
        args, kwargs = (json.loads(text, object_hook=_fraction) for text in given)
        state = read_state_dict(published)
    else:
        package = read_package(published)
        made = package.get("klass")
        klass = f"{getattr(made, '__module__', '')}.{getattr(made, '__qualname__', '')}"
        args, kwargs, state = (package.get(key, {}) for key in ("args", "kwargs", "state"))
    if klass != CLASS or not isinstance(state, dict):
        raise WeightsCorrupt(f"{published.name} does not hold the weights of a {CLASS}.")
    _write(output, _arguments(published.name, args, kwargs), state, published.name)


def build_torchaudio(output: Path, published: Path) -> None:
    """Writes the weights of torchaudio's `hdemucs_high`, which is the same network under other names."""
    state = read_state_dict(published)
    check_tensors(state, read_manifest(MANIFESTS / "hdemucs-high.tsv"), published.name)
    renamed = {}
    for name, tensor in state.items():
        branch, _, rest = name.partition(".")
        if not name.startswith(TORCHAUDIO_UNUSED):
            renamed[f"{TORCHAUDIO_BRANCHES.get(branch, branch)}.{rest}"] = tensor
    _write(output, TORCHAUDIO_ARGUMENTS, renamed, published.name)


def load(path: Path, stems: Sequence[str], manifest: str) -> torch.nn.Module:
    """Returns the network of a file that `build` wrote.

    Raises:
        WeightsCorrupt: when it makes other stems, or its weights are not those of the manifest.
    """
    arguments = json.loads(_metadata(path).get("arguments", "{}"), object_hook=_fraction)
    if tuple(arguments.get("sources", ())) != tuple(stems):
        raise WeightsCorrupt(f"{path.name} makes {', '.join(arguments.get('sources', ()))}, not {', '.join(stems)}.")
    state = read_state_dict(path)
    check_tensors(state, read_manifest(MANIFESTS / f"{manifest}.tsv"), path.name)
    network = hybrid_demucs(arguments)
    load_strictly(network, state, path.name)
    return network


def _write(output: Path, arguments: Arguments, state: Mapping[str, Any], name: str) -> None:
    import torch
    from safetensors.torch import save_file

    try:
        with torch.device("meta"):
            network = hybrid_demucs(arguments)
    except (TypeError, ValueError, AssertionError, RuntimeError, ZeroDivisionError) as error:
        raise WeightsCorrupt(f"{name} asks for a network that cannot be made: {error}") from error
    check_tensors(state, {key: tuple(value.shape) for key, value in network.state_dict().items()}, name)
    described = json.dumps(arguments, default=_json)
    save_file({key: value.contiguous() for key, value in state.items()}, output, metadata={"arguments": described})


def _arguments(name: str, args: Sequence[Any], kwargs: Mapping[str, Any]) -> Arguments:
    """Returns the arguments of the network by name; those that it no longer knows are left out, as demucs does."""
    from demucs.hdemucs import HDemucs

    known = list(inspect.signature(HDemucs).parameters)
    arguments = dict(zip(known, args, strict=False)) | {key: value for key, value in kwargs.items() if key in known}
    strange = [key for key, value in arguments.items() if not _is_plain(value)]
    if strange:
        raise WeightsCorrupt(f"{name} has an argument '{strange[0]}' that is neither a number nor a word.")
    return arguments


def _is_plain(value: Any) -> bool:
    if isinstance(value, (list, tuple)):
        return all(map(_is_plain, value))
    return value is None or isinstance(value, (bool, int, float, str, Fraction))


def _metadata(path: Path) -> dict[str, str]:
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, framework="pt") as file:
            return dict(file.metadata() or {})
    except (SafetensorError, OSError) as error:
        raise WeightsCorrupt(f"{path.name} is not a safetensors file that can be read: {error}") from error


def _json(value: Any) -> Any:
    """Writes a fraction as demucs' own export does."""
    assert isinstance(value, Fraction)
    return {"_type": "fraction", "numerator": value.numerator, "denominator": value.denominator}


def _fraction(value: dict[str, Any]) -> Any:
    return Fraction(value["numerator"], value["denominator"]) if value.get("_type") == "fraction" else value
