import itertools

import numpy as np
import pytest
import torch
from PIL import Image, ImageDraw, ImageFont
from pydantic import ValidationError
from scipy.ndimage import uniform_filter

from robustmeta.core import DataError
from robustmeta.domains import fonts
from robustmeta.domains.glyphs import Glyphs

SPLITS = ("train", "val", "test")


def _pictures(face, codes, side=24):
    font = ImageFont.truetype(str(fonts.font_path(face)), 64)
    out = np.zeros((len(codes), side, side), np.float32)
    for picture, code in zip(out, codes, strict=True):
        image = Image.new("L", (256, 256))
        ImageDraw.Draw(image).text((96, 96), chr(code), 255, font)
        image = image.crop(image.getbbox())
        width, height = (max(1, round(n * side / max(image.size))) for n in image.size)
        x, y = (side - width) // 2, (side - height) // 2
        picture[y : y + height, x : x + width] = np.asarray(image.resize((width, height)))
    return uniform_filter(out, (0, 3, 3)).reshape(len(codes), -1)


def closest_across_splits(codes):
    """The largest Dice overlap, in any face, of two of the characters that stand in different splits."""
    split = {script: name for name, scripts in fonts.SPLITS.items() for script in scripts}
    worst = 0.0
    for face in fonts.FACES:
        here = [c for c in codes if c in fonts.coverage(face)]
        x = _pictures(face, here)
        size = (x**2).sum(1)
        of = np.array([split[fonts.script(c)] for c in here])
        overlap = 2 * x @ x.T / (size[:, None] + size)
        worst = max(worst, float(overlap[of[:, None] != of].max()))
    return worst


@pytest.mark.slow
def test_no_two_splits_share_a_character_or_one_that_looks_alike():
    assert closest_across_splits(list(fonts.characters())) < 0.98


def test_splits_share_no_script_and_have_characters_in_every_face():
    scripts = [set(fonts.SPLITS[s]) for s in SPLITS]
    assert all(not a & b for a, b in itertools.combinations(scripts, 2))
    for face in fonts.FACES:
        counts = {s: len(Glyphs(faces=(face,), split=s).codes()) for s in SPLITS}
        assert min(counts.values()) >= 20, (face, counts)
    counts = {(f, s): len(Glyphs(faces=(f,), split=s).codes()) for f in ("sans", "serif") for s in SPLITS}
    assert counts["sans", "train"] > 700
    assert min(counts["sans", "test"], counts["serif", "test"]) >= 200


def test_known_homoglyphs_and_case_pairs_are_one_class():
    kept = fonts.characters()
    for alike in ("AАΑ", "HНΗ", "oOоОοΟ", "sSѕЅ", "xXхХ"):  # Latin, Cyrillic and Greek letters of one shape
        assert sum(ord(c) in kept for c in alike) <= 1, alike


def test_placeholder_and_symbol_fonts_are_not_used():
    assert not any(name.startswith(("LastResort", "cm", "STIXNonUni", "STIXSiz")) for name in fonts.FACES.values())
    assert not any("Display" in name for name in fonts.FACES.values())


@pytest.fixture(scope="module")
def sans():
    return Glyphs(split="test").load(28, 1)


def test_a_domain_has_ink_on_black_and_its_factors(sans):
    assert sans.images.dtype == torch.uint8
    assert sans.images.shape == (20 * len(sans.classes), 1, 28, 28)
    assert sans.images.amax((1, 2, 3)).min() > 100  # every drawing has ink
    border = torch.cat([sans.images[..., [0, -1], :].flatten(), sans.images[..., [0, -1]].flatten()])
    assert border.float().mean() < 5
    assert 0.05 < sans.images.float().mean() / 255 < 0.2
    assert set(sans.factors["face"]) == {"sans"}
    assert set(sans.factors["script"]) == set(fonts.SPLITS["test"])
    assert torch.bincount(sans.labels).unique().tolist() == [20]
    assert "greek/U+03B1" in sans.classes


def test_drawings_of_a_class_vary_as_handwriting_does(sans):
    draw = np.random.default_rng(0)
    x, right = sans.images.flatten(1).float().view(len(sans.classes), 20, -1), []
    for _ in range(300):
        classes = draw.permutation(len(x))[:5]
        one, two = draw.permutation(20)[:2]
        nearest = torch.cdist(x[classes, one], x[classes, two]).argmin(1)
        right.append((nearest == torch.arange(5)).float().mean())
    assert 0.5 < np.mean(right) < 0.85  # nearest neighbour on pixels, 5-way 1-shot; 0.45 on Omniglot


