from dataclasses import replace

import numpy as np
import pytest
import torch

from robustmeta.core import Card, DataError, Domain, StudyError, TaskShape, gather, merge, sample, to_bytes, to_float

CARD = Card("toy", "made here", "none")


def toy(classes: int = 8, images: int = 12, seed: int = 0) -> Domain:
    n = classes * images
    generator = torch.Generator().manual_seed(seed)
    pixels = torch.randint(0, 256, (n, 1, 8, 8), generator=generator, dtype=torch.uint8)
    labels = torch.arange(classes).repeat_interleave(images)
    ids = np.arange(n, dtype=np.uint64) * np.uint64(7919) + np.uint64(3)
    return Domain("toy", pixels, labels, tuple(f"c{i}" for i in range(classes)), ids, {}, CARD)


SHAPE = TaskShape(5, 3, 4)


def test_episodes_are_tasks_of_the_shape_without_overlap() -> None:
    domain = toy()
    e = sample(domain, SHAPE, 0, 0, 50)
    assert e.support.shape == (50, 15)
    assert e.query.shape == (50, 20)
    for t in range(50):
        assert not set(e.support[t].tolist()) & set(e.query[t].tolist())
        for rows, y, each in ((e.support, e.support_y, 3), (e.query, e.query_y, 4)):
            assert np.bincount(y[t]).tolist() == [each] * 5
            pairs = set(zip(domain.labels[rows[t]].tolist(), y[t].tolist(), strict=True))
            assert len(pairs) == 5  # a class of the domain has one label in the task


def test_episodes_are_addressed() -> None:
    whole, part = sample(toy(), SHAPE, 1, 0, 30), sample(toy(), SHAPE, 1, 10, 14)
    assert torch.equal(whole[10:14].support, part.support)
    assert torch.equal(whole[10:14].query_y, part.query_y)


def test_query_is_independent_of_the_shot() -> None:
    one, five = sample(toy(), TaskShape(5, 1, 4), 0, 0, 40), sample(toy(), TaskShape(5, 5, 4), 0, 0, 40)
    assert torch.equal(one.query, five.query)
    assert torch.equal(one.query_y, five.query_y)


def test_episodes_ignore_pixels_and_the_order_of_rows() -> None:
    domain = toy()
    order = torch.randperm(len(domain.labels), generator=torch.Generator().manual_seed(1))
    shuffled = replace(
        domain, images=255 - domain.images[order], labels=domain.labels[order], ids=domain.ids[order.numpy()]
    )
    a, b = sample(domain, SHAPE, 0, 0, 20), sample(shuffled, SHAPE, 0, 0, 20)
    assert np.array_equal(domain.ids[a.support.numpy()], shuffled.ids[b.support.numpy()])
    assert torch.equal(a.query_y, b.query_y)


def test_seeds_and_streams_differ() -> None:
    a, b = sample(toy(), SHAPE, 0, 0, 5), sample(toy(), SHAPE, 1, 0, 5)
    assert not torch.equal(a.query, b.query)
    assert not torch.equal(a.query, sample(toy(), SHAPE, 0, 0, 5, "train").query)


def test_every_class_and_image_is_drawn_alike() -> None:
    domain = toy()
    e = sample(domain, SHAPE, 0, 0, 4000)
    counts = np.bincount(e.query.flatten(), minlength=96)
    expected = 4000 * 20 / 96
    assert abs(counts - expected).max() < 5 * np.sqrt(expected)


def test_supports_are_shuffled() -> None:
    y = sample(toy(), SHAPE, 0, 0, 300).support_y
    assert not (y.diff(dim=1) >= 0).all(1).any()
    assert abs(y[:, 0].float().mean() - 2) < 0.3


def test_too_few_classes_or_images_says_how_many() -> None:
    with pytest.raises(StudyError, match=r"needs 9 classes of at least 7 images; there are 8 classes, 8 of that size"):
        sample(toy(), TaskShape(9, 3, 4), 0, 0, 1)
    with pytest.raises(StudyError, match=r"at least 13 images; .* 0 of that size \(the largest has 12\)"):
        sample(toy(), TaskShape(5, 3, 10), 0, 0, 1)


def test_small_classes_are_left_out() -> None:
    domain = toy()
    keep = torch.cat([torch.arange(3), torch.arange(12, 96)])
    cut = replace(domain, images=domain.images[keep], labels=domain.labels[keep], ids=domain.ids[keep.numpy()])
    e = sample(cut, SHAPE, 0, 0, 200)
    assert 0 not in cut.labels[e.query].unique()


def test_gather_takes_each_view() -> None:
    domain = toy()
    e = sample(domain, SHAPE, 0, 0, 3)
    tasks = gather(e, domain.images, 255 - domain.images)
    assert torch.equal(to_bytes(tasks.support_x), domain.images[e.support])
    assert torch.equal(to_bytes(tasks.query_x), 255 - domain.images[e.query])


def test_bytes_survive_the_way_to_float_and_back() -> None:
    every = torch.arange(256, dtype=torch.uint8)
    assert torch.equal(to_bytes(to_float(every)), every)
    assert to_bytes(torch.tensor([0.999, 1.0])).tolist() == [254, 255]  # truncation, as np.uint8


def test_merge_joins_classes_of_one_name() -> None:
    a, b = toy(4), replace(toy(4, seed=1), classes=("c0", "c1", "x", "y"), name="other")
    both = merge([a, b])
    assert both.classes == ("c0", "c1", "c2", "c3", "x", "y")
    assert len(both.images) == 96
    assert np.bincount(both.labels).tolist() == [24, 24, 12, 12, 12, 12]
    assert set(both.factors["source"]) == {"0:toy", "1:other"}


def test_a_domain_refuses_wrong_arrays() -> None:
    domain = toy()
    with pytest.raises(DataError, match="share an id"):
        replace(domain, ids=np.zeros(96, np.uint64))
    with pytest.raises(DataError, match="not uint8"):
        replace(domain, images=domain.images.float())
    with pytest.raises(DataError, match="labels"):
        replace(domain, labels=domain.labels[:5])
