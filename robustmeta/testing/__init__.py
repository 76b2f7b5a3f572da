"""Checks for authors of components; our own components go through them too."""

from robustmeta.testing.adaptations import check_adaptation
from robustmeta.testing.attacks import check_attack
from robustmeta.testing.certificates import check_certificate
from robustmeta.testing.corruptions import check_corruption
from robustmeta.testing.domains import check_domain
from robustmeta.testing.finding import Finding
from robustmeta.testing.methods import check_method
from robustmeta.testing.sequences import check_sequence
from robustmeta.testing.support_attacks import check_support_attack
from robustmeta.testing.taskings import check_tasking

__all__ = [
    "Finding",
    "check_adaptation",
    "check_attack",
    "check_certificate",
    "check_corruption",
    "check_domain",
    "check_method",
    "check_sequence",
    "check_support_attack",
    "check_tasking",
]
