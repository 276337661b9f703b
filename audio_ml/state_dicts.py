"""The parameters of a torch network: read without unpickling, and loaded whole or not at all."""

from __future__ import annotations

import pickle
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from audio_ml.errors import WeightsCorrupt

if TYPE_CHECKING:
    import torch

SHOWN = 3  # names in a message

Shape = tuple[int, ...]


def read_state_dict(path: Path, allowed: Sequence[Any] = ()) -> dict[str, Any]:
    """Returns the tensors of a safetensors file, or what `torch.load` finds in a checkpoint with weights alone.

    `allowed` are the classes that a checkpoint may name beside tensors; nothing else is made from it.

    Raises:
        WeightsCorrupt: when the file is not one, or holds anything but weights.
    """
    import torch

    if path.suffix == ".safetensors":
        from safetensors import SafetensorError
        from safetensors.torch import load_file

        try:
            return dict(load_file(path))
        except (SafetensorError, OSError, ValueError) as error:
            raise WeightsCorrupt(f"{path.name} is not a safetensors file that can be read: {error}") from error
    try:
        with torch.serialization.safe_globals(list(allowed)):
            found = torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:  # whose message advises to switch the check off
        raise WeightsCorrupt(f"{path.name} does not hold weights alone, or is damaged.") from error
    except (RuntimeError, OSError, EOFError, ValueError, LookupError, TypeError, AttributeError) as error:
        reason = next(iter(str(error).splitlines()), type(error).__name__)
        raise WeightsCorrupt(f"{path.name} does not hold weights alone, or is damaged: {reason}") from error
    if not isinstance(found, dict):
        raise WeightsCorrupt(f"{path.name} holds a {type(found).__name__} where tensors by name are expected.")
    return found


def load_strictly(network: torch.nn.Module, state: Mapping[str, Any], name: str) -> None:
    """Loads every parameter of a network; all is checked before the first is changed.

    Raises:
        WeightsCorrupt: when tensors are missing, left over, of another shape, or not finite.
    """
    expected = {key: tuple(value.shape) for key, value in network.state_dict().items()}
    check_tensors(state, expected, name)
    network.load_state_dict(dict(state), strict=True)


def check_tensors(state: Mapping[str, Any], expected: Mapping[str, Shape], name: str) -> None:
    """Raises `WeightsCorrupt` unless the tensors are those expected, by name and shape, and finite."""
    import torch

    missing = [key for key in expected if key not in state]
    extra = [key for key in state if key not in expected]
    wrong = [
        f"{key} {_shape(state[key])} instead of {expected[key]}"
        for key in expected
        if key in state and _shape(state[key]) != expected[key]
    ]
    problems = [
        f"{len(names)} tensors {what}, such as {', '.join(names[:SHOWN])}"
        for what, names in (
            ("are missing", missing),
            ("belong to another network", extra),
            ("have other shapes", wrong),
        )
        if names
    ]
    if not problems:
        spoilt = [key for key, value in state.items() if not bool(torch.isfinite(value).all())]
        if spoilt:
            problems = [f"{len(spoilt)} tensors hold NaN or infinite numbers, such as {', '.join(spoilt[:SHOWN])}"]
    if problems:
        raise WeightsCorrupt(f"The weights are not those of {name}: {'; '.join(problems)}.")


def read_manifest(path: Path) -> dict[str, Shape]:
    """Returns the names and shapes of a published checkpoint, as a file of `name<TAB>1,2,3` lists them.

    Lines that begin with # say where the list comes from.
    """
    lines = (line.split("\t") for line in path.read_text(encoding="utf-8").splitlines() if line and line[0] != "#")
    return {name: tuple(int(size) for size in sizes.split(",") if size) for name, sizes in lines}


def _shape(value: Any) -> Shape | None:
    return tuple(value.shape) if hasattr(value, "shape") else None
