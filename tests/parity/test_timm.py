"""Networks of timm as backbones, against timm itself; run where it can be imported."""

from pathlib import Path
from typing import Any

import pytest
import torch
from backbone_references import apart, run_in
from conftest import unavailable

from robustmeta.backbones.timm import Timm
from robustmeta.core import StudyError
from robustmeta.functional.inner_loop import per_task
from robustmeta.nets import Network
from robustmeta.sources import library, owner

pytestmark = [pytest.mark.parity, pytest.mark.usefixtures("timm")]


@pytest.fixture(scope="module")
def timm() -> Any:
    if owner("timm") is None:
        unavailable(f"{library('timm')}; .ci/parity installs it")
    import timm

    return timm


@pytest.mark.parametrize(
    "name", ["resnet18", "densenet121", "efficientnet_b0", "vit_tiny_patch16_224", "convnext_atto"]
)
def test_features_are_timms_own(timm: Any, name: str, tmp_path: Path) -> None:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        own = run_in(timm.create_model(name, num_classes=10), 224)
        x = torch.rand(2, 3, 224, 224, dtype=torch.float64)
    torch.save(own.state_dict(), tmp_path / "weights.pt")
    net = Network(Timm(model=name, weights_file=tmp_path / "weights.pt").build(224, 3)).double().train()
    facts = own.pretrained_cfg
    mean, deviation = (torch.tensor(facts[k])[:, None, None] for k in ("mean", "std"))
    with torch.no_grad():  # in doubles: random weights blow the rounding of floats up
        own.double()
        expected = own.forward_head(own.forward_features((x - mean) / deviation), pre_logits=True)
        assert apart(net(x), expected) < 1e-6


def test_a_size_that_does_not_fit_says_what_to_change() -> None:
    with pytest.raises(StudyError, match=r"vit_tiny_patch16_224 does not take images of 28 pixels .*; set input_size"):
        Timm(model="vit_tiny_patch16_224").build(28, 1)
    assert Timm(model="vit_tiny_patch16_224", input_size=224).build(28, 1).features == 192


def test_tasks_with_weights_of_their_own() -> None:
    net, x = Network(Timm(model="resnet18").build(28, 1)).double(), torch.rand(2, 3, 1, 28, 28, dtype=torch.float64)
    own = {k: torch.stack([p, 1.1 * p]).detach() for k, p in net.named_parameters()}
    batched, apart = (per_task(net, {}, own, x, batched=b)[0] for b in (True, False))
    torch.testing.assert_close(batched, apart, atol=1e-8, rtol=1e-8)
