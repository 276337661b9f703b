"""Networks in ONNX Runtime, the same way for every engine."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from audio_ml.device import Device

CUDA = "CUDAExecutionProvider"


def cpu_session(model: Path | bytes, n_threads: int) -> Any:
    """Returns an `onnxruntime.InferenceSession` for the CPU; `run` may be called from several threads at once."""
    return _session(model, n_threads, ["CPUExecutionProvider"])


def session(model: Path | bytes, device: Device, n_threads: int) -> Any:
    """Returns a session for a device, or for the CPU where `missing_provider` says why not; `get_providers` tells.

    Calls from several threads share its `n_threads`, which therefore do not wait busily for each other.
    """
    providers = ["CPUExecutionProvider"]
    if device.kind == "cuda" and not missing_provider(device):
        providers.insert(0, CUDA)
    return _session(model, n_threads, providers, spins=False)


def missing_provider(device: Device) -> str:
    """Returns a sentence that says why a device's sessions run on the CPU instead, or "" where they do not."""
    if device.kind == "cpu":
        return ""
    if device.kind == "cuda" and CUDA in import_onnxruntime().get_available_providers():
        return ""
    return f"The installed onnxruntime does not run on {device.kind} devices, so this model runs on the CPU."


def _session(model: Path | bytes, n_threads: int, providers: list[str], spins: bool = True) -> Any:
    onnxruntime = import_onnxruntime()
    settings = onnxruntime.SessionOptions()
    settings.intra_op_num_threads = n_threads
    settings.log_severity_level = 3  # errors: of a graph's inputs with defaults it warns each time
    settings.enable_mem_pattern = False  # its one large block per call takes 100 MB more than it saves time
    settings.add_session_config_entry("session.intra_op.allow_spinning", str(int(spins)))
    return onnxruntime.InferenceSession(model if isinstance(model, bytes) else str(model), settings, providers)


def import_onnxruntime() -> Any:
    """Returns the package; everything imports it here."""
    os.environ["ORT_DISABLE_TELEMETRY"] = "1"  # read when it is imported: nothing may leave the machine
    import onnxruntime

    return onnxruntime


def with_output(model: bytes, tensor: str) -> bytes:
    """Returns a model whose inner `tensor` is its last output as well.

    Messages of protocol buffers that follow one another are merged, so the file is neither parsed nor changed:
    behind it comes a model that holds nothing but that output.
    """
    value = _field(1, tensor.encode())  # ValueInfoProto.name
    return model + _field(7, _field(12, value))  # ModelProto.graph, GraphProto.output


def _field(number: int, content: bytes) -> bytes:
    """Returns a length-delimited field of a protocol buffer; both numbers fit into one byte here."""
    assert number < 16 and len(content) < 128
    return bytes([number << 3 | 2, len(content)]) + content
