"""Trains the network of conversion on what `convert_features.py` wrote.

    python -m training.convert_content FEATURE_FOLDER OUTPUT.safetensors --linear LINEAR.npz --minutes 15 --seed 7

First its linear maps are solved for by ridge regression over all frames, then AdamW trains what is added to them, in
one cycle, for as long as is given. Loss: squared and absolute error of the features, absolute error of the energy
and cross-entropy of voicing. One utterance of 17 is kept for checking, with all of its copies.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from voiceclone.nets.content import ENERGY_SCALE, N_CONTOUR, N_HEARD, ContentNetwork

Floats = NDArray[np.float32]
Solution = dict[str, Floats]

N_BATCH, N_CROP = 8, 160  # four seconds each
RIDGE = 3.0
SURE = 3.0
SCALES = np.array([1, 1, 2 * SURE, 2 * SURE], np.float32)  # of prosody, from 0 and 1 to logits
SHIFTS = np.array([0, 0, -SURE, -SURE], np.float32)
OTHER_TAPS = (0, 1, 3, 4)  # of five, beside this frame
TOGETHER = 40  # utterances that are added to the equations at once
LEARNING_RATE = 2e-3
WARM_UP = 0.05
EVERY_STEPS = 50
CHECKED = 17  # every seventeenth utterance is kept for checking


@dataclass(frozen=True, eq=False)
class Example:
    """An utterance; see `convert_features.py`."""

    heard: NDArray[np.float16]
    contour: NDArray[np.float32]
    features: NDArray[np.float16]
    symbols: NDArray[np.int16]
    prosody: NDArray[np.float32]
    straight: NDArray[np.float16] | None = None
    straight_prosody: NDArray[np.float32] | None = None

    @property
    def targets(self) -> NDArray[np.float32]:
        """The right features [frames, 512]."""
        return self.features[self.symbols].astype(np.float32)

    def crop(self, begin: int, length: int) -> tuple[NDArray[np.float32], ...]:
        """Returns `heard`, `contour`, what is missing from `straight`, prosody, `straight_prosody` of some frames, and
        1 for each of them [frames, 1]."""
        assert self.straight is not None and self.straight_prosody is not None
        some = slice(begin, begin + length)
        rows = self.features[self.symbols[some]] - self.straight[some].astype(np.float32)
        given = (self.heard[some].astype(np.float32), self.contour[some])
        found = (*given, rows, self.prosody[some], self.straight_prosody[some])
        known = np.ones((len(rows), 1), np.float32)
        return tuple(np.pad(part, ((0, length - len(part)), (0, 0))) for part in (*found, known))


def read(paths: Sequence[Path]) -> list[Example]:
    """Reads all utterances into memory."""
    examples = []
    for path in paths:
        with np.load(path) as arrays:
            examples.append(Example(**{name: arrays[name] for name in arrays.files}))
    return examples


def solve(examples: Sequence[Example]) -> Solution:
    """Returns the linear maps by ridge regression: of features [inputs, 512], and of prosody [inputs, 4].

    Voicing is told as a logit of plus or minus `SURE`.
    """
    told = [example for example in examples if np.isfinite(example.prosody).all()]
    return {
        "features": _regression(examples, _stacked, lambda example: example.targets),
        "prosody": _regression(told, _stacked_contour, lambda example: example.prosody * SCALES + SHIFTS),
    }


def _regression(
    examples: Sequence[Example], inputs: Callable[[Example], Floats], answers: Callable[[Example], Floats]
) -> Floats:
    gram, product = np.zeros(()), np.zeros(())
    for first in range(0, len(examples), TOGETHER):
        some = examples[first : first + TOGETHER]
        x = np.concatenate([inputs(example) for example in some])
        gram = gram + x.T @ x
        product = product + x.T @ np.concatenate([answers(example) for example in some])
    return np.linalg.solve(gram + RIDGE * np.eye(len(gram)), product).astype(np.float32)


def _stacked(example: Example) -> Floats:
    """Returns this frame of both layers, two frames of the last layer on either side, and one."""
    return _with_one(example.heard, _neighbours(example.heard[:, N_HEARD // 2 :]))


def _stacked_contour(example: Example) -> Floats:
    """Returns this frame of both layers, this frame of the contour and two on either side, and one."""
    return _with_one(example.heard, example.contour, _neighbours(example.contour))


def _neighbours(frames: NDArray[Any]) -> NDArray[Any]:
    around = np.pad(frames, ((2, 2), (0, 0)))
    return np.concatenate([around[shift : shift + len(frames)] for shift in OTHER_TAPS], axis=1)


def _with_one(*parts: NDArray[Any]) -> Floats:
    return np.concatenate([*parts, np.ones((len(parts[0]), 1))], axis=1, dtype=np.float32)


def set_straight(network: ContentNetwork, solution: Solution) -> None:
    """Makes the solution the network's linear maps, which training does not change."""
    half = N_HEARD // 2
    _set(network.direct, solution["features"], N_HEARD, range(half, N_HEARD))
    n_both = N_HEARD + N_CONTOUR
    _set(network.direct_prosody, solution["prosody"], n_both, range(N_HEARD, n_both))


def _set(layer: nn.Conv1d, solution: Floats, n_here: int, beside: range) -> None:
    weight = torch.zeros(layer.weight.shape)
    here, *others = np.split(solution[:-1].T, range(n_here, len(solution) - 1, len(beside)), axis=1)
    weight[:, :n_here, 2] = torch.from_numpy(here)
    for tap, found in zip(OTHER_TAPS, others, strict=True):
        weight[:, beside.start : beside.stop, tap] = torch.from_numpy(found)
    layer.weight.data.copy_(weight)
    assert layer.bias is not None
    layer.bias.data.copy_(torch.from_numpy(solution[-1]))
    layer.requires_grad_(False)


