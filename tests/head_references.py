"""Metric-based and closed-form heads written out for one task at a time with NumPy, scikit-learn or loops, in float64.

Each ``..._gap`` is the largest difference of ours from its reference; planted faults must raise it.
"""

import learners
import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from sklearn.linear_model import Ridge as ScikitRidge
from sklearn.neighbors import NearestCentroid
from sklearn.svm import LinearSVC
from torch import Tensor, nn

from robustmeta.adaptations.matching import Attention, Distance, Matching
from robustmeta.adaptations.ridge import Ridge
from robustmeta.adaptations.simpleshot import SimpleShot
from robustmeta.adaptations.svm import Svm
from robustmeta.config.components import EmbeddingAdaptation
from robustmeta.functional.normalise import batch_statistics
from robustmeta.functional.svm import support_vector_machine
from robustmeta.heads.relation import RelationHead
from robustmeta.heads.solved import RidgeHead, SvmHead
from robustmeta.methods.features import FeatureLearner
from robustmeta.nets import Network
from robustmeta.rng import Rng

WAY, IMAGES, FEATURES = 4, 18, 12
Array = NDArray[np.float64]


def supports(images: int = IMAGES, features: int = FEATURES, tasks: int = 3) -> tuple[Tensor, Tensor, Tensor]:
    """Support features, labels far from balanced, and query features, all positive and apart by class."""
    rng = Rng(11, ("heads",), np.arange(tasks, dtype=np.uint64))
    y = torch.arange(images).where(torch.arange(images) < 2 * WAY, 0) % WAY
    y = y[rng.permutation(images)]
    centres = rng.normal(WAY, features)
    z = centres[torch.arange(tasks)[:, None], y] + 0.8 * rng.normal(images, features)
    return z.relu().double(), y, (centres.repeat(1, 2, 1) + rng.normal(2 * WAY, features)).relu().double()


def body() -> Network:
    """A network whose features are those given, with a mean source feature that is not zero."""
    plain = nn.Identity()
    plain.features = FEATURES  # type: ignore[assignment]
    net = Network(plain).double()
    net.centre.copy_(torch.linspace(0, 1, FEATURES))
    return net


def logits_of(adaptation: EmbeddingAdaptation, z: Tensor, y: Tensor, query: Tensor) -> Tensor:
    """Logits (T, Q, way) of an adaptation on features."""
    return adaptation.fit(body(), z, y, WAY, learners.task_rng(len(z)))(query)


def _unit(v: Array) -> Array:
    return v / np.linalg.norm(v, axis=-1, keepdims=True)


def matching_gap(distance: Distance) -> float:
    """Of probabilities from attention summed image by image."""
    z, y, query = supports()
    got = logits_of(Matching(distance=distance), z, y, query).exp().numpy()
    gap = 0.0
    for t in range(len(z)):
        for q, x in enumerate(query[t].numpy()):
            score = [
                x @ s / np.sqrt((x @ x) * (s @ s)) if distance == "cosine" else -sum((x - s) ** 2) for s in z[t].numpy()
            ]
            attention = np.exp(score) / np.exp(score).sum()
            for k in range(WAY):
                mine = sum(a for a, label in zip(attention, y[t].tolist(), strict=True) if label == k)
                gap = max(gap, abs(mine - got[t, q, k]))
    return gap


def simpleshot_gap() -> float:
    """Of logits from distances to scikit-learn's centroids of centred features of unit length."""
    z, y, query = supports()
    got, centre = logits_of(SimpleShot(), z, y, query).numpy(), body().centre.numpy()
    gap = 0.0
    for t in range(len(z)):
        centroids = NearestCentroid().fit(_unit(z[t].numpy() - centre), y[t].numpy()).centroids_
        unit = _unit(query[t].numpy() - centre)
        squares = ((unit[:, None] - centroids) ** 2).sum(-1)
        gap = max(gap, np.abs(got[t] + squares).max())
    return float(gap)


