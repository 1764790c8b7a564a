"""A transposed convolution whose gradient is computed the faster way."""

from typing import Any

import torch
from torch import nn
from torch.autograd.function import once_differentiable


class TransposedConv2d(nn.ConvTranspose2d):
    """`torch.nn.ConvTranspose2d` without groups or dilation, with the same parameters and values.

    A transposed convolution is the gradient of a convolution with respect to its input. Its own
    gradients are therefore those of that convolution with input and output changed about, for
    which oneDNN has kernels up to three times as fast as those that PyTorch picks. Where it
    computes in bfloat16, a single channel still comes out as float32.
    """

    def forward(self, x: torch.Tensor, output_size: list[int] | None = None) -> torch.Tensor:
        """Map ``(n, in_channels, height, width)`` to the larger picture."""
        if output_size is not None or self.bias is None:
            return super().forward(x, output_size)
        inputs = [x, self.weight, self.bias]
        kind = x.device.type
        if torch.is_autocast_enabled(kind):
            # What is saved for the gradients has to be of the type that they come in.
            inputs = [value.to(torch.get_autocast_dtype(kind)) for value in inputs]
        sizes = (self.stride, self.padding, self.output_padding)
        mapped: torch.Tensor = _Transposed.apply(*inputs, sizes)  # type: ignore[no-untyped-call]
        return mapped


class _Transposed(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any, x: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor, sizes: Any
    ) -> torch.Tensor:
        ctx.save_for_backward(x, weight)
        ctx.sizes = sizes
        stride, padding, output_padding = sizes
        if weight.shape[1] == 1:
            return _to_one_channel(x, weight, stride, padding, output_padding).add_(bias)
        return nn.functional.conv_transpose2d(x, weight, bias, stride, padding, output_padding)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: torch.Tensor) -> tuple[torch.Tensor | None, ...]:
        x, weight = ctx.saved_tensors
        stride, padding, _ = ctx.sizes
        of_bias, gradient = gradient.sum((0, 2, 3)), gradient.to(x.dtype)
        of_x = None
        if ctx.needs_input_grad[0]:
            of_x = nn.functional.conv2d(gradient, weight, None, stride, padding)
        _, of_weight, _ = torch.ops.aten.convolution_backward(
            x, gradient, weight, None, stride, padding, [1, 1], False, [0, 0], 1,
            [False, True, False],
        )  # fmt: skip
        return of_x, of_weight, of_bias, None


def _to_one_channel(
    x: torch.Tensor,
    weight: torch.Tensor,
    stride: tuple[int, ...],
    padding: tuple[int, ...],
    output_padding: tuple[int, ...],
) -> torch.Tensor:
    """A product of matrices whose rows are laid over each other.

    For a single channel oneDNN has a kernel that takes three times as long. Rows of bfloat16 are
    added up as float32, in which the result is: in their own they would be rounded nine times.
    """
    n, channels, *size = x.shape
    kernel = weight.shape[2:]
    points = x.permute(0, 2, 3, 1).reshape(-1, channels)
    parts = (weight.reshape(channels, -1).t() @ points.t()).reshape(*kernel, n, *size)
    # What the kernel reaches of the larger picture, before the padding is cut off.
    spans = [step * (length - 1) + 1 for step, length in zip(stride, size, strict=True)]
    whole = [
        span + reach - 1 + extra
        for span, reach, extra in zip(spans, kernel, output_padding, strict=True)
    ]
    larger = parts.new_zeros(n, 1, *whole, dtype=torch.promote_types(parts.dtype, torch.float32))
    for i in range(kernel[0]):
        for j in range(kernel[1]):
            larger[:, 0, i : i + spans[0] : stride[0], j : j + spans[1] : stride[1]] += parts[i, j]
    (top, left), (tall, wide) = padding, whole
    return larger[:, :, top : tall - top, left : wide - left].contiguous()
