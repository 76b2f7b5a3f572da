"""Honesty flags of one attacked point: what is seen while it is attacked, and in further attacks on its first tasks."""

from dataclasses import dataclass, field

import torch
from jaxtyping import Bool
from torch import Tensor, nn

from robustmeta.config.components import Attack
from robustmeta.core import CellError, Classifier, copy_state
from robustmeta.functional.honesty import PARTS, probabilities, spread, whole
from robustmeta.functional.margins import cross_entropy
from robustmeta.rng import Rng
from robustmeta.study.flagging import norm_of
from robustmeta.study.further import PASSES, PROBED, further, passes
from robustmeta.study.watching import Gradients, Log, Watched


@dataclass
class Seen:
    """Counts over the tasks so far.

    Attributes:
        tasks, queries: attacked. way, shape (C, H, W), coupled: of them.
        training: modules in training mode.
        probed, probable: queries asked for several times, and those whose outputs could be probabilities.
        spread: the largest distance of their outputs; unsteady: whether the number of right answers changed.
        gradients, changed: computed in one forward pass, and tensors of the network that differ after all of them.
        upright, zero: queries that are right before they are attacked, and those of them whose loss has no gradient.
        silent: queries (coupled: tasks) lost by the attack; None without a measure of the norm.
        part: the largest part of ε that was used, None likewise; outside: how far a pixel lies outside [0, 1].
        compared, right: queries that further attacks saw, and those that the attack left right.
        others: those that each further attack left right.
        transferred: the attack has seen another classifier.
    """

    training: tuple[str, ...]
    tasks: int = 0
    queries: int = 0
    way: int = 0
    shape: tuple[int, ...] = ()
    coupled: bool = False
    probed: int = 0
    probable: int = 0
    spread: float = 0.0
    unsteady: bool = False
    gradients: int = 0
    changed: int = 0
    upright: int = 0
    zero: int = 0
    silent: int | None = None
    part: float | None = None
    outside: float = 0.0
    compared: int = 0
    right: int = 0
    others: dict[str, int] = field(default_factory=dict[str, int])
    transferred: bool = False