def with_straight(examples: Sequence[Example], solution: Solution) -> list[Example]:
    """Returns the examples with what the linear maps make of them."""
    return [
        replace(
            example,
            straight=(_stacked(example) @ solution["features"]).astype(np.float16),
            straight_prosody=_stacked_contour(example) @ solution["prosody"],
        )
        for example in examples
    ]


def batches(examples: Sequence[Example], random: np.random.Generator) -> Iterator[list[Tensor]]:
    """Yields batches of crops without end; longer utterances come as often as their length says."""
    shares = np.array([len(example.symbols) for example in examples], float)
    while True:
        crops = []
        for number in random.choice(len(examples), N_BATCH, p=shares / shares.sum()):
            example = examples[number]
            begin = random.integers(0, max(1, len(example.symbols) - N_CROP + 1))
            crops.append(example.crop(int(begin), N_CROP))
        yield [torch.from_numpy(np.stack(part)) for part in zip(*crops, strict=True)]


def losses(network: ContentNetwork, batch: Sequence[Tensor]) -> dict[str, Tensor]:
    """Returns the parts of the loss of a batch."""
    heard, contour, features, prosody, straight, known = batch
    found, correction = network.correct(heard, contour)
    sung = straight + correction
    error = (found - features) * known
    count = known.sum()
    told = ~prosody.isnan() & (known > 0)
    answer = torch.where(told, prosody, 0.0)
    energy = ((sung - answer).abs() / ENERGY_SCALE * told)[..., :2].sum() / told[..., :2].sum().clamp(min=1)
    voicing = functional.binary_cross_entropy_with_logits(sung[..., 2:], answer[..., 2:], reduction="none")
    return {
        "squared": error.square().sum() / count / 512,
        "absolute": error.abs().sum() / count / 512,
        "energy": energy,
        "voicing": (voicing * told[..., 2:]).sum() / told[..., 2:].sum().clamp(min=1),
    }


WEIGHTS = {"squared": 10.0, "absolute": 3.0, "energy": 1.0, "voicing": 0.3}


def train(
    network: ContentNetwork, examples: Sequence[Example], checked: Sequence[Example], seconds: float, seed: int
) -> Iterator[int]:
    """Trains for a time, of which the learning rate tells how much is left; yields the number of steps now and then."""
    trained = [parameter for parameter in network.parameters() if parameter.requires_grad]
    optimiser = torch.optim.AdamW(trained, LEARNING_RATE, betas=(0.9, 0.98), weight_decay=0.01)
    began = time.monotonic()
    for step, batch in enumerate(batches(examples, np.random.default_rng(seed))):
        passed = (time.monotonic() - began) / seconds
        if step % EVERY_STEPS == 0 or passed >= 1:
            print(f"{step} steps, {passed:.0%}:", *_checked(network, checked), flush=True)
            yield step
        if passed >= 1:
            return
        rate = LEARNING_RATE * min(1.0, passed / WARM_UP) * (0.5 + 0.5 * np.cos(np.pi * min(1.0, passed))) + 1e-6
        for group in optimiser.param_groups:
            group["lr"] = rate
        optimiser.zero_grad(set_to_none=True)
        with torch.autocast("cpu", torch.bfloat16):
            parts = losses(network, batch)
        torch.stack([WEIGHTS[name] * part for name, part in parts.items()]).sum().backward()
        torch.nn.utils.clip_grad_norm_(network.parameters(), 1.0)
        optimiser.step()


def _checked(network: ContentNetwork, checked: Sequence[Example]) -> Iterator[str]:
    source = batches(checked, np.random.default_rng(0))
    with torch.inference_mode():
        found = [losses(network, next(source)) for _ in range(4)]
    for name in WEIGHTS:
        yield f"{name} {float(torch.stack([parts[name] for parts in found]).mean()):.4f}"


def save(network: ContentNetwork, path: Path, recipe: dict[str, str]) -> None:
    """Writes the weights, rounded to 16 bits."""
    from safetensors.torch import save_file

    save_file({name: tensor.half() for name, tensor in network.state_dict().items()}, path, metadata=recipe)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("features", type=Path)
    parser.add_argument("output", type=Path)
    parser.add_argument("--linear", type=Path, required=True, metavar="FILE.npz", help="made when it is not there")
    parser.add_argument("--minutes", type=float, default=20)
    parser.add_argument("--seed", type=int, default=7)
    given = parser.parse_args()
    paths = sorted(given.features.glob("*.npz"))
    speech = sorted({path.stem.rsplit("-", 1)[0] for path in paths})
    kept = set(speech[::CHECKED])
    split: dict[bool, list[Path]] = {True: [], False: []}
    for path in paths:
        split[path.stem.rsplit("-", 1)[0] in kept].append(path)
    torch.manual_seed(given.seed)
    network = ContentNetwork()
    examples, checked = read(split[False]), read(split[True])
    if not given.linear.exists():
        np.savez(given.linear, **solve(examples))
    solution = dict(np.load(given.linear))
    set_straight(network, solution)
    recipe = {"utterances": str(len(speech)), "copies": str(len(paths)), "seed": str(given.seed)}
    for step in train(
        network, with_straight(examples, solution), with_straight(checked, solution), 60 * given.minutes, given.seed
    ):
        save(network, given.output, recipe | {"steps": str(step)})


if __name__ == "__main__":
    main()
