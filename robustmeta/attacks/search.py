"""What the built-in attacks have in common."""

from abc import ABC, abstractmethod

from torch import Tensor

from robustmeta.attacks.queries import Queries
from robustmeta.config.components import Attack
from robustmeta.core import Classifier
from robustmeta.rng import Rng


class Search(Attack, ABC):
    """An attack that keeps the worst of all queries it has seen, the clean ones among them.

    A query that has fallen is not attacked any further. Where a classifier couples the queries of a task, versions are
    compared, and fall, by task.
    """

    def perturb(self, classifier: Classifier, x: Tensor, y: Tensor, eps: float, rng: Rng) -> Tensor:
        """Perturb x (T, Q, C, H, W) in [0, 1] by at most eps."""
        if eps == 0:
            return x.clone()
        queries = Queries(classifier, x, y, rng)
        self.search(queries, eps)
        return queries.result()

    def passes(self, way: int) -> int:
        """The clean query, then what the search sees."""
        return 1 + self.looks(way)

    @abstractmethod
    def search(self, queries: Queries, eps: float) -> None:
        """Offer versions of the standing queries within eps of them and [0, 1]."""

    @abstractmethod
    def looks(self, way: int) -> int:
        """Forward passes of the search for each query image, at most; StudyError where there are too few classes."""