def test_a_drawing_is_the_same_hand_in_another_face(sans):
    serif = Glyphs(faces=("serif",), split="test").load(28, 1)
    shared = np.isin(sans.ids, serif.ids)
    assert shared.sum() == len(serif.ids)
    rows = {int(i): r for r, i in enumerate(sans.ids)}
    pairs = [rows[int(i)] for i in serif.ids]
    assert [sans.classes[c] for c in sans.labels[pairs]] == [serif.classes[c] for c in serif.labels]
    a, b = sans.images[pairs].float(), serif.images.float()
    other = b.view(-1, 20, 28 * 28).roll(1, 1).view_as(b)  # another drawing of the same character
    assert (a - b).abs().mean() < 0.6 * (a - other).abs().mean()


def test_a_drawing_does_not_depend_on_the_rest_of_its_domain(sans):
    greek = Glyphs(split="all", scripts=("greek",)).load(28, 1)
    rows = {int(i): r for r, i in enumerate(sans.ids)}
    torch.testing.assert_close(greek.images, sans.images[[rows[int(i)] for i in greek.ids]], atol=0, rtol=0)
    fewer = Glyphs(split="test", scripts=("greek",), drawings=3).load(28, 1)
    torch.testing.assert_close(fewer.images, sans.images[[rows[int(i)] for i in fewer.ids]], atol=0, rtol=0)


def test_several_faces_take_turns():
    mixed = Glyphs(faces=("sans", "stix"), split="test", drawings=4).load(28, 1)
    single = {f: Glyphs(faces=(f,), split="test", drawings=4).load(28, 1) for f in ("sans", "stix")}
    assert mixed.factors["face"][:4].tolist() == ["sans", "stix", "sans", "stix"]
    assert set(mixed.classes) == set(single["sans"].classes) & set(single["stix"].classes)
    for row in range(0, len(mixed.ids), 7):
        own = single[mixed.factors["face"][row]]
        (there,) = np.flatnonzero(own.ids == mixed.ids[row])
        assert torch.equal(own.images[there], mixed.images[row])


def test_a_drawing_is_the_same_at_every_size():
    small, large = (Glyphs(split="test", scripts=("greek",), drawings=2).load(s, 1).images.float() for s in (32, 96))
    mean = torch.nn.functional.avg_pool2d(large, 3)
    assert (small - mean).abs().mean() < 3
    assert (small - mean.roll(1, 3)).abs().mean() > 10


@pytest.mark.parametrize("size", [8, 31, 130])
def test_any_size_and_three_channels(size):
    domain = Glyphs(split="test", scripts=("coptic",), drawings=2).load(size, 3)
    assert domain.images.shape[1:] == (3, size, size)
    assert torch.equal(domain.images[:, 0], domain.images[:, 2])
    assert 0.05 < domain.images.float().mean() / 255 < 0.25


def test_the_digest_follows_the_choices_and_the_fonts(monkeypatch):
    sources = [Glyphs(), Glyphs(split="test"), Glyphs(faces=("serif",)), Glyphs(drawings=10), Glyphs(seed=1)]
    digests = [s.digest() for s in sources]
    assert len(set(digests)) == len(digests)
    assert Glyphs().digest() == digests[0]
    monkeypatch.setattr("robustmeta.domains.glyphs.fonts_digest", lambda: "other fonts")
    assert Glyphs().digest() != digests[0]


def test_another_seed_is_another_hand(sans):
    other = Glyphs(split="test", seed=1).load(28, 1)
    assert not set(sans.ids.tolist()) & set(other.ids.tolist())
    assert not torch.equal(sans.images, other.images)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"scripts": ("greec",)}, "no script greec in split all"),
        ({"scripts": ("greek",), "split": "train"}, "no script greek in split train"),
        ({"faces": ()}, "at least 1"),
        ({"faces": ("sans", "sans")}, "a face stands twice"),
        ({"faces": ("comic",)}, "'sans', 'serif'"),
    ],
)
def test_wrong_choices_are_errors(fields, message):
    with pytest.raises(ValidationError, match=message):
        Glyphs(**fields)


def test_faces_without_a_common_character_are_an_error():
    with pytest.raises(DataError, match="stix share no character of coptic"):
        Glyphs(faces=("stix",), scripts=("coptic",)).load(28, 1)


def test_a_missing_font_is_an_error(monkeypatch, tmp_path):
    monkeypatch.setattr("matplotlib.get_data_path", lambda: str(tmp_path))
    with pytest.raises(DataError, match="reinstall matplotlib"):
        fonts.font_path("sans")
