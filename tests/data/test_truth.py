"""What a user says of truth and split, by folders, tables and names, is obeyed or named."""

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from asd.data.layouts import Layout, recognise
from asd.data.words import label_of, split_of, suspicious
from asd.errors import DataError


def tree(root: Path, *names: str) -> Path:
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).touch()
    return root


def facts(layout: Layout) -> dict[str, tuple[str, str | None]]:
    return {recording.name: (recording.label, recording.split) for recording in layout.recordings}


@pytest.mark.parametrize(
    ("good", "bad"),
    [
        ("OK", "NG"),
        ("good", "broken"),
        ("Normal", "Abnormal"),
        ("正常", "異常"),
        ("正常音", "不良"),
    ],
)
def test_label_folders_are_known_in_any_words(tmp_path: Path, good: str, bad: str) -> None:
    layout = recognise(tree(tmp_path, f"{good}/1.wav", f"{bad}/2.wav"))
    assert facts(layout) == {f"{good}/1": ("normal", None), f"{bad}/2": ("anomaly", None)}
    assert not layout.warnings
    assert f"{bad}/ taken as anomalies" in layout.note


@pytest.mark.parametrize(
    "names",
    [
        ("train/good/1.wav", "val/good/2.wav", "test/good/3.wav", "test/broken/4.wav"),
        ("Train/Normal/1.wav", "Eval/Normal/2.wav", "TEST/Normal/3.wav", "TEST/NG/4.wav"),
        ("ok/train/1.wav", "ok/validation/2.wav", "ok/test/3.wav", "ng/test/4.wav"),
        ("train/1.wav", "valid/ok/2.wav", "test/ok/3.wav", "test/ng/4.wav"),
        ("学習/正常/1.wav", "検証/正常/2.wav", "テスト/正常/3.wav", "テスト/異常/4.wav"),
    ],
)
def test_sides_are_obeyed_above_and_below_labels(tmp_path: Path, names: tuple[str, ...]) -> None:
    layout = recognise(tree(tmp_path, *names))
    by_number = {name[-1]: fact for name, fact in facts(layout).items()}
    assert [by_number[number] for number in "1234"] == [
        ("normal", "train"),
        ("normal", "valid"),
        ("normal", "test"),
        ("anomaly", "test"),
    ]
    assert {recording.machine for recording in layout.recordings} == {""}
    assert not layout.warnings


def test_sides_are_obeyed_in_a_flat_tree(tmp_path: Path) -> None:
    layout = recognise(tree(tmp_path, "Train/1.wav", "test/2.wav"))
    assert facts(layout) == {"Train/1": ("normal", "train"), "test/2": ("normal", "test")}
    assert "sides as the folders say: train, test" in layout.note
    assert not layout.warnings


@pytest.mark.parametrize("name", ["Labels.csv", "LABELS.CSV", "labels.csv.txt", "label.csv"])
def test_the_table_is_found_whatever_its_case(tmp_path: Path, name: str) -> None:
    tree(tmp_path, "1.wav", "2.wav")
    (tmp_path / name).write_text("File,Label\n1.wav,OK\n2.wav,1\n", encoding="utf-8")
    layout = recognise(tmp_path)
    assert facts(layout) == {"1": ("normal", None), "2": ("anomaly", None)}
    assert layout.note == f"{name} with 2 recordings; label OK taken as normal, 1 taken as anomaly"


@pytest.mark.parametrize(
    ("name", "sign"),
    [
        ("annotations.csv", "1 table annotations.csv"),
        ("labels.xlsx", "1 table labels.xlsx"),
        ("hot/2.wav", r"1 sub-folder hot/ \(1\)"),
        ("pump_NG.wav", r"names with NG \(1\), first .*pump_NG"),
        ("異常音 3.wav", "names with 異常"),
    ],
)
def test_what_speaks_against_all_normal_is_one_warning(
    tmp_path: Path, name: str, sign: str
) -> None:
    tree(tmp_path, "1.wav", name)
    if name.endswith(".csv"):
        (tmp_path / name).write_text("ファイル名;判定\n1.wav;2\n", encoding="cp932")
    [warning] = recognise(tmp_path).warnings
    with pytest.raises(AssertionError, match=sign):
        raise AssertionError(warning)
    assert "layout=flat" in warning
    assert recognise(tmp_path, flat=True).warnings == ()


