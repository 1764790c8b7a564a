"""Where a recording is read from, and whether all of it is there as far as its header tells."""

import io
from pathlib import Path
from typing import BinaryIO

from asd.audio.completeness import Truncated, ogg_end, remedy
from asd.audio.header import Header, check_header
from asd.errors import AudioError
from asd.language import tr


def open_bytes(source: Path | bytes) -> BinaryIO:
    """Open a source for reading.

    Raises
    ------
    AudioError
        The file is missing or may not be read.
    """
    if isinstance(source, bytes):
        return io.BytesIO(source)
    try:
        return source.open("rb")
    except OSError as error:
        raise AudioError(
            tr(
                "{source}: cannot be opened ({reason}); check the path",
                source=source,
                reason=error.strerror,
            )
        ) from error


def source_name(source: Path | bytes) -> str:
    """What to call a source in messages."""
    if isinstance(source, bytes):
        return tr("audio of {n} bytes", n=len(source))
    return str(source)


def checked_header(file: BinaryIO, name: str, truncated: Truncated) -> Header:
    """What is wrong with the header of a recording that is about to be decoded.

    Parameters
    ----------
    file : binary file
        Seekable; at its beginning afterwards.
    name : str
        What to call it in messages.
    truncated : {"refuse", "accept"}
        What becomes of a recording that has lost its end.

    Raises
    ------
    AudioError
        The file is empty, or has lost its end and that is not accepted.
    """
    if file.seek(0, io.SEEK_END) == 0:
        raise AudioError(tr("{name}: is empty (0 bytes); record or copy it again", name=name))
    header = check_header(file)
    loss = ""
    if header.shortfall is not None:
        stated, present = header.shortfall
        loss = tr(
            "its header promises {stated} bytes but {present} are there",
            stated=stated,
            present=present,
        )
    end = ogg_end(file)
    if end == "cut":
        loss = tr("its end is missing")
    if end == "unmarked":
        header.remarks.append(tr("its last page is not marked as the end: read to the end"))
    if loss and truncated == "refuse":
        raise AudioError(
            tr("{name}: cut short, {loss}; {remedy}", name=name, loss=loss, remedy=remedy())
        )
    if loss:
        header.remarks.append(tr("cut short, {loss}", loss=loss))
    file.seek(0)
    return header
