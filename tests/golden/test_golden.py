"""What users see today is what they saw when the record was made."""

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from numpy.testing import assert_allclose

from tests.golden.make import RECORD, judge
from tests.golden.run import Observed, probe, real_recordings, run_apart

RECORDED: Observed = json.loads(RECORD.read_text(encoding="utf-8"))
WHOLE = os.environ.get("ASD_TEST_GOLDEN") == "1"
"""Whether the demo and real recordings are looked at too, which takes minutes."""
LOOKED_AT = list(RECORDED["data"]) if WHOLE else ["hum"]
CASES = [(data, name) for data in LOOKED_AT for name in RECORDED["detectors"][data]]

EXACT = 1e-6
"""Of detectors without training and all that follows from them, relative."""
STORED_NETWORK = 1e-4
"""Of the scores of stored weights, relative: libraries sum floats in another order."""
TRAINED_AUC = 0.05
"""Of networks trained anew, absolute: they learn in another order of sums, or in bfloat16, which
moved it by 0.003 at most."""
CHANGED_SCORE, CHANGED_AUC, CHANGED_DB = 0.05, 0.02, 0.05
"""Where sound went through a codec or a resampler, whose bits vary by processor: of scores,
relative; of AUC and of the level of a clip, absolute. Without any vector instructions the demo's
scores move by up to 0.01, AUC by 0.004 and levels by 0.014 dB; all else stays within 2e-7."""
LEVEL_DB = 0.01


@pytest.fixture(scope="module")
def observed(tmp_path_factory: pytest.TempPathFactory) -> Observed:
    return run_apart(tmp_path_factory.mktemp("golden"), real_recordings(), WHOLE)


def seen(observed: Observed, part: str, data: str) -> Any:
    """A part of what was observed on a data set, or a skip where its recordings are absent."""
    if data not in observed[part]:
        pytest.skip(f"real recordings of {data} not found; set ASD_DATA_DIR to use them")
    return observed[part][data]


def same_bits(observed: Observed, data: str) -> bool:
    """Whether the clips are those of the record to the last bit; the demo's may not be."""
    now, then = (side["data"][data]["params"]["data.digest"] for side in (observed, RECORDED))
    return bool(now == then)


def is_network(run: Observed) -> bool:
    return "detector.epochs" in run["train"]["params"]


def area(run: Observed) -> float:
    return float(run["evaluate"]["metrics"]["auc"])


def assert_close(found: Any, expected: Any, tolerance: float) -> None:
    """Relative to each value, and to the largest for values near 0."""
    largest = max((abs(value) for value in expected), default=0.0)
    assert_allclose(found, expected, rtol=tolerance, atol=tolerance * largest)


def assert_same_names(found: Observed, expected: Observed, any_digest: bool) -> None:
    """Names of params, metrics and artifacts, and the values of params."""
    differing = {"data.digest"} if any_digest else set()
    for key, value in expected["params"].items():
        assert key in differing or found["params"].get(key) == value, key
    assert found["params"].keys() == expected["params"].keys()
    assert found["metrics"].keys() == expected["metrics"].keys()
    assert found["artifacts"] == expected["artifacts"]


def steady(metrics: Observed) -> Observed:
    return {key: value for key, value in metrics.items() if value is not None}


def assert_same_metrics(found: Observed, expected: Observed, tolerance: float) -> None:
    for key, value in steady(expected["metrics"]).items():
        assert_allclose(found["metrics"][key], value, rtol=tolerance, atol=tolerance, err_msg=key)


@pytest.mark.parametrize("data", LOOKED_AT)
def test_recordings_are_cut_into_the_same_clips(data: str, observed: Observed) -> None:
    found, expected = seen(observed, "data", data), RECORDED["data"][data]
    assert data == "demo" or same_bits(observed, data)
    assert found["columns"] == expected["columns"]
    assert found["rows"] == expected["rows"]
    tolerance = LEVEL_DB if same_bits(observed, data) else CHANGED_DB
    assert_allclose(found["levels_db"], expected["levels_db"], rtol=0, atol=tolerance)
    assert_same_names(found, expected, any_digest=data == "demo")
    assert steady(found["metrics"]) == steady(expected["metrics"])


