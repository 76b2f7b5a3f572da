"""Random noise on a support: the control that an attack on it has to beat."""

from robustmeta.config.components import component
from robustmeta.core import Victim
from robustmeta.rng import Rng
from robustmeta.support_attacks.some import OnPixels, Support, wide


@component("support_noise", paper="Carlini et al. 2019, On Evaluating Adversarial Robustness, section 4")
class SupportNoise(OnPixels):
    """A draw on the surface of the ball around each image that may change, cut to [0, 1]; no gradient, no search."""

    def perturb(self, victim: Victim, support: Support, seed: Support, eps: float, rng: Rng) -> Support:
        """Noise on the images that ``poisoning`` of the same fraction would change."""
        x, y = support
        drawn = x + self.ball.edge(tuple(x.shape[2:]), eps or 1.0, rng.child("noise"))
        return self.ball.within(x, drawn, eps).where(wide(self.chosen(rng)), x), y.clone()

    def runs(self, support: int, seed: int, way: int, eps: float) -> tuple[int, int]:
        """It asks nothing."""
        return 0, 0
