"""A thread beside an object: it ends with what it watches, and before the process does."""

from __future__ import annotations

import gc
import subprocess
import sys
import threading

from audio_ml.watcher import watch

ENDS_WHILE_THE_WATCHER_FREES = """
import threading, time
from audio_ml.watcher import watch

class Slow:
    def __del__(self):
        time.sleep(0.5)
        print("freed", flush=True)

class Watched:
    def __init__(self):
        self.slow, self.seen, self.go = Slow(), threading.Event(), threading.Event()
    def tend(self):
        self.seen.set()
        self.go.wait()
        return 600.0

watched = Watched()
seen, go = watched.seen, watched.go
watch(watched.tend, threading.Event(), "watcher")
seen.wait()
del watched  # from here on the watcher alone holds it
go.set()
"""


def test_what_a_watcher_frees_is_free_before_the_process_ends() -> None:
    command = [sys.executable, "-c", ENDS_WHILE_THE_WATCHER_FREES]
    ran = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert (ran.returncode, ran.stdout) == (0, "freed\n"), ran.stderr


def test_a_process_does_not_wait_for_the_next_look() -> None:
    script = ENDS_WHILE_THE_WATCHER_FREES.replace("del watched", "kept = watched")
    subprocess.run([sys.executable, "-c", script], capture_output=True, timeout=120, check=True)


class Watched:
    def __init__(self, *pauses: float | None) -> None:
        self.pauses, self.looked = list(pauses), threading.Event()

    def tend(self) -> float | None:
        self.looked.set()
        return self.pauses.pop(0)


def test_a_watcher_looks_again_when_it_is_stirred_and_ends_when_there_is_nothing() -> None:
    watched, stirred = Watched(600.0, None), threading.Event()
    thread = watch(watched.tend, stirred, "watcher")
    assert watched.looked.wait(60)
    assert thread.is_alive()
    stirred.set()
    thread.join(60)
    assert not thread.is_alive()
    assert not watched.pauses


def test_a_watcher_ends_with_what_it_watches() -> None:
    watched, stirred = Watched(600.0, 600.0), threading.Event()
    thread = watch(watched.tend, stirred, "watcher")
    assert watched.looked.wait(60)
    del watched
    gc.collect()
    stirred.set()
    thread.join(60)
    assert not thread.is_alive()
