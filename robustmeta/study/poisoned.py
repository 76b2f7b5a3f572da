"""Attack supports, chunk after chunk, and see what honesty flags need."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor, nn

from robustmeta.config.components import Adaptation, SupportAttack
from robustmeta.config.flags import SLACK
from robustmeta.core import CellError, TaskShape
from robustmeta.functional.honesty import PARTS
from robustmeta.functional.inner_loop import first_order
from robustmeta.rng import Rng
from robustmeta.shifts.shift import Shift
from robustmeta.study.flagging import Finding, idle, judged, norm_of
from robustmeta.study.honesty import expect_pixels, outside
from robustmeta.study.victims import Adapting
from robustmeta.support_attacks.seed_loss import seed_slope

VERSION = 1
"""Rises when a flag is measured otherwise."""
TOGETHER_PIXELS = 500 * 28**2
"""Pixels of the supports that are attacked side by side: the graph of all their inner steps is in memory."""
Support = tuple[Tensor, Tensor]


@dataclass(eq=False)
class Poisoner:
    """An attack on supports at one strength, and what was seen of it so far.

    Attributes:
        images, dead: support images whose gradient was looked at, and those of exactly 0; there: whether a graph led to
            all of them.
        part: the largest part of what is allowed that was used, None without a measure; outside: how far a pixel lies
            outside [0, 1].
        spent: images sent forward for flags.
    """

    net: nn.Module
    attack: SupportAttack
    eps: float
    training: tuple[str, ...]
    images: int = 0
    dead: int = 0
    there: bool = True
    part: float | None = None
    outside: float = 0.0
    spent: int = 0

    def run(self, victim: Adapting, support: Support, seed: Support, rng: Rng) -> Support:
        """The attacked support of a chunk; ``rng`` has keys (T, S).

        Raises:
            CellError: what goes in is not in [0, 1], or what the attack returns is no support of these tasks.
        """
        for x in (support[0], seed[0]):
            expect_pixels(x)
        found: list[Support] = []
        together = max(1, TOGETHER_PIXELS // support[0][0, :, 0].numel())
        for start in range(0, len(support[0]), together):
            rows = slice(start, start + together)
            few, (x, y), seeds = (
                victim.select(rows),
                (support[0][rows], support[1][rows]),
                (seed[0][rows], seed[1][rows]),
            )
            if self.attack.sees:
                self._look(few, x, y, seeds)
            got = self.attack.perturb(few, (x, y), seeds, self.eps, rng.at(rows))
            self._accept((x, y), got, victim.way)
            found.append(got)
        return torch.cat([x for x, _ in found]), torch.cat([y for _, y in found])

    def _look(self, victim: Adapting, x: Tensor, y: Tensor, seed: Support) -> None:
        if self.attack.sees == 1:
            with first_order():
                slope = seed_slope(victim, x, y, seed)
        else:
            slope = seed_slope(victim, x, y, seed)
        self.images += y.numel()
        self.dead += int((slope.gradient == 0).flatten(2).all(-1).sum())
        self.there &= slope.there

    def _accept(self, before: Support, after: Support, way: int) -> None:
        (x, y), (moved, labels) = before, after
        name = f"support attack {self.attack.name}"
        if moved.shape != x.shape or labels.shape != y.shape or labels.dtype != y.dtype:
            want = f"{tuple(x.shape)} and {y.dtype} {tuple(y.shape)}"
            raise CellError(
                f"{name} returned {tuple(moved.shape)}, {labels.dtype} {tuple(labels.shape)}; expected {want}"
            )
        if not torch.isfinite(moved).all() or not 0 <= int(labels.min()) <= int(labels.max()) < way:
            raise CellError(f"{name} returned NaN or infinite pixels, or labels outside 0..{way - 1}")
        self.outside = max(self.outside, outside(moved))
        part = self._part(before, after)
        if part is not None:
            self.part = max(self.part or 0.0, part)

    def _part(self, before: Support, after: Support) -> float | None:
        """How much of what is allowed was used: of eps in the norm or in labels, and of the images that may change."""
        changed = (after[0] != before[0]).flatten(2).any(-1)
        flipped, images = (after[1] != before[1]).sum(1), before[1].shape[1]
        if self.attack.relabels:
            return float(flipped.max() / max(1, round(self.eps * images))) + float(changed.any()) * 2
        norm, fraction = norm_of(self.attack), float(dict(self.attack).get("fraction", 1.0))
        if norm not in PARTS:
            return None
        used = float(PARTS[norm](after[0] - before[0], self.eps).max())
        share = float(changed.sum(1).max() / max(1, round(fraction * images)))
        return max(used, share if share > 1 else 0.0) + float(flipped.any()) * 2


def passes(
    adaptation: Adaptation, shift: Shift, shape: TaskShape, tasks: int, *, by_features: bool = False
) -> tuple[int, int]:
    """Images that measuring a point on so many tasks sends forward, and how many of these are for flags.

    ``by_features``: the adaptation reads features of each image alone.
    """
    if not shift.poison or not isinstance(shift.poison.attack, SupportAttack):
        return 0, 0
    attack, seed = shift.poison.attack, shift.poison.seed * shape.way
    adapts, asked = attack.runs(shape.way * shape.shot, seed, shape.way, shift.value)
    one, call = adaptation.passes(shape, tasks), adaptation.answer_passes(replace(shape, query=shift.poison.seed))
    flags = one + tasks * call if attack.sees else 0
    asking = -(-asked * call // seed) + adaptation.answer_passes(shape)
    if by_features and attack.relabels:
        held = shape.way * shape.shot + seed
        return tasks * (held + adaptation.answer_passes(shape)) + one, 0
    return flags + one * (adapts + 1) + tasks * asking, flags


NO_QUERIES = "the attack is on the support: it sees no query that is measured"
NOT_RUN = (
    *("softmax_out", "randomized", "dynamic", "zero_grad", "onestep_beats_iter", "not_converged"),
    *("unbounded_fails", "silent_success"),
)
"""Flags that concern attacks on the query alone."""


def stored(seen: Poisoner | None) -> dict[str, Any]:
    """What a cell stores of flags."""
    return {"flags": {name: found.record() for name, found in flags(seen).items()}} if seen else {}


def costs(seen: Poisoner | None) -> dict[str, float]:
    """What they cost it."""
    return {"flag_passes": seen.spent} if seen else {}


def flags(seen: Poisoner) -> Mapping[str, Finding]:
    """What each flag says that needs this point alone."""
    names = ", ".join(seen.training[:3])
    return {
        **{name: idle(NO_QUERIES) for name in NOT_RUN},
        "input_range": judged(False, 0.0, "all support images and seed queries lie in [0, 1]"),
        "eval_mode": judged(
            bool(names), len(seen.training), f"in training mode: {names}" if names else "no module is in training mode"
        ),
        "norm_violation": _norm_violation(seen),
        "adaptation_bypassed": _bypassed(seen),
    }


def _norm_violation(seen: Poisoner) -> Finding:
    range_ = f"pixels up to {seen.outside:.3g} outside [0, 1]" if seen.outside else "all pixels in [0, 1]"
    if seen.part is None:
        return judged(
            seen.outside > 0, seen.outside, f"{range_}; norm {norm_of(seen.attack) or '(none)'} has no measure"
        )
    what = "labels" if seen.attack.relabels else norm_of(seen.attack)
    text = f"at most {seen.part:.4f} of what eps = {seen.eps:g} allows in {what} and in images is used; {range_}"
    return judged(seen.part > 1 + SLACK or seen.outside > 0, seen.part, text)


def _bypassed(seen: Poisoner) -> Finding:
    if not seen.attack.sees:
        return idle("the attack follows no gradient through the adaptation")
    share = seen.dead / max(1, seen.images)
    text = f"the seed loss has a gradient of 0 at {seen.dead} of {seen.images} support images"
    if not seen.there:
        return judged(True, 1.0, "no gradient of the seed loss leads through the adaptation to the support")
    if seen.attack.sees == 1:
        return judged(True, share, f"the gradient through the adaptation's steps is of first order; {text}")
    return judged(seen.dead > 0, share, f"{text}; its order is 2, or the adaptation takes no steps")
