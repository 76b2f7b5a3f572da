"""Model-agnostic meta-learning."""

from pydantic import Field

from robustmeta.config.components import component
from robustmeta.methods.descending import Descending, Order


@component("maml", version=2, paper="Finn et al. 2017, Model-Agnostic Meta-Learning, algorithm 2")
class Maml(Descending):
    """Learn weights from which a few gradient steps on a support set classify its queries.

        θ ← θ − outer · ∇_θ (1/T) Σᵢ L_query(φᵢ),   φᵢ = θ after ``inner_steps`` steps of −inner_rate · ∇L_support

    Fields: order, 2 differentiates through the inner steps, 1 (FOMAML) takes the gradient at φᵢ as if it were at θ;
    inner_rate, on the mean loss over the support (the authors' program sums over classes: its rate 0.4 at 5-way is 2.0
    here); rate, of the outer Adam, which falls to zero along a cosine; checkpoint, compute each inner step again where
    it is differentiated, so that many of them fit into memory (the same gradient in about twice the time). The query
    is normalised with the statistics of the support under φᵢ, under ``norm: batch`` with its own; in training
    ``support_plus_one`` is as ``auto``, and under ``per_step`` every pass uses its own statistics, which the running
    ones of its step follow.
    """

    order: Order = 2
    checkpoint: bool = Field(default=False)

    def order_at(self, progress: float) -> Order:
        """The field ``order``."""
        return self.order

    def recomputes(self) -> bool:
        """The field ``checkpoint``."""
        return self.checkpoint
