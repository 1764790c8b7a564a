from pathlib import Path

import pytest

from asd.data.layouts import Layout, Recording, recognise
from asd.errors import DataError


def tree(root: Path, *names: str) -> Path:
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).touch()
    return root


def table(root: Path, text: str) -> Path:
    (root / "labels.csv").write_text(text, encoding="utf-8")
    return root


def by_name(layout: Layout) -> dict[str, Recording]:
    named = {recording.name: recording for recording in layout.recordings}
    assert len(named) == len(layout.recordings)
    return named


def facts(recording: Recording) -> tuple[str, str | None, str, str, str]:
    r = recording
    return r.label, r.split, r.machine, r.condition, r.domain


def test_single_file_is_one_normal_recording(tmp_path: Path) -> None:
    layout = recognise(tree(tmp_path, "ポンプ.mp4") / "ポンプ.mp4")
    assert layout.kind == "file"
    assert facts(by_name(layout)["ポンプ"]) == ("normal", None, "", "", "source")


def test_flat_folder_is_all_normal_and_keeps_names_apart(tmp_path: Path) -> None:
    layout = recognise(tree(tmp_path, "a.wav", "a.mp3", "day 2/b.mov", "notes.txt"))
    assert layout.kind == "flat"
    assert set(by_name(layout)) == {"a.wav", "a.mp3", "day 2/b"}
    assert {recording.label for recording in layout.recordings} == {"normal"}


def test_missing_and_empty_sources_are_named(tmp_path: Path) -> None:
    for source in (tmp_path, tmp_path / "nowhere"):
        with pytest.raises(DataError, match=source.name):
            recognise(source)


def test_tables_below_the_source_are_not_passed_over(tmp_path: Path) -> None:
    tree(tmp_path, "motor/a.wav", "motor/labels.csv")
    with pytest.raises(DataError, match=r"motor/labels\.csv.*give that folder"):
        recognise(tmp_path)


class TestLabelsCsv:
    def test_all_columns(self, tmp_path: Path) -> None:
        tree(tmp_path, "a.wav", "sub/b.wav", "c.wav", "extra.flac")
        table(
            tmp_path,
            "\ufefffile,label,split,machine,condition,domain,recording,rpm\n"
            "a.wav,normal,train,M1,idle,source,shift 1,1400\n"
            "sub/b.wav, anomaly ,test,M2,knock,target,,\n"
            "c.wav,unknown,,,,,,\n",
        )
        layout = recognise(tmp_path)
        named = by_name(layout)
        assert layout.kind == "labels.csv"
        assert facts(named["a"]) == ("normal", "train", "M1", "idle", "source")
        assert facts(named["sub/b"]) == ("anomaly", "test", "M2", "knock", "target")
        assert facts(named["c"]) == ("unknown", None, "", "", "source")
        assert (named["a"].unit, named["sub/b"].unit) == ("shift 1", "sub/b")
        assert "not used: 1 file that labels.csv does not list, first extra.flac" in layout.note

    def test_file_is_found_in_another_unicode_form_and_with_backslashes(
        self, tmp_path: Path
    ) -> None:
        tree(tmp_path, "音/ガス.wav")
        table(tmp_path, "file,label\n音\\カ\u3099ス.wav,normal\n")
        assert [r.path.name for r in recognise(tmp_path).recordings] == ["ガス.wav"]

    @pytest.mark.parametrize(
        ("text", "message"),
        [
            ("file,label\na.wav,normal\ngone.wav,normal\n", r"line 3: file='gone\.wav' does not"),
            ("file,label\na.wav,hot\n", r"line 2, 'a\.wav': label='hot' .*normal, .*anomaly"),
            (
                "file,label,split\na.wav,normal,tst\n",
                r"line 2, 'a\.wav': split='tst' .*train, valid",
            ),
            ("file,label,split\na.wav,anomaly,train\n", "label=anomaly with split=train"),
            ("file,label\na.wav,normal\na.wav,normal\n", r"line 3: file='a\.wav' stands twice"),
            ("file,label,domain\na.wav,normal,moon\n", "domain='moon'"),
            ("name,label\na.wav,normal\n", "has no column file"),
            ("file,label\n,normal\n", "line 2: file is empty"),
            ("file,label\n", "lists no file"),
            ("", "has no column file or label"),
        ],
    )
    def test_bad_rows_are_named(self, tmp_path: Path, text: str, message: str) -> None:
        with pytest.raises(DataError, match=message) as caught:
            recognise(table(tree(tmp_path, "a.wav"), text))
        assert "labels.csv" in str(caught.value)
        assert "\n" not in str(caught.value)

    def test_other_encoding_is_refused_with_the_remedy(self, tmp_path: Path) -> None:
        (tmp_path / "labels.csv").write_bytes("file,label\nポンプ.wav,normal\n".encode("cp932"))
        with pytest.raises(DataError, match="UTF-8"):
            recognise(tmp_path)


