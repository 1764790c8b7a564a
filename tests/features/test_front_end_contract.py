"""Every front end keeps the contract. A new front-end file is covered without a change here."""

import pytest

from asd import features
from asd.errors import ConfigError
from asd.testing import FrontEndContract


def contract_of(name: str) -> type[FrontEndContract]:
    kind = features.front_end_class(name)
    return type(f"Test{kind.__name__}", (FrontEndContract,), {"front_end": kind})


CONTRACTS = {name: contract_of(name) for name in features.names()}
globals().update({contract.__name__: contract for contract in CONTRACTS.values()})


@pytest.mark.parametrize("name", features.names())
def test_is_found_by_its_name(name: str) -> None:
    assert features.front_end({"name": name}).name == name
    assert type(features.front_end({"name": name})) is CONTRACTS[name].front_end


def test_log_mel_is_the_usual_one() -> None:
    assert features.front_end({"n_mels": 20}).name == "logmel"


def test_an_unknown_front_end_is_refused_with_the_known_ones() -> None:
    with pytest.raises(ConfigError, match=r"features\.name='nonsense': unknown .*logmel"):
        features.front_end({"name": "nonsense"})


def test_names_leave_out_what_is_no_front_end() -> None:
    assert not {"base", "store", "clipset"} & set(features.names())
