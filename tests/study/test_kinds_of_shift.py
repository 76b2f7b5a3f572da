"""Chains, sides, sets, dirty supports and sequences through the machinery, held against plain computations."""

from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tiny
import torch
from ran import Run, keys

from robustmeta.adaptations.gradient import Gradient
from robustmeta.adaptations.prototypes import Prototypes
from robustmeta.core import to_float
from robustmeta.registry import resolve
from robustmeta.rng import Rng
from robustmeta.shifts.corruption import Corruption
from robustmeta.store.cells import Store
from robustmeta.study.data import Data
from robustmeta.study.execute import Silent, Worker, execute
from robustmeta.study.gather import gather
from robustmeta.study.plan import plan
from robustmeta.study.sets import BENCHMARK

pytestmark = pytest.mark.usefixtures("fresh_plugins")
SHIFTS: list[dict[str, Any]] = [
    {"label": "both", "corruption": [{"contrast": 2}, {"gaussian_noise": 1}]},
    {"label": "sides", "support": [{"contrast": 3}], "query": [{"gaussian_noise": 5}]},
    {"tasking": "label_noise", "severity": [1, 5]},
    {"tasking": "missing_class", "severity": [1]},
    {"sequence": "rotate"},
    {"sequence": "gaussian_noise", "severity": [1, 3]},
]


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    return Run(tmp_path_factory.mktemp("store"), shifts=SHIFTS).whole()


def tasks(run: Run) -> Any:
    worker = Worker(run.study, run.store, run.data, Silent())
    return run.data.domain([run.study.targets[0].source]), worker._episodes(run.study.targets[0])


def test_a_chain_is_its_corruptions_one_after_the_other(run: Run) -> None:
    domain, episodes = tasks(run)
    rows = torch.from_numpy(episodes.rows())
    images = domain.images[rows]
    for place, (name, level) in enumerate((("contrast", 0.5), ("gaussian_noise", 0.04))):
        images = resolve("corruptions", name)(images, level, Rng(0, ("corruption", name, place), domain.ids[rows]))  # type: ignore[operator]
    shift = run.work("protonet", "both", 2).shift
    view = run.data.view(run.study.targets[0].source, shift.query, 0, episodes.rows())
    assert torch.equal(view[rows], images)


def test_a_dirty_support_changes_only_the_support(run: Run) -> None:
    _, episodes = tasks(run)
    tasking = resolve("taskings", "label_noise")
    got = tasking(episodes, 0.5, Rng(0, ("tasking", "label_noise", 0), episodes.number))  # type: ignore[operator]
    assert (got.support_y != episodes.support_y).float().mean() > 0.2
    net = Worker(run.study, run.store, run.data, Silent())
    bench = net._bench(run.work("protonet", "label_noise", 5))
    assert torch.equal(bench.episodes.support_y, got.support_y)
    assert torch.equal(bench.episodes.query, episodes.query)
    assert run.point("protonet", "label_noise", 5) < run.point("protonet", "clean", 0) - 0.1


def test_records_of_a_dirty_support_are_a_plain_computation(run: Run) -> None:
    work = run.work("protonet", "missing_class", 1)
    bench = Worker(run.study, run.store, run.data, Silent())._bench(work)
    e, x = bench.episodes, to_float(bench.domain.images)
    with torch.no_grad():
        classifier = Prototypes().adapt(bench.net, x[e.support], e.support_y, e.way, Rng(0, (), e.number))
        expected = classifier(x[e.query]).argmax(-1).flatten()
    assert e.support.shape[1] == 4  # one of three classes is gone
    np.testing.assert_array_equal(run.queries("protonet", "missing_class", 1)["predicted"], expected)


