"""Every built-in attack on supports, through one table. A new one is covered the moment it stands in its TABLE.

After raising a component's version, write its golden numbers: ``python tests/contracts/test_support_attacks.py``.
"""

import json
from pathlib import Path

import goldens
import pytest
from goldens import Numbers
from tabled import built, hold_named

import robustmeta.support_attacks
from robustmeta.config.components import SupportAttack
from robustmeta.testing import check_support_attack
from robustmeta.testing.attacks import EPS
from robustmeta.testing.support_attacks import SHARE, Trial

GOLDEN = Path(__file__).with_name("golden_support_attacks.json")
SETTINGS = {
    "evasion_swap": [{}, {"norm": "l2", "fraction": 0.5, "steps": 3}],
    "label_flip": [{}],
    "poisoning": [
        *({}, {"norm": "l2", "steps": 5}, {"norm": "l1", "steps": 5, "fraction": 0.2}),
        *({"order": "first", "steps": 3}, {"random_start": False, "steps": 3}),
    ],
    "support_noise": [{}, {"norm": "l2", "fraction": 0.01}, {"norm": "l1"}],
}
CASES = [(name, fields) for name in sorted(robustmeta.support_attacks.TABLE) for fields in SETTINGS.get(name, [{}])]


def attack(name: str, fields: dict) -> SupportAttack:
    return built("support_attacks", SupportAttack, name, fields)


@pytest.mark.parametrize(("name", "fields"), CASES, ids=str)
def test_every_attack_on_supports_keeps_the_rules(name: str, fields: dict) -> None:
    found = check_support_attack(attack(name, fields))
    assert all(f.passed for f in found), [f for f in found if not f.passed]
    assert len(found) == 11


@pytest.mark.parametrize("name", sorted(robustmeta.support_attacks.TABLE))
def test_the_table_names_the_decorated_classes(name: str) -> None:
    hold_named(attack(name, {}), name, robustmeta.support_attacks.TABLE)


def numbers(name: str, fields: dict) -> Numbers:
    """The seeds' loss, mean and mean square of the step, and the labels that change, at three strengths."""
    made, out = attack(name, fields), {}
    norm = dict(made).get("norm", "linf")
    for scale in (0.5, 1, 2):
        trial = Trial(made, norm, scale * (SHARE if made.relabels else EPS[norm]))
        moved = trial.perturb(trial.eps)
        step = (moved[0] - trial.support[0]).double()
        flipped = float((moved[1] != trial.support[1]).double().mean())
        seen = (float(trial.losses(moved).mean()), float(step.mean()), float(step.square().mean()), flipped)
        out[str(scale)] = [round(v, 6) for v in seen]
    return out


def everything() -> dict[str, Numbers]:
    return {
        f"{name}@{attack(name, fields).version} {json.dumps(fields)}": numbers(name, fields) for name, fields in CASES
    }


def test_no_numbers_change_without_a_new_version() -> None:
    goldens.compare(everything(), goldens.load(GOLDEN))


if __name__ == "__main__":
    goldens.write(GOLDEN, everything(), indent=1)
