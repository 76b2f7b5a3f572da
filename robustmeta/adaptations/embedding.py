"""What adaptations on fixed features share."""

from abc import ABC
from functools import cache

from torch import Tensor, nn
from torch.func import functional_call

from robustmeta.adaptations.classifier import OnFeatures, TaskNetwork
from robustmeta.backbones.frozen import frozen
from robustmeta.config.components import EmbeddingAdaptation
from robustmeta.core import Classifier, Head, StudyError, TaskShape
from robustmeta.functional.inner_loop import per_task, tracking
from robustmeta.nets import as_network
from robustmeta.rng import Rng


class FixedFeatures(EmbeddingAdaptation, ABC):
    """A head fitted to the features of an unchanged body. A concrete one states ``fit``."""

    def embed(self, net: nn.Module, x: Tensor) -> Tensor:
        """(N, C, H, W) -> (N, D) under the running statistics; differentiable in x alone.

        Raises:
            StudyError: a normalisation that looks at other images: features exist only within a task (use ``adapt``).
        """
        network = as_network(net)
        if network.mode != "auto":
            raise StudyError(f"norm: {network.mode} has no features of a single image; adapt task by task")
        if not any(p.requires_grad for p in network.body.parameters()):  # a frozen one has nothing to detach
            return network.body(x)
        return functional_call(network.body, self._body(net), (x,))

    def adapt(self, net: nn.Module, support_x: Tensor, support_y: Tensor, way: int, rng: Rng) -> Classifier:
        """Fit the head to the support's features (T, S, D); under ``batch`` these use the support's own statistics."""
        network = as_network(net)
        body = self._body(net)
        with tracking(support_x):
            if network.mode == "auto":
                z = self.embed(net, support_x.flatten(0, 1)).unflatten(0, support_x.shape[:2])
                return self.classifier(net, self.fit(net, z, support_y, way, rng))
            z, given = per_task(network.body, body, {}, support_x, record=True)
            head = self.fit(net, z, support_y, way, rng)
            return TaskNetwork(network.body, body, {}, network.mode, support_x, given, head)

    def classifier(self, net: nn.Module, head: Head) -> Classifier:
        """The head on ``embed``; the network is frozen at the first question."""
        asked = cache(lambda: frozen(as_network(net)))
        return OnFeatures(lambda x: self.embed(asked(), x), head)

    def passes(self, shape: TaskShape, tasks: int) -> int:
        """Every support image once."""
        return tasks * shape.way * shape.shot

    def _body(self, net: nn.Module) -> dict[str, Tensor]:
        return {k: p.detach() for k, p in as_network(net).body.named_parameters()}