def ridge_gap() -> float:
    """Of logits from scikit-learn's ridge regression without intercept, on features of unit length."""
    z, y, query = supports()
    got, gap = logits_of(Ridge(ridge=0.3, scale=7.0), z, y, query).numpy(), 0.0
    for t in range(len(z)):
        model = ScikitRidge(alpha=0.3, fit_intercept=False, solver="svd").fit(_unit(z[t].numpy()), np.eye(WAY)[y[t]])
        gap = max(gap, np.abs(got[t] - 7.0 * model.predict(_unit(query[t].numpy()))).max())
    return float(gap)


def r2d2_gap() -> float:
    """Of logits from the primal normal equations, with learned numbers that are not the first ones."""
    z, y, query = supports()
    head = RidgeHead(1.0, 2.0).double()
    with torch.no_grad():
        head.log_ridge.fill_(np.log(3.0))
        head.shift.fill_(0.25)
        got, gap = head.fit(z, y, WAY)(query).numpy(), 0.0
    for x, label, q, mine in zip(z.numpy(), y, query.numpy(), got, strict=True):
        weight = np.linalg.inv(x.T @ x + 3.0 * np.eye(FEATURES)) @ x.T @ np.eye(WAY)[label]
        gap = max(gap, np.abs(mine - (2.0 * q @ weight + 0.25)).max())
    return float(gap)


def svm_gap(c: float, images: int = IMAGES) -> float:
    """Of logits from scikit-learn's machine, as a share of their largest, on features of unit length."""
    z, y, query = supports(images)
    got, gap = logits_of(Svm(c=c, scale=1.0), z, y, query).numpy(), 0.0
    for t in range(len(z)):
        model = LinearSVC(C=c, multi_class="crammer_singer", fit_intercept=False, tol=1e-9, max_iter=1_000_000)
        scores = model.fit(_unit(z[t].numpy()), y[t].numpy()).decision_function(_unit(query[t].numpy()))
        gap = max(gap, np.abs(got[t] - scores).max() / np.abs(scores).max())
    return float(gap)


def svm_gradient_gap(c: float, images: int = IMAGES) -> float:
    """Of the slope along a random direction from the finite difference, as a share of it; the worst of all tasks."""
    z, y, _ = supports(images)
    rng = Rng(12, ("directions",), np.arange(len(z), dtype=np.uint64))
    direction, upper = rng.normal(*z.shape[1:]).double(), rng.normal(FEATURES, WAY).double()

    def value(at: Tensor, tolerance: float) -> Tensor:
        return (support_vector_machine(at, y, WAY, c, tolerance) * upper).sum((1, 2))

    at = z.clone().requires_grad_()
    (gradient,) = torch.autograd.grad(value(at, 1e-12).sum(), at)
    slope = (gradient * direction).sum((1, 2))
    expected = (value(z + 1e-5 * direction, 1e-12) - value(z - 1e-5 * direction, 1e-12)) / 2e-5
    return float(((slope - expected) / expected).abs().max())


