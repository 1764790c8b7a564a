"""Official DCASE scores, worked by hand."""

from collections.abc import Callable
from pathlib import Path

import pytest
from sklearn.metrics import roc_auc_score

from asd.errors import DataError
from asd.evaluation.official import by_file, dcase2020, dcase2023, write_files
from asd.evaluation.table import ScoreTable

MakeTable = Callable[..., ScoreTable]


def section(
    machine: str, normals: list[float], anomalies: list[float], domain: str = "source"
) -> list[tuple[str, float, dict[str, str]]]:
    fields = {"machine": machine, "domain": domain}
    return [("normal", s, fields) for s in normals] + [("anomaly", s, fields) for s in anomalies]


def test_2020_is_the_mean_over_ids_and_then_machines(make_table: MakeTable) -> None:
    rows = section("fan/id_00", [0.1, 0.2], [0.3, 0.4])  # 4 of 4 pairs
    rows += section("fan/id_02", [0.1, 0.3], [0.2, 0.4])  # 3 of 4
    rows += section("pump/id_00", [0.1, 0.5], [0.2, 0.4])  # 2 of 4
    found = dcase2020(make_table(rows))
    assert found["official.auc.fan.id_02"] == pytest.approx(0.75)
    assert found["official.auc.fan"] == pytest.approx(0.875)
    assert found["official.auc"] == pytest.approx((0.875 + 0.5) / 2)
    # Up to 10 % of false alarms (none, with two normals) id_00 finds all, id_02 half, pump none:
    # McClish: (1 + (a - 0.005) / (0.1 - 0.005)) / 2 with a = 0.1, 0.05, 0.
    low = 0.5 * (1 - 0.005 / 0.095)
    half = 0.5 * (1 + 0.045 / 0.095)
    assert found["official.pauc.fan"] == pytest.approx((1 + half) / 2)
    assert found["official.pauc"] == pytest.approx(((1 + half) / 2 + low) / 2)


def test_2023_is_the_harmonic_mean_of_domain_aucs_and_pauc(make_table: MakeTable) -> None:
    rows = section("fan/section_00", [0.1, 0.2], [0.3, 0.5])
    rows += section("fan/section_00", [0.4, 0.2], [0.6, 0.7], "target")
    rows += section("gear/section_01", [0.1, 0.4], [0.3, 0.5])
    rows += section("gear/section_01", [0.2], [0.6], "target")
    table = make_table(rows)
    found = dcase2023(table)
    # The fan's source normals lose against all 4 anomalies; of its target normals 0.4 beats one.
    fan = [1.0, 7 / 8]
    # The gear's source normals: 0.1 loses 3 times, 0.4 twice of 3; its target normal always.
    gear = [5 / 6, 1.0]
    assert found["official.auc_source.fan.section_00"] == pytest.approx(fan[0])
    assert found["official.auc_target.fan.section_00"] == pytest.approx(fan[1])
    assert found["official.auc_source.gear"] == pytest.approx(gear[0])
    for name, values, members in (("fan", fan, slice(0, 8)), ("gear", gear, slice(8, 14))):
        truth = table.anomalous[members]
        values.append(float(roc_auc_score(truth, table.scores[members], max_fpr=0.1)))
        harmonic = 3 / sum(1 / value for value in values)
        assert found[f"official.score.{name}"] == pytest.approx(harmonic)
    assert found["official.score"] == pytest.approx(6 / sum(1 / v for v in fan + gear))
    assert found["official.auc_target"] == pytest.approx(2 / (1 / fan[1] + 1 / gear[1]))


def test_sections_without_a_class_are_left_out_with_a_warning(
    make_table: MakeTable, caplog: pytest.LogCaptureFixture
) -> None:
    rows = section("fan/section_00", [0.1], [0.3]) + section("fan/section_01", [0.1], [])
    found = dcase2023(make_table(rows))
    assert not any("section_01" in name or "target" in name for name in found)
    assert "fan/section_01 lacks" in caplog.text
    assert "no normal clip of the target domain" in caplog.text
    with pytest.raises(DataError, match="no section holds both"):
        dcase2020(make_table(section("fan/id_00", [0.1], [])))


def test_machines_must_name_a_section(make_table: MakeTable, tmp_path: Path) -> None:
    for act in (dcase2020, dcase2023, lambda table: write_files(table, tmp_path)):
        with pytest.raises(DataError, match="machine='fan': official scores need"):
            act(make_table(section("fan", [0.1], [0.3])))


def test_files_have_the_official_names_and_form(make_table: MakeTable, tmp_path: Path) -> None:
    rows = section("fan/section_00", [0.25], [0.75]) + section("bandsaw/section_01", [0.5], [])
    written = write_files(make_table(rows), tmp_path / "official")
    assert {path.name for path in written} == {
        "anomaly_score_fan_section_00_test.csv",
        "decision_result_fan_section_00_test.csv",
        "anomaly_score_bandsaw_section_01_test.csv",
        "decision_result_bandsaw_section_01_test.csv",
    }
    folder = tmp_path / "official"
    scores = (folder / "anomaly_score_fan_section_00_test.csv").read_bytes()
    assert scores == b"0000.wav,0.25\n0001.wav,0.75\n"
    decisions = (folder / "decision_result_fan_section_00_test.csv").read_bytes()
    assert decisions == b"0000.wav,0\n0001.wav,1\n"


def test_files_of_2020_are_named_by_id(make_table: MakeTable, tmp_path: Path) -> None:
    written = write_files(make_table(section("fan/id_00", [0.25], [])), tmp_path)
    assert [path.name for path in written] == [
        "anomaly_score_fan_id_00.csv",
        "decision_result_fan_id_00.csv",
    ]


def test_a_file_cut_into_clips_has_its_worst_score(make_table: MakeTable) -> None:
    fields = {"machine": "fan/id_00"}
    first = {**fields, "recording": "fan/test/normal_id_00_00000000"}
    second = {**fields, "recording": "fan/test/anomaly_id_00_00000001"}
    rows = [("normal", 0.1, first), ("normal", 0.4, first), ("anomaly", 0.9, second)]
    files = by_file(make_table(rows))
    assert [clip.path for clip in files.clips] == [
        "normal_id_00_00000000.wav",
        "anomaly_id_00_00000001.wav",
    ]
    assert files.scores.tolist() == [0.4, 0.9]
    assert files.is_anomaly.tolist() == [False, True]
    with pytest.raises(DataError, match="files as they came"):
        by_file(make_table([("normal", 0.1, {**first, "noise": "knock"})]))
