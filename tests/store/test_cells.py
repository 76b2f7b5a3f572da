import os
from pathlib import Path

import pandas as pd
import pytest
import torch

from robustmeta.store.cells import Cell, Content, Store, StoreError

CONTENT = Content(
    {"queries": pd.DataFrame({"a": [1, 2]})}, {"model": {"w": torch.ones(2)}}, {"coupled": False}, {"seconds": 1.0}
)


def test_key_is_the_inputs_whatever_their_order() -> None:
    a = Cell("train", {"x": 1, "y": [1, 2]})
    assert a.key == Cell("train", {"y": [1, 2], "x": 1}).key
    others = [Cell("tune", a.spec), Cell("train", {"x": 2, "y": [1, 2]}), Cell("train", a.spec, ("p",))]
    assert len({a.key, *(o.key for o in others)}) == 4


def test_a_cell_comes_back(tmp_path: Path) -> None:
    store, cell = Store(tmp_path / "store"), Cell("train", {"x": 1})
    store.prepare()
    assert not store.has(cell.key)
    store.write(cell, CONTENT)
    assert store.has(cell.key)
    assert store.table(cell.key, "queries")["a"].tolist() == [1, 2]
    assert torch.equal(store.tensors(cell.key, "model")["w"], torch.ones(2))
    assert store.head(cell.key)["spec"] == {"x": 1}
    assert store.costs(cell.key) == {"seconds": 1.0}
    store.write(cell, CONTENT)  # somebody else was first: fine
    assert sorted(p.name for p in store.folder.iterdir()) == [cell.key]


def test_a_killed_writer_leaves_nothing_that_counts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store, cell = Store(tmp_path / "store"), Cell("train", {"x": 1})
    store.prepare()
    with monkeypatch.context() as m:
        m.setattr(Path, "rename", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            store.write(cell, CONTENT)
    assert not store.has(cell.key)
    left = store.folder / ".writing-abc-999999999"
    left.mkdir()
    store.prepare()
    assert not left.exists()
    assert list(store.folder.iterdir()) == []


def test_a_full_disk_is_said_and_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store, cell = Store(tmp_path / "store"), Cell("train", {"x": 1})
    store.prepare()

    def full(*_: object, **__: object) -> None:
        raise OSError(28, os.strerror(28))

    monkeypatch.setattr(pd.DataFrame, "to_parquet", full)
    with pytest.raises(StoreError, match=r"cannot write the store: No space left on device; free space"):
        store.write(cell, CONTENT)
    assert list(store.folder.iterdir()) == []


def test_an_unwritable_store_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(StoreError, match="cannot write the store"):
        Store(tmp_path / "file" / "store").prepare()


@pytest.mark.parametrize("name", ["cell.json", "costs.json", "queries.parquet", "model.safetensors"])
def test_a_damaged_cell_says_what_to_delete(tmp_path: Path, name: str) -> None:
    store, cell = Store(tmp_path / "store"), Cell("train", {"x": 1})
    store.write(cell, CONTENT)
    (store.folder / cell.key / name).write_bytes(b"\x00damaged")
    read = {
        "cell.json": store.head,
        "costs.json": store.costs,
        "queries.parquet": lambda key: store.table(key, "queries"),
        "model.safetensors": lambda key: store.tensors(key, "model"),
    }
    with pytest.raises(StoreError, match=f"{name}: cannot be read .*delete the folder"):
        read[name](cell.key)
