"""Words for normal, abnormal and the sides of a split, in any spelling."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asd.data.words import cell_label, label_of, made_side, split_of, suspicious

NORMAL = ["normal", "Normal", "OK", "good", "Healthy sounds", "01_normal", "正常", "正常音データ"]
ANOMALY = ["abnormal", "NG", "ng_03", "BROKEN", "Not OK", "anomalies", "異常", "不良品", "ＮＧ"]
NEITHER = ["", "pump", "nominal load", "okinawa", "2024-05-01", "id_00", "goods lift", "normandy"]


@pytest.mark.parametrize(
    ("words", "label"), [(NORMAL, "normal"), (ANOMALY, "anomaly"), (NEITHER, None)]
)
def test_labels(words: list[str], label: str | None) -> None:
    assert {word: label_of(word) for word in words} == dict.fromkeys(words, label)
    assert {word: cell_label(word) for word in words} == dict.fromkeys(words, label)


def test_numbers_are_labels_in_tables_only() -> None:
    cells = {"0": "normal", "1": "anomaly", "１": "anomaly", "1.0": "anomaly", "10": None}
    assert {cell: cell_label(cell) for cell in cells} == cells
    assert [label_of(cell) for cell in cells] == [None] * 5
    assert cell_label("nor\nmal") is None


def test_sides() -> None:
    expected = {
        "Train": "train", "TRAINING_SET": "train", "学習": "train", "val": "valid", "eval": "valid",
        "Validation": "valid", "test2": None, "テスト": "test", "test bench": None, "": None,
    }  # fmt: skip
    assert {word: split_of(word) for word in expected} == expected
    assert made_side("noised-pitched-test") == ("test", frozenset({"noised", "pitched"}))
    assert made_side("crash-test") is made_side("noise") is None


def test_words_inside_names_raise_suspicion() -> None:
    names = {
        "pump_NG_1": "NG", "AbnormalSound": "Abnormal", "leak3": "leak", "ガス漏れ2": "漏れ",
        "running": "", "default": "", "no_leak": "", "fault-free": "", "badge": "", "pingpong": "",
    }  # fmt: skip
    assert {name: suspicious(name) for name in names} == names


@given(
    st.sampled_from(["normal", "ok", "ng", "abnormal", "異常", "正常"]),
    st.sampled_from([str.upper, str.title, str.lower]),
    st.sampled_from(["{}", "{} 2", "03-{}", "{}_sounds", " {}", "{}.data"]),
)
def test_case_numbers_and_empty_words_do_not_matter(word: str, case: object, frame: str) -> None:
    assert callable(case)
    assert label_of(frame.format(case(word))) == label_of(word) is not None


@given(st.text(max_size=30))
def test_any_name_is_understood_or_not(name: str) -> None:
    assert label_of(name) in (None, "normal", "anomaly", "unknown")
    assert split_of(name) in (None, "train", "valid", "test")
    assert suspicious(f"{name} and NG"), "what stands before it does not deny it"
