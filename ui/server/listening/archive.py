"""Files as one zip archive, sent while it is made: stored, since sound does not shrink."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Iterable, Iterator
from pathlib import Path

BLOCK_BYTES = 1 << 20


def zipped(files: Iterable[tuple[str, Path]]) -> Iterator[bytes]:
    """Yields an archive of files by the names that they have in it; memory stays constant.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     _ = Path(folder, "x").write_bytes(b"content")
    ...     content = b"".join(zipped([("a/x", Path(folder, "x"))]))
    >>> zipfile.ZipFile(io.BytesIO(content)).read("a/x")
    b'content'
    """
    pipe = _Pipe()
    with zipfile.ZipFile(pipe, "w", zipfile.ZIP_STORED) as archive:
        for name, path in files:
            member = zipfile.ZipInfo.from_file(path, name, strict_timestamps=False)
            with path.open("rb") as source, archive.open(member, "w", force_zip64=True) as target:
                while block := source.read(BLOCK_BYTES):
                    target.write(block)
                    yield pipe.take()
    yield pipe.take()


class _Pipe(io.RawIOBase):
    """Takes what is written and gives it away; it cannot be rewound, so that sizes go behind each file."""

    def __init__(self) -> None:
        self._written = bytearray()

    def writable(self) -> bool:
        return True

    def write(self, content: bytes) -> int:  # type: ignore[override]
        self._written += content
        return len(content)

    def take(self) -> bytes:
        """Returns what was written since the last time."""
        content = bytes(self._written)
        self._written.clear()
        return content
