"""Where positions of a source lie in an excerpt of it, or in the same sound at another sample rate."""

from __future__ import annotations

from dataclasses import dataclass

UNKNOWN_LENGTH = 1 << 62  # samples: to the end, wherever that is


@dataclass(frozen=True)
class Excerpt:
    """The samples from `start` up to `end` (None: to the source's end) of sound at `from_rate` Hz, now at `to_rate` Hz.

    All arithmetic is exact: no seconds and no milliseconds, which lose samples.
    """

    start: int
    end: int | None
    from_rate: int
    to_rate: int

    @property
    def is_part(self) -> bool:
        return self.start > 0 or self.end is not None

    def rescale(self, n_samples: int) -> int:
        """Returns a number of samples at the new rate, rounded half up.

        >>> Excerpt(0, None, 48000, 44100).rescale(80)    # 73.5
        74
        """
        return (2 * n_samples * self.to_rate + self.from_rate) // (2 * self.from_rate)

    def absolute(self, time: int) -> int:
        """Returns when the excerpt begins, where the source began at `time` samples since midnight."""
        return self.rescale(time + self.start)

    def position(self, sample: int) -> int | None:
        """Returns where a position of the source lies; None outside. The end itself lies inside, as a last marker may.

        >>> cut = Excerpt(100, 300, 48000, 96000)
        >>> cut.position(150), cut.position(300), cut.position(99)
        (100, 400, None)
        """
        if sample < self.start or (self.end is not None and sample > self.end):
            return None
        return self.rescale(sample - self.start)

    def length(self, sample: int, n_samples: int) -> int:
        """Returns how long a region from `sample` on is, no longer than the excerpt."""
        available = n_samples if self.end is None else min(n_samples, self.end - sample)
        return self.rescale(max(0, available))
