"""A file of which some bytes are read as others."""

import io
from collections.abc import Mapping
from typing import BinaryIO


class PatchedFile(io.RawIOBase):
    """Reads as `file` does, but for some bytes; the file itself stays as it is.

    Parameters
    ----------
    file : binary file
        Seekable.
    patches : mapping of int to bytes
        What stands from which byte on instead.
    """

    def __init__(self, file: BinaryIO, patches: Mapping[int, bytes]) -> None:
        self._file = file
        self._patches = patches

    def readable(self) -> bool:
        """True."""
        return True

    def seekable(self) -> bool:
        """True."""
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Move to a byte; gives its number."""
        return self._file.seek(offset, whence)

    def tell(self) -> int:
        """The number of the next byte."""
        return self._file.tell()

    def read(self, size: int = -1) -> bytes:
        """Read up to `size` bytes; all that is left where it is negative."""
        start = self._file.tell()
        data = bytearray(self._file.read(size))
        for at, new in self._patches.items():
            first, last = max(at, start), min(at + len(new), start + len(data))
            if first < last:
                data[first - start : last - start] = new[first - at : last - at]
        return bytes(data)