@pytest.mark.parametrize("step", ["train", "evaluate"])
@pytest.mark.parametrize(("data", "name"), CASES)
def test_the_same_names_are_logged(data: str, name: str, step: str, observed: Observed) -> None:
    found, expected = seen(observed, "detectors", data)[name], RECORDED["detectors"][data][name]
    assert_same_names(found[step], expected[step], any_digest=data == "demo")


@pytest.mark.parametrize(("data", "name"), CASES)
def test_the_same_is_learned(data: str, name: str, observed: Observed) -> None:
    found, expected = seen(observed, "detectors", data)[name], RECORDED["detectors"][data][name]
    assert len(found["scores"]) == len(expected["scores"])
    if is_network(expected):
        assert area(found) == pytest.approx(area(expected), abs=TRAINED_AUC)
    elif same_bits(observed, data):
        assert_close([found["threshold"]], [expected["threshold"]], EXACT)
        assert_close(found["scores"], expected["scores"], EXACT)
        assert_close(found["p_values"], expected["p_values"], EXACT)
        for step in ("train", "evaluate"):
            assert_same_metrics(found[step], expected[step], EXACT)
    else:
        assert_close(found["scores"], expected["scores"], CHANGED_SCORE)
        assert area(found) == pytest.approx(area(expected), abs=CHANGED_AUC)


VERBS: Observed = RECORDED["verbs"]
RESAMPLED = {"augment", "evaluate", "main", "promote"}
"""Commands here that look at sound with a shifted pitch."""
SEARCHED = {"sweep", "trial"}
"""What a search comes upon may differ: names alone are held to the record."""


@pytest.mark.parametrize("verb", VERBS)
def test_the_other_commands_log_the_same(verb: str, observed: Observed) -> None:
    found, expected = observed["verbs"][verb], VERBS[verb]
    if verb == "trial":
        expected = expected | {"params": dict.fromkeys(expected["params"], "")}
        found = found | {"params": dict.fromkeys(found["params"], "")}
    assert_same_names(found, expected, any_digest=verb in RESAMPLED)
    if verb in RESAMPLED:
        for key, value in steady(expected["metrics"]).items():
            if "auc" in key:
                assert found["metrics"][key] == pytest.approx(value, abs=CHANGED_AUC), key
    elif verb not in SEARCHED:
        assert_same_metrics(found, expected, EXACT)


def test_changed_clips_are_the_same(observed: Observed) -> None:
    found, expected = observed["verbs"]["augment"], VERBS["augment"]
    assert found["rows"] == expected["rows"]
    assert_allclose(found["levels_db"], expected["levels_db"], rtol=0, atol=CHANGED_DB)


@pytest.mark.parametrize("table", ["windows", "files"])
def test_recordings_are_scored_the_same(table: str, observed: Observed) -> None:
    found, expected = observed["verbs"]["score"][table], VERBS["score"][table]
    for one, other in zip(numbers(found), numbers(expected), strict=True):
        assert one == other if isinstance(other, str) else one == pytest.approx(other, rel=EXACT)


def numbers(rows: list[list[Any]]) -> Iterator[Any]:
    for row in rows:
        yield from row


@pytest.mark.parametrize("name", RECORDED["stored"])
def test_a_stored_pipeline_judges_as_it_did(name: str, tmp_path: Path) -> None:
    found, expected = judge(name, probe(tmp_path / "probe.wav")), RECORDED["stored"][name]
    tolerance = STORED_NETWORK if is_network(RECORDED["detectors"]["hum"][name]) else EXACT
    assert_close(found["scores"], expected["scores"], tolerance)
    assert_close([found["threshold"]], [expected["threshold"]], EXACT)
    assert_close(found["p_values"], expected["p_values"], EXACT)
