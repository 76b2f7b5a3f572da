"""Each check of taskings turns red on a planted fault."""

import random
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import goldens
import pytest
import torch
from contracts import test_taskings as contract
from tasking_laws import hold_fewer, hold_flips, hold_missing, hold_tail

from robustmeta.core import Episodes
from robustmeta.rng import Rng
from robustmeta.taskings.class_imbalance import class_imbalance
from robustmeta.taskings.decorator import Tasking
from robustmeta.taskings.fewer_shots import fewer_shots
from robustmeta.taskings.label_noise import label_noise
from robustmeta.taskings.label_noise_paired import label_noise_paired
from robustmeta.taskings.missing_class import missing_class
from robustmeta.taskings.thin import class_order, shots, thin
from robustmeta.testing import Finding, check_tasking


def red(findings: list[Finding]) -> list[str]:
    return [f.name for f in findings if not f.passed]


def relabel(e: Episodes, wrong: torch.Tensor) -> Episodes:
    """The labels at ``wrong`` moved on by one."""
    return replace(e, support_y=((e.support_y + 1) % e.way).where(wrong, e.support_y))


def sound(e: Episodes, p: float, rng: Rng) -> Episodes:
    return relabel(e, rng.uniform(e.support.shape[1]) < p)


def keep(e: Episodes, p: float, rng: Rng) -> Episodes:
    return thin(e, ((1 - p) * shots(e)).ceil().long(), rng)


def in_place(e: Episodes, p: float, rng: Rng) -> Episodes:
    e.support_y.copy_(sound(e, p, rng).support_y)
    return e


def uneven(e: Episodes, p: float, rng: Rng) -> Episodes:
    """One class fewer in every task of an even number: not rectangular, and thin says so."""
    count = shots(e)
    count[::2, 0] = 0
    return thin(e, count, rng)


FAULTY: dict[str, tuple[Callable[[Episodes, Any, Rng], Any], list[str]]] = {
    "none": (sound, []),
    "raises": (lambda e, p, rng: 1 / 0, ["runs"]),
    "not rectangular": (uneven, ["runs"]),
    "labels out of range": (
        lambda e, p, rng: replace(e, support_y=e.support_y + (rng.uniform(e.support.shape[1]) < p).long()),
        ["runs"],
    ),
    "the query as support": (
        lambda e, p, rng: replace(sound(e, p, rng), support=e.query[:, :1].expand_as(e.support)),
        ["runs"],
    ),
    "the support of another task": (
        lambda e, p, rng: replace(sound(e, p, rng), support=e.support.roll(1, 0)),
        ["runs"],
    ),
    "no support": (lambda e, p, rng: replace(e, support=e.support[:, :0], support_y=e.support_y[:, :0]), ["runs"]),
    "a copy of the query": (lambda e, p, rng: replace(sound(e, p, rng), query=e.query.clone()), ["query untouched"]),
    "no seed": (lambda e, p, rng: relabel(e, torch.rand(e.support.shape) < p), ["same key", "nothing else touched"]),
    "random's generator": (
        lambda e, p, rng: sound(e, p + 0 * random.random(), rng),
        ["nothing else touched"],
    ),
    "the row's number": (
        lambda e, p, rng: relabel(e, rng.uniform(e.support.shape[1]) < p * torch.arange(len(e))[:, None] / len(e)),
        ["batch size and order"],
    ),
    "one draw for all tasks": (
        lambda e, p, rng: relabel(e, (rng.uniform(e.support.shape[1])[:1] < p).expand_as(e.support)),
        ["batch size and order"],
    ),
    "the level in the key": (lambda e, p, rng: sound(e, p, rng.child(p)), ["nested levels"]),
    "another wrong class at another level": (
        lambda e, p, rng: replace(
            e,
            support_y=((e.support_y + (1 if p < 0.5 else 2)) % e.way).where(
                rng.uniform(e.support.shape[1]) < p, e.support_y
            ),
        ),
        ["nested levels"],
    ),
    "other images at another level": (lambda e, p, rng: keep(e, p, rng.child(p)), ["nested levels"]),
    "milder with severity": (lambda e, p, rng: sound(e, 0.8 - p, rng), ["nested levels", "grows with severity"]),
    "the same at all levels": (lambda e, p, rng: sound(e, 0.5, rng), ["grows with severity"]),
    "nothing at the first level": (
        lambda e, p, rng: sound(e, 0.0 if p < 0.5 else p, rng),
        ["grows with severity"],
    ),
}


@pytest.mark.parametrize("name", FAULTY)
def test_a_faulty_tasking(name: str) -> None:
    function, wanted = FAULTY[name]
    found = red(check_tasking(Tasking(name, function, (0.2, 0.6))))
    follows = {"pickle"} if function is not sound else set()  # a lambda cannot be sent anywhere
    if name == "no seed":
        follows |= {"batch size and order", "nested levels", "grows with severity"}
    assert [f for f in found if f not in follows] == wanted


def test_what_only_its_author_can_say() -> None:
    fresh = Tasking("fresh", lambda e, p, rng: sound(e, p, rng.child(p)), (0.2, 0.6), nested=False)
    assert red(check_tasking(fresh)) == ["pickle"]
    assert red(check_tasking(replace(fresh, levels=()))) == ["runs"]


def test_an_input_that_is_written_to() -> None:
    assert "nothing else touched" in red(check_tasking(Tasking("in place", in_place, (0.2, 0.6))))


