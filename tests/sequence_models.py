"""Model-based heads written out in NumPy from their papers, and the checks that planted faults must turn red."""

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn

from robustmeta.functional import memory
from robustmeta.heads.cnp import Cnp
from robustmeta.heads.reading import SequenceHead
from robustmeta.heads.recurrent import Lstm, Mann
from robustmeta.heads.snail import Snail
from robustmeta.metrics.instances import instance
from robustmeta.rng import Rng

Array = NDArray[np.float64]
WAY, FEATURES = 3, 5


def made_sequences(count: int = 2, images: int = 9, features: int = FEATURES, way: int = WAY) -> tuple[Tensor, Tensor]:
    """Features (T, L, D) in float64 and labels (T, L), each class as often."""
    rng = Rng(5, ("sequences",), np.arange(count, dtype=np.uint64))
    y = torch.arange(images).remainder(way)[rng.permutation(images)]
    return rng.normal(images, features).double(), y


def made_head(kind: str, features: int = FEATURES, way: int = WAY) -> SequenceHead | Cnp:
    """A small head in float64 with random weights that are large enough to matter."""
    with torch.random.fork_rng():
        torch.manual_seed(1)
        heads = {
            "mann": lambda: Mann(features, way, 6, 9, slots=7, size=4, heads=2, decay=0.9, sharpness=1.0),
            "lstm": lambda: Lstm(features, way, 6, 9),
            "snail": lambda: Snail(features, way, 10, 4),
            "cnp": lambda: Cnp(features, way, 6),
        }
        head = heads[kind]().double()
        for p in head.parameters():
            nn.init.normal_(p, std=0.5)
    return head


def weights(module: nn.Module) -> dict[str, Array]:
    """The parameters by name."""
    return {k: p.detach().numpy() for k, p in module.named_parameters()}


def sigmoid(x: Array) -> Array:
    """1 / (1 + exp(-x))."""
    return 1 / (1 + np.exp(-x))


def softmax(x: Array) -> Array:
    """Over all entries."""
    e = np.exp(x - x.max())
    return e / e.sum()


def standard(z: Array) -> Array:
    """The features of each image without their mean and with a variance of 1."""
    return (z - z.mean(-1, keepdims=True)) / np.sqrt(z.var(-1, keepdims=True) + 1e-5)


def beside(z: Array, label: Array) -> Array:
    """Those and a label as long as they are."""
    return np.concatenate([standard(z), np.sqrt(z.shape[-1]) * label], -1)


def lstm_step(p: dict[str, Array], x: Array, h: Array, c: Array) -> tuple[Array, Array]:
    """The equations of an LSTM, with gates in the order input, forget, candidate, output."""
    a = p["cell.weight_ih"] @ x + p["cell.bias_ih"] + p["cell.weight_hh"] @ h + p["cell.bias_hh"]
    i, f, g, o = np.split(a, 4)
    c = sigmoid(f) * c + sigmoid(i) * np.tanh(g)
    return sigmoid(o) * np.tanh(c), c


def cosine(k: Array, m: Array) -> float:
    """The cosine of the angle between a key and a slot; 0 if the slot is empty."""
    return float(k @ m / (np.linalg.norm(k) * np.linalg.norm(m))) if np.any(m) else 0.0


def lru_step(
    slots: Array, read: Array, usage: Array, keys: Array, gates: Array, decay: float, sharpness: float = 1.0
) -> tuple[Array, Array, Array, Array]:
    """Equations 2 to 8 of Santoro et al. 2016 slot by slot: slots, read weights, usage and what was read."""
    heads, count = read.shape
    least = sorted(range(count), key=lambda i: (usage[i], i))[:heads]
    written = np.zeros_like(read)
    for h in range(heads):
        for i in range(count):
            written[h, i] = gates[h] * read[h, i] + (1 - gates[h]) * (i == least[h])
    after = slots.copy()
    after[least] = 0
    for i in range(count):
        for h in range(heads):
            after[i] += written[h, i] * keys[h]
    now = np.stack([softmax(np.array([sharpness * cosine(k, m) for m in after])) for k in keys])
    found = np.stack([sum(now[h, i] * after[i] for i in range(count)) for h in range(heads)])
    return after, now, decay * usage + now.sum(0) + written.sum(0), found


