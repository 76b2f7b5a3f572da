"""What a head takes in that reads images with their labels."""

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor


def standard(z: Float[Tensor, "*N D"]) -> Float[Tensor, "*N D"]:
    """(z − mean) / √(var + 10⁻⁵) over the features of each image (Ba et al. 2016, Layer Normalization, without gains).

    Its length is √D whatever image and backbone.
    """
    return F.layer_norm(z, z.shape[-1:])


def labelled(z: Float[Tensor, "*N D"], labels: Float[Tensor, "*N way"]) -> Float[Tensor, "*N D+way"]:
    """Standard features beside √D · labels, so that a label that is one-hot is as long as its image.

    One label beside D features is otherwise a share of about 1/D in all that a layer sees, and slopes that tie the two
    together are as small: no head of several hundred features finds it. No label is zeros.
    """
    return torch.cat([standard(z), z.shape[-1] ** 0.5 * labels], -1)
