"""Running out of memory inside torch, said in our own words."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from audio_ml.errors import OutOfMemory

CPU_ALLOCATOR = "DefaultCPUAllocator"


@contextmanager
def reported(work: str) -> Iterator[None]:
    """Turns what torch and numpy raise when memory runs out into `OutOfMemory` that names the `work`."""
    import torch

    try:
        yield
    except (MemoryError, torch.OutOfMemoryError) as error:
        raise OutOfMemory(f"{work} does not fit into memory.") from error
    except RuntimeError as error:
        if CPU_ALLOCATOR not in str(error):  # torch has no class for it on a CPU
            raise
        raise OutOfMemory(f"{work} does not fit into memory.") from error
