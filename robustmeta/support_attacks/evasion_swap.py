"""Images that evade the clean learner, given to it as its support."""

from pydantic import Field

from robustmeta.attacks.pgd import PGD
from robustmeta.config.components import component
from robustmeta.core import Victim
from robustmeta.rng import Rng
from robustmeta.support_attacks.some import OnPixels, Support, wide


@component(
    "evasion_swap",
    paper="Oldewage, Bronskill and Turner 2022, Adversarial Attacks are a Surprisingly Strong Baseline "
    "for Poisoning Few-Shot Meta-Learners",
)
class EvasionSwap(OnPixels):
    """Support images are attacked by ``pgd`` as if they were queries of the cleanly adapted learner, and swapped back.

    It sees neither the seeds nor how the learner adapts to what it is given.
    """

    steps: int = Field(20, ge=1, description="gradient steps of the attack on queries")
    step_size: float = Field(0.125, gt=0, description="α / ε")

    def perturb(self, victim: Victim, support: Support, seed: Support, eps: float, rng: Rng) -> Support:
        """Adapt to the clean support once, then climb the loss of its own images."""
        x, y = support
        fields = {"norm": self.norm, "steps": self.steps, "step_size": self.step_size, "leave": False}
        attack = PGD.model_validate(fields)
        moved = attack.perturb(victim(x, y), x, y, eps, rng.child("evasion"))
        return moved.where(wide(self.chosen(rng)), x), y.clone()

    def runs(self, support: int, seed: int, way: int, eps: float) -> tuple[int, int]:
        """One adaptation, and what PGD asks of each support image."""
        return 1, (self.steps + 2) * support