class TestLabelFolders:
    @pytest.mark.parametrize("bad", ["abnormal", "anomaly", "Abnormal"])
    def test_normal_beside_anomalies(self, tmp_path: Path, bad: str) -> None:
        layout = recognise(
            tree(tmp_path, "normal/1.wav", f"{bad}/1.wav", f"{bad}/knock/2.wav", "0.wav")
        )
        named = by_name(layout)
        assert layout.kind == "folders"
        assert facts(named["normal/1"]) == ("normal", None, "", "", "source")
        assert facts(named[f"{bad}/1"]) == ("anomaly", None, "", "", "source")
        assert facts(named[f"{bad}/knock/2"]) == ("anomaly", None, "", "knock", "source")
        assert "outside these folders, first 0.wav" in layout.note

    def test_mimii_tree(self, tmp_path: Path) -> None:
        root = tree(
            tmp_path / "mimii",
            "fan/id_00/normal/00000000.wav",
            "fan/id_02/abnormal/00000000.wav",
            "-6_dB_pump/pump/id_00/normal/00000000.wav",
        )
        named = by_name(recognise(root))
        assert facts(named["fan/id_00/normal/00000000"])[:4] == ("normal", None, "fan/id_00", "")
        assert facts(named["fan/id_02/abnormal/00000000"])[:4] == ("anomaly", None, "fan/id_02", "")
        loud = named["-6_dB_pump/pump/id_00/normal/00000000"]
        assert (loud.machine, loud.condition) == ("pump/id_00", "-6_dB_pump")

    def test_mimii_machine_is_the_same_from_any_root(self, tmp_path: Path) -> None:
        tree(tmp_path / "mimii", "fan/id_00/normal/0.wav", "fan/id_00/abnormal/0.wav")
        for root in ("mimii", "mimii/fan", "mimii/fan/id_00"):
            recordings = recognise(tmp_path / root).recordings
            assert {recording.machine for recording in recordings} == {"fan/id_00"}

    def test_sides_above_the_label_are_obeyed(self, tmp_path: Path) -> None:
        tree(tmp_path, "train/normal/a.wav", "test/normal/b.wav", "test/anomaly/c.wav")
        splits = {name: r.split for name, r in by_name(recognise(tmp_path)).items()}
        assert splits == {
            "train/normal/a": "train",
            "test/normal/b": "test",
            "test/anomaly/c": "test",
        }
        with pytest.raises(DataError, match=r"d\.wav: an anomaly below train/"):
            recognise(tree(tmp_path, "train/anomaly/d.wav"))


