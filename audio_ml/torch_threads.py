"""How many cores torch uses, for one thread alone."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

_setting = threading.Lock()


def use_threads(n_threads: int) -> None:
    """Lets torch use so many cores for what this thread computes, and leaves other threads as they are.

    Setting the number also sets it for threads that are yet to come, so a new thread, which knows what it was for
    those, sets that back.
    """
    import torch

    torch.get_num_threads()  # each thread's first call sets its number to the usual one
    with _setting, ThreadPoolExecutor(1) as elsewhere:
        usual = elsewhere.submit(torch.get_num_threads).result()
        torch.set_num_threads(n_threads)
        elsewhere.submit(torch.set_num_threads, usual).result()