def memory_gap(steps: int = 6, sharpness: float = 1.0) -> float:
    """The largest difference of slots, weights, usage and reads from the paper's equations over a few steps."""
    rng = Rng(2, ("memory",), [0])
    keys, gates = rng.normal(steps, 2, 4).double(), rng.uniform(steps, 2).double()
    state = memory.empty(torch.zeros(1, 1, dtype=torch.float64), 2, 7, 4)
    slots, read, usage = np.zeros((7, 4)), np.zeros((2, 7)), np.zeros(7)
    worst = 0.0
    for t in range(steps):
        found, state = memory.access(state, keys[:, t], gates[:, t], 0.9, sharpness)
        given = keys[0, t].numpy(), gates[0, t].numpy(), 0.9, sharpness
        slots, read, usage, expected = lru_step(slots, read, usage, *given)
        pairs = zip((*state, found), (slots, read, usage, expected), strict=True)
        worst = max(worst, *(float(np.abs(a[0].numpy() - b).max()) for a, b in pairs))
    return worst


def mann_logits(head: Mann, z: Array, y: NDArray[np.int64]) -> Array:
    """The guesses (L, way) of one sequence written out."""
    p, eye = weights(head), np.eye(head.way)
    h = c = np.zeros(len(p["cell.bias_hh"]) // 4)
    slots, read, usage = np.zeros((head.slots, head.size)), np.zeros((head.heads, head.slots)), np.zeros(head.slots)
    found, label, out = np.zeros(head.heads * head.size), np.zeros(head.way), []
    for t in range(len(z)):
        h, c = lstm_step(p, np.concatenate([beside(z[t], label), found]), h, c)
        keys = np.tanh(p["keys.weight"] @ h + p["keys.bias"]).reshape(head.heads, head.size)
        gates = sigmoid(p["gates.weight"] @ h + p["gates.bias"])
        slots, read, usage, reads = lru_step(slots, read, usage, keys, gates, head.decay)
        found, label = reads.ravel(), eye[y[t]]
        out.append(p["out.weight"] @ np.concatenate([h, found]) + p["out.bias"])
    return np.stack(out)


def snail_logits(head: Snail, z: Array, y: NDArray[np.int64]) -> Array:
    """The logits (way,) of the last of one sequence, whose label is not shown, step by step for all steps."""
    shown = np.eye(head.way)[y]
    shown[-1] = 0
    x = beside(z, shown)
    for layer in head.layers:
        p, steps = weights(layer), range(len(x))
        if "pair.weight" in p:
            d, zero = layer.dilation, np.zeros(x.shape[1])
            pairs = [p["pair.weight"] @ np.r_[x[t - d] if t >= d else zero, x[t]] + p["pair.bias"] for t in steps]
            added = [np.tanh(a[: len(a) // 2]) * sigmoid(a[len(a) // 2 :]) for a in pairs]
        else:
            q, k, v = (x @ p[f"{n}.weight"].T + p[f"{n}.bias"] for n in ("query", "key", "value"))
            added = [softmax(q[t] @ k[: t + 1].T / np.sqrt(k.shape[1])) @ v[: t + 1] for t in steps]
        x = np.concatenate([x, np.stack(added)], 1)
    p = weights(head.out)
    return p["weight"] @ x[-1] + p["bias"]


def gap(kind: str) -> float:
    """The largest difference of logits from the head written out, at every image of some sequences."""
    head, (z, y) = made_head(kind), made_sequences()
    with torch.no_grad():
        got = head.guesses(z, y).numpy()  # type: ignore[union-attr]
    worst = 0.0
    for t in range(len(z)):
        if kind == "mann":
            expected = mann_logits(head, z[t].numpy(), y[t].numpy())  # type: ignore[arg-type]
        else:
            parts = [snail_logits(head, z[t, : n + 1].numpy(), y[t, : n + 1].numpy()) for n in range(z.shape[1])]  # type: ignore[arg-type]
            expected = np.stack(parts)
        worst = max(worst, float(np.abs(got[t] - expected).max()))
    return worst


def looks_ahead(kind: str) -> bool:
    """Whether a guess changes with a later image, or with the label of its own image or of a later one."""
    head, (z, y) = made_head(kind), made_sequences()
    with torch.no_grad():
        before = head.guesses(z, y)  # type: ignore[union-attr]
        for t in range(z.shape[1]):
            other_z, other_y = z.clone(), y.clone()
            other_z[:, t + 1 :] = 1 - z[:, t + 1 :]
            other_y[:, t:] = (y[:, t:] + 1) % WAY
            after = head.guesses(other_z, other_y)  # type: ignore[union-attr]
            if not torch.allclose(before[:, : t + 1], after[:, : t + 1], atol=1e-12):
                return True
    return False


def layer_looks_ahead(layer: nn.Module) -> bool:
    """Whether an output of a layer (T, S, C) -> (T, S, C') changes with a later input."""
    x = made_sequences(features=8)[0]
    with torch.no_grad():
        for t in range(x.shape[1]):
            other = x.clone()
            other[:, t + 1 :] += 1
            if not torch.allclose(layer(x)[:, : t + 1], layer(other)[:, : t + 1], atol=1e-12):
                return True
    return False


def bound(kind: str, way: int, steps: int) -> float:
    """Accuracy on queries after a training on tasks of one image a class and a query that is the same.

    Features of a class are one random vector of 128 numbers as a ReLU leaves them: a head has to find which label stood
    beside it.
    """
    size, tasks, draw = 128, 32, torch.Generator().manual_seed(0)
    with torch.random.fork_rng():
        torch.manual_seed(0)
        head = Snail(size, way, way + 1, 16) if kind == "snail" else Cnp(size, way, 64)
    optimiser, y, right = torch.optim.Adam(head.parameters(), lr=3e-3), torch.arange(way).expand(tasks, -1), []
    for _ in range(steps):
        z, order = (
            torch.randn(tasks, way, size, generator=draw).relu(),
            torch.rand(tasks, way, generator=draw).argsort(1),
        )
        logits = head.fit(z.take_along_dim(order[..., None], 1), order, way)(z)
        optimiser.zero_grad()
        F.cross_entropy(logits.flatten(0, 1), y.flatten()).backward()
        optimiser.step()
        right.append(float((logits.argmax(-1) == y).double().mean()))
    return float(np.mean(right[-20:]))


def learned(kind: str, steps: int = 400, way: int = 3, seed: int = 0, size: int = 16) -> list[float]:
    """Accuracy at the first to the fourth image of a class, after a training on sequences of random features.

    Features of a class are one random vector of ``size`` numbers as a ReLU leaves them, so that a new class can be told
    by sight.
    """
    images, draw = 4, torch.Generator().manual_seed(seed)
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        length = way * images
        memory = {"slots": 20, "size": 16, "heads": 2}
        mann = kind == "mann"
        head = Mann(size, way, 40, length, **memory, decay=0.95, sharpness=1.0) if mann else Lstm(size, way, 40, length)
    optimiser = torch.optim.Adam(head.parameters(), lr=1e-2)

    def sequences(count: int) -> tuple[Tensor, Tensor]:
        order = torch.rand(count, way * images, generator=draw).argsort(1)
        y = torch.arange(way).repeat(images)[order]
        return torch.randn(count, way, size, generator=draw).relu().take_along_dim(y[..., None], 1), y

    for _ in range(steps):
        z, y = sequences(32)
        optimiser.zero_grad()
        F.cross_entropy(head.guesses(z, y).flatten(0, 1), y.flatten()).backward()
        optimiser.step()
    z, y = sequences(1000)
    with torch.no_grad():
        right = (head.guesses(z, y).argmax(-1) == y).double()
    which = instance(y, way)
    return [float(right[which == k].mean()) for k in range(1, images + 1)]
