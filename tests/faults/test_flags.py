"""Faults of models and attacks, each of which its honesty flag must catch; honest ones pass every flag."""

from collections.abc import Callable
from functools import cache
from typing import Any, ClassVar

import numpy as np
import pytest
import torch
from attacked import EPS, QUERIES, STRONG, TASKS, Plain, Wrapped, flagged, honest, inspect, keys, queries, warned
from torch import Tensor, nn

from robustmeta.attacks.apgd import APGD
from robustmeta.attacks.autoattack import AutoAttack
from robustmeta.attacks.noise import Noise
from robustmeta.attacks.patch import Patch
from robustmeta.attacks.pgd import PGD
from robustmeta.attacks.spatial import Spatial
from robustmeta.attacks.square import Square
from robustmeta.config.components import Attack
from robustmeta.config.flags import FLAGS
from robustmeta.config.study import Canvas
from robustmeta.core import CellError
from robustmeta.rng import Rng
from robustmeta.study.flags import Attacked, Context, failing, table
from robustmeta.study.honesty import Inspection


@pytest.mark.parametrize("coupled", [False, True])
@pytest.mark.parametrize("attack", [STRONG, PGD(norm="l2", steps=20), APGD(steps=20)], ids=["linf", "l2", "apgd"])
def test_an_honest_model_and_attack_pass_every_flag(attack: Attack, coupled: bool) -> None:
    found = flagged(honest(), attack, EPS if attack.model_dump()["norm"] == "linf" else 0.5, coupled=coupled)
    assert {name: f.text for name, f in found.items() if f.status != "pass"} == {}


@pytest.mark.parametrize("attack", [Square(queries=50), Noise(), Patch(), Spatial()], ids=lambda a: a.name)
def test_attacks_of_other_kinds_pass_what_concerns_them(attack: Attack) -> None:
    found = flagged(honest(), attack, 0.5)
    assert warned(found) == set()
    assert found["not_converged"].status == ("pass" if attack.name == "patch" else "not run")
    assert found["norm_violation"].status == "pass"
    assert found["silent_success"].status == ("not run" if attack.name == "spatial" else "pass")


def quantised(net: nn.Module, x: Tensor) -> Tensor:
    return net((x * 8).round() / 8)


def hidden_step(net: nn.Module, x: Tensor) -> Tensor:
    """Adapts its last bias to the queries while it answers."""
    with torch.enable_grad():
        bias = torch.zeros(4, requires_grad=True)
        loss = (net(x.detach()) + bias).softmax(-1).square().sum()
        (gradient,) = torch.autograd.grad(loss, bias)
    return net(x) - 0.01 * gradient


def hidden_step_by_func(net: nn.Module, x: Tensor) -> Tensor:
    def loss(bias: Tensor) -> Tensor:
        return (net(x.detach()) + bias).softmax(-1).square().sum()

    return net(x) - 0.01 * torch.func.grad(loss)(torch.zeros(4))


def drifting(net: nn.Module, x: Tensor) -> Tensor:
    """Moves a weight whenever it answers, too little to be seen in the answers."""
    with torch.no_grad():
        net[3].bias[0] += 1e-6
    return net(x)


class Draws:
    """Noise from a generator of its own."""

    def __init__(self) -> None:
        self.generator = torch.Generator().manual_seed(0)

    def __call__(self, net: nn.Module, x: Tensor) -> Tensor:
        return net(x + 0.01 * torch.randn(x.shape, generator=self.generator))


MODELS: list[tuple[Callable[[nn.Module, Tensor], Tensor], str]] = [
    (quantised, "zero_grad"),
    (lambda net, x: 1e4 * net(x), "zero_grad"),
    (lambda net, x: net(x.detach()), "zero_grad"),
    (Draws(), "randomized"),
    (lambda net, x: net(x).softmax(-1), "softmax_out"),
    (hidden_step, "dynamic"),
    (hidden_step_by_func, "dynamic"),
    (drifting, "dynamic"),
]


@pytest.mark.parametrize(
    ("between", "flag"), MODELS, ids=["quantised", "saturated", "detached", "noise", "softmax", "step", "func", "drift"]
)
def test_a_model_that_hides_is_caught(between: Any, flag: str) -> None:
    found = flagged(Wrapped(between).eval(), Square(queries=20))  # which needs no gradient and so runs on all of them
    assert flag in warned(found), found[flag]
    assert flag not in warned(flagged(honest(), Square(queries=20)))


def test_how_many_gradients_vanish_is_counted_among_queries_that_are_right() -> None:
    x, y = queries()
    y[:, :4] = (y[:, :4] + 1) % 4  # wrong before they are attacked
    inspection = Inspection(net := Wrapped(quantised).eval(), Square(queries=5), EPS, 0)
    inspection.run(Plain(net), x, y, Rng(0, ("attack",), keys()))
    assert inspection.seen.upright <= TASKS * (QUERIES - 4) + 2
    assert inspection.seen.zero == inspection.seen.upright


