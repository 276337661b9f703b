"""How many cores torch uses, for one thread alone."""

from __future__ import annotations

import threading

_setting = threading.Lock()


def use_threads(n_threads: int) -> None:
    """Lets torch use so many cores for what this thread computes, and leaves other threads as they are.

    Setting the number also sets it for threads that are yet to come, so another thread sets that back.
    """
    import torch

    with _setting:
        before = torch.get_num_threads()
        torch.set_num_threads(n_threads)
        restorer = threading.Thread(target=torch.set_num_threads, args=(before,))
        restorer.start()
        restorer.join()
