"""Checks for authors of components; our own components go through them too."""

from robustmeta.testing.attacks import check_attack
from robustmeta.testing.corruptions import check_corruption
from robustmeta.testing.domains import check_domain
from robustmeta.testing.finding import Finding

__all__ = ["Finding", "check_attack", "check_corruption", "check_domain"]
