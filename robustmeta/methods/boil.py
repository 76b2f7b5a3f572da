"""Inner loop on the body alone."""

from typing import ClassVar

from pydantic import Field

from robustmeta.config.components import component
from robustmeta.methods.descending import Descending
from robustmeta.nets import Layers


@component("boil", paper="Oh et al. 2021, BOIL: Towards Representation Change for Few-shot Learning, section 3")
class Boil(Descending):
    """MAML whose inner steps change the body and leave the head, so that features must change to fit a task.

        φ_body ← φ_body − inner_rate · ∇L_support(φ_body, θ_head);   the outer step changes θ_body and θ_head

    inner_rate is on the mean loss over the support; rate is that of the outer Adam, which falls to zero along a cosine.
    Normalisation is as in ``maml``.
    """

    layers: ClassVar[Layers] = "body"

    inner_rate: float = Field(default=0.5, gt=0)
