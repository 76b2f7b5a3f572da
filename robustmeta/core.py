"""The nouns of the framework. A study becomes cells; a cell trains one learner or measures it under one shift.

Data flows one way: domain -> episodes (indices) -> tasks (pixels) -> classifier -> records. Shapes: N images, T tasks,
S support and Q query images a task, C channels, H x W pixels. Images are uint8 in a domain, float in [0, 1] in a task.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import cv2
import numpy as np
import torch
from jaxtyping import Float, Int, UInt8
from numpy.typing import NDArray
from torch import Tensor, nn

from robustmeta.rng import Rng, combine, hash64

Images = Float[Tensor, "N C H W"]
Bytes = UInt8[Tensor, "N C H W"]


class DataError(ValueError):
    """Data that is missing, broken or too small; the message says what is there and what is wanted."""


class StudyError(ValueError):
    """A study that asks for what cannot be done; the message says what to change."""


class CellError(RuntimeError):
    """A cell that cannot be computed for a reason that concerns it alone; the study goes on without it."""


@dataclass(frozen=True)
class Card:
    """What a person should know of a data set: where it comes from and under what licence."""

    title: str
    origin: str
    licence: str
    notes: str = ""


@dataclass(frozen=True, eq=False)
class Domain:
    """One distribution over labelled images, whole in memory.

    Attributes:
        images: uint8 (N, C, H, W).
        labels: int64 (N,), indices into ``classes``.
        classes: the names of the classes.
        ids: uint64 (N,), a hash of where each image comes from; the same drawing in two domains has the same id.
        factors: name -> (N,) values of what else is known of an image (face, script, writer, rotation, ...).
        card: origin and licence.
    """

    name: str
    images: Bytes
    labels: Int[Tensor, " N"]
    classes: tuple[str, ...]
    ids: NDArray[np.uint64]
    factors: Mapping[str, NDArray[np.str_]]
    card: Card

    def __post_init__(self) -> None:
        n = len(self.images)
        if not n == len(self.labels) == len(self.ids):
            raise DataError(f"{self.name}: {n} images, {len(self.labels)} labels and {len(self.ids)} ids")
        if self.images.dtype != torch.uint8 or self.images.ndim != 4:
            raise DataError(f"{self.name}: images are {self.images.dtype} {tuple(self.images.shape)}, not uint8 NCHW")
        if len(np.unique(self.ids)) != n:
            raise DataError(f"{self.name}: two images share an id")


def merge(domains: Sequence[Domain]) -> Domain:
    """One domain out of several: classes of the same name become one; a factor ``source`` tells them apart.

    An image that stands in two of them (same id) gets an id of its own in each.
    """
    if len(domains) == 1:
        return domains[0]
    classes = tuple(dict.fromkeys(c for d in domains for c in d.classes))
    index = {c: i for i, c in enumerate(classes)}
    labels = [torch.tensor([index[c] for c in d.classes])[d.labels] for d in domains]
    ids = [combine(np.full(len(d.ids), i, np.uint64), d.ids) for i, d in enumerate(domains)]
    shared = set.intersection(*(set(d.factors) for d in domains))
    factors = {f: np.concatenate([np.asarray(d.factors[f]).astype(str) for d in domains]) for f in sorted(shared)}
    factors["source"] = np.concatenate([np.full(len(d.ids), f"{i}:{d.name}") for i, d in enumerate(domains)])
    name = "+".join(d.name for d in domains)
    images = torch.cat([d.images for d in domains])
    return Domain(name, images, torch.cat(labels), classes, np.concatenate(ids), factors, domains[0].card)


@dataclass(frozen=True)
class TaskShape:
    """``way`` classes a task, ``shot`` support and ``query`` query images a class."""

    way: int
    shot: int
    query: int

    @property
    def images(self) -> int:
        """Images in one task."""
        return self.way * (self.shot + self.query)


@dataclass(frozen=True, eq=False)
class Episodes:
    """A batch of T tasks as indices into a domain; pixels are gathered later, from any view of it.

    Attributes:
        number: uint64 (T,), absolute episode numbers; every random draw of an episode is keyed by its number.
        support, query: int64 (T, S) and (T, Q), rows of the domain.
        support_y, query_y: their labels in 0..way-1.
    """

    number: NDArray[np.uint64]
    support: Int[Tensor, "T S"]
    support_y: Int[Tensor, "T S"]
    query: Int[Tensor, "T Q"]
    query_y: Int[Tensor, "T Q"]
    way: int

    def __len__(self) -> int:
        return len(self.number)

    @property
    def shape(self) -> TaskShape:
        """Their shape, on average where supports are not balanced."""
        return TaskShape(self.way, self.support.shape[1] // self.way, self.query.shape[1] // self.way)

    def rows(self) -> NDArray[np.int64]:
        """The rows of the domain that they use, each once, in order."""
        return np.unique(np.concatenate([self.support.numpy().ravel(), self.query.numpy().ravel()]))

    def __getitem__(self, rows: slice) -> "Episodes":
        support, query = (self.support[rows], self.support_y[rows]), (self.query[rows], self.query_y[rows])
        return Episodes(self.number[rows], *support, *query, self.way)


def sample(domain: Domain, shape: TaskShape, seed: int, start: int, stop: int, stream: str = "episode") -> Episodes:
    """Episodes start..stop-1 of a domain: a pure function of (seed, number, shape, class names, ids), never of pixels.

    Every class and every image gets a random rank from its name or id, so the order of rows does not matter. The query
    of a class is drawn before its support: the shot can change without changing the query.

    Raises:
        StudyError: fewer classes, or fewer images in a class, than the shape asks for.
    """
    labels = domain.labels.numpy()
    sizes = np.bincount(labels, minlength=len(domain.classes))
    wanted = shape.query + shape.shot
    able = np.flatnonzero(sizes >= wanted)
    if len(able) < shape.way:
        raise StudyError(
            f"{domain.name}: a {shape.way}-way task with {shape.shot} support and {shape.query} query images a class "
            f"needs {shape.way} classes of at least {wanted} images; there are {len(domain.classes)} classes, "
            f"{len(able)} of that size (the largest has {sizes.max(initial=0)})"
        )
    number = np.arange(start, stop, dtype=np.uint64)
    key = Rng(seed, (stream,), number).bits(1)  # (T, 1)
    names = np.array([hash64(domain.classes[c]) for c in able], np.uint64)
    chosen = able[np.argsort(combine(key, names[None]), axis=1)[:, : shape.way]]  # (T, way)

    members = np.full((len(domain.classes), sizes.max()), -1)
    order = np.argsort(labels, kind="stable")
    members[labels[order], np.arange(len(order)) - (np.cumsum(sizes) - sizes)[labels[order]]] = order
    rows = members[chosen]  # (T, way, most images a class), -1 where there is none
    score = combine(key[..., None], domain.ids[rows])
    score[rows < 0] = np.iinfo(np.uint64).max
    first = np.argsort(score, axis=2)[..., :wanted]
    rows, score = np.take_along_axis(rows, first, 2), np.take_along_axis(score, first, 2)

    def part(columns: slice) -> tuple[Tensor, Tensor]:
        r, s = rows[..., columns], score[..., columns]
        y = np.broadcast_to(np.arange(shape.way)[None, :, None], r.shape)
        flat = (len(number), -1)
        shuffle = np.argsort(combine(s.reshape(flat), np.ones(1, np.uint64)), axis=1)
        take = [torch.from_numpy(np.take_along_axis(a.reshape(flat), shuffle, 1)) for a in (r, y)]
        return take[0], take[1]

    query, query_y = part(slice(0, shape.query))
    support, support_y = part(slice(shape.query, wanted))
    return Episodes(number, support, support_y, query, query_y, shape.way)


@dataclass(frozen=True, eq=False)
class Tasks:
    """The pixels of a batch of tasks, float32 in [0, 1], with their labels. A single task is T = 1."""

    support_x: Float[Tensor, "T S C H W"]
    support_y: Int[Tensor, "T S"]
    query_x: Float[Tensor, "T Q C H W"]
    query_y: Int[Tensor, "T Q"]
    way: int


@dataclass(frozen=True, eq=False)
class Batch:
    """Plain labelled images, float32 in [0, 1], for methods that do not train on tasks."""

    x: Float[Tensor, "B C H W"]
    y: Int[Tensor, " B"]


def to_float(images: UInt8[Tensor, "*shape"]) -> Float[Tensor, "*shape"]:
    """uint8 to float32 in [0, 1]."""
    return images.float().div_(255)


def gather(episodes: Episodes, support: Bytes, query: Bytes) -> Tasks:
    """The pixels of episodes from a view of the domain for the support and one for the query."""
    return Tasks(
        to_float(support[episodes.support]),
        episodes.support_y,
        to_float(query[episodes.query]),
        episodes.query_y,
        episodes.way,
    )


class Classifier(Protocol):
    """A learner adapted to T tasks. Calling it is differentiable in x and changes nothing.

    ``coupled`` says that the logits of a query depend on the other queries of its task (transductive).
    """

    coupled: bool

    def __call__(self, x: Float[Tensor, "T Q C H W"]) -> Float[Tensor, "T Q way"]:
        """Logits."""
        ...

    def select(self, tasks: slice) -> "Classifier":
        """The classifier of some of the tasks."""
        ...


class Victim(Protocol):
    """A learner before it adapts to T tasks, as an attack on its support sees it."""

    @property
    def way(self) -> int:
        """Classes of a task."""
        ...

    def __call__(self, support_x: Float[Tensor, "T S C H W"], support_y: Int[Tensor, "T S"]) -> Classifier:
        """What it adapts to; differentiable in support_x where that asks for gradients and the adaptation has them."""
        ...

    def select(self, tasks: slice | NDArray[np.int64]) -> "Victim":
        """The same before some of the tasks, of which one may stand several times."""
        ...

    def hold(self, support_x: Float[Tensor, "S C H W"], seed_x: Float[Tensor, "R C H W"]) -> "Held":
        """The first of its tasks while its images stay and labels change; what images alone decide is computed once."""
        ...


Held = Callable[[Int[Tensor, "K S"]], Float[Tensor, "K R way"]]
"""Labels of a support -> the logits of the seed queries after adapting to it with each row of labels; no gradients."""


@dataclass(frozen=True, eq=False)
class Certified:
    """What is certified of T tasks of Q queries; -1 stands for a class where there is no answer.

    Attributes:
        predicted: int64 (T, Q), what the certified form of a classifier answers.
        answer: int64 (T, Q), the class that is certified. radius: float64 (T, Q), how far it stays, 0 without one.
    """

    predicted: NDArray[np.int64]
    answer: NDArray[np.int64]
    radius: NDArray[np.float64]


class Head(Protocol):
    """A classifier on features, fitted to the supports of T tasks. ``coupled`` as in ``Classifier``."""

    coupled: bool

    def __call__(self, z: Float[Tensor, "T Q D"]) -> Float[Tensor, "T Q way"]:
        """Logits."""
        ...

    def select(self, tasks: slice) -> "Head":
        """The head of some of the tasks."""
        ...


@dataclass(frozen=True)
class Traits:
    """What holds for a method by construction; the contract tests check it."""

    fixed_way: bool
    """A network trained for one number of classes serves no other."""
    equivariant: bool
    """Permuting the classes of the support permutes the logits."""
    order_free: bool
    """The order of the support does not matter."""
    embeds: bool
    """The network maps an image to features without looking at a support set."""


@dataclass(frozen=True)
class StepStats:
    """What one training step reports.

    ``passes`` counts images through the network, forward; ``gradient_passes`` how many of these passes were gone
    through backward, each as often as it was (by default each once).
    """

    loss: float
    passes: int
    gradient_passes: int = -1

    def __post_init__(self) -> None:
        if self.gradient_passes < 0:
            object.__setattr__(self, "gradient_passes", self.passes)


CHUNK_BYTES = 4 * 2**20
"""The most float images that a corruption is given at a time; with its temporaries it needs a small multiple of it."""
FEW_BYTES = CHUNK_BYTES // 16
"""Images that are not worth a thread of their own."""


def row_chunks(images: Tensor, chunk: int = 0) -> list[slice]:
    """Equal slices of at most ``chunk`` images, or of what ``CHUNK_BYTES`` hold in float32, for torch's threads."""
    n, size = len(images), max(1, 4 * images[:1].numel())
    parts = -(-n // (chunk or max(1, CHUNK_BYTES // size)))
    if not chunk:
        threads = torch.get_num_threads()
        parts = max(parts, min(-(-parts // threads) * threads, n, n * size // FEW_BYTES))
    return [slice(n * i // parts, n * (i + 1) // parts) for i in range(parts)]


GUARD = 1e-4
"""Keeps k/255 at k in float32, whose product with 255 may lie 2e-5 below k."""


def to_bytes(x: Float[Tensor, "*shape"]) -> UInt8[Tensor, "*shape"]:
    """[0, 1] to uint8 by truncation, as the published corruptions store images; a guard keeps k/255 at k."""
    if x.device.type != "cpu" or not x.numel():
        return x.mul(255).add_(GUARD).clamp_(0, 255).to(torch.uint8)
    rows = (-1, x.shape[-1]) if x.ndim else (1, 1)
    given = x.detach().contiguous().reshape(rows).numpy()
    made = np.empty(given.shape, np.uint8)
    cv2.convertScaleAbs(given, made, 255, GUARD - 0.5)  # rounds and cuts to 0..255, in one pass over memory
    return torch.from_numpy(made).reshape(x.shape)


def copy_state(net: nn.Module) -> dict[str, Tensor]:
    """A detached copy of a network's parameters and buffers."""
    return {k: v.detach().clone() for k, v in net.state_dict().items()}
