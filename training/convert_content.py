"""Finds the maps of conversion, and what its book of phrases is to expect of them, by least squares.

    python -m training.convert_content FEATURE_FOLDER OUTPUT.safetensors

FEATURE_FOLDER is what `convert_features.py` wrote; one utterance of 17 is kept for checking, with all of its copies.
Nothing is random: the same features give the same file.

The book needs to know how the answers for a symbol look and spread. They are a linear map of the right features, with
errors of one covariance, which is made white.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from training.convert_phrases import phrases
from voiceclone.nets.content import N_CONTOUR, N_FEATURES, N_HEARD, N_PROSODY, N_TAPS

Floats = NDArray[np.float32]

RIDGE = 3.0
TOGETHER = 40  # utterances that are added to the equations at once
CHECKED = 17
SURE = 3.0  # what voiced is to be answered with; unvoiced with its opposite
SCALES = np.array([1, 1, 2 * SURE, 2 * SURE], np.float32)  # of prosody, from 0 and 1
SHIFTS = np.array([0, 0, -SURE, -SURE], np.float32)
OTHER_TAPS = (0, 1, 3, 4)  # of five, beside this frame
LEAST_VARIANCE = 0.01  # of the errors in a direction, as a share of the mean


@dataclass(frozen=True, eq=False)
class Example:
    """An utterance; see `convert_features.py`."""

    heard: NDArray[np.float16]
    contour: Floats
    features: NDArray[np.float16]
    symbols: NDArray[np.int16]
    prosody: Floats

    @property
    def targets(self) -> Floats:
        """The right features [frames, 512]."""
        return self.features[self.symbols].astype(np.float32)

    @property
    def has_prosody(self) -> bool:
        return bool(np.isfinite(self.prosody).all())


def read(paths: Sequence[Path]) -> list[Example]:
    """Reads all utterances into memory."""
    examples = []
    for path in paths:
        with np.load(path) as arrays:
            examples.append(Example(**{name: arrays[name] for name in arrays.files}))
    return examples


def regression(
    examples: Sequence[Example], inputs: Callable[[Example], Floats], answers: Callable[[Example], Floats]
) -> Floats:
    """Returns the linear map [inputs, answers] of least squared errors, by ridge regression."""
    gram, product = np.zeros(()), np.zeros(())
    for first in range(0, len(examples), TOGETHER):
        some = examples[first : first + TOGETHER]
        x = np.concatenate([inputs(example) for example in some])
        gram = gram + x.T @ x
        product = product + x.T @ np.concatenate([answers(example) for example in some])
    return np.linalg.solve(gram + RIDGE * np.eye(len(gram)), product).astype(np.float32)


def stacked(example: Example) -> Floats:
    """Returns this frame of both layers, two frames of the last layer on either side, and one."""
    return _with_one(example.heard, _neighbours(example.heard[:, N_HEARD // 2 :]))


def stacked_contour(example: Example) -> Floats:
    """Returns this frame of both layers, this frame of the contour and two on either side, and one."""
    return _with_one(example.heard, example.contour, _neighbours(example.contour))


def prosody(example: Example) -> Floats:
    """Returns energy and voicing [frames, 4] as they are to be answered."""
    return example.prosody * SCALES + SHIFTS


def _neighbours(frames: NDArray[Any]) -> NDArray[Any]:
    around = np.pad(frames, ((2, 2), (0, 0)))
    return np.concatenate([around[shift : shift + len(frames)] for shift in OTHER_TAPS], axis=1)


def _with_one(*parts: NDArray[Any]) -> Floats:
    return np.concatenate([*parts, np.ones((len(parts[0]), 1))], axis=1, dtype=np.float32)


def as_convolution(solution: Floats, n_inputs: int, beside: slice) -> dict[str, Floats]:
    """Returns a solution as weight [answers, inputs, taps] and bias of a convolution; `beside` names the inputs that
    neighbouring frames have."""
    width = beside.stop - beside.start
    weight = np.zeros((solution.shape[1], n_inputs, N_TAPS), np.float32)
    here, *others = np.split(solution[:-1].T, range(n_inputs, len(solution) - 1, width), axis=1)
    weight[:, :, N_TAPS // 2] = here
    for tap, found in zip(OTHER_TAPS, others, strict=True):
        weight[:, beside, tap] = found
    return {"weight": weight, "bias": solution[-1]}


def expectations(examples: Sequence[Example], solution: Floats) -> tuple[Floats, Floats]:
    """Returns `expected` [513, 512] and `white` [512, 512] of a `voiceclone.phrase_book.PhraseBook`."""
    answers = np.concatenate([stacked(example) @ solution for example in examples])
    right = _with_one(np.concatenate([example.targets for example in examples]))
    expected = np.linalg.solve((right.T @ right).astype(np.float64) + np.eye(N_FEATURES + 1), right.T @ answers)
    errors = answers - right @ expected
    variances, axes = np.linalg.eigh(errors.T @ errors / len(errors))
    white = axes / np.sqrt(variances + LEAST_VARIANCE * variances.mean())
    return (expected @ white).astype(np.float32), white.astype(np.float32)


def _check(examples: Sequence[Example], solutions: dict[str, Floats]) -> dict[str, str]:
    """Returns how good the maps are for utterances that had no part in them."""
    told = [example for example in examples if example.has_prosody]
    features = np.concatenate([stacked(example) @ solutions["features"] - example.targets for example in examples])
    power = np.mean([np.square(example.targets).mean() for example in examples])
    answers = np.concatenate([stacked_contour(example) @ solutions["prosody"] for example in told])
    right = np.concatenate([prosody(example) for example in told])
    return {
        "features_explained": f"{1 - np.square(features).mean() / power:.3f}",
        "energy_correlation": f"{np.corrcoef(answers[:, 0], right[:, 0])[0, 1]:.3f}",
        "voicing_right": f"{np.mean((answers[:, 2:] > 0) == (right[:, 2:] > 0)):.3f}",
    }


def main() -> None:
    from safetensors.numpy import save_file

    parser = argparse.ArgumentParser()
    parser.add_argument("features", type=Path)
    parser.add_argument("output", type=Path)
    given = parser.parse_args()
    paths = sorted(given.features.glob("*.npz"))
    speech = sorted({path.stem.rsplit("-", 1)[0] for path in paths})
    kept = set(speech[::CHECKED])
    split: dict[bool, list[Path]] = {True: [], False: []}
    for path in paths:
        split[path.stem.rsplit("-", 1)[0] in kept].append(path)
    examples = read(split[False])
    told = [example for example in examples if example.has_prosody]
    solutions = {
        "features": regression(examples, stacked, lambda example: example.targets),
        "prosody": regression(told, stacked_contour, prosody),
    }
    checks = _check(read(split[True]), solutions)
    n_both = N_HEARD + N_CONTOUR
    assert solutions["prosody"].shape[1] == N_PROSODY
    maps = {
        "features": as_convolution(solutions["features"], N_HEARD, slice(N_HEARD // 2, N_HEARD)),
        "prosody": as_convolution(solutions["prosody"], n_both, slice(N_HEARD, n_both)),
    }
    tensors: dict[str, NDArray[Any]] = {
        f"{name}.{part}": values.astype(np.float16) for name, found in maps.items() for part, values in found.items()
    }
    book = phrases()
    expected, white = expectations(examples[::3], solutions["features"])
    tensors |= {"book.symbols": book, "book.expected": expected, "book.white": white}
    save_file(tensors, given.output, metadata={"utterances": str(len(speech)), "copies": str(len(paths)), **checks})
    print(given.output, checks)


if __name__ == "__main__":
    main()
