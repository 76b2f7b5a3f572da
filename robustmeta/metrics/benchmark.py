"""Errors over a set of corruptions and severities, as benchmarks of corruption sum them up.

E_c,s is the error under corruption c at severity s, E⁰ the clean one, a prime marks the reference model's.
"""

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
SMALLEST = 0.005
"""A reference that loses less than this mean error to a corruption has no degradation to divide by."""


def mean_corruption_error(errors: Array, reference: Array) -> Array:
    """MCE = meanᵪ (Σ_s E_c,s / Σ_s E′_c,s) (Hendrycks and Dietterich 2019, section 4.1). Errors are (..., C, S).

    Below 1 the model is better than the reference. NaN where the reference makes no error under a corruption.
    """
    below = reference.sum(-1)
    return np.divide(errors.sum(-1), below, out=np.full_like(below, np.nan), where=below > 0).mean(-1)


def relative_mean_corruption_error(errors: Array, clean: Array, reference: Array, reference_clean: Array) -> Array:
    """Relative mCE = meanᵪ (Σ_s (E_c,s − E⁰) / Σ_s (E′_c,s − E′⁰)), ibid. Errors are (..., C, S), clean ones (...).

    NaN where the reference loses next to nothing to a corruption (under ``SMALLEST`` on average): the ratio would say
    nothing but noise.
    """
    lost = (errors - clean[..., None, None]).sum(-1)
    below = (reference - reference_clean[..., None, None]).sum(-1)
    enough = below >= SMALLEST * reference.shape[-1]
    return np.divide(lost, below, out=np.full_like(below, np.nan), where=enough).mean(-1)
