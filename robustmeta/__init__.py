"""How robust is a model that learns from a few examples, and does it beat fine-tuning when the domain shifts.

Meta-learners and fine-tuning baselines on the same tasks of shifted, corrupted and adversarial images.
"""

import os
from importlib import import_module
from typing import TYPE_CHECKING, Any

# Threads that wait for each other should sleep, not spin: beside other programs on the same cores spinning made
# training ten times slower. Read when torch is loaded, so it counts if that comes later, and an own setting stays.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

if TYPE_CHECKING:
    from robustmeta.api import load_study, plan, results, run, sync
    from robustmeta.config.study import Study
    from robustmeta.core import Domain, Episodes, Tasks
    from robustmeta.corruptions.apply import corrupt
    from robustmeta.corruptions.decorator import corruption
    from robustmeta.corruptions.transform import Corrupt
    from robustmeta.estimator import load
    from robustmeta.rng import Rng
    from robustmeta.shifts.corruption import Corruption

_HOMES = {
    "Corrupt": "corruptions.transform",
    "Corruption": "shifts.corruption",
    "Domain": "core",
    "Episodes": "core",
    "Rng": "rng",
    "Study": "config.study",
    "Tasks": "core",
    "corrupt": "corruptions.apply",
    "corruption": "corruptions.decorator",
    "load": "estimator",
    "load_study": "api",
    "plan": "api",
    "results": "api",
    "run": "api",
    "sync": "api",
}

__all__ = [
    "Corrupt",
    "Corruption",
    "Domain",
    "Episodes",
    "Rng",
    "Study",
    "Tasks",
    "corrupt",
    "corruption",
    "load",
    "load_study",
    "plan",
    "results",
    "run",
    "sync",
]


def __getattr__(name: str) -> Any:
    """Public names are imported when they are first used, so that importing the package costs nothing."""
    if name not in _HOMES:
        raise AttributeError(f"module 'robustmeta' has no attribute {name!r}")
    return getattr(import_module(f"robustmeta.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    return __all__
