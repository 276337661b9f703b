"""A thread that tends to an object now and then, and keeps neither the object nor the process alive."""

from __future__ import annotations

import atexit
import threading
import weakref
from collections.abc import Callable

LEAST_SECONDS = 0.5  # between two looks

_process_ends = threading.Event()
_running: weakref.WeakKeyDictionary[threading.Thread, threading.Event] = weakref.WeakKeyDictionary()


def watch(tend: Callable[[], float | None], stirred: threading.Event, name: str) -> threading.Thread:
    """Calls a bound method beside the caller until it returns None, or its object is gone.

    It returns how many seconds may pass until the next call, which comes sooner when `stirred` is set.
    """
    thread = threading.Thread(target=_watch, args=(weakref.WeakMethod(tend), stirred), name=name, daemon=True)
    _running[thread] = stirred
    thread.start()
    return thread


def _watch(tend: weakref.WeakMethod[Callable[[], float | None]], stirred: threading.Event) -> None:
    while True:
        stirred.clear()  # before the look at the process's end, which sets it after that
        method = None if _process_ends.is_set() else tend()
        pause = None if method is None else method()
        del method  # which may have been the last to hold the object
        if pause is None:
            return
        stirred.wait(pause)
        _process_ends.wait(LEAST_SECONDS)


@atexit.register
def _end() -> None:
    """Waits for all of them: torch ends the process with an abort where Python ends a thread that frees its tensors."""
    _process_ends.set()
    for thread, stirred in list(_running.items()):
        stirred.set()
        thread.join()
