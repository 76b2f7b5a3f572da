"""Faults planted in the domains, each of which must turn a check red."""

import runpy
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from robustmeta.domains import files, fonts, glyphs, omniglot
from robustmeta.rng import Rng

DOMAINS = Path(__file__).resolve().parents[1] / "domains"


@pytest.fixture(autouse=True)
def fresh(tmp_path, monkeypatch):
    monkeypatch.setenv("ROBUSTMETA_CACHE", str(tmp_path / "cache"))
    fonts.characters.cache_clear()
    yield
    fonts.characters.cache_clear()


@pytest.fixture(scope="module")
def glyph_checks():
    return runpy.run_path(str(DOMAINS / "test_glyphs.py"))


def test_without_merging_splits_share_characters(monkeypatch, glyph_checks):
    monkeypatch.setattr(fonts, "distinct", lambda codes, similarity: list(codes))
    assert glyph_checks["closest_across_splits"](list(fonts.characters())) > 0.99


def test_merging_by_one_face_leaves_alike_characters_in_others(monkeypatch, glyph_checks):
    similarity = fonts._similarity

    def by_stix(codes):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(fonts, "FACES", {"stix": fonts.FACES["stix"]})
            return similarity(codes)

    monkeypatch.setattr(fonts, "_similarity", by_stix)
    assert glyph_checks["closest_across_splits"](list(fonts.characters())) > 0.99


def test_a_hand_keyed_by_row_unpairs_the_faces(monkeypatch, glyph_checks):
    check = glyph_checks["test_a_drawing_is_the_same_hand_in_another_face"]
    check(glyphs.Glyphs(split="test").load(28, 1))
    monkeypatch.setattr(glyphs, "cached", lambda kind, key, build: build())
    monkeypatch.setattr(glyphs, "Rng", lambda seed, stream, keys: Rng(seed, stream, np.arange(len(keys))))
    with pytest.raises(AssertionError):
        check(glyphs.Glyphs(split="test").load(28, 1))


def test_a_digest_without_the_bytes_serves_stale_pixels(monkeypatch, tmp_path):
    draw = runpy.run_path(str(DOMAINS / "test_omniglot.py"))["draw"]
    drawing = tmp_path / "images_background/Korean/character01/0012_01.png"

    def changes():
        draw(drawing, 0)
        before = omniglot.Omniglot(path=tmp_path).load(21, 1).images.clone()
        draw(drawing, 1)
        return not torch.equal(omniglot.Omniglot(path=tmp_path).load(21, 1).images, before)

    assert changes()
    monkeypatch.setattr(files.Tree, "digest", lambda self, names: str(names))
    assert not changes()


def test_resizing_an_image_of_one_bit_would_lose_the_antialiasing():
    ink = np.random.default_rng(0).random((105, 105)) < 0.1
    picture = Image.fromarray(~ink)
    assert len(np.unique(np.asarray(picture.resize((28, 28), Image.Resampling.LANCZOS).convert("L")))) == 2
    assert len(np.unique(np.asarray(picture.convert("L").resize((28, 28), Image.Resampling.LANCZOS)))) > 20