@dataclass(eq=False)
class Inspection:
    """Attacks tasks, chunk after chunk, and sees what flags need. ``episodes``: how many tasks see further attacks.

    ``spent`` is how many images that has sent forward beside the attack, of ``call`` for each call on a task's queries;
    0 is each query once.
    What the attack returns is what it would return without an inspection.
    """

    net: nn.Module
    attack: Attack
    eps: float
    episodes: int
    call: int = 0
    seen: Seen = field(init=False)
    spent: int = 0

    def __post_init__(self) -> None:
        self.seen = Seen(tuple(name or type(m).__name__ for name, m in self.net.named_modules() if m.training))

    def run(
        self, classifier: Classifier, x: Tensor, y: Tensor, rng: Rng, source: Classifier | None = None
    ) -> tuple[Tensor, Tensor, int]:
        """The attacked queries (T, Q, C, H, W) of a chunk, their logits, and the images sent forward for flags.

        ``source``: what the attack sees instead of the classifier that is measured, on the same tasks.

        Raises:
            CellError: the queries do not lie in [0, 1], or what the attack returns is not finite.
        """
        expect_pixels(x)
        seen, before = self.seen, self.seen.tasks
        seen.coupled, seen.shape = classifier.coupled, tuple(x.shape[2:])
        if (some := min(len(x), PROBED - before)) > 0:
            self._probe(classifier.select(slice(0, some)), x[:some], y[:some])
        seen.transferred = source is not None
        if source is None:
            right, zero = zero_gradients(classifier, x, y)
            seen.upright += int(right.sum())
            seen.zero += int((right & zero).sum())
        perturbed, logits = self._attack(classifier, x, y, rng, source)
        seen.way = logits.shape[-1]
        if source is None and (some := min(len(x), self.episodes - before)) > 0:
            right = int((logits[:some].argmax(-1) == y[:some]).sum())
            self._compare(classifier.select(slice(0, some)), x[:some], y[:some], rng, right)
        seen.tasks += len(x)
        seen.queries += y.numel()
        call = self.call or y.shape[1]
        cost = [
            passes(self.attack, seen.way, call, tasks, self.episodes, transferred=seen.transferred)
            for tasks in (before, seen.tasks)
        ]
        self.spent += cost[1] - cost[0]
        return perturbed, logits, cost[1] - cost[0]

    def _probe(self, classifier: Classifier, x: Tensor, y: Tensor) -> None:
        """Ask for the same answers several times."""
        seen, state = self.seen, copy_state(self.net)
        with torch.no_grad():
            with Gradients() as watch:
                first = classifier(x)
            z = torch.stack([first, *(classifier(x) for _ in range(PASSES - 1))])
        seen.gradients = max(seen.gradients, watch.count)
        seen.changed = max(seen.changed, sum(not torch.equal(v, state[k]) for k, v in self.net.state_dict().items()))
        seen.probed += y.numel()
        seen.probable += int(probabilities(z).all(0).sum())
        seen.spread = max(seen.spread, spread(z))
        seen.unsteady |= len(set((z.argmax(-1) == y).flatten(1).sum(1).tolist())) > 1

    def _attack(
        self, classifier: Classifier, x: Tensor, y: Tensor, rng: Rng, source: Classifier | None
    ) -> tuple[Tensor, Tensor]:
        """Attack, watching what it asks of the classifier that is measured, and look at what comes back."""
        seen, norm = self.seen, norm_of(self.attack)
        log = Log(x, y, norm, self.eps) if norm in PARTS and source is None else None
        watched = Watched(classifier, log, torch.arange(len(x))) if log else source or classifier
        perturbed = self.attack.perturb(watched, x, y, self.eps, rng)
        if not torch.isfinite(perturbed).all():
            raise CellError(f"attack {self.attack.name} returned NaN or infinite pixels; expected values in [0, 1]")
        seen.outside = max(seen.outside, outside(perturbed))
        with torch.no_grad():
            logits = classifier(perturbed)
        if log:
            right = logits.argmax(-1) == y
            lost = log.most > (~right).sum(1) if classifier.coupled else log.fallen & right
            seen.silent = (seen.silent or 0) + int(lost.sum())
        if norm in PARTS:
            seen.part = max(seen.part or 0.0, float(PARTS[norm](perturbed - x, self.eps).max()))
        return perturbed, logits

    def _compare(self, classifier: Classifier, x: Tensor, y: Tensor, rng: Rng, right: int) -> None:
        """Further attacks on the same queries, with the same draws."""
        self.seen.compared += y.numel()
        self.seen.right += right
        largest = min(whole(norm_of(self.attack), tuple(x.shape[2:])), self.attack.largest)
        for flag, attack in further(self.attack).items():
            eps = largest if flag == "unbounded_fails" else self.eps
            perturbed = attack.perturb(classifier, x, y, eps, rng.at(slice(0, len(x))))
            with torch.no_grad():
                left = int((classifier(perturbed).argmax(-1) == y).sum())
            self.seen.others[flag] = self.seen.others.get(flag, 0) + left


def outside(x: Tensor) -> float:
    """How far the farthest pixel lies outside [0, 1]."""
    return max(0.0, -float(x.min()), float(x.max()) - 1)


def expect_pixels(x: Tensor) -> None:
    """Refuse queries that are not in [0, 1].

    Raises:
        CellError: what they are instead.
    """
    if not ((x >= 0) & (x <= 1)).all():  # NaN too
        raise CellError(
            f"flag input_range: an attack needs queries in [0, 1]; got [{float(x.min()):.4g}, {float(x.max()):.4g}] "
            f"with mean {float(x.mean()):.4g} and standard deviation {float(x.std()):.4g}: scale images to [0, 1] and "
            "normalise inside the network"
        )


def zero_gradients(classifier: Classifier, x: Tensor, y: Tensor) -> tuple[Bool[Tensor, "T Q"], Bool[Tensor, "T Q"]]:
    """Which queries are right, and of which the cross-entropy has a gradient of exactly 0 or none at all.

    Task by task, for memory.
    """
    right, zero = torch.zeros_like(y, dtype=torch.bool), torch.ones_like(y, dtype=torch.bool)
    for t in range(len(x)):
        rows = slice(t, t + 1)
        with torch.enable_grad():
            leaf = x[rows].detach().requires_grad_()
            logits = classifier.select(rows)(leaf)
            loss = cross_entropy(logits.flatten(0, 1), y[rows].flatten()).sum()
        right[rows] = logits.argmax(-1) == y[rows]
        if loss.requires_grad:
            (gradient,) = torch.autograd.grad(loss, leaf, materialize_grads=True)
            zero[rows] = (gradient == 0).flatten(2).all(-1)
    return right, zero
