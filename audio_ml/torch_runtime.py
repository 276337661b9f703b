"""What every engine that runs torch needs of it: memory that runs out in our words, threads of its own number."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from audio_ml.errors import OutOfMemory

CPU_ALLOCATOR = "DefaultCPUAllocator"

_setting_threads = threading.Lock()


@contextmanager
def memory_errors(work: str) -> Iterator[None]:
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


def use_threads(n_threads: int) -> None:
    """Lets torch use so many cores for what this thread computes, and leaves other threads as they are.

    Setting the number also sets it for threads that are yet to come, so another thread sets that back.
    """
    import torch

    with _setting_threads:
        before = torch.get_num_threads()
        torch.set_num_threads(n_threads)
        restorer = threading.Thread(target=torch.set_num_threads, args=(before,))
        restorer.start()
        restorer.join()
