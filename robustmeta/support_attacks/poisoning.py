"""Projected gradient ascent on the pixels of a support, through the adaptation to it."""

from contextlib import nullcontext
from typing import Literal

from pydantic import Field

from robustmeta.config.components import component
from robustmeta.core import Victim
from robustmeta.functional.inner_loop import first_order
from robustmeta.rng import Rng
from robustmeta.support_attacks.seed_loss import seed_losses, seed_slope
from robustmeta.support_attacks.some import OnPixels, Support, wide

FIRST = "first-order attack on the support: it leaves out how one inner step moves the next, which masks gradients"


@component(
    "poisoning",
    paper="Oldewage, Bronskill and Turner 2021, Attacking Few-Shot Classifiers with Adversarial Support Poisoning",
)
class Poisoning(OnPixels):
    """x ← Π(x + α · s(∇ₓ L)) with L the mean cross-entropy of seed queries after adapting to x.

    s is the norm's steepest step. Of all supports that it sees, the clean one among them, each task keeps that of the
    highest L. The published attack has L∞ 0.05 and 100 steps. ``order: second`` differentiates every inner step in
    full, which keeps all of them in memory; ``first`` takes ∂φₖ₊₁/∂φₖ ≈ 1 in these steps, and says so in the notes.
    """

    steps: int = Field(20, ge=1, description="gradient steps")
    step_size: float = Field(0.125, gt=0, description="α / ε")
    random_start: bool = Field(True, description="start from a uniform draw in the ball, else from the clean support")
    order: Literal["second", "first"] = Field("second", description="of the adaptation's steps")

    @property
    def sees(self) -> int:
        """2 or 1."""
        return 2 if self.order == "second" else 1

    def perturb(self, victim: Victim, support: Support, seed: Support, eps: float, rng: Rng) -> Support:
        """Climb on all tasks side by side."""
        clean, y = support
        some, best, x = wide(self.chosen(rng)), clean.clone(), clean
        if eps == 0:
            return best, y.clone()
        most = seed_losses(victim, clean, y, seed)
        if self.random_start:
            drawn = clean + self.ball.draw(tuple(clean.shape[2:]), eps, rng.child("start"))
            x = self.ball.within(clean, drawn, eps).where(some, clean)
        for k in range(self.steps + 1):
            if k == self.steps:
                loss, step = seed_losses(victim, x, y, seed), None
            else:
                with first_order() if self.sees == 1 else nullcontext():
                    loss, step, _ = seed_slope(victim, x, y, seed)
            higher = loss > most
            best, most = x.where(higher[:, None, None, None, None], best), loss.where(higher, most)
            if step is not None:
                moved = x + self.step_size * eps * self.ball.steepest(step)
                x = self.ball.within(clean, moved, eps).where(some, clean)
        return best, y.clone()

    def runs(self, support: int, seed: int, way: int, eps: float) -> tuple[int, int]:
        """The clean support, the start and every step."""
        return self.steps + 2, (self.steps + 2) * seed

    def notes(self) -> tuple[str, ...]:
        """How many images change, and where gradients are of first order."""
        return (*super().notes(), *([FIRST] if self.sees == 1 else []))
