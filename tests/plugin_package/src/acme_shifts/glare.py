"""Light that falls on a sensor, at its worst."""

from typing import Literal

import torch

from robustmeta.config.components import Attack, component


@component("acme_glare", paper="Acme 2026, Sensors in the sun")
class Glare(Attack):
    """The worst of a query itself, the query brighter by eps and the query darker by eps."""

    norm: Literal["linf"] = "linf"

    def perturb(self, classifier, x, y, eps, rng):
        """x (T, Q, C, H, W), y (T, Q): the same shape."""
        worst, highest = x, None
        for shade in (0.0, eps, -eps):
            seen = (x + shade).clamp(0, 1)
            with torch.no_grad():
                loss = -classifier(seen).log_softmax(-1).gather(-1, y[..., None])[..., 0]
            higher = torch.ones_like(y, dtype=torch.bool) if highest is None else loss > highest
            worst = torch.where(higher[..., None, None, None], seen, worst)
            highest = loss if highest is None else torch.maximum(loss, highest)
        return worst

    def passes(self, way):
        """One a shade."""
        return 3