def test_golden_numbers_notice_another_draw(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    golden = tmp_path / "golden.json"
    monkeypatch.setattr(contract, "TASKINGS", ["label_noise"])
    monkeypatch.setattr(contract, "GOLDEN", golden)
    found = contract.everything()
    goldens.write(golden, found)
    contract.test_no_numbers_change_without_a_new_version()
    name = f"{label_noise.name}@{label_noise.version}"
    goldens.write(golden, {name: {k: v[::-1] for k, v in found[name].items()}})
    with pytest.raises(AssertionError, match="raise the version"):
        contract.test_no_numbers_change_without_a_new_version()
    goldens.write(golden, {"label_noise@9": found[name]})
    with pytest.raises(AssertionError, match="without golden numbers"):
        contract.test_no_numbers_change_without_a_new_version()


def test_golden_numbers_forgive_rounding_where_they_may() -> None:
    golden = {"a@1": {"b": [0.5, 100.0]}}
    near, far = {"a@1": {"b": [0.5009, 100.1]}}, {"a@1": {"b": [0.5011, 100.1]}}
    goldens.compare(near, golden)
    for wrong, exact in ((near, True), (far, False), ({"a@1": {"c": [0.5, 100.0]}}, False), ({"a@1": {}}, False)):
        with pytest.raises(AssertionError):
            goldens.compare(wrong, golden, exact=exact)


def law(tasking: Tasking, function: Callable[[Episodes, Any, Rng], Any]) -> Tasking:
    return replace(tasking, function=function)


def any_class(e: Episodes, p: float, rng: Rng) -> Episodes:
    """The wrong class may be the right one: a share p / way less is wrong than is said."""
    size = e.support.shape[1]
    drawn = rng.child("class").integers(0, e.way, size)
    return replace(e, support_y=drawn.where(rng.uniform(size) < p, e.support_y))


def backwards(e: Episodes, p: float, rng: Rng) -> Episodes:
    return replace(e, support_y=((e.support_y - 1) % e.way).where(rng.uniform(e.support.shape[1]) < p, e.support_y))


def all_or_nothing(e: Episodes, p: float, rng: Rng) -> Episodes:
    return relabel(e, rng.uniform(1) < p)


def a_severity_less(e: Episodes, p: float, rng: Rng) -> Episodes:
    return relabel(e, rng.uniform(e.support.shape[1]) < p - 0.1)


@pytest.mark.parametrize("fault", [any_class, backwards, all_or_nothing, a_severity_less])
def test_another_law_of_label_noise(fault: Callable[[Episodes, Any, Rng], Any]) -> None:
    with pytest.raises(AssertionError):
        hold_flips(law(label_noise, fault), 0.3, 5, 5, [0.25] * 4)
    with pytest.raises(AssertionError):
        hold_flips(law(label_noise_paired, fault), 0.3, 5, 5, [1, 0, 0, 0])


def fixed_order(e: Episodes, rng: Rng) -> torch.Tensor:
    return torch.arange(e.way).expand(len(e), -1)


def tail(divide: Callable[[int], int], order: Callable[[Episodes, Rng], torch.Tensor]) -> Any:
    def function(e: Episodes, ratio: float, rng: Rng) -> Episodes:
        shot = int(shots(e).max())
        counts = [max(1, int(shot * ratio ** (-r / max(1, divide(e.way))) + 1e-9)) for r in range(e.way)]
        return thin(e, torch.tensor(counts)[order(e, rng)], rng)

    return function


def test_another_tail() -> None:
    hold_tail(law(class_imbalance, tail(lambda way: way - 1, class_order)))
    with pytest.raises(AssertionError, match="5-way 5-shot, ratio 2"):
        hold_tail(law(class_imbalance, tail(lambda way: way, class_order)))
    with pytest.raises(AssertionError, match="class 0 keeps"):
        hold_tail(law(class_imbalance, tail(lambda way: way - 1, fixed_order)))


def test_other_numbers_of_shots() -> None:
    with pytest.raises(AssertionError, match="4 shots"):
        hold_fewer(law(fewer_shots, lambda e, p, rng: thin(e, (p * shots(e)).round().clamp(min=1).long(), rng)))
    with pytest.raises(AssertionError, match="by place"):
        hold_fewer(law(fewer_shots, lambda e, p, rng: first(e, (p * shots(e).double() - 1e-9).ceil().long())))


def first(e: Episodes, count: torch.Tensor) -> Episodes:
    """The first images of each class, not random ones."""
    order = e.support_y.argsort(dim=1, stable=True)
    place = torch.empty_like(order).scatter_(1, order, torch.arange(order.shape[1]).expand_as(order))
    kept = place % shots(e)[0, 0] < count[0, 0]
    rows = (len(e), -1)
    return replace(e, support=e.support[kept].view(rows), support_y=e.support_y[kept].view(rows))


def test_other_missing_classes() -> None:
    def gone(m: Callable[[float], int], order: Callable[[Episodes, Rng], torch.Tensor]) -> Any:
        def function(e: Episodes, part: float, rng: Rng) -> Episodes:
            keep = order(e, rng) >= min(m(part * e.way), e.way - 1)
            return thin(e, shots(e).where(keep, 0), rng)

        return function

    hold_missing(law(missing_class, gone(lambda x: max(1, int(x + 0.5 + 1e-9)), class_order)))
    with pytest.raises(AssertionError, match="2-way"):
        hold_missing(law(missing_class, gone(lambda x: int(x + 1e-9), class_order)))
    with pytest.raises(AssertionError, match="by class"):
        hold_missing(law(missing_class, gone(lambda x: max(1, int(x + 0.5 + 1e-9)), fixed_order)))
