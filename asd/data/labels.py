"""A folder whose ``labels.csv`` says what each recording is."""

import csv
import io
import unicodedata
from collections.abc import Mapping
from pathlib import Path
from typing import cast, get_args

from asd.audio.decode import find_audio
from asd.data.inside import check_inside
from asd.data.manifest import Domain, Label, Split
from asd.data.recordings import Layout, Recording, unique_names, unused
from asd.errors import DataError
from asd.files import atomic_path
from asd.text import count

LABELS_NAME = "labels.csv"

_VALUES = {
    "label": get_args(Label),
    "split": ("", *get_args(Split)),
    "domain": ("", *get_args(Domain)),
}


def read_labels(source: Path) -> Layout:
    """Read a folder with ``labels.csv``.

    The columns `file` (relative to the folder) and `label` (normal, anomaly or unknown) are
    required; `split`, `machine`, `condition`, `domain`, `recording` (files with the same word are
    parts of one) and `session` (recordings with the same word stay on one side of the split) are
    optional; other columns are ignored.

    Parameters
    ----------
    source : Path
        Folder that holds ``labels.csv``.

    Raises
    ------
    DataError
        A column or file is missing, a value is not known, a file stands twice or outside the
        folder, or a row that is not normal is given to the train side. Names the line.
    """
    table = source / LABELS_NAME
    rows = _rows(table)
    check_inside(source, [row["file"] for _, row in rows], table, links=True)
    files = _Files(source)
    listed: dict[Path, dict[str, str]] = {}
    for line, row in rows:
        _check(table, line, row)
        path = files.find(row["file"])
        if path is None:
            raise DataError(
                f"{table}, line {line}: file={row['file']} does not exist; add it or drop the row"
            )
        if path in listed:
            raise DataError(f"{table}, line {line}: file={row['file']} stands twice; list it once")
        listed[path] = row
    names = unique_names(source, list(listed))
    recordings = tuple(_recording(path, names[path], row) for path, row in listed.items())
    others = [path for path in find_audio(source) if path not in listed]
    note = f"{LABELS_NAME} with {count(len(recordings), 'recording')}"
    return Layout(
        "labels.csv", recordings, note + unused(others, source, f"that {LABELS_NAME} does not list")
    )


def carry_labels(source: Path, output: Path, targets: Mapping[Path, Path]) -> None:
    """Write the ``labels.csv`` of a folder for a copy of its recordings in other files.

    All columns stay; a recording that has no copy is left out. Does nothing where the source has
    no ``labels.csv``.

    Parameters
    ----------
    source : Path
        Folder that may hold ``labels.csv``.
    output : Path
        Folder of the copies.
    targets : mapping
        Each recording and its copy.

    Raises
    ------
    DataError
        ``labels.csv`` cannot be read or names a file that is not there.
    """
    table = source / LABELS_NAME
    if not table.is_file():
        return
    given = _rows(table)
    check_inside(source, [row["file"] for _, row in given], table, links=True)
    files = _Files(source)
    copies = {path.resolve(): target for path, target in targets.items()}
    rows = []
    for line, row in given:
        path = files.find(row["file"])
        if path is None:
            raise DataError(f"{table}, line {line}: file={row['file']!r} is not in {source}")
        if path.resolve() in copies:
            # As ./=a.wav it is the same file, and no formula for a spreadsheet to run.
            name = copies[path.resolve()].relative_to(output).as_posix()
            rows.append(row | {"file": f"./{name}" if name[0] in "=+-@" else name})
    with (
        atomic_path(output / LABELS_NAME) as partial,
        partial.open("w", encoding="utf-8", newline="") as file,
    ):
        writer = csv.DictWriter(file, list(rows[0]) if rows else ["file", "label"])
        writer.writeheader()
        writer.writerows(rows)


class _Files:
    """Finds a listed file also where Unicode forms or slashes differ (macOS, Windows)."""

    def __init__(self, source: Path) -> None:
        self.source = source
        self._by_form: dict[str, Path] | None = None

    def find(self, name: str) -> Path | None:
        path = self.source / name
        if path.is_file():
            return path
        if self._by_form is None:
            self._by_form = {
                _form(file.relative_to(self.source).as_posix()): file
                for file in sorted(self.source.rglob("*"))
                if file.is_file()
            }
        return self._by_form.get(_form(name))


def _form(name: str) -> str:
    return unicodedata.normalize("NFC", name.replace("\\", "/"))


def _rows(table: Path) -> list[tuple[int, dict[str, str]]]:
    try:
        # Spreadsheets put a byte order mark before UTF-8: utf-8-sig takes it off.
        text = table.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise DataError(f"{table}: is not UTF-8 text; save it as CSV UTF-8") from error
    reader = csv.DictReader(io.StringIO(text, newline=""))
    columns = [name.strip() for name in reader.fieldnames or ()]
    missing = [name for name in ("file", "label") if name not in columns]
    if missing:
        raise DataError(
            f"{table}: has no column {' or '.join(missing)}; the first line must name file,label "
            f"(found: {','.join(columns) or 'nothing'})"
        )
    reader.fieldnames = columns
    rows = [
        (reader.line_num, {key: (row.get(key) or "").strip() for key in columns}) for row in reader
    ]
    if not rows:
        raise DataError(f"{table}: lists no file; give one row for each recording")
    return rows


def _check(table: Path, line: int, row: dict[str, str]) -> None:
    where = f"{table}, line {line}"
    if not row["file"]:
        raise DataError(f"{where}: file is empty; name the recording")
    for column, known in _VALUES.items():
        if column in row and row[column] not in known:
            raise DataError(
                f"{where}, {row['file']}: {column}={row[column]!r} is not one of "
                f"{', '.join(word for word in known if word)}"
            )
    if row.get("split") == "train" and row["label"] != "normal":
        raise DataError(
            f"{where}, {row['file']}: label={row['label']} with split=train; training takes "
            "normal recordings only, use split=test"
        )


def _recording(path: Path, name: str, row: dict[str, str]) -> Recording:
    return Recording(
        path=path,
        name=name,
        label=cast(Label, row["label"]),
        split=cast(Split, row.get("split")) or None,
        machine=row.get("machine", ""),
        session=row.get("session", ""),
        condition=row.get("condition", ""),
        domain=cast(Domain, row.get("domain") or "source"),
        group=row.get("recording", ""),
    )
