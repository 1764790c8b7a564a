"""One careful reader for all tables that people make."""

import re
from contextlib import nullcontext
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asd.data import manifest
from asd.data.manifest import Clip
from asd.data.tables import read_table
from asd.errors import DataError

TEXT = "file,label\n音 1.wav,正常\nb.wav,\n"


def write(folder: Path, raw: bytes) -> Path:
    path = folder / "labels.csv"
    path.write_bytes(raw)
    return path


@pytest.mark.parametrize(
    "raw",
    [
        TEXT.encode(),
        TEXT.encode("utf-8-sig"),
        TEXT.replace("\n", "\r\n").encode(),
        TEXT.replace(",", ";").encode(),
        TEXT.replace(",", "\t").encode("utf-16"),
        f",,\n\n{TEXT}, ,\n,,\n".encode(),
        TEXT.replace("file,", '"file",').encode(),
    ],
    ids=["utf-8", "mark", "crlf", "semicolons", "utf-16 tabs", "empty rows", "quotes"],
)
def test_what_spreadsheets_leave_is_read(tmp_path: Path, raw: bytes) -> None:
    table = read_table(write(tmp_path, raw))
    assert table.columns[:2] == ("file", "label")
    read = [(row["file"], row["label"]) for _, row in table.records()]
    assert read == [("音 1.wav", "正常"), ("b.wav", "")]


@pytest.mark.parametrize(
    ("raw", "message"),
    [
        (TEXT.encode("cp932"), r"line 2: is not UTF-8 text \(Shift-JIS.*CSV UTF-8"),
        (b"file,label\n\xff\xff\xff,x\n", "line 2: is not UTF-8 text"),
        (b'file,label\n"a.wav,normal\n' + b"b.wav,normal\n" * 20000, "line 2: not CSV"),
        (b'file,label\na.wav,normal\n"b.wav,normal\nc.wav,normal\n', "line 3: not CSV"),
        (b'file,label\n"a"b.wav,normal\n', "line 2: not CSV"),
        (b"file,label\na.wav,normal,too,many\n", "line 2: has 4 cells, the first line 2.*'too'"),
        (b"file,label,label\na.wav,normal,ng\n", "column 'label' stands twice"),
    ],
)
def test_what_cannot_be_read_is_one_line(tmp_path: Path, raw: bytes, message: str) -> None:
    path = write(tmp_path, raw)
    with pytest.raises(DataError, match=message) as caught:
        read_table(path).records()
    assert str(caught.value).startswith(str(path))
    assert "\n" not in str(caught.value)


def test_a_table_that_is_a_folder_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="cannot be read"):
        read_table(tmp_path)


@given(st.binary(max_size=200))
def test_any_bytes_are_rows_or_one_line(
    tmp_path_factory: pytest.TempPathFactory, raw: bytes
) -> None:
    path = write(tmp_path_factory.mktemp("table"), raw)
    error = ""
    try:
        records = read_table(path).records()
    except DataError as refused:
        records, error = [], str(refused)
    assert all(any(cell.strip() for cell in row.values()) for _, row in records)
    assert len(error.split("\n")) == 1


@pytest.mark.parametrize(
    "saved",
    [
        lambda raw: b"\xef\xbb\xbf" + raw,
        lambda raw: raw.replace(b"\r\n", b"\n").replace(b",", b";"),
        lambda raw: raw + b",,,\r\n",
    ],
    ids=["mark", "semicolons", "empty row"],
)
def test_a_manifest_saved_in_a_spreadsheet_is_the_same(tmp_path: Path, saved: object) -> None:
    assert callable(saved)
    (tmp_path / "a.wav").touch()
    clip = Clip(
        path="a.wav", recording=" a", start_s=0, duration_s=1, split="train", label="normal",
        condition="音", sha256="0" * 64,
    )  # fmt: skip
    before = manifest.save(tmp_path, [clip])
    path = tmp_path / manifest.MANIFEST_NAME
    path.write_bytes(saved(path.read_bytes()))
    assert manifest.load(tmp_path).digest == before.digest


def test_a_manifest_in_another_encoding_is_one_line(tmp_path: Path) -> None:
    header = ",".join(manifest.COLUMNS)
    (tmp_path / "manifest.csv").write_bytes(f"{header}\n音{',' * 13}\n".encode("cp932"))
    with pytest.raises(DataError, match=r"manifest\.csv, line 2: is not UTF-8") as caught:
        manifest.load(tmp_path)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("column", ["start_s", "duration_s", "pitch_semitones", "noise_gain_db"])
@pytest.mark.parametrize("cell", ["inf", "nan", "1e999"])
def test_a_manifest_whose_figures_are_no_numbers_is_one_line(
    tmp_path: Path, column: str, cell: str
) -> None:
    with pytest.raises(DataError, match=rf"manifest\.csv, line 2, {column}='{cell}'"):
        load_with(tmp_path, column, cell)


def test_a_manifest_with_a_clip_longer_than_clips_may_be_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"manifest\.csv, line 2, duration_s='1e308'.*3600"):
        load_with(tmp_path, "duration_s", "1e308")


@pytest.mark.parametrize(
    ("second", "start_s", "is_refused"),
    [
        ("valid/a_0001.0s.wav", 1.0, True),
        ("train/a_0001.0s.wav", 1.0, True),
        ("valid/a_0000.5s.wav", 0.5, True),
        ("valid/a_0002.0s.wav", 2.0, False),
        ("valid/b_0001.0s.wav", 1.0, False),
    ],
    ids=["next", "moved in the table alone", "over it", "behind a gap", "another file"],
)
def test_neighbours_in_a_recording_stand_on_one_side(
    tmp_path: Path, second: str, start_s: float, is_refused: bool
) -> None:
    common = {"recording": "day 1", "duration_s": 1, "label": "normal", "sha256": "0" * 64}
    clips = [
        Clip(path="train/a_0000.0s.wav", start_s=0, split="train", **common),
        Clip(path=second, start_s=start_s, split="valid", **common),
    ]
    told = "train/a_0000.0s.wav (train) and {second} (valid) are neighbours"
    expected = pytest.raises(DataError, match=re.escape(told.format(second=second)))
    with expected if is_refused else nullcontext():
        manifest.save(tmp_path, clips)


def load_with(folder: Path, column: str, cell: str) -> None:
    (folder / "a.wav").touch()
    row = {
        "path": "a.wav", "recording": "a", "start_s": "0", "duration_s": "1", "split": "train",
        "label": "normal", "domain": "source", "pitch_semitones": "0", "sha256": "0" * 64,
        column: cell,
    }  # fmt: skip
    table = [manifest.COLUMNS, [row.get(name, "") for name in manifest.COLUMNS]]
    (folder / "manifest.csv").write_text("\n".join(map(",".join, table)) + "\n")
    manifest.load(folder)
