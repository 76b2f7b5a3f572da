"""Studies in small."""

from pathlib import Path

import pytest

from robustmeta.config.load import load_study
from robustmeta.config.smoke import STEPS
from robustmeta.store.cells import Store
from robustmeta.study.data import Data
from robustmeta.study.plan import plan

EXPERIMENTS = Path(__file__).resolve().parents[2] / "experiments"
LARGE = ("paper/mini_to_cub.yaml", "paper/miniimagenet.yaml", "corruptions.yaml")
STUDIES = [
    pytest.param(name, marks=[pytest.mark.slow] * (name in LARGE))
    for name in sorted(p.relative_to(EXPERIMENTS).as_posix() for p in EXPERIMENTS.rglob("*.yaml"))
]


@pytest.mark.parametrize("name", STUDIES)
def test_every_study_can_be_run_in_small_without_its_data(name: str, tmp_path: Path) -> None:
    whole, small = load_study(EXPERIMENTS / name), load_study(EXPERIMENTS / name, smoke=True)
    assert small.name == f"{whole.name}-smoke"
    assert [one.label for one in small.learners] == [one.label for one in whole.learners]
    assert [t.label for t in small.targets] == [t.label for t in whole.targets]
    assert (small.images, small.backbone) == (whole.images, whole.backbone)
    assert {p.source.name for p in (*small.sources, *small.targets)} == {"glyphs"}
    planned = plan(small, Store(tmp_path), Data(small.images))
    hungriest = max(one.method.diet().images for one in (*small.learners, *small.baselines))
    assert small.budget.images == STEPS * hungriest
    assert {w.seed for w in planned.work} == {whole.seeds[0]}
