"""Writes what the package bs-roformer makes of made-up weights, for `tests/test_roformer.py` to compare with.

Run by an interpreter that has it, not ours (it brings librosa, beartype and einops):

    python -m venv reference && reference/bin/pip install bs-roformer==0.3.10 rotary-embedding-torch==0.6.5
    reference/bin/python bench/roformer_reference.py
"""

from __future__ import annotations

import runpy
from importlib.metadata import version
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import torch
from bs_roformer import BSRoformer, MelBandRoformer

TESTS = Path(__file__).resolve().parents[1] / "tests"
STORED = TESTS / "data" / "roformer_reference.npz"


def main() -> None:
    """Runs both tiny networks."""
    tiny = SimpleNamespace(**runpy.run_path(str(TESTS / "made_up_roformer.py")))
    shared = {
        "dim": tiny.DIM,
        "depth": tiny.DEPTH,
        "heads": tiny.N_HEADS,
        "dim_head": tiny.HEAD_DIM,
        "stereo": True,
        "time_transformer_depth": 1,
        "freq_transformer_depth": 1,
        "mask_estimator_depth": 2,
        "stft_n_fft": tiny.N_FFT,
        "stft_win_length": tiny.N_FFT,
        "stft_hop_length": tiny.HOP,
    }
    networks = {
        "bs": BSRoformer(freqs_per_bands=tiny.BAND_WIDTHS, num_stems=tiny.STEMS["bs"], **shared),
        "mel": MelBandRoformer(
            num_bands=tiny.N_MEL_BANDS, sample_rate=tiny.SAMPLE_RATE, num_stems=tiny.STEMS["mel"], **shared
        ),
    }
    kept = {"versions": np.array(", ".join(f"{name} {version(name)}" for name in ("bs-roformer", "torch")))}
    for name, network in networks.items():
        shapes = {key: tuple(value.shape) for key, value in network.state_dict().items()}
        network.load_state_dict({key: torch.from_numpy(value) for key, value in tiny.weights(shapes).items()})
        with torch.no_grad():
            found = network.eval()(torch.from_numpy(tiny.mixture())).numpy()
        kept[name] = found.reshape(1, tiny.STEMS[name], 2, -1)
    np.savez_compressed(STORED, **kept)


if __name__ == "__main__":
    main()