def test_flips_of_a_sequence_are_a_plain_computation(run: Run) -> None:
    domain, episodes = tasks(run)
    sequence = resolve("sequences", "gaussian_noise")
    bench = Worker(run.study, run.store, run.data, Silent())._bench(run.work("maml", "gaussian_noise-frames", 3))
    rows = episodes.query.unique()
    rng = Rng(0, ("sequence", "gaussian_noise"), domain.ids[rows])
    x = to_float(domain.images)
    adapt_rng = Rng(0, ("adapt",), episodes.number)
    classifier = bench.adaptation.adapt(bench.net, x[episodes.support], episodes.support_y, 3, adapt_rng)
    predicted = []
    level = sequence.tables["32"][2]  # type: ignore[attr-defined]
    for frame in sequence(domain.images[rows], level, rng):  # type: ignore[operator]
        view = torch.zeros_like(domain.images)
        view[rows] = frame
        with torch.no_grad():
            predicted.append(classifier(to_float(view[episodes.query])).argmax(-1))
    expected = torch.stack(predicted[1:]).ne(predicted[0]).double().mean()
    assert run.point("maml", "gaussian_noise-frames", 3, "flip_rate") == pytest.approx(float(expected))
    assert 0 < float(expected) < 1


def test_a_sequence_has_no_accuracy_and_the_rest_no_flips(run: Run) -> None:
    p = run.results.points
    assert set(p[p["axis"] == "frames"]["metric"]) == {"flip_rate"}
    assert "flip_rate" not in set(p[p["axis"] != "frames"]["metric"])


def test_each_frame_is_made_and_embedded_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    embedded, adapted = [], Counter[str]()
    embed, adapt = Prototypes.embed, Gradient.adapt

    def counting(self: Any, net: Any, x: Any) -> Any:
        embedded.append(len(x))
        return embed(self, net, x)

    def counted(self: Any, *args: Any) -> Any:
        adapted["maml"] += len(args[1])
        return adapt(self, *args)

    monkeypatch.setattr(Prototypes, "embed", counting)
    made = Run(tmp_path, shifts=[], baselines=[]).whole()
    embedded.clear()
    monkeypatch.setattr(Gradient, "adapt", counted)
    more = Run(tmp_path, shifts=[{"sequence": "rotate"}], baselines=[]).whole()
    _, episodes = tasks(made)
    frames = 31 * len(episodes.query.unique())
    assert sum(embedded) == frames + len(episodes.rows())  # and the support
    assert more.work("protonet", "rotate-frames", 1).passes == frames
    assert more.work("maml", "rotate-frames", 1).passes == 31 * episodes.query.numel()
    assert adapted["maml"] == len(episodes)


