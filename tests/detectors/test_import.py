"""Checkpoints of the original scripts: taken over exactly, or refused with the reason."""

import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose, assert_array_equal

from asd import detectors
from asd.config import LogMelConfig
from asd.detectors.cnn import ConvAutoencoder
from asd.detectors.lstm import LstmAutoencoder
from asd.detectors.nets.legacy import import_checkpoint
from asd.errors import DetectorError
from asd.features.clipset import ClipSet

ORIGINAL = LogMelConfig(scaling="clip_max")


@pytest.fixture
def written(tmp_path: Path) -> Callable[[Any], Path]:
    def write(content: Any) -> Path:
        torch.save(content, tmp_path / "model.pth")
        return tmp_path / "model.pth"

    return write


@pytest.mark.parametrize("network", [ConvAutoencoder(), LstmAutoencoder()])
def test_a_state_dict_becomes_a_fitted_detector(
    network: torch.nn.Module, written: Callable[[Any], Path], tmp_path: Path
) -> None:
    detector, features = import_checkpoint(written(network.state_dict()))
    assert detector.name == ("cnn" if isinstance(network, ConvAutoencoder) else "lstm")
    assert features == ORIGINAL
    clips = np.random.default_rng(0).uniform(0, 1, (3, 128, 63)).astype(np.float32)
    inputs = torch.from_numpy(clips)
    with torch.no_grad():
        expected = ((network(inputs) - inputs) ** 2).mean((1, 2)).numpy()
    scores = detector.score(ClipSet(list(clips)))
    assert_allclose(scores, expected, rtol=1e-4)
    detector.save(tmp_path / "saved")
    assert_array_equal(detectors.load(tmp_path / "saved").score(ClipSet(list(clips))), scores)


def test_the_sizes_are_read_off_the_weights(written: Callable[[Any], Path]) -> None:
    cnn, _ = import_checkpoint(written(ConvAutoencoder(4).state_dict()))
    assert cnn.config.model_dump(include={"channels"}) == {"channels": 4}
    lstm, features = import_checkpoint(written(LstmAutoencoder(40, 12, 5, 2).state_dict()))
    sizes = lstm.config.model_dump(include={"hidden", "latent", "layers"})
    assert sizes == {"hidden": 12, "latent": 5, "layers": 2}
    assert features.n_mels == 40


def without(network: torch.nn.Module, key: str) -> dict[str, torch.Tensor]:
    return {name: value for name, value in network.state_dict().items() if name != key}


CNN, LSTM = ConvAutoencoder(2), LstmAutoencoder(8, 4, 2)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (without(CNN, "decoder.4.bias"), r"lacks decoder\.4\.bias"),
        (without(LSTM, "enc_linear.weight"), r"lacks enc_linear\.weight"),
        ({**CNN.state_dict(), "fc.bias": torch.zeros(1)}, r"has fc\.bias besides"),
        ({"fc.bias": torch.zeros(1)}, r"lacks decoder\.0\.bias, .*has fc\.bias besides"),
        (
            {**CNN.state_dict(), "encoder.0.weight": torch.zeros(2)},
            r"has another shape of encoder\.0",
        ),
        (
            {**LSTM.state_dict(), "dec_output.bias": torch.zeros(9)},
            r"not the original LSTM: size mismatch for dec_output\.bias",
        ),
        (
            {**CNN.state_dict(), "decoder.4.bias": torch.tensor([np.nan])},
            r"decoder\.4\.bias holds values that are not finite",
        ),
        ({"epoch": 3}, r"not a state dict; write one with torch\.save"),
        ([torch.zeros(1)], "not a state dict"),
        ({1: torch.zeros(3)}, "not a state dict"),
        ({"encoder.0.weight": torch.zeros(4).to_sparse()}, "not a state dict"),
        ({"encoder.0.weight": torch.zeros(1).expand(1 << 40)}, "not a state dict"),
        ({"encoder.0.weight": torch.zeros(2, dtype=torch.complex64)}, "not a state dict"),
        (CNN, "not a file of weights alone"),
    ],
)
def test_anything_else_is_refused(
    content: Any, message: str, written: Callable[[Any], Path]
) -> None:
    with pytest.raises(DetectorError, match=rf"model\.pth: {message}"):
        import_checkpoint(written(content))


class Trap:
    """Leaves a file behind when it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return Path.touch, (self.path,)


@pytest.mark.parametrize("name", ["model.pkl", "model.pth"])
def test_nothing_in_a_file_is_run(name: str, tmp_path: Path) -> None:
    file, sprung = tmp_path / name, tmp_path / "sprung"
    file.write_bytes(pickle.dumps(Trap(sprung)))
    with pytest.raises(DetectorError, match=r"pickled models|weights alone"):
        import_checkpoint(file)
    torch.save({"encoder.0.weight": Trap(sprung)}, file)
    with pytest.raises(DetectorError, match=r"pickled models|weights alone"):
        import_checkpoint(file)
    assert not sprung.exists()


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(DetectorError, match=r"none\.pth: no such file"):
        import_checkpoint(tmp_path / "none.pth")


def test_a_file_of_another_kind_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "model.pth").write_text("root:x:0:0:root:/root:/bin/bash\n" * 20)
    with pytest.raises(DetectorError, match="not a file of weights alone"):
        import_checkpoint(tmp_path / "model.pth")
