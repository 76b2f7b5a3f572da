"""easyfsl as it runs on a current torch: its loop over episodes, on images and on embeddings made beforehand."""

import random
from collections.abc import Callable
from functools import partialmethod
from typing import Any
from unittest.mock import patch

import torch
from torch import nn
from torch.utils.data import DataLoader, Sampler, TensorDataset

from robustmeta.core import Domain, Episodes, TaskShape, gather, to_float


def predictions(net: nn.Module, domain: Domain, episodes: Episodes) -> torch.Tensor:
    """Its classes (T, Q) for the queries of our episodes."""
    from easyfsl.methods import PrototypicalNetworks

    tasks, model = gather(episodes, domain.images, domain.images), PrototypicalNetworks(net).eval()
    found: list[torch.Tensor] = []
    with torch.no_grad():
        for x, y, query in zip(tasks.support_x, tasks.support_y, tasks.query_x, strict=True):
            model.process_support_set(x, y)
            found.append(model(query).argmax(1))
    return torch.stack(found)


def loop(net: nn.Module, domain: Domain, shape: TaskShape, tasks: int) -> float:
    """Accuracy on so many of its own episodes, each of which goes through the network."""
    from easyfsl.datasets import WrapFewShotDataset

    labels = [int(y) for y in domain.labels]
    images = list(zip(to_float(domain.images), labels, strict=True))
    with patch("easyfsl.datasets.wrap_few_shot_dataset.tqdm", _plain):
        dataset = WrapFewShotDataset(images)  # type: ignore[arg-type]
    return _evaluate(net, dataset, shape, tasks)


def precomputed(net: nn.Module, domain: Domain, shape: TaskShape, tasks: int) -> float:
    """The same, when every image has gone through the network once."""
    from easyfsl.datasets import FeaturesDataset
    from easyfsl.utils import predict_embeddings

    loader = DataLoader(TensorDataset(to_float(domain.images), domain.labels), batch_size=500)
    with patch("easyfsl.utils.tqdm", _plain):
        dataset = FeaturesDataset.from_dataframe(predict_embeddings(loader, net.eval()))
    return _evaluate(nn.Identity(), dataset, shape, tasks)


def _evaluate(net: nn.Module, dataset: Any, shape: TaskShape, tasks: int) -> float:
    from easyfsl.methods import PrototypicalNetworks
    from easyfsl.samplers import TaskSampler
    from easyfsl.utils import evaluate

    random.seed(0)
    with patch.object(Sampler, "__init__", partialmethod(_no_source, Sampler.__init__)):
        sampler = TaskSampler(dataset, shape.way, shape.shot, shape.query, tasks)
    loader = DataLoader(dataset, batch_sampler=sampler, collate_fn=sampler.episodic_collate_fn)
    return evaluate(PrototypicalNetworks(net), loader, device="cpu", use_tqdm=False)


def _no_source(sampler: Any, original: Callable[[Any], None], **_: object) -> None:
    """What torch's sampler is made from since it takes no ``data_source``."""
    original(sampler)


def _plain(items: Any, **_: object) -> Any:
    return items