def relation_module(head: RelationHead, joined: Tensor) -> Tensor:
    """The score of one pair (1, 2 C, h, w), written out for running averages of mean 0 and variance 1."""
    p = dict(head.named_parameters())
    convolutions = [k.removesuffix(".weight") for k, v in p.items() if v.ndim == 4]
    for name in convolutions:
        joined = F.conv2d(joined, p[f"{name}.weight"], padding=p[f"{name}.weight"].shape[-1] // 2)
        joined = F.relu(joined / (1 + 1e-5) ** 0.5)
        if joined.shape[-1] > 1:
            joined = F.max_pool2d(joined, 2)
    (w1, b1), (w2, b2) = [(v, p[k.replace("weight", "bias")]) for k, v in p.items() if v.ndim == 2]
    return F.relu(joined.flatten() @ w1.T + b1) @ w2.T + b2


def relation_gap(shape: tuple[int, int, int] = (3, 2, 2)) -> float:
    """Of logits from pairs made one by one."""
    z, y, query = supports()
    with torch.random.fork_rng():
        torch.manual_seed(3)
        head = RelationHead(shape, 6, 5).double()
        for p in (p for p in head.parameters() if p.ndim == 2):
            nn.init.normal_(p)
    got, gap = head.fit(z, y, WAY)(query).detach(), 0.0
    for t in range(len(z)):
        for k in range(WAY):
            total = sum(x for x, label in zip(z[t], y[t].tolist(), strict=True) if label == k)
            for q in range(query.shape[1]):
                maps = [v.reshape(1, *shape) for v in (total, query[t, q])]  # type: ignore[union-attr]
                gap = max(gap, abs(float(relation_module(head, torch.cat(maps, 1)).detach() - got[t, q, k])))
    return gap


def loss_gap(name: str) -> float:
    """Of the loss of a training step on two tasks from the paper's, on features of all images in one pass."""
    method, tasks = learners.small(name), learners.made_tasks(dtype=torch.float64)
    assert isinstance(method, FeatureLearner)
    net = learners.build(method).double()
    found = method.backward(net, tasks, Rng(0, ("train",), [0])).loss
    x = torch.cat([tasks.support_x, tasks.query_x], 1)
    shots = tasks.support_x.shape[1]
    with batch_statistics(), torch.no_grad():
        z = net(x.flatten(0, 1)).unflatten(0, x.shape[:2])
        total = EXPECTED[name](net, z[:, :shots], tasks.support_y, z[:, shots:], tasks.query_y)
    return abs(found - float(total) / tasks.query_y.numel())


def _attention_loss(net: Network, z: Tensor, y: Tensor, query: Tensor, query_y: Tensor) -> Tensor:
    p = Attention(z, y, 3, "cosine")(query).exp()
    return -p.gather(-1, query_y[..., None]).log().sum()


def _distance_loss(net: Network, z: Tensor, y: Tensor, query: Tensor, query_y: Tensor) -> Tensor:
    onehot = F.one_hot(y, 3).double()
    centres = onehot.mT @ z / onehot.sum(1)[..., None]
    p = (-(torch.cdist(query, centres) ** 2)).softmax(-1)
    return -p.gather(-1, query_y[..., None]).log().sum()


def _relation_loss(net: Network, z: Tensor, y: Tensor, query: Tensor, query_y: Tensor) -> Tensor:
    assert isinstance(net.head, RelationHead)
    score = net.head.fit(z, y, 3)(query).sigmoid()
    return sum((score[..., k] - (query_y == k).double()).square().sum() for k in range(3)) / 3  # type: ignore[return-value]


def _ridge_loss(net: Network, z: Tensor, y: Tensor, query: Tensor, query_y: Tensor) -> Tensor:
    ridge = net.head.get_parameter("log_ridge").exp() * torch.eye(z.shape[-1], dtype=z.dtype)
    weight = torch.linalg.solve(z.mT @ z + ridge, z.mT @ F.one_hot(y, 3).double())
    return F.cross_entropy((10.0 * query @ weight).flatten(0, 1), query_y.flatten(), reduction="sum")


def _svm_loss(net: Network, z: Tensor, y: Tensor, query: Tensor, query_y: Tensor) -> Tensor:
    assert isinstance(net.head, SvmHead)
    logs = net.head.fit(z, y, 3)(query).log_softmax(-1)
    label = F.one_hot(query_y, 3).double()
    smooth = 0.9 * label + 0.05 * (1 - label)
    return -(smooth * logs).sum()


EXPECTED = {
    "matching": _attention_loss,
    "metaoptnet": _svm_loss,
    "protonet": _distance_loss,
    "r2d2": _ridge_loss,
    "relation": _relation_loss,
}
