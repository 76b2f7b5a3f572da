import torch

from robustmeta.domains.digits import Digits


def test_digits_are_ink_on_black_with_a_margin():
    domain = Digits().load(28, 1)
    assert domain.images.shape == (1797, 1, 28, 28)
    assert domain.classes == tuple("0123456789")
    assert torch.bincount(domain.labels).tolist() == [178, 182, 177, 183, 181, 182, 181, 179, 174, 180]
    assert domain.images[..., :2].max() == 0
    assert domain.images.max() == 255
    assert len(domain.factors) == 0


def test_channels_and_sizes():
    domain = Digits().load(8, 3)
    assert domain.images.shape == (1797, 3, 8, 8)
    assert torch.equal(domain.images[:, 0], domain.images[:, 1])


def test_the_digest_is_of_the_pixels(monkeypatch):
    digest = Digits().digest()
    assert digest == Digits().digest()
    from robustmeta.domains import digits

    pixels, labels = digits._pixels()
    pixels[0, 0, 0] += 1
    monkeypatch.setattr(digits, "_pixels", lambda: (pixels, labels))
    assert Digits().digest() != digest
