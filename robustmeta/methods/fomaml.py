"""First-order MAML."""

from robustmeta.config.components import component
from robustmeta.methods.descending import Descending, Order


@component("fomaml", paper="Finn et al. 2017, Model-Agnostic Meta-Learning, section 5.2 (first order approximation)")
class FoMaml(Descending):
    """MAML without second derivatives: the query's gradient at φᵢ moves θ.

        θ ← θ − outer · (1/T) Σᵢ ∇_φ L_query(φᵢ),   φᵢ = θ after ``inner_steps`` steps of −inner_rate · ∇L_support

    The same as ``maml`` with ``order: 1``. inner_rate is on the mean loss over the support, rate is that of the outer
    Adam, which falls to zero along a cosine. Normalisation is as in ``maml``.
    """

    def order_at(self, progress: float) -> Order:
        """1."""
        return 1
