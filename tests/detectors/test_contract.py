"""Every detector keeps the contract. A new detector file is covered without a change here."""

from pathlib import Path
from typing import Any

import pytest

from asd import detectors
from asd.detectors.base import Detector
from asd.testing import DetectorContract

BRIEF = {"epochs": 10, "batch_size": 8}
"""As short a training as shows that a network learns."""


def contract_of(name: str) -> type[DetectorContract]:
    kind: type[Detector[Any]] = detectors.detector_class(name)
    fields = {key: value for key, value in BRIEF.items() if key in kind.Config.model_fields}
    title = f"Test{kind.__name__}"
    return type(title, (DetectorContract,), {"detector": kind, "fields": fields})


CONTRACTS = {name: contract_of(name) for name in detectors.names()}
globals().update({contract.__name__: contract for contract in CONTRACTS.values()})


@pytest.mark.parametrize("name", detectors.names())
def test_is_found_by_its_name_and_comes_back_by_it(name: str, tmp_path: Path) -> None:
    contract = CONTRACTS[name]
    assert contract.detector.name == name
    contract.fitted().save(tmp_path)
    assert type(detectors.load(tmp_path)) is contract.detector
