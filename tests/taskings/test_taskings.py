"""The laws of the built-in taskings, in numbers."""

from dataclasses import replace

import pytest
import torch
from tasking_laws import hold_fewer, hold_flips, hold_missing, hold_tail, made, spoiled

from robustmeta.core import CellError, TaskShape
from robustmeta.rng import Rng
from robustmeta.taskings.class_imbalance import class_imbalance
from robustmeta.taskings.decorator import Tasking
from robustmeta.taskings.fewer_shots import fewer_shots
from robustmeta.taskings.label_noise import label_noise
from robustmeta.taskings.label_noise_paired import label_noise_paired
from robustmeta.taskings.missing_class import missing_class
from robustmeta.taskings.thin import shots, thin
from robustmeta.testing.taskings import tasks

BUILTIN = (label_noise, label_noise_paired, class_imbalance, fewer_shots, missing_class)


@pytest.mark.parametrize("p", [0.1, 0.3, 0.5])
@pytest.mark.parametrize(("way", "shot"), [(5, 1), (5, 5), (2, 10)])
def test_symmetric_noise_goes_to_each_other_class_alike(p: float, way: int, shot: int) -> None:
    hold_flips(label_noise, p, way, shot, [1 / (way - 1)] * (way - 1))


@pytest.mark.parametrize("p", [0.1, 0.45])
def test_paired_noise_goes_to_the_next_class(p: float) -> None:
    hold_flips(label_noise_paired, p, 5, 5, [1, 0, 0, 0])


@pytest.mark.parametrize("tasking", [label_noise, label_noise_paired], ids=lambda t: t.name)
def test_wrong_labels_stay_wrong_in_the_same_way(tasking: Tasking) -> None:
    e = made(5, 5)
    before = e.support_y
    for p in tasking.levels:
        now = spoiled(tasking, p, e).support_y
        was_wrong = before != e.support_y
        assert torch.equal(now[was_wrong], before[was_wrong])
        assert (now != e.support_y).sum() > was_wrong.sum()
        before = now


def test_one_class_has_no_wrong_label() -> None:
    e = made(1, 5, 20)
    for tasking in (label_noise, label_noise_paired):
        assert torch.equal(spoiled(tasking, 0.4, e).support_y, e.support_y)


def test_the_long_tail() -> None:
    hold_tail(class_imbalance)


def test_one_shot_is_left_as_it_is() -> None:
    e = made(5, 1, 20)
    for tasking in (class_imbalance, fewer_shots):
        for level in tasking.levels:
            got = spoiled(tasking, level, e)
            assert torch.equal(got.support, e.support)
            assert torch.equal(got.support_y, e.support_y)


def test_fewer_shots() -> None:
    hold_fewer(fewer_shots)


def test_missing_classes() -> None:
    hold_missing(missing_class)


def test_at_least_one_class_stays() -> None:
    assert shots(spoiled(missing_class, 1.0, made(5, 2, 20))).sum(1).tolist() == [2] * 20


@pytest.mark.parametrize("tasking", [class_imbalance, fewer_shots, missing_class], ids=lambda t: t.name)
def test_what_is_kept_has_its_own_label_and_its_old_place(tasking: Tasking) -> None:
    e = made(5, 5, 40)
    for level in tasking.levels:
        got = spoiled(tasking, level, e)
        for t in range(40):
            label = dict(zip(e.support[t].tolist(), e.support_y[t].tolist(), strict=True))
            rows = got.support[t].tolist()
            assert rows == sorted(set(rows))
            assert [label[r] for r in rows] == got.support_y[t].tolist()


def test_thin_refuses_tasks_of_different_sizes() -> None:
    e = made(2, 2, 2)
    with pytest.raises(ValueError, match=r"keep 1 to 2 support images; .* before what unbalances"):
        thin(e, torch.tensor([[1, 0], [1, 1]]), Rng(0, ("t",), e.number))


def test_after_label_noise_the_shots_are_not_equal_and_it_says_so() -> None:
    noisy = spoiled(label_noise, 0.5, made(5, 5))
    with pytest.raises(CellError, match="tasking missing_class raised ValueError: the tasks would keep"):
        spoiled(missing_class, 0.4, noisy)


def test_they_can_be_chained() -> None:
    e = made(5, 10, 30)
    tail = spoiled(class_imbalance, 5, e)
    few = spoiled(fewer_shots, 0.4, tail)
    assert shots(tail).sort(1).values.tolist() == [[2, 2, 4, 6, 10]] * 30  # 10 · 5^(−r/4) = 10, 6.69, 4.47, 2.99, 2
    assert shots(few).sort(1).values.tolist() == [[1, 1, 2, 3, 4]] * 30  # ⌈0.4 n⌉
    assert spoiled(label_noise, 0.2, few).support.shape == (30, 11)


def test_the_query_is_the_same_object_and_the_episodes_are_not_written_to() -> None:
    e = tasks(TaskShape(5, 5, 3))
    before = replace(e, support=e.support.clone(), support_y=e.support_y.clone())
    for tasking in BUILTIN:
        got = spoiled(tasking, tasking.levels[-1], e)
        assert got.query is e.query
        assert got.query_y is e.query_y
        assert torch.equal(e.support, before.support)
        assert torch.equal(e.support_y, before.support_y)


@pytest.mark.parametrize("tasking", BUILTIN, ids=lambda t: t.name)
def test_another_seed_is_another_noise(tasking: Tasking) -> None:
    e = made(5, 5, 20)
    one, other = (spoiled(tasking, tasking.levels[2], e, seed) for seed in (0, 1))
    assert not (torch.equal(one.support, other.support) and torch.equal(one.support_y, other.support_y))
