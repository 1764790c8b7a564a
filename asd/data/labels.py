"""A folder whose ``labels.csv`` says what each recording is."""

import csv
import os
import unicodedata
from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import cast, get_args

from asd.audio.folders import walk
from asd.data.inside import check_inside
from asd.data.manifest import Domain, Label
from asd.data.recordings import Layout, Recording, unique_names, unused
from asd.data.source import Source
from asd.data.tables import read_table
from asd.data.words import LABEL_WORDS, cell_label, split_of
from asd.errors import DataError
from asd.files import atomic_path
from asd.language import tr
from asd.text import count

LABELS_NAME = "labels.csv"

_COLUMNS = {"file", "label", "split", "machine", "condition", "domain", "recording", "session"}
_DOMAINS = ("", *get_args(Domain))


def read_labels(source: Source, table: Path) -> Layout:
    """Read a folder with a table of labels.

    The columns `file` (relative to the folder) and `label` are required; `split`, `machine`,
    `condition`, `domain`, `recording` (files with the same word are parts of one) and `session`
    (recordings with the same word stay on one side of the split) are optional; other columns are
    ignored. Labels and sides are known by the words of `asd.data.words`.

    Parameters
    ----------
    source : Source
        The folder.
    table : Path
        ``labels.csv`` in it, or a table that is called alike.

    Raises
    ------
    DataError
        A column or file is missing, a value is not known, a file stands twice or outside the
        folder, or a row that is not normal is given to the train side. Names the line.
    """
    files = _Files(source.root)
    listed: dict[Path, Recording] = {}
    words: Counter[tuple[str, str]] = Counter()
    rows = _rows(table)
    check_inside(source.root, [row["file"] for _, row in rows], table, links=True)
    paths = {line: files.find(row["file"]) for line, row in rows}
    names = unique_names(source.root, list(dict.fromkeys(p for p in paths.values() if p)))
    for line, row in rows:
        path, where = paths[line], f"{table}, line {line}"
        if path is None:
            raise DataError(
                tr(
                    "{where}: file={file!r} does not exist; add it or drop the row",
                    where=where,
                    file=row["file"],
                )
            )
        if path in listed:
            raise DataError(
                tr(
                    "{where}: file={file!r} stands twice; list it once",
                    where=where,
                    file=row["file"],
                )
            )
        listed[path] = _recording(where, path, names[path], row)
        words[row["label"], listed[path].label] += 1
    others = [path for path in source.recordings if path not in listed]
    return Layout(
        "labels.csv",
        tuple(listed.values()),
        f"{table.name} with {count(len(listed), 'recording')}{_translated(words)}",
        unused(others, tr("that {table} does not list", table=table.name)),
    )


def _translated(words: Mapping[tuple[str, str], int]) -> str:
    """How words that are not our own were taken: ``; label OK taken as normal``."""
    foreign = [f"{word} taken as {label}" for word, label in words if word.casefold() != label]
    return f"; label {', '.join(foreign)}" if foreign else ""


def carry_labels(source: Path, output: Path, targets: Mapping[Path, Path]) -> None:
    """Write the ``labels.csv`` of a folder for a copy of its recordings in other files.

    All columns stay; a recording that has no copy is left out. Does nothing where the source has
    no ``labels.csv``.

    Parameters
    ----------
    source : Path
        Folder that may hold ``labels.csv``, or a table that is called alike.
    output : Path
        Folder of the copies.
    targets : mapping
        Each recording and its copy.

    Raises
    ------
    DataError
        ``labels.csv`` cannot be read or names a file that is not there.
    """
    table = Source.of(source).labels_table() if source.is_dir() else None
    if table is None:
        return
    given = _rows(table)
    check_inside(source, [row["file"] for _, row in given], table, links=True)
    files = _Files(source)
    copies = {path.resolve(): target for path, target in targets.items()}
    rows = []
    for line, row in given:
        path = files.find(row["file"])
        if path is None:
            raise DataError(
                tr(
                    "{table}, line {line}: file={file!r} is not in {source}",
                    table=table,
                    line=line,
                    file=row["file"],
                    source=source,
                )
            )
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
        if os.path.isfile(path):  # noqa: PTH113 - False, and no error, where a name is too long
            return path
        if self._by_form is None:
            self._by_form = {
                _form(file.relative_to(self.source).as_posix()): file
                for file in walk(self.source).files
            }
        return self._by_form.get(_form(name))


def _form(name: str) -> str:
    return unicodedata.normalize("NFC", name.replace("\\", "/"))


def _rows(table: Path) -> list[tuple[int, dict[str, str]]]:
    """Line and cells of each row; our own columns are known in any case."""
    records = read_table(table)
    named = tuple(c.casefold() if c.casefold() in _COLUMNS else c for c in records.columns)
    missing = [name for name in ("file", "label") if name not in named]
    if missing:
        raise DataError(
            tr(
                "{table}: has no column {missing}; the first line must name file,label "
                "(found: {part})",
                table=table,
                missing=" or ".join(missing),
                part=",".join(map(repr, records.columns)) or "nothing",
            )
        )
    rows = [
        (line, {column: cell.strip() for column, cell in row.items()})
        for line, row in replace(records, columns=named).records()
    ]
    if not rows:
        raise DataError(tr("{table}: lists no file; give one row for each recording", table=table))
    for line, row in rows:
        if not row["file"]:
            raise DataError(
                tr(
                    "{table}, line {line}: file is empty; name the recording",
                    table=table,
                    line=line,
                )
            )
    return rows


def _recording(where: str, path: Path, name: str, row: dict[str, str]) -> Recording:
    label = cell_label(row["label"])
    split = split_of(row.get("split", ""))
    domain = row.get("domain", "").casefold()
    for column, known, words in (
        ("label", label, LABEL_WORDS),
        ("split", split or not row.get("split"), "train, valid, test"),
        ("domain", domain in _DOMAINS, ", ".join(_DOMAINS[1:])),
    ):
        if not known:
            raise DataError(
                tr(
                    "{where}, {file!r}: {column}={value!r} is not one of {words}",
                    where=where,
                    file=row["file"],
                    column=column,
                    value=row[column],
                    words=words,
                )
            )
    if split == "train" and label != "normal":
        raise DataError(
            tr(
                "{where}, {file!r}: label={label} with split=train; training takes "
                "normal recordings only, use split=test",
                where=where,
                file=row["file"],
                label=label,
            )
        )
    return Recording(
        path=path,
        name=name,
        label=cast(Label, label),
        split=split,
        machine=row.get("machine", ""),
        session=row.get("session", ""),
        condition=row.get("condition", ""),
        domain=cast(Domain, domain or "source"),
        group=row.get("recording", ""),
    )
