"""What is done when memory runs out: the same work again with less, step by step, and each step told to the user.

An engine that can do with less offers `lighter(options)`: the next step as a phrase ("segments of 3.9 s") with
options, or None. Smaller segments come first, then half precision; both are the engine's to know. After its last
step the work goes to the CPU, as it was asked for at first, and down the steps of the engine there. The error that
is left when nothing helped names what was tried and which smaller models would fit.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Generic, TypeVar

from audio_ml.catalogue import ModelSpec
from audio_ml.device import IN_WORDS, Kind
from audio_ml.errors import OutOfMemory
from audio_ml.loader import ModelLoader
from audio_ml.options import Options
from audio_ml.progress import Progress

Chosen = TypeVar("Chosen", bound=Options)
Result = TypeVar("Result")
Step = tuple[str, Chosen]


class Ladder(Generic[Chosen]):
    """Runs work that borrows models through `lend` and reads its `options` here; `warnings` has the steps taken.

    `find_lighter` returns the next step for the engines that were lent and the present options.

    >>> from audio_ml.loader import ModelLoader
    >>> ladder = Ladder(ModelLoader("cpu"), [], Options(), lambda engines, options: None, Progress())
    >>> ladder.run(lambda: "done"), ladder.warnings
    ('done', [])
    """

    def __init__(
        self,
        loader: ModelLoader,
        specs: Sequence[ModelSpec],
        options: Chosen,
        find_lighter: Callable[[Sequence[Any], Chosen], Step[Chosen] | None],
        progress: Progress,
    ) -> None:
        self.options = options
        self.warnings: list[str] = []
        self.loader, self._specs, self._progress = loader, specs, progress
        self._asked, self._find_lighter = options, find_lighter
        self._on_cpu = False
        self._lighter: Step[Chosen] | None = None
        self._tried: list[str] = []

    @property
    def device(self) -> Kind:
        """Where the work is done now."""
        return "cpu" if self._on_cpu else self.loader.device.kind

    @contextmanager
    def lend(self) -> Iterator[list[Any]]:
        """Lends the engines of all the models."""
        engines: list[Any] = []
        self._lighter = None
        try:
            with self.loader.use_all(self._specs, self._progress, on_cpu=self._on_cpu) as engines:
                yield engines
        except OutOfMemory:
            self._lighter = self._find_lighter(engines, self.options) if engines else None
            raise

    def run(self, work: Callable[[], Result]) -> Result:
        """Returns what the work returns; it begins anew after each step, and has to leave nothing of a run that failed.

        Raises:
            OutOfMemory: when the last step was not enough, either.
        """
        while True:
            try:
                return work()
            except OutOfMemory as error:
                device = self.device
                step = self._next_step()
                if step is None:
                    tried = f" Tried in vain: {', '.join(self._tried)}." if self._tried else ""
                    raise OutOfMemory(f"{error}{tried}") from error
            # Outside the block, for the error holds on to all that was alive when it was raised.
            self.loader.unload_idle()
            self._tried.append(step)
            self.warnings.append(f"The {IN_WORDS[device]} ran out of memory, so the work was done again with {step}.")
            self._progress.update(f"out of memory: beginning again with {step}", 0.0)

    def _next_step(self) -> str | None:
        """Takes the next step and names it; None when there is none."""
        if self._lighter is not None:
            step, self.options = self._lighter
            return step
        if self.device == "cpu":
            return None
        self._on_cpu, self.options = True, self._asked
        return "the CPU"
