import numpy as np
import pytest
import torch

from robustmeta.domains.cache import cached, data_key
from robustmeta.domains.glyphs import Glyphs


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.setenv("ROBUSTMETA_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def test_an_array_is_built_once_a_key(folder):
    calls = []
    for key in ("a", "a", "b"):
        array = cached("kind", key, lambda: calls.append(1) or np.arange(4, dtype=np.uint8))
        assert array.tolist() == [0, 1, 2, 3]
    assert len(calls) == 2
    assert sorted(p.suffix for p in folder.iterdir()) == [".npy", ".npy"]


def test_what_comes_from_the_cache_makes_tensors_without_a_warning_and_keeps_the_file(folder):
    cached("kind", "a", lambda: np.zeros(3, np.uint8))
    torch.from_numpy(cached("kind", "a", lambda: np.zeros(3, np.uint8))).add_(1)
    assert cached("kind", "a", lambda: np.ones(3, np.uint8)).sum() == 0


@pytest.mark.parametrize("damage", [b"", b"\x93NUMPY\x01\x00", b"rubbish"])
def test_a_damaged_file_is_built_anew(folder, damage):
    cached("kind", "a", lambda: np.arange(99))
    (file,) = folder.iterdir()
    file.write_bytes(damage)
    assert cached("kind", "a", lambda: np.arange(99)).tolist() == [*range(99)]
    file.write_bytes(file.read_bytes()[:-8])
    assert cached("kind", "a", lambda: np.arange(99)).tolist() == [*range(99)]


def test_an_unwritable_cache_only_costs_time(tmp_path, monkeypatch):
    (tmp_path / "file").write_text("in the way")
    monkeypatch.setenv("ROBUSTMETA_CACHE", str(tmp_path / "file"))
    assert cached("kind", "a", lambda: np.arange(3)).tolist() == [0, 1, 2]


def test_an_error_while_building_leaves_nothing_behind(folder):
    with pytest.raises(ZeroDivisionError):
        cached("kind", "a", lambda: 1 / 0)
    assert not folder.exists()


def test_without_a_setting_the_cache_is_below_the_working_folder(tmp_path, monkeypatch):
    monkeypatch.delenv("ROBUSTMETA_CACHE", raising=False)
    monkeypatch.chdir(tmp_path)
    cached("kind", "a", lambda: np.arange(3))
    assert len(list((tmp_path / "datasets" / "cache").iterdir())) == 1


def test_the_data_key_depends_on_choices_and_parts():
    keys = {
        data_key(Glyphs(), "a"),
        data_key(Glyphs(), "b"),
        data_key(Glyphs(seed=1), "a"),
        data_key(Glyphs(), "a", ""),
    }
    assert len(keys) == 4
