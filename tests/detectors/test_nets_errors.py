"""What networks learn by is what they score by, with the gradients that PyTorch would give."""

from typing import Any

import numpy as np
import pytest
import torch

from asd.detectors import detector_class
from asd.detectors.nets.errors import row_errors
from asd.features.clipset import ClipSet


def test_row_errors_are_the_usual_mean_squares() -> None:
    torch.manual_seed(0)
    told = torch.randn(3, 4, 5, requires_grad=True)
    truth = torch.randn(3, 5, 4).transpose(1, 2)
    weights = torch.rand(3, 4)
    ours = row_errors(told, truth)
    usual = torch.nn.functional.mse_loss(told, truth, reduction="none").mean(-1)
    torch.testing.assert_close(ours, usual)
    found, expected = (
        torch.autograd.grad((value * weights).sum(), told)[0] for value in (ours, usual)
    )
    torch.testing.assert_close(found, expected)


@pytest.mark.parametrize("n_frames", [3, 7, 30])
@pytest.mark.parametrize("name", ["cnn", "lstm", "dense_ae", "idnn"])
def test_the_loss_is_the_mean_of_the_map_of_errors(name: str, n_frames: int) -> None:
    rng = np.random.default_rng(0)
    clips = [rng.normal(-40, 3, (8, n_frames)).astype(np.float32) for _ in range(4)]
    kind = detector_class(name)
    fitted: Any = kind(kind.Config.parse({"epochs": 1})).fit(ClipSet(clips), ClipSet([]))
    with torch.inference_mode():
        losses = fitted._losses(torch.from_numpy(np.stack(clips)))
    np.testing.assert_allclose(losses, fitted.score(ClipSet(clips)), rtol=1e-4)
