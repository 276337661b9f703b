"""Pocket-TTS at its full size with made-up weights, ours against its package, in turn: how fast, and the same samples.

    python -m bench.pocket_tts [--runs 3] [--row pocket-tts]

The published weights are handed out by the hub alone. How long a frame takes does not depend on what the weights are;
how many frames a sentence takes does, so the made-up model never finds an end and every run has as many.
"""

from __future__ import annotations

import argparse
import logging
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np

from audio_ml import device
from audio_ml.audio import Audio
from audio_ml.options import parse
from audio_ml.progress import Progress
from bench import machine, results
from bench.markdown import megabytes, seconds, table
from voiceclone import zero_shot
from voiceclone.engines.pocket_tts import SAMPLE_RATE, WEIGHTS_FILE

WORDS = "this is a sentence of twelve words that somebody says in one breath."
REFERENCE_SECONDS = 10.0


@dataclass(frozen=True)
class Turn:
    """Seconds of one turn of both sides, and of the processor for ours."""

    enrol: float
    first: float
    ours: float
    our_cpu: float
    package: float
    is_same: bool


@dataclass(frozen=True)
class Findings:
    """What was measured of a model."""

    audio_seconds: float
    load_seconds: float
    n_bytes: int
    turns: list[Turn]


def write_files(config: str, folder: Path, tokenizer_name: str) -> Path:
    """Writes made-up weights of a configuration, a tokenizer of words and the configuration that names both."""
    import tokenizers
    import torch
    import yaml
    from pocket_tts.models.flow_lm import FlowLMModel
    from pocket_tts.models.mimi import build_mimi
    from pocket_tts.utils.config import CONFIGS_DIR, Config
    from safetensors.torch import save_file

    content = yaml.safe_load((CONFIGS_DIR / f"{config}.yaml").read_text())
    lookup = content["flow_lm"]["lookup_table"]
    found = tokenizers.pre_tokenizers.Whitespace().pre_tokenize_str(f"{WORDS} {WORDS.capitalize()} ! ? , ; :")
    words = ["<unk>", *dict.fromkeys(word for word, _ in found)]
    vocabulary = {word: number for number, word in enumerate([*words, *map(str, range(lookup["n_bins"] - len(words)))])}
    made = tokenizers.Tokenizer(tokenizers.models.WordLevel(vocabulary, unk_token="<unk>"))
    made.pre_tokenizer = tokenizers.pre_tokenizers.Whitespace()
    made.save(str(folder / tokenizer_name))
    content.pop("weights_path_without_voice_cloning")
    content["weights_path"] = str(folder / WEIGHTS_FILE)
    lookup |= {"tokenizer": "tokenizers", "tokenizer_path": str(folder / tokenizer_name)}
    settings = Config(**content)
    torch.manual_seed(0)
    language = FlowLMModel.from_pydantic_config(
        settings.flow_lm, settings.mimi.quantizer.dimension, settings.flow_lm.insert_bos_before_voice
    )
    shape = (settings.flow_lm.transformer.d_model, settings.mimi.inner_dim)
    language.speaker_proj_weight = torch.nn.Parameter(torch.randn(shape) / 10)
    torch.nn.init.constant_(language.out_eos.bias, -1000.0)
    network = torch.nn.ModuleDict({"flow_lm": language, "mimi": build_mimi(settings.mimi)})
    save_file(network.state_dict(), content["weights_path"])
    path = folder / "made-up.yaml"
    path.write_text(yaml.safe_dump(content))
    return path


def measure(row: str, n_runs: int, folder: Path) -> Findings:
    """Runs both sides in turn, warm."""
    import pocket_tts
    import torch

    spec = zero_shot.find(row)
    arguments: dict[str, Any] = spec.engine.keywords  # type: ignore[attr-defined]
    path = write_files(arguments["config"], folder, arguments["tokenizer"])
    files = {name: folder / name for name in (WEIGHTS_FILE, arguments["tokenizer"])}
    before, began = device.resident_bytes() or 0, time.perf_counter()
    factory: Callable[..., Any] = spec.engine.func  # type: ignore[attr-defined]
    engine = factory(files, device.resolve("cpu"), config=str(path.with_suffix("")), tokenizer=arguments["tokenizer"])
    load_seconds = time.perf_counter() - began
    device.release_memory()
    n_bytes = (device.resident_bytes() or 0) - before
    package = pocket_tts.TTSModel.load_model(config=path)
    package.max_decoder_frames_per_call = 1
    noise = np.random.default_rng(0).standard_normal((1, round(REFERENCE_SECONDS * SAMPLE_RATE)), np.float32)
    reference = Audio((noise / 10).astype(np.float32), SAMPLE_RATE)
    voice = package.get_state_for_audio_prompt(torch.from_numpy(reference.samples))
    turns, audio_seconds = [], 0.0
    for number in range(n_runs + 1):
        results.say(f"turn {number}")
        began = time.perf_counter()
        state = engine.enroll(reference, "", Progress())
        enrolled, cpu = time.perf_counter(), time.process_time()
        frames: list[float] = []
        progress = Progress(lambda _, frames=frames: frames.append(time.perf_counter()))  # type: ignore[misc]
        (spoken,) = engine.speak(WORDS, state, parse(spec.options, {"seed": 1}), progress)
        ended, our_cpu = time.perf_counter(), time.process_time() - cpu
        torch.manual_seed(1)
        theirs = package.generate_audio(voice, WORDS).numpy()
        package_seconds = time.perf_counter() - ended
        is_same = np.array_equal(spoken.samples, theirs)
        turns.append(Turn(enrolled - began, frames[0] - enrolled, ended - enrolled, our_cpu, package_seconds, is_same))
        audio_seconds = spoken.samples.size / SAMPLE_RATE
    return Findings(audio_seconds, load_seconds, n_bytes, turns[1:])  # the first one warms up


def report(found: Findings, row: str, arguments: list[str]) -> str:
    middle = {
        name: median(getattr(turn, name) for turn in found.turns) for name in ("enrol", "first", "ours", "our_cpu")
    }
    ratios = [turn.ours / turn.package for turn in found.turns]
    rows = [
        ["loaded in", seconds(found.load_seconds)],
        ["memory", megabytes(found.n_bytes)],
        [f"{REFERENCE_SECONDS:g} s of reference enrolled in", seconds(middle["enrol"])],
        ["first 80 ms after", seconds(middle["first"])],
        [f"{found.audio_seconds:.1f} s spoken in", seconds(middle["ours"])],
        ["of real time", f"{middle['ours'] / found.audio_seconds:.2f}"],
        ["of real time, in processor seconds", f"{middle['our_cpu'] / found.audio_seconds:.2f}"],
        ["times its package's seconds", f"{median(ratios):.2f} ({min(ratios):.2f} to {max(ratios):.2f})"],
        ["the package's samples", "to the bit" if all(turn.is_same for turn in found.turns) else "not the same"],
    ]
    title = f"# {row} with made-up weights\n\n"
    return title + machine.describe("bench.pocket_tts", arguments, None) + "\n\n" + table(["", ""], rows) + "\n"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--row", default="pocket-tts")
    parser.add_argument("--output", type=Path, default=None)
    chosen = parser.parse_args()
    logging.getLogger("pocket_tts").setLevel(logging.ERROR)
    with tempfile.TemporaryDirectory() as folder:
        found = measure(chosen.row, chosen.runs, Path(folder))
    output = chosen.output or results.RESULTS / f"{chosen.row}.md"
    results.write(output, report(found, chosen.row, sys.argv[1:]), found)


if __name__ == "__main__":
    main()
