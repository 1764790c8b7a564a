"""An output folder appears whole or not at all."""

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from asd.data.manifest import MANIFEST_NAME
from asd.errors import DataError


def check_output(output: Path, source: Path, overwrite: bool) -> None:
    """Raise where `output` may not be written.

    Parameters
    ----------
    output : Path
        Folder of the data set to be made.
    source : Path
        What it is made from.
    overwrite : bool
        Whether a data set that stands there may be replaced.

    Raises
    ------
    DataError
        The output is a file, a folder that is not a data set, a data set that may not be
        replaced, or overlaps with the source.
    """
    inner, outer = output.resolve(), source.resolve()
    if inner.is_relative_to(outer) or outer.is_relative_to(inner):
        raise DataError(f"output={output}: overlaps with source={source}; choose another folder")
    if output.is_file():
        raise DataError(f"output={output}: is a file; choose a folder")
    if not output.is_dir() or not any(output.iterdir()):
        return
    if not (output / MANIFEST_NAME).is_file():
        raise DataError(f"output={output}: holds other files, no data set; choose another folder")
    if not overwrite:
        raise DataError(
            f"output={output}: exists; choose another folder or give overwrite=true to replace it"
        )


@contextmanager
def whole_folder(output: Path) -> Iterator[Path]:
    """Give a temporary folder that takes the place of `output` when the block succeeds.

    When the block raises, `output` is as it was.

    Examples
    --------
    >>> with whole_folder(Path("data/fan")) as partial:  # doctest: +SKIP
    ...     (partial / "manifest.csv").write_text("whole or not at all")
    """
    output = output.resolve()  # a link stays a link; what it points to is replaced
    output.parent.mkdir(parents=True, exist_ok=True)
    partial = Path(tempfile.mkdtemp(prefix=".partial-", dir=output.parent))
    try:
        yield partial
        umask = os.umask(0)
        os.umask(umask)
        partial.chmod(0o777 & ~umask)
        if output.exists():
            # Two renames: no moment at which a half-deleted data set stands under the name.
            old = Path(tempfile.mkdtemp(prefix=".old-", dir=output.parent))
            output.replace(old)
            partial.replace(output)
            shutil.rmtree(old)
        else:
            partial.replace(output)
    finally:
        if partial.exists():
            shutil.rmtree(partial)
