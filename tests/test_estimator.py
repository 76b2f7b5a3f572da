"""A stored learner as a scikit-learn classifier."""

import json
import pickle
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tiny
import torch
from sklearn.base import clone
from sklearn.utils.estimator_checks import check_estimator

from robustmeta.core import to_float
from robustmeta.estimator import FewShotClassifier, load
from robustmeta.store.cells import Store, StoreError
from robustmeta.study.data import Data
from robustmeta.study.execute import Silent, execute
from robustmeta.study.plan import plan

pytestmark = pytest.mark.usefixtures("fresh_plugins")
NOT_PASSED = {
    "check_methods_subset_invariance": "float32 convolutions round differently in batches of other sizes, beyond 1e-7",
    "check_array_api_input": "skipped by scikit-learn: needs SCIPY_ARRAY_API, and inputs of other array libraries",
}
"""Those of scikit-learn's 55 checks that are not passed, and why."""


@pytest.fixture(scope="module")
def cells(tmp_path_factory: pytest.TempPathFactory) -> dict[tuple[str, str], Path]:
    study = tiny.study(shifts=[], baselines=[{"name": "supervised", "train": {"batch": 32}, "tune": {}}])
    store, data = Store(tmp_path_factory.mktemp("store")), Data(study.images)
    planned = plan(study, store, data)
    assert not execute(planned, store, data, Silent()).failures
    return {(w.cell.kind, w.learner.label): store.folder / w.cell.key for w in planned.work}


@pytest.fixture(scope="module")
def task() -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    domain = tiny.Toy(split="test").load(16, 1)
    images, labels = domain.images.numpy(), np.array(domain.classes)[domain.labels.numpy()]
    rows = np.flatnonzero(domain.labels.numpy() < 3)
    support = np.concatenate([rows[k::14] for k in range(3)])
    query = np.setdiff1d(rows, support)
    return images[support], labels[support], images[query], labels[query]


@pytest.mark.parametrize("learner", ["maml", "protonet", "supervised"])
def test_it_is_the_learner_of_the_cell(cells: Any, task: Any, learner: str) -> None:
    x, y, queries, truth = task
    clf = load(cells["tune", learner]).fit(x, y)
    assert clf.classes_.tolist() == sorted(set(y))
    net, adaptation, _ = clf.learner()
    classifier = adaptation.adapt(
        net, to_float(torch.from_numpy(x))[None], torch.from_numpy(np.searchsorted(clf.classes_, y))[None], 3, None
    )
    with torch.no_grad():
        expected = classifier(to_float(torch.from_numpy(queries))[None])[0].double().softmax(-1).numpy()
    np.testing.assert_allclose(clf.predict_proba(queries), expected, atol=1e-6)
    assert clf.score(queries, truth) > 0.5
    rows = queries.reshape(len(queries), -1) / 255
    np.testing.assert_allclose(clf.predict_proba(rows), expected, atol=1e-5)
    np.testing.assert_allclose(clf.predict_proba(torch.from_numpy(queries)), expected, atol=1e-6)


def test_another_adaptation(cells: Any, task: Any) -> None:
    x, y, queries, truth = task
    clf = load(cells["train", "supervised"], adapt={"name": "prototypes"}).fit(x, y)
    assert clf.learner()[1].name == "prototypes"
    assert clf.score(queries, truth) > 0.5
    with pytest.raises(ValueError, match=r"linear_probe: .*did you mean c"):
        load(cells["train", "supervised"], adapt={"name": "linear_probe", "cc": 1})


def test_it_pickles_clones_and_fits_again(cells: Any, task: Any) -> None:
    x, y, queries, _ = task
    clf = load(cells["tune", "protonet"]).fit(x, y)
    copy = pickle.loads(pickle.dumps(clf))
    np.testing.assert_array_equal(copy.predict_proba(queries), clf.predict_proba(queries))
    twice = clone(clf).fit(x[:6], y[:6]).fit(x, y)
    np.testing.assert_array_equal(twice.predict_proba(queries), clf.predict_proba(queries))


@pytest.mark.parametrize(
    ("images", "labels", "message"),
    [
        (np.zeros((4, 1, 20, 20)), [0, 0, 1, 1], "expected images of 1 x 16 x 16"),
        (np.full((4, 256), 2.0), [0, 0, 1, 1], r"floats in \[0, 1\]; got float64 from 2 to 2"),
        (np.full((4, 256), -128, np.int8), [0, 0, 1, 1], "from -128 to -128"),
        (np.zeros((4, 256)), [0, 0, 0, 0], "one class"),
        (np.zeros((4, 256)), [0, 1], "inconsistent numbers of samples"),
        (np.zeros((4, 256)), [0, 1, 2, 3], "head for 3 classes"),
        (np.full((4, 256), np.nan), [0, 0, 1, 1], "NaN"),
    ],
)
def test_wrong_input(cells: Any, images: Any, labels: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        load(cells["tune", "maml"]).fit(images, labels)


def test_wrong_cells(cells: Any, tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="no cell is there"):
        load(tmp_path / "nothing")
    with pytest.raises(StoreError, match="measurements, not a network"):
        load(cells["evaluate", "maml"])
    for name, change, message in [
        ("module", {"name": "os:system"}, "method 'os:system' is not known here"),
        ("file", {"name": "evil.py:attack"}, "not known here"),
        ("version", {"version": 77}, "made by version 77 of protonet"),
    ]:
        copied = tmp_path / name
        shutil.copytree(cells["train", "protonet"], copied)
        head = json.loads((copied / "cell.json").read_text())
        head["spec"]["method"] |= change
        (copied / "cell.json").write_text(json.dumps(head))
        with pytest.raises(StoreError, match=message):
            load(copied)


class _AnyWidth(FewShotClassifier):
    """Lays rows of any width and range into the canvas, so that scikit-learn's own data goes through."""

    def _images(self, rows: np.ndarray) -> torch.Tensor:
        squashed = 1 / (1 + np.exp(-np.clip(rows.astype(float), -50, 50)))
        columns = np.arange(256) * min(rows.shape[1], 256) // 256  # each value a band of pixels
        return super()._images(squashed[:, columns])


def test_scikit_learns_estimator_checks(cells: Any) -> None:
    outcomes = check_estimator(
        _AnyWidth(str(cells["train", "supervised"])),
        expected_failed_checks=NOT_PASSED,
        on_fail=None,
        on_skip=None,
    )
    failed = {o["check_name"]: repr(o["exception"]) for o in outcomes if o["status"] == "failed"}
    assert not failed
    rest = {o["check_name"] for o in outcomes if o["status"] != "passed"}
    assert len(outcomes) >= 55
    assert rest == set(NOT_PASSED)