def test_two_learners_share_the_frames(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    played = []
    original = Data.frames

    def counting(self: Any, source: Any, stage: Any, *rest: Any) -> Any:
        before = len(self._views)
        found = original(self, source, stage, *rest)
        played.append(len(self._views) - before)
        return found

    monkeypatch.setattr(Data, "frames", counting)
    Run(tmp_path, shifts=[{"sequence": "rotate"}]).whole()
    assert played == [1, 0, 0]


@pytest.mark.parametrize(
    ("place", "field", "value", "touched"),
    [
        (0, "corruption", [{"contrast": 2}, {"gaussian_noise": 2}], "both"),
        (0, "corruption", [{"gaussian_noise": 1}, {"contrast": 2}], "both"),
        (1, "support", [{"contrast": 1}], "sides"),
        (2, "levels", [0.11, 0.2, 0.3, 0.4, 0.51], "label_noise"),
        (3, "episodes", 4, "missing_class"),
        (5, "table", "64", "gaussian_noise-frames"),
    ],
)
def test_a_change_reaches_exactly_its_cells(place: int, field: str, value: Any, touched: str, tmp_path: Path) -> None:
    changed = [dict(s) for s in SHIFTS]
    changed[place][field] = value
    a, b = keys(tmp_path, shifts=SHIFTS), keys(tmp_path, shifts=changed)
    assert {k for k in a if a[k] != b.get(k)} == {k for k in a if k[1] == touched}


def test_mean_corruption_errors_against_the_named_baseline(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    small = {BENCHMARK: ("gaussian_noise", "contrast"), "other": ("defocus_blur", "jpeg_compression")}
    for module in ("robustmeta.config.sets", "robustmeta.registry"):
        monkeypatch.setattr(f"{module}.corruption_sets", lambda: small)
    shifts = [{"corruptions": BENCHMARK, "severity": [3, 5], "table": "224"}, {"corruptions": "other", "severity": [3]}]
    run = Run(tmp_path, shifts=shifts).whole()
    sets = run.results.sets.set_index(["learner", "group", "measure"])
    assert set(run.results.sets["baseline"]) == {"supervised"}

    def errors(learner: str, names: tuple[str, ...], steps: tuple[int, ...]) -> np.ndarray:
        return np.array([[1 - run.point(learner, n, s) for s in steps] for n in names])

    for learner in ("maml", "protonet"):
        mine, base = errors(learner, small[BENCHMARK], (3, 5)), errors("supervised", small[BENCHMARK], (3, 5))
        mce = (mine.sum(1) / base.sum(1)).mean()
        assert sets.loc[(learner, BENCHMARK, "mce"), "mean"] == pytest.approx(mce)
        clean = [1 - run.point(n, "clean", 0) for n in (learner, "supervised")]
        relative = ((mine - clean[0]).sum(1) / (base - clean[1]).sum(1)).mean()
        assert sets.loc[(learner, BENCHMARK, "relative_mce"), "mean"] == pytest.approx(relative)
        held_out = 1 - errors(learner, small["other"], (3,)).mean()
        assert sets.loc[(learner, "other", "mean_accuracy"), "mean"] == pytest.approx(held_out)
        row = sets.loc[(learner, BENCHMARK, "mce")]
        assert row["low"] <= row["mean"] <= row["high"]
    assert sets.loc[("supervised", BENCHMARK, "mce"), "mean"] == pytest.approx(1)
    assert not [k for k in sets.index if k[1:] == ("other", "mce")]  # other sets never enter it


def test_mean_flip_rates_against_the_named_baseline(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    small = {"imagenet-p": ("rotate", "gaussian_noise")}
    for module in ("robustmeta.config.sequences", "robustmeta.registry", "robustmeta.study.sets"):
        monkeypatch.setattr(f"{module}.sequence_sets", lambda: small)
    run = Run(tmp_path, shifts=[{"sequences": "imagenet-p"}]).whole()
    sets = run.results.sets.set_index(["learner", "measure"])
    names = ("rotate-frames", "gaussian_noise-frames")
    rates = {n: np.array([run.point(n, s, 1, "flip_rate") for s in names]) for n in ("protonet", "supervised")}
    assert sets.loc[("protonet", "flip_rate"), "mean"] == pytest.approx(rates["protonet"].mean())
    expected = (rates["protonet"] / rates["supervised"]).mean()
    assert sets.loc[("protonet", "mfr"), "mean"] == pytest.approx(expected)


def test_a_corruption_that_fails_leaves_its_set_without_a_mean(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    small = {BENCHMARK: ("gaussian_noise", "contrast")}
    for module in ("robustmeta.config.sets", "robustmeta.registry"):
        monkeypatch.setattr(f"{module}.corruption_sets", lambda: small)
    call = Corruption.__call__

    def failing(self: Corruption, *args: Any, **kwargs: Any) -> Any:
        if self.name == "contrast":
            from robustmeta.core import CellError

            raise CellError("planted")
        return call(self, *args, **kwargs)

    monkeypatch.setattr(Corruption, "__call__", failing)
    study = tiny.study(shifts=[{"corruptions": BENCHMARK, "severity": [1]}])
    store, data = Store(tmp_path), Data(study.images)
    planned = plan(study, store, data)
    outcome = execute(planned, store, data, Silent())
    assert len(outcome.failures) == 3
    assert len(gather(planned, store, outcome).sets) == 0
