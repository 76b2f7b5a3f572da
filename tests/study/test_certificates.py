"""Certificates through the machinery, held against plain computations."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from ran import Run, keys

from robustmeta.certificates.smoothing import draws
from robustmeta.core import to_float
from robustmeta.functional.smoothing import certify, predict
from robustmeta.report.page import html
from robustmeta.report.tables import tables
from robustmeta.rng import Rng, combine
from robustmeta.study.certified import measures, radii
from robustmeta.study.execute import Silent, Worker
from robustmeta.tracking.curves import certificates
from robustmeta.tracking.runs import learner_runs

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("fresh_plugins")]
N0, N = 10, 40
ENTRY = {"label": "safe", "certificate": "smoothing", "sigma": [0.1, 0.3], "n0": N0, "n": N, "episodes": 3}


def made(root: Path, **changes: Any) -> Run:
    return Run(root, **{"shifts": [ENTRY], "seeds": [0, 1]} | changes).whole()


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    return made(tmp_path_factory.mktemp("store"))


def test_work_is_planned_as_it_is_done(run: Run) -> None:
    assert run.progress.total == run.progress.seen
    assert run.work("maml", "safe", 100).passes == 3 * 9 * (N0 + N)


@pytest.mark.parametrize("learner", ["maml", "protonet"])
def test_records_are_a_plain_computation(run: Run, learner: str) -> None:
    work = run.work(learner, "safe", 300)
    bench = Worker(run.study, run.store, run.data, Silent())._bench(work)
    e, x = bench.episodes[:3], to_float(bench.domain.images)
    rng = Rng(0, ("certificate", "smoothing"), combine(e.number[:, None], bench.domain.ids[e.query.numpy()]))
    noise = draws(rng, 0, N0 + N, tuple(x.shape[1:]))
    with torch.no_grad():
        classifier = bench.adaptation.adapt(bench.net, x[e.support], e.support_y, e.way, Rng(0, ("adapt",), e.number))
        answers = [classifier(x[e.query] + 0.3 * noise[:, :, j]).argmax(-1).flatten() for j in range(N0 + N)]
    counts = torch.nn.functional.one_hot(torch.stack(answers), 3)
    first, second = counts[:N0].sum(0).numpy(), counts[N0:].sum(0).numpy()
    answer, radius = certify(first, second, 0.3, 0.001)
    frame = run.queries(learner, "safe", 300)
    assert list(frame.columns) == ["predicted", "label", "certified", "radius"]
    np.testing.assert_array_equal(frame["certified"], answer)
    np.testing.assert_array_equal(frame["radius"], radius)
    np.testing.assert_array_equal(frame["predicted"], predict(second, 0.001))
    np.testing.assert_array_equal(frame["label"], e.query_y.flatten())
    assert (radius > 0).any()


def test_results_are_means_over_queries_and_seeds(run: Run) -> None:
    table = run.results.certificates
    rows = table[(table["learner"] == "maml") & (table["sigma"] == 0.1)].set_index(["measure", "radius"])["mean"]
    frames = [run.queries("maml", "safe", 100, seed) for seed in (0, 1)]
    right = [f["certified"] == f["label"] for f in frames]
    at = sorted(r for m, r in rows.index if m == "certified_accuracy")
    assert at[0] == 0
    assert at[1] == 0.005
    assert 0.08 < at[-1] <= run.work("maml", "safe", 100).shift.certificate.largest(0.1)
    for r in (0.0, at[len(at) // 2], at[-1]):
        expected = np.mean([(ok & (f["radius"] >= r)).mean() for ok, f in zip(right, frames, strict=True)])
        assert rows["certified_accuracy", r] == pytest.approx(expected)
    radius = np.mean([f["radius"] * ok for ok, f in zip(right, frames, strict=True)])
    assert rows["mean_radius"].item() == pytest.approx(radius)
    assert rows["abstained"].item() == pytest.approx(np.mean([f["predicted"] == -1 for f in frames]))
    smoothed = np.mean([f["predicted"] == f["label"] for f in frames])
    assert rows["smoothed_accuracy"].item() == pytest.approx(smoothed)
    assert rows["certified_accuracy"].is_monotonic_decreasing
    assert set(table["confidence"]) == {0.999}
    assert set(table["n_episodes"]) == {3}
    assert set(table["n_seeds"]) == {2}


def test_measures_count_what_is_wrong_or_open_as_zero() -> None:
    frame = pd.DataFrame(
        {"predicted": [0, -1, 1, 0], "label": 0, "certified": [0, -1, 1, 0], "radius": [0.1, 0.0, 0.3, 0.2]}
    )
    found = measures(frame, 2, np.array([0.0, 0.1, 0.2]))
    assert [v.tolist() for v in found.values()] == [
        *([0.5, 0.5], [0.5, 0.5], [0.0, 0.5]),
        *([0.5, 0.5], [0.5, 0.0], pytest.approx([0.05, 0.1])),
    ]
    assert radii(0.616).tolist() == pytest.approx([0.02 * k for k in range(31)])
    assert radii(0.0).tolist() == [0.0]


def test_points_have_no_certificates_and_other_cells_no_other_keys(run: Run, tmp_path: Path) -> None:
    assert set(run.results.points["shift"]) == {"clean"}
    assert set(run.results.seeds["shift"]) == {"clean"}

    noise = {"corruption": "gaussian_noise", "severity": [1]}
    alone, with_it = keys(tmp_path, shifts=[noise]), keys(tmp_path, shifts=[noise, ENTRY])
    assert {k: v for k, v in with_it.items() if k[1] != "safe"} == alone
    for change in ({"n": 41}, {"alpha": 0.002}, {"sigma": [0.1, 0.301]}):
        other = keys(tmp_path, shifts=[noise, ENTRY | change])
        changed = {k for k in with_it if with_it[k] != other.get(k)}
        assert {k[1] for k in changed} == {"safe"}
        assert len(changed) == (3 if "sigma" in change else 6)


def test_the_report_and_mlflow_show_it(run: Run) -> None:
    page = html(run.results)
    assert '<a href="#certificates">Certificates</a>' in page
    assert "of 1,000 certified queries about 1 may be wrong" in page
    assert "Drawings of new, safe sigma 0.3" in page
    assert "Certified accuracy in % on new, safe sigma 0.1, by radius. maml: " in page
    assert "transductive learner the queries" not in page
    assert tables(run.results)["certificates.csv"].count("\n") == len(run.results.certificates) + 1
    found = {(p.key, p.step): p.value for p in certificates(run.results, "maml", 1)}
    table = run.results.certificates
    row = table[(table["learner"] == "maml") & (table["sigma"] == 0.1) & (table["radius"] == 0.005)]
    assert found["certified/new/safe-sigma-0.1", 5] == row["mean"].item()
    assert ("mean_radius/new/safe", 300) in found
    (runs, *_) = learner_runs(run.results)
    assert {p.key for p in runs[0].points} >= {k for k, _ in found}
    assert not any("safe" in p.key for p in runs[0].points if p.key.startswith("acc/"))


def test_of_a_transductive_learner_the_whole_set_is_certified(tmp_path: Path) -> None:
    learner = {"name": "maml", "train": {"way": 3, "shot": 2, "query": 3, "tasks": 4}}
    entry = ENTRY | {"sigma": [0.3], "n": 10, "n0": 1, "episodes": 2}
    backbone = {"name": "conv4", "width": 4, "norm": "batch"}
    run = made(tmp_path, learners=[learner], baselines=[], shifts=[entry], seeds=[0], backbone=backbone)
    assert set(run.results.certificates["transductive"]) == {True}
    assert "transductive learner the queries" in html(run.results)
