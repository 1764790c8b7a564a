"""Tables name files of their own folder, and no others."""

from collections.abc import Iterable
from pathlib import Path, PurePosixPath, PureWindowsPath

from asd.errors import DataError
from asd.language import tr
from asd.text import printable


def check_inside(root: Path, names: Iterable[str], table: Path, links: bool = False) -> None:
    """Refuse a table of somebody's that names files elsewhere on this machine.

    They would be read into data sets and models, copied into artifacts, or written over.

    Parameters
    ----------
    root : Path
        The folder that the table is of.
    names : iterable of str
        The files that it names, relative to `root`.
    table : Path
        The table, for the message.
    links : bool
        Whether links may lead out, as in a folder of somebody's own recordings; not in a data set,
        whose clips are copied on.

    Raises
    ------
    DataError
        A name is an absolute path, goes up (``..``), or is a link, or below one, that leads out
        of `root` where that is not allowed.
    """
    home = root.resolve()
    known: dict[Path, Path] = {}
    for name in names:
        parts = PurePosixPath(name.replace("\\", "/")).parts
        if PurePosixPath(name).is_absolute() or PureWindowsPath(name).drive or ".." in parts:
            raise DataError(
                tr(
                    "{table}: {name} leads out of {root}; name files below that folder",
                    table=table,
                    name=printable(name),
                    root=root,
                )
            )
        if links:
            continue
        path = root / name
        folder = path.parent
        if folder not in known:  # a look at each part of a path takes long where clips are many
            known[folder] = folder.resolve()
        place = path.resolve() if path.is_symlink() else known[folder] / path.name
        if not place.is_relative_to(home):
            raise DataError(
                tr(
                    "{table}: {name} is a link that leads out of {root}; copy what it "
                    "leads to into that folder",
                    table=table,
                    name=printable(name),
                    root=root,
                )
            )