def test_a_network_left_in_training_is_named() -> None:
    net = nn.Sequential(honest(), nn.BatchNorm1d(4)).eval()
    assert "eval_mode" not in warned(flagged(net, Own(how="does nothing")))
    net[1].train()
    found = flagged(net, Own(how="does nothing"), episodes=0)
    assert (found["eval_mode"].status, found["eval_mode"].value) == ("warn", 1)
    assert found["eval_mode"].text == "in training mode: 1"
    assert "dynamic" in warned(found)  # its running averages move


def test_batch_statistics_are_named() -> None:
    assert "other queries" in flagged(honest(), coupled=True)["eval_mode"].text
    assert "other queries" not in flagged(honest())["eval_mode"].text


@pytest.mark.parametrize("change", [lambda x: 255 * x, lambda x: (x - x.mean()) / x.std(), lambda x: x / 0 - x / 0])
def test_other_pixels_are_refused(change: Callable[[Tensor], Tensor]) -> None:
    x, y = queries()
    with pytest.raises(CellError, match=r"flag input_range.*needs queries in \[0, 1\]; got .*scale images"):
        Inspection(honest(), STRONG, EPS, 10).run(Plain(honest()), change(x), y, Rng(0, ("a",), keys()))


class Own(Attack):
    """A user's attack of norm linf."""

    name: ClassVar[str] = "own"
    norm: str = "linf"
    steps: int = 5
    how: str = ""

    def perturb(self, classifier: Any, x: Tensor, y: Tensor, eps: float, rng: Rng) -> Tensor:
        if self.how == "forgets":
            PGD(steps=10).perturb(classifier, x, y, eps, rng)
        return {
            "forgets": lambda: x.clone(),
            "too far": lambda: (x + 1.001 * eps).where(x < 0.5, x - 1.001 * eps),
            "outside": lambda: x + eps * (2 * (x > 0.5) - 1),
            "nan": lambda: x * torch.nan,
            "does nothing": lambda: x.clone(),
            "just within": lambda: (x + eps).where(x < 0.5, x - eps),
        }[self.how]()

    def passes(self, way: int) -> int:
        return 12


def test_a_step_too_few_is_not_converged() -> None:
    found = flagged(honest(), PGD(steps=1, step_size=0.25))["not_converged"]
    assert found.status == "warn"
    assert "with 2 steps" in found.text
    assert found.value is not None
    assert found.value > 0.005


def test_an_attack_that_crawls_loses_to_one_step() -> None:
    assert "onestep_beats_iter" in warned(flagged(honest(), PGD(steps=3, step_size=0.01, random_start=False)))


def test_an_attack_that_does_nothing_loses_to_noise_and_fails_unbounded() -> None:
    found = flagged(honest(), Own(how="does nothing"), 0.3)
    assert {"noise_wins", "unbounded_fails", "onestep_beats_iter"} <= warned(found)


@pytest.mark.parametrize("coupled", [False, True])
def test_an_attack_that_forgets_what_it_found(coupled: bool) -> None:
    found = flagged(honest(), Own(how="forgets"), 0.3, coupled=coupled)["silent_success"]
    assert found.status == "warn"
    assert found.value == (TASKS if coupled else found.value)
    assert ("tasks" if coupled else "queries") in found.text


def test_what_is_found_beyond_the_ball_is_no_success() -> None:
    class Beyond(Own):
        def perturb(self, classifier: Any, x: Tensor, y: Tensor, eps: float, rng: Rng) -> Tensor:
            PGD(steps=10).perturb(classifier, x, y, 3 * eps, rng)
            return x.clone()

    x, y = queries()
    assert (
        Plain(honest())(PGD(steps=10).perturb(Plain(honest()), x, y, 0.3, Rng(0, (), keys()))).argmax(-1) != y
    ).any()
    found = flagged(honest(), Beyond(), 0.1)["silent_success"]
    assert found.value == 0


@pytest.mark.parametrize(("how", "caught"), [("too far", True), ("outside", True), ("just within", False)])
def test_bounds_are_kept(how: str, caught: bool) -> None:
    for eps in (0.1, 8 / 255, 1e-3):
        assert ("norm_violation" in warned(flagged(honest(), Own(how=how), eps))) == caught, eps


def test_nan_is_refused() -> None:
    with pytest.raises(CellError, match="attack own returned NaN or infinite pixels"):
        inspect(honest(), Own(how="nan"))


@cache
def stored() -> dict[str, dict[str, Any]]:
    return {name: f.record() for name, f in flagged(honest(), STRONG, episodes=0).items()}


def record(attack: Attack, eps: float, accuracy: float, learner: str = "maml", **more: Any) -> Attacked:
    right = np.full(5, accuracy)
    place = {"seed": 0, "target": "new", "way": 5, "shift": attack.name, "step": round(1000 * eps)}
    return Attacked(
        **place | {"learner": learner, "eps": eps, "attack": attack, "accuracy": right} | more, stored=stored()
    )


