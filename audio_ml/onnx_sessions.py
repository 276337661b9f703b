"""Networks in ONNX Runtime on a CPU, the same way for every engine."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any


def cpu_session(path: Path, n_threads: int) -> Any:
    """Returns an `onnxruntime.InferenceSession` for the CPU; `run` may be called from several threads at once."""
    os.environ["ORT_DISABLE_TELEMETRY"] = "1"  # read when it is imported: nothing may leave the machine
    import onnxruntime

    settings = onnxruntime.SessionOptions()
    settings.intra_op_num_threads = n_threads
    settings.enable_mem_pattern = False  # its one large block per call takes 100 MB more than it saves time
    return onnxruntime.InferenceSession(str(path), settings, providers=["CPUExecutionProvider"])
