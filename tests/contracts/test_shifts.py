"""Every built-in corruption and attack, through one table. A new one is covered the moment it stands in its TABLE.

After raising a component's version, write its golden numbers: ``python tests/contracts/test_shifts.py``.
"""

import importlib
import json
import pkgutil
from pathlib import Path

import goldens
import pytest
import torch
from goldens import Numbers
from tabled import built, hold_named

import robustmeta.attacks
import robustmeta.corruptions
from robustmeta import registry
from robustmeta.config.components import Attack
from robustmeta.corruptions.samples import ink, scenes
from robustmeta.registry import resolve
from robustmeta.rng import Rng
from robustmeta.shifts.corruption import Corruption
from robustmeta.testing import check_attack, check_corruption
from robustmeta.testing.attacks import EPS, Siege, norm_of

GOLDEN = Path(__file__).with_name("golden_shifts.json")
CORRUPTIONS = sorted(n for n in robustmeta.corruptions.TABLE if not n.endswith(":*"))
HEAVY = ("circular_motion_blur", "shot_noise", "zoom_blur")
"""Those that take seconds to check; their numbers are looked at in every run."""
SETTINGS = {
    "apgd": [{"steps": 20}, {"norm": "l2", "loss": "dlr", "restarts": 2, "steps": 5}],
    "apgd_t": [{"steps": 5}, {"norm": "l2", "steps": 5, "targets": 2}],
    "autoattack": [{"steps": 5, "queries": 20}, {"norm": "l2", "steps": 5, "queries": 20}],
    "carlini_wagner": [{"steps": 10, "searches": 4, "first": 0.1}],
    "deepfool": [{"steps": 5}, {"norm": "linf", "steps": 5}],
    "fab": [{"steps": 5, "restarts": 2}, {"norm": "l2", "steps": 5}],
    "fgsm": [{}],
    "noise": [{"draws": 3}, {"norm": "l2"}, {"norm": "l1", "draws": 3}],
    "patch": [{"steps": 5, "restarts": 2}],
    "pgd": [
        *({}, {"norm": "l2"}, {"norm": "l1"}, {"random_start": False, "steps": 3}, {"leave": False}),
        *({"restarts": 2, "steps": 4, "step_size": 0.5}, {"momentum": 1.0, "decay": "cosine"}),
    ],
    "spatial": [{"turns": 3, "shifts": 3}],
    "square": [{"queries": 40}, {"norm": "l2", "queries": 20, "restarts": 2}],
}
ATTACKS = [(name, fields) for name in sorted(robustmeta.attacks.TABLE) for fields in SETTINGS.get(name, [{}])]


def corruption(name: str) -> Corruption:
    found = resolve("corruptions", name)
    assert isinstance(found, Corruption)
    return found


def attack(name: str, fields: dict) -> Attack:
    return built("attacks", Attack, name, fields)


@pytest.mark.parametrize("name", [pytest.param(n, marks=[pytest.mark.slow] * (n in HEAVY)) for n in CORRUPTIONS])
def test_every_corruption_keeps_the_rules(name: str) -> None:
    found = check_corruption(corruption(name))
    assert all(f.passed for f in found), [f for f in found if not f.passed]


@pytest.mark.parametrize("coupled", [False, pytest.param(True, marks=pytest.mark.slow)], ids=["uncoupled", "coupled"])
@pytest.mark.parametrize(("name", "fields"), ATTACKS, ids=str)
def test_every_attack_keeps_the_rules(name: str, fields: dict, coupled: bool) -> None:
    made = attack(name, fields)
    found = check_attack(made, coupled=coupled)
    assert all(f.passed for f in found), [f for f in found if not f.passed]


@pytest.mark.parametrize("name", CORRUPTIONS)
def test_the_table_of_corruptions_names_the_decorated_objects(name: str) -> None:
    module, _, attr = robustmeta.corruptions.TABLE[name].partition(":")
    found = corruption(name)
    assert (found.name, found.module, found.function.__name__) == (name, module, attr)
    assert found is registry._registered["corruptions", name]
    assert (found.source, found.paper != "", found.function.__doc__ is not None) == ("", True, True)


@pytest.mark.parametrize("name", sorted(robustmeta.attacks.TABLE))
def test_the_table_of_attacks_names_the_decorated_classes(name: str) -> None:
    hold_named(attack(name, {}), name, robustmeta.attacks.TABLE)


@pytest.mark.parametrize("family", [robustmeta.corruptions, robustmeta.attacks], ids=["corruptions", "attacks"])
def test_nothing_is_registered_that_the_table_lacks(family) -> None:
    for info in pkgutil.iter_modules(family.__path__, f"{family.__name__}."):
        importlib.import_module(info.name)
    kind = family.__name__.rpartition(".")[2]
    ours = {
        name
        for (k, name), found in registry._registered.items()
        if k == kind and registry._where(found).startswith(f"{family.__name__}.")
    }
    assert ours == {n for n in family.TABLE if not n.endswith(":*")}


def numbers_of_corruption(name: str) -> Numbers:
    """Mean, spread and mean distance to clean at each level of each table, on gray ink and colour."""
    made, out = corruption(name), {}
    for table, levels in made.tables.items():
        for images in (ink(16), scenes(16)):
            for severity, level in enumerate(levels, 1):
                got = made(images, level, Rng(0, ("golden",), range(16))).double() / 255
                distance = (got - images.double() / 255).abs().mean()
                place = f"{table} {severity} {'x'.join(map(str, images.shape[1:]))}"
                out[place] = [round(float(v), 6) for v in (got.mean(), got.std(), distance)]
    return out


def numbers_of_attack(name: str, fields: dict, coupled: bool) -> Numbers:
    """The loss, mean and mean square of the step at three radii."""
    made, out = attack(name, fields), {}
    norm = norm_of(made)
    for scale in (0.5, 1, 2):
        siege = Siege(made, norm, EPS[norm], coupled)
        moved = siege.perturb(scale * EPS[norm])
        step = (moved - siege.x).double()
        with torch.no_grad():
            out[str(scale)] = [
                round(v, 6) for v in (siege.loss(moved), float(step.mean()), float(step.square().mean()))
            ]
    return out


def everything() -> dict[str, Numbers]:
    found = {f"{n}@{corruption(n).version}": numbers_of_corruption(n) for n in CORRUPTIONS}
    for name, fields in ATTACKS:
        for coupled in (False, True):
            key = f"{name}@{attack(name, fields).version} {json.dumps(fields)} {'coupled' if coupled else 'uncoupled'}"
            found[key] = numbers_of_attack(name, fields, coupled)
    return found


def test_no_numbers_change_without_a_new_version() -> None:
    goldens.compare(everything(), goldens.load(GOLDEN))


if __name__ == "__main__":
    goldens.write(GOLDEN, everything(), indent=1)
