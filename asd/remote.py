"""Folders at URLs: fetched before a step begins, and put there whole when it has ended well.

Any address that fsspec knows, as ``s3://bucket/data/pump``. A step works on the copy below
``.cache/remote``; only what has changed goes over the network. A folder that is being put there
carries a mark from before its first file until after its last: with it, it is taken for nothing.
Credentials come from the environment, as the store's own library reads them.
"""

import json
import re
import shutil
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

from asd.errors import AsdError, ConfigError, DataError, OutputError
from asd.files import atomic_path
from asd.language import tr
from asd.locks import PARTIAL
from asd.progress import ProgressBar

COPIES = Path(".cache/remote")
MARK = ".asd-uploading"
_INDEX = ".index"
_STAMPS = ("ETag", "etag", "md5Hash", "mtime", "LastModified", "last_modified", "size")
"""What stores say of a file that changes with it."""
_AT_ONCE = 16
"""Files on their way at a time."""


def is_url(text: object) -> bool:
    """Whether a text is the address of something that is not on this machine's disks."""
    return isinstance(text, str) and re.match(r"[a-z][a-z0-9+.-]+://", text) is not None


class RemoteFolder:
    """A folder, or a file, at a URL, and its copy here.

    Parameters
    ----------
    url : str
        Its address.

    Attributes
    ----------
    copy : Path
        Where its copy is.

    Raises
    ------
    ConfigError
        The address holds credentials, or a package for such addresses is not installed.
    """

    def __init__(self, url: str) -> None:
        self.url = url.rstrip("/")
        scheme, _, path = self.url.partition("://")
        if "@" in path.partition("/")[0]:
            raise ConfigError(
                tr(
                    "{scheme}://...: the address holds a secret, and MLflow logs every "
                    "-P; change it, and set it in the environment, as AWS_ACCESS_KEY_ID "
                    "and AWS_SECRET_ACCESS_KEY",
                    scheme=scheme,
                )
            )
        parts = [part for part in path.split("/") if part not in ("", ".", "..")]
        if not parts:
            raise ConfigError(
                tr(
                    "{url}: names no folder; write it as {scheme}://bucket/folder",
                    url=url,
                    scheme=scheme,
                )
            )
        self.copy = COPIES.joinpath(scheme, *parts)
        self._index = COPIES.joinpath(_INDEX, scheme, *parts[:-1], f"{parts[-1]}.json")
        self._fs, self._root = _file_system(self.url)

    def fetch(self) -> Path:
        """Make the copy what is there, and give its place.

        Raises
        ------
        DataError
            There is nothing, what is there is not whole, or it cannot be read.
        """
        there = self._listing()
        if not there:
            raise DataError(tr("{url}: nothing is there; check the address", url=self.url))
        if MARK in there:
            raise DataError(
                tr(
                    "{url}: is not whole: it is being put there, or that was cut short; "
                    "give the command that makes it again",
                    url=self.url,
                )
            )
        known = self._known()
        stale = [name for name in there if known.get(name) != [there[name], self._stamp(name)]]
        self._each(self._get, stale, tr("fetch"))
        for name in self._names() - set(there):
            self.path(name).unlink()
        self._note(there)
        return self.copy

    def prepare(self) -> Path:
        """Let the place of the copy be what is there, for a step that writes to it.

        Where something was cut short on its way there, it is what was to be put there.
        """
        there = self._listing()
        if not there:
            shutil.rmtree(self.copy, ignore_errors=True)
        elif MARK not in there:
            self.fetch()
        return self.copy

    def send(self, last: str) -> int:
        """Put the copy there, whole or marked as not; gives the number of files that had changed.

        Parameters
        ----------
        last : str
            The file that makes it whole: put there after all others.

        Raises
        ------
        OutputError
            It cannot be written.
        """
        here, there, known = self._names(), self._listing(), self._known()
        changed = {n for n in here if known.get(n) != [there.get(n), self._stamp(n)]}
        gone = set(there) - here - {MARK}
        if not changed | gone:
            return 0
        with self._writing():
            self._fs.pipe_file(self._at(MARK), b"")
        self._each(self._put, changed - {last}, tr("send"))
        with self._writing():
            for name in gone:
                self._fs.rm_file(self._at(name))
            if last in changed:
                self._put(last)
            self._fs.rm_file(self._at(MARK))
        self._note(self._listing())
        return len(changed)

    def pull(self, names: Iterable[str]) -> None:
        """Fetch those of some files that are there."""
        self._each(self._get_if_there, names, tr("fetch"))

    def push(self, names: Iterable[str]) -> None:
        """Put some files there, each whole or not at all."""
        self._each(self._put, names, tr("send"))

    def path(self, name: str) -> Path:
        """The place of a file's copy; that of the copy itself for an empty name."""
        return self.copy / name if name else self.copy

    def _each(self, function: Callable[[str], None], names: Iterable[str], desc: str) -> None:
        ordered = sorted(names)
        with ThreadPoolExecutor(_AT_ONCE) as pool:
            for _ in ProgressBar(pool.map(function, ordered), total=len(ordered), desc=desc):
                pass

    def _get(self, name: str) -> None:
        # The name is taken once all is here, also by those that look on.
        with self._reading(), atomic_path(self.path(name)) as partial:
            self._fs.get_file(self._at(name), str(partial))

    def _get_if_there(self, name: str) -> None:
        with self._reading():
            there = self._fs.isfile(self._at(name))
        if there:
            self._get(name)

    def _put(self, name: str) -> None:
        with self._writing():
            self._fs.put_file(str(self.path(name)), self._at(name))

    def _reading(self) -> AbstractContextManager[None]:
        return _told(DataError, tr("{url}: cannot be read", url=self.url))

    def _writing(self) -> AbstractContextManager[None]:
        return _told(OutputError, tr("{url}: cannot be written", url=self.url))

    def _at(self, name: str) -> str:
        return f"{self._root}/{name}" if name else self._root

    def _listing(self) -> dict[str, str]:
        """What is there, by name, each with a stamp that changes with it."""
        with self._reading():
            self._fs.invalidate_cache()
            found = self._fs.find(self._root, detail=True)
        names = {path: path.removeprefix(self._root).strip("/") for path in found}
        return {names[path]: _stamp_of(info) for path, info in found.items()}

    def _names(self) -> set[str]:
        """Names of the files of the copy."""
        files = [self.copy] if self.copy.is_file() else self.copy.rglob("*")
        whole = [path for path in files if path.is_file() and not path.name.startswith(PARTIAL)]
        names = (path.relative_to(self.copy) for path in whole)
        return {"" if name == Path() else name.as_posix() for name in names}

    def _stamp(self, name: str) -> str:
        """A stamp of a file of the copy that changes with it; empty where it is missing."""
        try:
            stat = self.path(name).stat()
        except OSError:
            return ""
        return f"{stat.st_size} {stat.st_mtime_ns}"

    def _known(self) -> Mapping[str, list[str]]:
        """The stamps there and here of the files that were the same when last looked at."""
        try:
            known: dict[str, list[str]] = json.loads(self._index.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return {}
        return known

    def _note(self, there: Mapping[str, str]) -> None:
        with atomic_path(self._index) as partial:
            stamps = {name: [there[name], self._stamp(name)] for name in there}
            partial.write_text(json.dumps(stamps), encoding="utf-8")


def _stamp_of(info: Mapping[str, Any]) -> str:
    return " ".join(str(info[key]) for key in _STAMPS if key in info)


def _file_system(url: str) -> tuple[Any, str]:
    try:
        import fsspec
    except ImportError as error:
        raise ConfigError(
            tr("{url}: fsspec is not installed; pip install 'asd-platform[scale]'", url=url)
        ) from error
    try:
        fs, root = fsspec.core.url_to_fs(url)
    except ImportError as error:
        raise ConfigError(
            tr(
                "{url}: {error}; for s3:// it is pip install 'asd-platform[scale]'",
                url=url,
                error=error,
            )
        ) from error
    except ValueError as error:
        raise ConfigError(
            tr(
                "{url}: no address of files ({error}); write s3://bucket/folder",
                url=url,
                error=error,
            )
        ) from error
    if hasattr(fs, "auto_mkdir"):  # a disk has folders, which a store of objects has not
        fs.auto_mkdir = True
    return fs, str(root).rstrip("/")


@contextmanager
def _told(kind: type[AsdError], what: str) -> Iterator[None]:
    """Turn what a store says into one line; it holds no secrets, which are in no address."""
    try:
        yield
    except _failures() as error:
        raise kind(
            tr(
                "{what} ({kind}: {error}); check the address, the network and the credentials in "
                "the environment",
                what=what,
                kind=type(error).__name__,
                error=error,
            )
        ) from error


def _failures() -> tuple[type[Exception], ...]:
    try:
        from botocore.exceptions import BotoCoreError, ClientError
    except ImportError:
        return (OSError,)
    return (OSError, BotoCoreError, ClientError)
