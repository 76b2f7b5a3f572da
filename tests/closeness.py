"""Tensors held against worked numbers."""

import numpy as np
import torch


def close(got: torch.Tensor, want: object, atol: float = 1e-6) -> None:
    np.testing.assert_allclose(got.numpy(), want, atol=atol, rtol=0)