def statuses(*every: Attacked, baseline: str = "base", channels: int = 1) -> dict[tuple[str, str, int], dict[str, str]]:
    found = table(Context(every, baseline, Canvas(size=28, channels=channels)))
    grouped: dict[tuple[str, str, int], dict[str, str]] = {}
    for row in found.to_dict("records"):
        grouped.setdefault((row["learner"], row["shift"], row["step"]), {})[row["flag"]] = row["status"]
    return grouped


def sound() -> list[Attacked]:
    return [
        *(record(PGD(), e, a) for e, a in ((0.1, 0.5), (0.2, 0.2))),
        *(record(PGD(), e, a, "base") for e, a in ((0.1, 0.4), (0.2, 0.0))),
        *(record(Square(), e, a) for e, a in ((0.1, 0.6), (0.2, 0.3))),
    ]


FROM_RECORDS = ("eps_nonmonotone", "blackbox_wins", "few_classes", "control", "adaptation_bypassed")


def test_sound_records_pass() -> None:
    found = statuses(*sound())
    assert [found["maml", "pgd", 200][f] for f in FROM_RECORDS] == ["pass"] * 4 + ["not run"]
    assert found["maml", "pgd", 100]["eps_nonmonotone"] == "not run"  # there is no smaller one
    assert found["maml", "square", 200]["blackbox_wins"] == "not run"
    assert set(found["maml", "pgd", 100]) == set(FLAGS)


RECORDS: list[tuple[Attacked, tuple[str, str, int], str]] = [
    (record(PGD(), 0.25, 0.203), ("maml", "pgd", 250), "eps_nonmonotone"),
    (record(Square(), 0.2, 0.19, shift="other"), ("maml", "pgd", 200), "blackbox_wins"),
    (record(PGD(), 0.2, 0.19, shift="other", transferred=True), ("maml", "pgd", 200), "blackbox_wins"),
    (record(AutoAttack(), 0.2, 0.1, way=3), ("maml", "autoattack", 200), "few_classes"),
    (record(PGD(), 0.3, 0.06, "base"), ("maml", "pgd", 100), "control"),
]


@pytest.mark.parametrize(("more", "place", "flag"), RECORDS, ids=[f"{m.shift}-{flag}" for m, _, flag in RECORDS])
def test_records_that_do_not_fit_together(more: Attacked, place: tuple[str, str, int], flag: str) -> None:
    assert statuses(*sound(), more)[place][flag] == "warn"


def test_others_say_nothing_of_a_result() -> None:
    """Another norm, another seed, another target, another ε: none of them is a rival or a smaller ε of the curve."""
    changed = [{"seed": 1}, {"target": "old"}, {"learner": "protonet"}, {"step": 199, "eps": 0.199}]
    for change in changed:
        other = record(Square(), **{"eps": 0.2, "accuracy": 0.0, "shift": "other"} | change)
        assert statuses(*sound(), other)["maml", "pgd", 200]["blackbox_wins"] == "pass", change
    l2 = record(Square(norm="l2"), 0.2, 0.0, shift="other")
    assert statuses(*sound(), l2)["maml", "pgd", 200]["blackbox_wins"] == "pass"
    curve = record(PGD(steps=99), 0.1, 0.0, shift="other")
    assert statuses(*sound(), curve)["maml", "pgd", 200]["eps_nonmonotone"] == "pass"


def test_a_transfer_is_no_attack_that_has_to_win() -> None:
    """It need not break the baseline, nor beat what sees no gradient either."""
    given = {"shift": "through", "transferred": True}
    more = [record(PGD(), 0.3, 0.7, name, **given) for name in ("maml", "base")]
    found = statuses(*sound(), *more)
    assert [found["maml", "through", 300][f] for f in ("blackbox_wins", "control")] == ["not run", "not run"]
    white = record(PGD(), 0.3, 0.0, shift="through")  # on the learner that it is made through
    found = statuses(*sound(), white, record(PGD(), 0.3, 0.7, "base", **given))
    assert found["maml", "through", 300]["control"] == "not run"
    assert found["maml", "pgd", 200]["control"] == "pass"


def test_the_control_needs_a_large_eps() -> None:
    small = [record(PGD(), 0.1, 0.9), record(PGD(), 0.1, 0.9, "base")]
    assert statuses(*small)["maml", "pgd", 100]["control"] == "not run"
    assert statuses(*small, channels=3)["maml", "pgd", 100]["control"] == "warn"  # 8/255 is large for natural images
    assert statuses(*small, baseline="")["maml", "pgd", 100]["control"] == "not run"


def test_why_a_run_fails_is_said() -> None:
    found = table(Context([*sound(), record(PGD(), 0.3, 0.06, "base")], "base", Canvas()))
    assert failing(found, ()) == []
    assert failing(found, ("zero_grad",)) == []
    (reason,) = failing(found, ("zero_grad", "control"))
    assert reason.startswith("control: the attack cannot break even an undefended network; 5 of 7 attacked results")
    assert reason.endswith("maml seed 0 new pgd eps 0.1: base keeps 6.0% at eps 0.3")
