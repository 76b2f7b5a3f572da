"""Closed-form heads against scikit-learn and NumPy."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from sklearn.linear_model import LogisticRegression

from robustmeta.functional.logistic import logistic_regression
from robustmeta.functional.prototypes import lower_absent, negative_squared_distances, prototypes


def features(tasks: int, images: int, size: int, way: int) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(size)
    y = torch.stack([torch.arange(images)[torch.randperm(images, generator=generator)] % way for _ in range(tasks)])
    centres = torch.randn(tasks, way, size, generator=generator)
    z = centres[torch.arange(tasks)[:, None], y] + torch.randn(tasks, images, size, generator=generator)
    return F.normalize(z.relu(), dim=-1), y


@pytest.mark.parametrize("c", [0.01, 1.0, 100.0, 1e4])
@pytest.mark.parametrize("size", [4, 60])
def test_probabilities_are_scikit_learns(c: float, size: int) -> None:
    z, y = features(4, 25, size, 5)
    y[0, :] = torch.tensor([0] * 15 + [1] * 4 + [2] * 3 + [3] * 2 + [4])  # far from balanced
    query, _ = features(4, 30, size, 5)
    w, b = logistic_regression(z, y, 5, c)
    got = (query @ w.mT + b[:, None]).softmax(-1)
    for t in range(4):
        model = LogisticRegression(C=c, tol=1e-8, max_iter=20_000).fit(z[t].double().numpy(), y[t].numpy())
        np.testing.assert_allclose(got[t], model.predict_proba(query[t].double().numpy()), atol=1e-4)


def test_no_task_depends_on_another() -> None:
    z, y = features(5, 20, 16, 4)
    w, b = logistic_regression(z, y, 4, 10.0)
    for t in range(5):
        wt, bt = logistic_regression(z[t : t + 1], y[t : t + 1], 4, 10.0)
        torch.testing.assert_close((wt[0], bt[0]), (w[t], b[t]), atol=1e-5, rtol=1e-4)


def test_a_missing_class_is_finite_and_never_chosen() -> None:
    z, y = features(3, 20, 16, 4)
    y = y.clamp(max=2)
    w, b = logistic_regression(z, y, 4, 10.0)
    logits = z @ w.mT + b[:, None]
    assert logits.isfinite().all()
    assert (logits.softmax(-1)[..., 3] < 1e-4).all()
    model = LogisticRegression(C=10.0, tol=1e-8, max_iter=20_000).fit(z[0].numpy(), y[0].numpy())
    np.testing.assert_allclose(logits[0].softmax(-1)[:, :3], model.predict_proba(z[0].numpy()), atol=1e-4)


def test_prototypes_are_numpys() -> None:
    z, y = features(3, 17, 8, 5)
    query, _ = features(3, 6, 8, 5)
    centres, counts = prototypes(z, y, 5)
    logits = negative_squared_distances(query, centres)
    for t in range(3):
        for k in range(5):
            mean = np.mean([z[t, i].numpy() for i in range(17) if y[t, i] == k], axis=0)
            assert counts[t, k] == sum(int(v) == k for v in y[t])
            for q in range(6):
                expected = -sum((query[t, q].numpy() - mean) ** 2)
                assert logits[t, q, k] == pytest.approx(expected, abs=1e-5)


def test_a_class_without_support_stands_below_all_others() -> None:
    z, y = features(2, 12, 8, 3)
    centres, counts = prototypes(z, y, 4)
    logits = lower_absent(negative_squared_distances(z, centres), counts)
    assert logits.isfinite().all()
    assert (logits[..., 3] < logits[..., :3].amin(-1) - 10).all()
