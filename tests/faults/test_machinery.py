"""Faults planted in the machinery, each of which must turn a check red."""

import runpy
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from robustmeta import core, rng
from robustmeta.core import TaskShape
from robustmeta.metrics import intervals
from robustmeta.study import data, evaluate, gather, shifts

TESTS = Path(__file__).resolve().parents[1]

pytestmark = pytest.mark.usefixtures("fresh_plugins")


def checks(file: str) -> dict[str, Any]:
    """The checks of another test module."""
    return runpy.run_path(str(TESTS / file))


def test_draws_from_a_shared_stream(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rng.Rng, "normal", lambda self, *shape: torch.randn(*self.keys.shape, *shape))
    with pytest.raises(AssertionError):
        checks("core/test_rng.py")["test_row_depends_on_its_key_alone"]()


def test_keys_cut_to_32_bits(monkeypatch: pytest.MonkeyPatch) -> None:
    original = rng.Rng.__init__

    def cut(self: rng.Rng, seed: int, stream: Any, keys: Any) -> None:
        original(self, seed, stream, np.asarray(keys, np.uint64) & np.uint64(0xFFFFFFFF))

    monkeypatch.setattr(rng.Rng, "__init__", cut)
    with pytest.raises(AssertionError):
        checks("core/test_rng.py")["test_seed_stream_and_all_64_bits_of_a_key_matter"]()


def test_a_support_drawn_before_the_query(monkeypatch: pytest.MonkeyPatch) -> None:
    original = core.sample

    def swapped(domain: Any, shape: TaskShape, *rest: Any) -> Any:
        e = original(domain, TaskShape(shape.way, shape.query, shape.shot), *rest)
        return core.Episodes(e.number, e.query, e.query_y, e.support, e.support_y, e.way)

    found = checks("core/test_core.py")
    found["test_query_is_independent_of_the_shot"].__globals__["sample"] = swapped
    with pytest.raises(AssertionError):
        found["test_query_is_independent_of_the_shot"]()


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Any:
    root = tmp_path_factory.mktemp("store")
    return root, *checks("study/test_run.py")["run"](root)


def test_a_gain_over_other_episodes(monkeypatch: pytest.MonkeyPatch, finished: Any) -> None:
    def unpaired(metric: Any, values: Any, baseline: Any = None) -> Any:
        return intervals.estimate(metric, values, baseline if baseline is None else np.roll(baseline, 1, axis=1))

    check = checks("study/test_run.py")["test_a_gain_is_paired_by_episode"]
    check(finished, 5)
    monkeypatch.setattr(gather, "estimate", unpaired)
    with pytest.raises(AssertionError):
        check(finished, 5)


def test_a_data_key_without_the_data(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(data, "data_identity", lambda source: source.identity())
    with pytest.raises(AssertionError):
        checks("study/test_keys.py")["test_a_byte_of_the_data_changes_what_reads_it"](tmp_path)


def test_a_key_without_the_plugins_source(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def blind(stages: Any) -> list[dict[str, Any]]:
        return [{"name": s.corruption.name, "level": s.level} for s in stages]

    monkeypatch.setattr(shifts, "chain_identity", blind)
    with pytest.raises(AssertionError):
        checks("study/test_keys.py")["test_a_line_of_a_plugin_changes_its_cells"](tmp_path)


def test_features_that_are_made_again(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(evaluate.Embeddings, "of", evaluate.Embeddings._embed)
    with pytest.raises(AssertionError):
        checks("study/test_run.py")["test_each_image_is_corrupted_and_embedded_once"](tmp_path, monkeypatch)


def test_an_interval_that_ignores_the_seeds() -> None:
    found = checks("metrics/test_metrics.py")
    found["test_crossed_interval_covers"].__globals__["crossed_interval"] = intervals.episodes_interval
    with pytest.raises(AssertionError):
        found["test_crossed_interval_covers"]((0.05, 0.0))
