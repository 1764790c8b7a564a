"""Squared errors to learn by, with a gradient that takes one pass over memory."""

from typing import Any

import torch
from torch.autograd.function import once_differentiable


def row_errors(told: torch.Tensor, truth: torch.Tensor) -> torch.Tensor:
    """Mean squared error over the last axis; gradients flow to `told` alone.

    As `torch.nn.functional.mse_loss` and a mean, whose gradients take four times as long.
    """
    means: torch.Tensor = _RowErrors.apply(told, truth)  # type: ignore[no-untyped-call]
    return means


class _RowErrors(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, told: torch.Tensor, truth: torch.Tensor) -> torch.Tensor:
        errors = told - truth
        ctx.save_for_backward(errors)
        return errors.square().mean(-1)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: torch.Tensor) -> tuple[torch.Tensor, None]:
        (errors,) = ctx.saved_tensors
        return errors * (2 / errors.shape[-1] * gradient).unsqueeze(-1), None
