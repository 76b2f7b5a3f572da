"""Honesty flags of a whole study: they are stored and gathered, and leave every other number as it is."""

from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import tiny
from attacked import EPS, Plain, honest, keys, queries
from ran import Counting

from robustmeta.attacks.pgd import PGD
from robustmeta.config.flags import FLAGS
from robustmeta.config.load import StudyErrors, load_study
from robustmeta.rng import Rng
from robustmeta.store.cells import Store
from robustmeta.store.results import Results
from robustmeta.study.data import Data
from robustmeta.study.execute import execute
from robustmeta.study.flags import failing
from robustmeta.study.further import passes
from robustmeta.study.gather import gather
from robustmeta.study.honesty import Inspection
from robustmeta.study.plan import plan

pytestmark = pytest.mark.usefixtures("fresh_plugins")
ATTACKS = [{"attack": "pgd", "eps": [0.1, 0.3], "steps": 2, "episodes": 5}]


def run(root: Path, **changes: Any) -> tuple[Results, dict[str, pd.DataFrame], Counting]:
    study = tiny.study(**{"learners": [], "shifts": ATTACKS} | changes)
    store, data, progress = Store(root), Data(study.images), Counting()
    planned = plan(study, store, data)
    outcome = execute(planned, store, data, progress)
    assert not outcome.failures, outcome.failures
    frames = {w.name: store.table(w.cell.key, "queries") for w in planned.work if w.shift}
    return gather(planned, store, outcome), frames, progress


def test_flags_are_gathered_and_change_no_record(tmp_path: Path) -> None:
    found, frames, progress = run(tmp_path)
    assert progress.seen == progress.total
    rows = found.flags
    assert [tuple(r) for r in rows[["step", "flag"]].to_numpy()] == [(s, f) for s in (100, 300) for f in FLAGS]
    assert set(rows["status"]) <= {"pass", "warn", "not run"}
    assert rows["value"].isna().equals(rows["status"] == "not run")
    at = rows.set_index(["step", "flag"])["text"]
    assert at[100, "not_converged"].endswith("45 queries")
    assert "supervised keeps" in at[100, "control"]
    assert found.costs["flag_passes"].item() == 2 * passes(PGD(steps=2), 3, 9, 5, 10)

    less, others, progress = run(tmp_path / "less", flag_episodes=0)
    assert progress.seen == progress.total
    assert set(less.flags.set_index("flag").loc["not_converged", "text"]) == {"flag_episodes is 0"}
    assert less.costs["flag_passes"].item() == 2 * 9 * (5 + 5 * 4)
    for name, frame in frames.items():
        pd.testing.assert_frame_equal(frame, others[name], check_exact=True)


def test_a_study_without_attacks_has_no_flags(tmp_path: Path) -> None:
    found, _, _ = run(tmp_path, shifts=[])
    assert len(found.flags) == 0
    assert failing(found.flags, tuple(FLAGS)) == []


def test_an_attack_is_the_same_under_inspection_and_in_any_chunks() -> None:
    attack, (x, y) = PGD(steps=3), queries()
    net, rng = honest(), Rng(0, ("attack",), keys())
    plain = attack.perturb(Plain(net), x, y, EPS, rng.at(slice(None)))
    whole, parts = Inspection(net, attack, EPS, 2), Inspection(net, attack, EPS, 2)
    assert whole.run(Plain(net), x, y, rng)[0].equal(plain)
    for t in range(len(x)):
        rows = slice(t, t + 1)
        assert parts.run(Plain(net), x[rows], y[rows], rng.at(rows))[0].equal(plain[rows])
    assert parts.seen == whole.seen
    assert parts.spent == whole.spent == passes(attack, 4, x.shape[1], len(x), 2)


def test_fail_on(tmp_path: Path) -> None:
    assert tiny.study(flags={"fail_on": "all"}).flags.fail_on == tuple(FLAGS)
    assert tiny.study(flags={"fail_on": "zero_grad"}).flags.fail_on == ("zero_grad",)
    study = tmp_path / "s.yaml"
    study.write_text("name: x\nflags: {fail_on: [zero_grads]}\nflag_episodes: -1\n")
    with pytest.raises(StudyErrors) as caught:
        load_study(str(study), (), ())
    assert "no flag is called 'zero_grads'; did you mean zero_grad?" in str(caught.value)
    assert "flag_episodes: expected greater than or equal to 0" in str(caught.value)