def test_the_name_of_the_source_itself_counts(tmp_path: Path) -> None:
    [warning] = recognise(tree(tmp_path / "NG", "1.wav")).warnings
    assert "names with NG" in warning
    assert "first NG/1.wav" in warning


def test_flat_obeys_nothing_but_files(tmp_path: Path) -> None:
    tree(tmp_path, "test/NG/1.wav", "ok/2.wav", "labels.csv")
    layout = recognise(tmp_path, flat=True)
    assert set(facts(layout).values()) == {("normal", None)}
    assert "layout=flat" in layout.note
    assert not layout.warnings


def test_folders_of_unknown_words_beside_known_ones_are_told(tmp_path: Path) -> None:
    layout = recognise(tree(tmp_path, "test/good/1.wav", "train/good/2.wav", "test/scratch/3.wav"))
    assert len(layout.recordings) == 2
    [warning] = layout.warnings
    assert "test/scratch/ (1)" in warning
    assert "not used: 1 file outside these folders, first test/scratch/3.wav" in layout.note


def test_contradictions_are_one_line(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"1\.wav: its folders 'NG' and 'ok' contradict"):
        recognise(tree(tmp_path / "a", "NG/ok/1.wav", "ok/2.wav"))
    with pytest.raises(DataError, match="an anomaly below train/"):
        recognise(tree(tmp_path / "b", "train/ng/1.wav", "train/ok/2.wav"))
    [warning] = recognise(tree(tmp_path / "c", "test/ok/train/1.wav")).warnings
    assert "the inner one is taken: test/train" in warning


def test_what_is_not_used_is_counted(tmp_path: Path) -> None:
    tree(tmp_path, "1.wav", "notes.txt", "a.dat", "b.dat", "LICENSE", ".1.wav", ".DS_Store")
    (tmp_path / "gone.wav").symlink_to("annex/gone.wav")
    note = recognise(tmp_path).note
    assert "1 hidden file, first .1.wav" in note
    assert "1 link to a file that is not there, first gone.wav" in note
    assert "4 files of no suffix of sound or video (.dat 2, none 1, .txt 1), first LICENSE" in note
    (tmp_path / "1.wav").unlink()
    with pytest.raises(DataError, match=r"no recordings in this folder \(found: .*gone\.wav"):
        recognise(tmp_path)


WORDS = st.sampled_from(
    ["ok", "NG", "Train", "test", "val", "pump", "id_00", "day 2", "異常", "hot", "normal", "x_NG"]
)
PATHS = st.lists(
    st.tuples(
        st.lists(WORDS, max_size=3), st.sampled_from(["a.wav", "b.flac", "leak.wav", "c.txt"])
    ),
    min_size=1,
    max_size=6,
)


@settings(max_examples=150)
@given(PATHS)
def test_any_tree_of_words_is_obeyed_or_named(
    tmp_path_factory: pytest.TempPathFactory, paths: list[tuple[list[str], str]]
) -> None:
    root = tmp_path_factory.mktemp("s")
    tree(root, *("/".join([*folders, name]) for folders, name in paths))
    try:
        layout = recognise(root)
    except DataError as error:
        assert "\n" not in str(error)  # noqa: PT017
        return
    left = {entry.path for entry in layout.left_out}
    taken = {recording.path: recording for recording in layout.recordings}
    assert left | set(taken) == {path for path in root.rglob("*") if path.is_file()}
    assert not left & set(taken)
    said = " ".join(layout.warnings)
    for path, recording in taken.items():
        folders = path.relative_to(root).parts[:-1]
        labels = {label_of(word) for word in folders} - {None}
        assert labels <= {recording.label}
        sides = [side for word in folders if (side := split_of(word))]
        assert recording.split == (sides[-1] if sides else None)
        assert len(set(sides)) < 2 or "two sides" in said
        others = {word for word in folders if not label_of(word) and not split_of(word)}
        used = f"{recording.machine}/{recording.condition}".split("/")
        assert all(word in used or word in said or "and " in said for word in others)
        if not labels and layout.kind == "flat" and any(map(suspicious, path.parts[-1:])):
            assert "taken as normal, and what may say otherwise" in said
    for path in left - {p for p in left if p.suffix == ".txt"}:
        assert path.parent.name in said or "the top" in said or "more" in said