class TestDcase:
    def test_2020(self, tmp_path: Path) -> None:
        layout = recognise(
            tree(
                tmp_path,
                "dev_data/fan/train/normal_id_00_00000000.wav",
                "dev_data/fan/test/normal_id_00_00000001.wav",
                "dev_data/fan/test/anomaly_id_02_00000000.wav",
                "eval_data/ToyCar/test/id_05_00000007.wav",
            )
        )
        found = {Path(name).name: facts(r) for name, r in by_name(layout).items()}
        assert layout.kind == "dcase"
        assert found == {
            "normal_id_00_00000000": ("normal", "train", "fan/id_00", "", "source"),
            "normal_id_00_00000001": ("normal", "test", "fan/id_00", "", "source"),
            "anomaly_id_02_00000000": ("anomaly", "test", "fan/id_02", "", "source"),
            "id_05_00000007": ("unknown", "test", "ToyCar/id_05", "", "source"),
        }

    def test_2021(self, tmp_path: Path) -> None:
        layout = recognise(
            tree(
                tmp_path,
                "fan/train/section_00_target_train_normal_0002_strength_1_ambient.wav",
                "fan/source_test/section_01_source_test_anomaly_0099.wav",
                "fan/target_test/section_03_target_test_0000.wav",
            )
        )
        found = {Path(name).name: facts(r) for name, r in by_name(layout).items()}
        assert found == {
            "section_00_target_train_normal_0002_strength_1_ambient": (
                ("normal", "train", "fan/section_00", "strength_1_ambient", "target")
            ),
            "section_01_source_test_anomaly_0099": (
                ("anomaly", "test", "fan/section_01", "", "source")
            ),
            "section_03_target_test_0000": ("unknown", "test", "fan/section_03", "", "target"),
        }

    def test_2022_to_2025_with_attribute_tables_and_supplemental_sound(
        self, tmp_path: Path
    ) -> None:
        root = tree(
            tmp_path / "dev_data" / "raw",
            "bearing/train/section_00_source_train_normal_0000_vel_6.wav",
            "bearing/test/section_00_target_test_anomaly_0001_vel_26.wav",
            "bearing/supplemental/section_00_machine_0001_.wav",
            "bearing/supplemental/section_00_noise_supplemental_normal_0000.wav",
            "ToyTrain/train/section_00_target_train_normal_0003.wav",
            "ToyTrain/train/section_00_source_train_normal_0004_.wav",
            "slider/train/section_00_source_train_normal_0005_noAttribute.wav",
            "slider/test/section_00_test_0199.wav",
        )
        (root / "bearing" / "attributes_00.csv").write_text(
            "file_name,d1p,d1v,d2p,d2v\n"
            "bearing/train/section_00_source_train_normal_0000_vel_6.wav,vel,6,loc,A\n"
        )
        (root / "ToyTrain" / "attributes_00.csv").write_text(
            "file_name,d1p,d1v\nsection_00_target_train_normal_0003,car,B1\n"
        )
        (root / "slider" / "attributes_00.csv").write_text(
            "file_name\nsection_00_source_train_normal_0005_noAttribute.wav\n"
        )
        layout = recognise(root)
        found = {facts(recording) for recording in layout.recordings}
        assert found == {
            ("normal", "train", "bearing/section_00", "vel_6_loc_A", "source"),
            ("anomaly", "test", "bearing/section_00", "vel_26", "target"),
            ("normal", "train", "ToyTrain/section_00", "car_B1", "target"),
            ("normal", "train", "ToyTrain/section_00", "", "source"),
            ("normal", "train", "slider/section_00", "", "source"),
            ("unknown", "test", "slider/section_00", "", "source"),
        }
        assert "3 machine sections and 6 recordings" in layout.note
        assert "not used: 2 files of supplemental sound" in layout.note

    @pytest.mark.parametrize(
        ("end", "cells", "condition"),
        [
            ("_noAttribute", None, ""),
            ("_", None, ""),
            ("_vel_6", None, "vel_6"),
            ("_noAttribute", "noAttribute,", ""),
            ("_noAttribute", "noAttribute,noAttribute", ""),
            ("_noAttribute", "noAttribute,,loc,A", "loc_A"),
            ("_vel_6", ",7,loc,A", "loc_A"),
            ("_vel_6", "vel,6,,", "vel_6"),
        ],
    )
    def test_no_attribute_is_no_condition_in_names_and_tables(
        self, tmp_path: Path, end: str, cells: str | None, condition: str
    ) -> None:
        name = f"section_00_source_train_normal_0000{end}.wav"
        root = tree(tmp_path / "fan", f"train/{name}")
        if cells is not None:
            text = f"file_name,d1p,d1v,d2p,d2v\n{name},{cells}\n"
            (root / "attributes_00.csv").write_text(text)
        assert [recording.condition for recording in recognise(root).recordings] == [condition]

    def test_machine_is_the_same_from_its_own_folder(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        root = tree(tmp_path / "fan", "train/normal_id_00_00000000.wav")
        monkeypatch.chdir(root)
        assert [r.machine for r in recognise(Path()).recordings] == ["fan/id_00"]
