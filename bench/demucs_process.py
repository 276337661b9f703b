"""Runs the package `demucs`; started by `bench.demucs_peer` with the interpreter that has it.

    python demucs_process.py versions
    python demucs_process.py package WEIGHTS.safetensors FOLDER   # makes FOLDER a repository for `demucs --repo`
    python demucs_process.py roofline FOLDER
    python demucs_process.py serve demucs FOLDER                  # answers lines of standard input, see `serve`
    python demucs_process.py serve autocast FOLDER                # the same in bfloat16, as torch does it by itself
    python demucs_process.py serve onnx MODEL.onnx

The graph MODEL.onnx holds HTDemucs without its transforms. They, and what joins segments, are demucs' own.
"""

from __future__ import annotations

import hashlib
import io
import json
import platform
import resource
import sys
import time
from fractions import Fraction
from importlib.metadata import version
from pathlib import Path
from typing import Any

NAME, SIGNATURE = "htdemucs", "955717e8"
ARGUMENTS = {  # of the published model
    "sources": ["drums", "bass", "other", "vocals"],
    "bottom_channels": 512,
    "dconv_mode": 3,
    "segment": Fraction(39, 5),
}
SEGMENT_SAMPLES = 343_980
SIDE_OF_A_MATRIX = 2048
OVERLAP = 0.25


def versions() -> None:
    """Prints what the environment holds."""
    names = ("demucs", "torch", "torchaudio", "onnxruntime", "numpy")
    print(json.dumps({"Python": platform.python_version(), **{name: version(name) for name in names}}))


def package(weights: str, folder: str) -> None:
    """Writes weights in demucs' own format, half precision as it publishes them, named by signature and checksum."""
    import torch
    from demucs.htdemucs import HTDemucs
    from safetensors.torch import load_file

    state = {name: tensor.half() for name, tensor in load_file(weights).items()}
    HTDemucs(**ARGUMENTS).load_state_dict(state)  # strict
    content = io.BytesIO()
    torch.save({"klass": HTDemucs, "args": (), "kwargs": ARGUMENTS, "state": state, "training_args": {}}, content)
    checksum = hashlib.sha256(content.getvalue()).hexdigest()[:8]
    (Path(folder) / f"{SIGNATURE}-{checksum}.th").write_bytes(content.getvalue())
    (Path(folder) / f"{NAME}.yaml").write_text(f"models: ['{SIGNATURE}']\n")


def roofline(folder: str) -> None:
    """Prints the arithmetic of the network on one segment, and the rates of a matrix product on all cores."""
    import torch
    from torch.utils.flop_counter import FlopCounterMode

    torch.backends.mha.set_fastpath_enabled(False)  # its fused kernels are not counted
    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        _network(folder)(torch.randn(1, 2, SEGMENT_SAMPLES))
    rates = {str(dtype).removeprefix("torch."): _rate(dtype) for dtype in (torch.float32, torch.bfloat16)}
    print(json.dumps({"flop": counter.get_total_flops(), "rates": rates}))


def _rate(dtype: Any) -> float:
    """Returns the best rate, in operations a second, of a product of two square matrices."""
    import torch

    left, right = (torch.randn(SIDE_OF_A_MATRIX, SIDE_OF_A_MATRIX).to(dtype) for _ in range(2))

    def multiply() -> float:
        began = time.perf_counter()
        torch.mm(left, right)
        return time.perf_counter() - began

    return float(2 * SIDE_OF_A_MATRIX**3 / min(multiply() for _ in range(30)))


def serve(side: str, weights: str) -> None:
    """Answers each line {"mixture": FILE.npy, "save": FILE.npz or null} of standard input with a line of measurements.

    With "save" the whole of the mixture [2, time] is separated and its stems are saved; without, the network is run
    on a mixture of one segment.
    """
    import numpy as np
    import torch
    from demucs.apply import apply_model

    network = {"demucs": _network, "autocast": _network, "onnx": _onnx_network}[side](weights)
    half = torch.autocast("cpu", torch.bfloat16, enabled=side == "autocast")
    for line in sys.stdin:
        asked = json.loads(line)
        mixture = torch.from_numpy(np.load(asked["mixture"]))
        began, began_cpu = time.perf_counter(), time.process_time()
        if asked["save"]:
            mono = mixture.mean(0)  # as demucs' Separator does it
            mean, deviation = mono.mean(), mono.std() + 1e-8
            heard = ((mixture - mean) / deviation)[None]
            with half:
                estimates = apply_model(network, heard, shifts=0, split=True, overlap=OVERLAP)[0]
            stems = (estimates.float() * deviation + mean).numpy()
            np.savez(asked["save"], **dict(zip(network.sources, stems, strict=True)))
        else:
            with torch.no_grad(), half:
                network(mixture[None])
        took = {"seconds": time.perf_counter() - began, "cpu_seconds": time.process_time() - began_cpu}
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)
        print(json.dumps({**took, "peak_bytes": peak}), flush=True)


def _network(folder: str) -> Any:
    from demucs.pretrained import get_model

    return get_model(SIGNATURE, repo=Path(folder)).eval()


def _onnx_network(path: str) -> Any:
    """Returns demucs' class with its forward pass replaced by transforms around a run of the graph."""
    import onnxruntime
    import torch
    from demucs.htdemucs import HTDemucs

    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    mixture_name, spectrum_name = (value.name for value in session.get_inputs())

    class OnnxDemucs(HTDemucs):
        def forward(self, mix: Any) -> Any:
            spectrum = self._spec(mix)
            heard = {mixture_name: mix.numpy(), spectrum_name: self._magnitude(spectrum).numpy()}
            of_spectrum, of_waveform = map(torch.from_numpy, session.run(None, heard))
            return of_waveform + self._ispec(self._mask(spectrum, of_spectrum), mix.shape[-1])

    return OnnxDemucs(**{**ARGUMENTS, "channels": 16, "bottom_channels": 0}).eval()


if __name__ == "__main__":
    {"versions": versions, "package": package, "roofline": roofline, "serve": serve}[sys.argv[1]](*sys.argv[2:])
