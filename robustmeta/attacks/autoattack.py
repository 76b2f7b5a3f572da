"""The parameter-free ensemble."""

from pydantic import Field

from robustmeta.attacks.apgd import APGD
from robustmeta.attacks.apgd_t import APGDT
from robustmeta.attacks.ascent import Norm
from robustmeta.attacks.fab import FAB
from robustmeta.attacks.queries import Queries
from robustmeta.attacks.search import Search
from robustmeta.attacks.square import Square
from robustmeta.attacks.ways import DLR_WAY, TARGETED_DLR_WAY
from robustmeta.config.components import component


@component("autoattack", paper="Croce and Hein 2020, Reliable Evaluation of Adversarial Robustness with an Ensemble")
class AutoAttack(Search):
    """APGD on the cross-entropy, APGD-T, FAB-T and Square in this order, each on the queries that still stand.

    The published standard version, but for what tasks of few classes leave out: see ``notes``. Of a coupled classifier,
    the worst set of queries of each task counts.
    """

    norm: Norm = "linf"
    steps: int = Field(100, ge=1, description="steps of each gradient attack, for each target")
    queries: int = Field(5000, ge=1, description="queries of Square")
    restarts: int = Field(1, ge=1, description="starts of each attack")
    targets: int = Field(9, ge=1, description="other classes aimed at, the likeliest first")

    def search(self, queries: Queries, eps: float) -> None:
        """One attack after the other."""
        for attack in self.members(queries.logits.shape[1]):
            attack.search(queries.under(attack.name), eps)

    def looks(self, way: int) -> int:
        """All of its attacks'."""
        return sum(attack.looks(way) for attack in self.members(way))

    def members(self, way: int) -> list[Search]:
        """Its attacks on tasks of so many classes."""
        gradient = {"norm": self.norm, "steps": self.steps, "restarts": self.restarts}
        targeted = {**gradient, "targets": self.targets}
        middle = [APGDT.model_validate(targeted)] if way >= TARGETED_DLR_WAY else []
        middle = [APGD.model_validate({**gradient, "loss": "dlr"})] if way == DLR_WAY else middle
        square = {"norm": self.norm, "queries": self.queries, "restarts": self.restarts}
        return [APGD.model_validate(gradient), *middle, FAB.model_validate(targeted), Square.model_validate(square)]

    def notes(self, way: int) -> tuple[str, ...]:
        """What it leaves out."""
        if way >= TARGETED_DLR_WAY:
            return ()
        instead = "apgd with loss: dlr stands in for it" if way == DLR_WAY else "nothing stands in for it"
        return (f"autoattack without apgd_t, which needs {TARGETED_DLR_WAY} classes: {instead}",)
