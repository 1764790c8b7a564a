"""The transposed convolution has the values and gradients of PyTorch's own."""

import pytest
import torch
from torch import nn

from asd.detectors.nets.transposed import TransposedConv2d


@pytest.mark.parametrize(
    ("channels", "size", "output_padding"), [((4, 3), (5, 8), 1), ((6, 1), (3, 4), (1, 0))]
)
@pytest.mark.parametrize("autocast", [False, True])
def test_it_is_the_same_as_the_usual_one(
    channels: tuple[int, int],
    size: tuple[int, int],
    output_padding: int | tuple[int, int],
    autocast: bool,
) -> None:
    torch.manual_seed(0)
    ours = TransposedConv2d(*channels, 3, 2, 1, output_padding)
    usual = nn.ConvTranspose2d(*channels, 3, 2, 1, output_padding)
    usual.load_state_dict(ours.state_dict())
    x = torch.randn(2, channels[0], *size, requires_grad=True)
    found, expected = (run(layer, x, autocast) for layer in (ours, usual))
    if channels[1] == 1:
        expected[0] = expected[0].float()
    for one, other in zip(found, expected, strict=True):
        assert one.dtype == other.dtype
        # Sums of products that were rounded: as wrong where they cancel as where they add up.
        atol = 2e-2 * float(other.detach().abs().max()) if autocast else 1e-3
        torch.testing.assert_close(one, other, rtol=1e-5, atol=atol)


def run(layer: nn.Module, x: torch.Tensor, autocast: bool) -> list[torch.Tensor]:
    with torch.autocast("cpu", torch.bfloat16, enabled=autocast):
        mapped = layer(x)
    loss = mapped.float().square().sum()
    return [mapped, *torch.autograd.grad(loss, [x, *layer.parameters()])]
