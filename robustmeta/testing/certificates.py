"""Checks of a certificate."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import numpy as np
import torch
from jaxtyping import Float
from numpy.typing import NDArray
from torch import Tensor, nn

from robustmeta.config.components import Certificate
from robustmeta.core import Certified
from robustmeta.rng import Rng
from robustmeta.testing.finding import Finding, Wrong, examine
from robustmeta.testing.rules import keyed, untouched

TASKS, QUERIES, SIZE = 2, 30, 4
SIGMAS = (0.05, 0.25, 1.0)
"""Where it must work."""
CHANCE = 4
"""Standard deviations by which more radii may be wrong than the stated confidence lets expect."""


def check_certificate(certificate: Certificate, sigma: float = 0.25) -> list[Finding]:
    """Check what every certificate must keep to, on a linear classifier, of which all radii are known.

    If it does not run at all, that is the only finding.
    """
    return examine(Proof(certificate, sigma), CHECKS)


@dataclass(eq=False)
class Plane:
    """Two classes on either side of a plane w·x + b = 0 through the middle of [0, 1]ⁿ; counts the images it sees."""

    seen: int = 0
    coupled: bool = False
    net: nn.Linear = field(default_factory=lambda: _plane())

    def __call__(self, x: Float[Tensor, "T Q C H W"]) -> Float[Tensor, "T Q 2"]:
        """Logits."""
        self.seen += x.shape[0] * x.shape[1]
        return self.net(x.flatten(2))

    def select(self, tasks: slice) -> "Plane":
        """Itself: all tasks share it."""
        return self

    def distance(self, x: Tensor) -> Tensor:
        """How far each query is from the plane (T, Q), in L2."""
        with torch.no_grad():
            z = self.net(x.flatten(2))
            return (z[..., 0] - z[..., 1]).abs() / (self.net.weight[0] - self.net.weight[1]).norm()


def _plane() -> nn.Linear:
    net = nn.Linear(SIZE**2, 2)
    w = Rng(0, ("plane",), [0]).normal(SIZE**2)[0]
    with torch.no_grad():
        net.weight.copy_(torch.stack([w, -w]))
        net.bias.copy_(torch.stack([-w.sum() / 2, w.sum() / 2]))
    return net


@dataclass(frozen=True, eq=False)
class Proof:
    """A certificate with queries to try it on."""

    certificate: Certificate
    sigma: float
    classifier: Plane = field(default_factory=Plane)
    x: Tensor = field(default_factory=lambda: Rng(0, ("x",), _keys()).uniform(1, SIZE, SIZE))

    def certify(self, x: Tensor, sigma: float, some: tuple[slice, slice] = (slice(None), slice(None))) -> Certified:
        """What it certifies of the queries, or of some of them alone."""
        return self.certificate.certify(self.classifier, x[some], sigma, Rng(0, ("check",), _keys()[some]))

    def parts(self, some: tuple[slice, slice] = (slice(None), slice(None))) -> list[Tensor]:
        """The same as tensors, at its own sigma."""
        found = self.certify(self.x, self.sigma, some)
        return [torch.as_tensor(part) for part in (found.predicted, found.answer, found.radius)]


def _keys() -> NDArray[np.uint64]:
    return np.arange(TASKS * QUERIES, dtype=np.uint64).reshape(TASKS, QUERIES)


def _runs(proof: Proof) -> str:
    found = proof.certify(proof.x, proof.sigma)
    for name, kind in (("predicted", "int64"), ("answer", "int64"), ("radius", "float64")):
        got = np.asarray(getattr(found, name))
        if got.shape != (TASKS, QUERIES) or got.dtype != kind:
            raise Wrong(f"{name}: expected {kind} {(TASKS, QUERIES)}, got {got.dtype} {got.shape}")
        if name != "radius" and not ((got >= -1) & (got < 2)).all():
            raise Wrong(f"{name}: expected classes 0..1, or -1 where there is no answer")
    if not np.isfinite(found.radius).all() or (found.radius < 0).any():
        raise Wrong("expected finite radii of 0 or more")
    return "shapes and types kept, finite"


def _answers(proof: Proof) -> str:
    found = proof.certify(proof.x, proof.sigma)
    if ((found.answer == -1) != (found.radius == 0)).any():
        raise Wrong("a radius without an answer, or an answer without a radius; abstain by -1 and 0")
    other = (found.answer >= 0) & (found.predicted >= 0) & (found.answer != found.predicted)
    if other.any():
        raise Wrong(f"{int(other.sum())} queries are certified for another class than they are predicted")
    if not (found.radius > 0).any():
        raise Wrong(f"it certifies none of {found.radius.size} queries")
    return f"{int((found.radius > 0).sum())} of {found.radius.size} queries have a radius"


def _doubt(proof: Proof) -> str:
    found = proof.certify(torch.full_like(proof.x, 0.5), proof.sigma)
    return _few(proof, found.radius > 0, "queries on the border have a radius")


def _truth(proof: Proof) -> str:
    found, true = proof.certify(proof.x, proof.sigma), proof.classifier.distance(proof.x).numpy()
    with torch.no_grad():
        own = proof.classifier(proof.x).argmax(-1).numpy()
    wrong = (found.radius > true * (1 + 1e-6)) | ((found.answer >= 0) & (found.answer != own))
    return _few(proof, wrong, "radii reach beyond the border, or are of the class behind it")


def _few(proof: Proof, wrong: NDArray[np.bool_], what: str) -> str:
    share = 1 - proof.certificate.confidence()
    most = wrong.size * share + CHANCE * (wrong.size * share) ** 0.5
    if wrong.sum() > most:
        raise Wrong(f"{int(wrong.sum())} of {wrong.size} {what}; at confidence {1 - share:g} at most {most:.2g} may")
    return f"{int(wrong.sum())} of {wrong.size} {what}"


def _sigmas(proof: Proof) -> str:
    found: list[str] = []
    for sigma in SIGMAS:
        radius, largest = proof.certify(proof.x, sigma).radius, proof.certificate.largest(sigma)
        if not np.isfinite(radius).all() or radius.max() > largest * (1 + 1e-9):
            raise Wrong(f"sigma {sigma:g}: largest() says {largest:.4g}; a radius is {radius.max():.4g}")
        found.append(f"{radius.max():.3g} of {largest:.3g}")
    return f"largest radii at sigma {', '.join(f'{s:g}' for s in SIGMAS)}: {', '.join(found)}"


def _noisy(proof: Proof) -> str:
    noisy = proof.certificate.noisy(proof.x, proof.sigma, Rng(0, ("check",), _keys()))
    if noisy.shape != proof.x.shape or not torch.isfinite(noisy).all():
        raise Wrong(f"noisy(): expected finite {tuple(proof.x.shape)}, got {tuple(noisy.shape)}")
    return "noisy() keeps the shape"


def _alone(proof: Proof) -> str:
    whole, some = proof.parts(), (slice(1, 2), slice(3, 9))
    if not all(torch.equal(a, b[some]) for a, b in zip(proof.parts(some), whole, strict=True)):
        raise Wrong("queries certified alone differ; a query must not depend on the others")
    return "queries certified alone are the same"


def _passes(proof: Proof) -> str:
    proof.classifier.seen = 0
    proof.certify(proof.x, proof.sigma)
    made, said = proof.classifier.seen / proof.x.shape[:2].numel(), proof.certificate.passes()
    if made > said:
        raise Wrong(f"passes() says {said} forward passes a query image; it makes {made:g}")
    return f"{made:g} forward passes a query image of at most {said}"


CHECKS: Mapping[str, Callable[[Proof], str]] = {
    "runs": _runs,
    "answers": _answers,
    "doubt": _doubt,
    "truth": _truth,
    "sigma": _sigmas,
    "noisy": _noisy,
    "same key": lambda proof: keyed(proof.parts, "radii"),
    "alone": _alone,
    "nothing else touched": lambda proof: untouched(proof.classifier.net, [proof.x], proof.parts),
    "passes": _passes,
}
"""Every check by name; each returns what it measured or raises."""
