"""A new classifier by cosine similarity."""

import torch.nn.functional as F
from pydantic import Field
from torch import Tensor, nn

from robustmeta.adaptations.heads import Cosine, uniform_start
from robustmeta.adaptations.sgd_head import SgdHead
from robustmeta.config.components import component
from robustmeta.core import Head
from robustmeta.functional.inner_loop import Params
from robustmeta.functional.softmax import cosine_slopes
from robustmeta.rng import Rng


@component("cosine_head", paper="Chen et al. 2019, A Closer Look at Few-shot Classification, section 3.2 (Baseline++)")
class CosineHead(SgdHead):
    """New class vectors on frozen features, trained by SGD: logits s · cos(z, w_k).

    A learned s is that of Gidaris and Komodakis 2018, Dynamic Few-Shot Visual Learning without Forgetting, section 3.2.
    """

    scale: float = Field(default=10.0, gt=0, description="s, or what it starts from")
    learn_scale: bool = Field(default=False, description="whether s is trained too, one for each task")

    def fit(self, net: nn.Module, z: Tensor, y: Tensor, way: int, rng: Rng) -> Head:
        """Train on (T, S, D)."""
        scale = z.new_full((len(z),), self.scale)

        def slopes(params: Params, z: Tensor, onehot: Tensor) -> Params:
            by_weight, by_scale = cosine_slopes(params["weight"], params.get("scale", scale), z, onehot)
            return {"weight": by_weight, "scale": by_scale}

        start = {"weight": uniform_start(rng, way, z.shape[-1])[0].to(z)} | (
            {"scale": scale} if self.learn_scale else {}
        )
        own = self._descend(slopes, start, F.normalize(z, dim=-1), y, way, rng)
        return Cosine(own["weight"], own.get("scale", scale))
