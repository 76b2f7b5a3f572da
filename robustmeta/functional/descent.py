"""Adam, a step at a time."""

from jaxtyping import Float
from torch import Tensor

Values = Float[Tensor, "*shape"]
BETA1, BETA2, TINY = 0.9, 0.999, 1e-8


def adam_step(g: Values, m: Values, v: Values, k: int) -> tuple[Values, Values, Values]:
    """m̂ / (√v̂ + ε) and the next moments m, v, at step k, from 1.

    Kingma and Ba 2015, Adam, algorithm 1 with β₁ = 0.9, β₂ = 0.999 and ε = 10⁻⁸.
    """
    m, v = BETA1 * m + (1 - BETA1) * g, BETA2 * v + (1 - BETA2) * g.square()
    return m / (1 - BETA1**k) / ((v / (1 - BETA2**k)).sqrt() + TINY), m, v
