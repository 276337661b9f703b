"""Whether a name may be the path of a file of the user's own: in a process that serves others, it may not."""

from __future__ import annotations

_served = False


def serve_others() -> None:
    """Makes models and voices of this process known by name alone, from now on: its clients are not its user.

    >>> are_welcome()
    True
    """
    global _served  # noqa: PLW0603  (a process serves others for all of its life, or never)
    _served = True


def are_welcome() -> bool:
    """Tells whether what is asked for by name may be a file at that path."""
    return not _served
