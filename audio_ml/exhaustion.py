"""Tells errors that mean "no memory" from all others: the only place that knows how each library says it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from audio_ml.device import torch_if_imported
from audio_ml.errors import OutOfMemory

# ONNX Runtime has no type for it (its `Fail` and `RuntimeException` stand for anything), nor has torch on a CPU.
# These are the words of their allocators, of the C++ library and of cuBLAS.
_SAID_BY_ALLOCATORS = (
    "Failed to allocate memory",
    "DefaultCPUAllocator: can't allocate memory",
    "CUBLAS_STATUS_ALLOC_FAILED",
    "bad_alloc",
    "bad allocation",
)


def is_exhaustion(error: BaseException) -> bool:
    """Tells whether an error of any library means that memory ran out.

    >>> is_exhaustion(MemoryError()), is_exhaustion(ValueError())
    (True, False)
    """
    if isinstance(error, (OutOfMemory, MemoryError)):
        return True
    torch = torch_if_imported()
    if torch is not None and isinstance(error, torch.OutOfMemoryError):
        return True
    may_be = isinstance(error, RuntimeError) or type(error).__module__.startswith("onnxruntime.")
    return may_be and any(words in str(error) for words in _SAID_BY_ALLOCATORS)


@contextmanager
def reported(work: str) -> Iterator[None]:
    """Turns errors that mean so into an `OutOfMemory` that names the `work`."""
    try:
        yield
    except Exception as error:
        if isinstance(error, OutOfMemory) or not is_exhaustion(error):
            raise
        raise OutOfMemory(f"{work} does not fit into memory.") from error
