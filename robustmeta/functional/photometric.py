"""Changes of the values of images, place by place."""

from jaxtyping import Float
from torch import Tensor


def contrast(x: Float[Tensor, "N C H W"], c: float) -> Float[Tensor, "N C H W"]:
    """μ + c · (x − μ), cut to [0, 1]; μ is the mean of each channel of each image."""
    mean = x.mean((-2, -1), keepdim=True)
    return (mean + c * (x - mean)).clamp_(0, 1)
