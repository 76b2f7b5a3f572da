"""A trained learner as a scikit-learn classifier."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Self, TypeVar, cast

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from pydantic import ValidationError
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.utils import assert_all_finite
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_array, check_consistent_length, check_is_fitted, column_or_1d
from torch import Tensor, nn

from robustmeta.config.components import Adaptation, Backbone, Component, Method
from robustmeta.config.find import build
from robustmeta.config.study import Canvas
from robustmeta.core import Classifier, to_float
from robustmeta.registry import entries
from robustmeta.rng import Rng
from robustmeta.store.cells import Store, StoreError
from robustmeta.study.network import from_tensors

C = TypeVar("C", bound=Component)


def load(cell: str | Path, adapt: Mapping[str, Any] | None = None, seed: int = 0) -> "FewShotClassifier":
    """The trained learner of a cell, to be fitted to the few examples of a new task.

    >>> import robustmeta as rm
    >>> clf = rm.load("mlruns/store/<key>")  # doctest: +SKIP
    >>> clf.fit(support_images, labels).predict(query_images)  # doctest: +SKIP

    Args:
        cell: folder of a train or tune cell; ``robustmeta plan STUDY`` lists the keys. Only tensors and JSON are read.
        adapt: an adaptation with its fields, such as ``{"name": "linear_probe", "c": 1.0}``, instead of the cell's.
        seed: of what the adaptation draws.

    Raises:
        StoreError: no such cell, a damaged one, or one of another version of a component.
        ValueError: an adaptation that does not exist, or wrong fields of it.
    """
    made = FewShotClassifier(str(cell), dict(adapt) if adapt else None, seed)
    made.learner()
    return made


class FewShotClassifier(ClassifierMixin, BaseEstimator):
    """A trained network that adapts to a support set in ``fit`` and classifies queries in ``predict``.

    Images X are (n, C, H, W) of the study's canvas, or rows (n, C·H·W) of the same values: uint8 in 0..255, or floats
    in [0, 1]. Labels are any that scikit-learn takes. A transductive learner answers the queries of one call together.

    Attributes:
        classes_: the labels seen in ``fit``, sorted.
        n_features_in_: C·H·W.
        support_x_, support_y_: what it was fitted to: float32 (n, C, H, W), and indices into ``classes_``.
    """

    def __init__(self, cell: str, adapt: dict[str, Any] | None = None, seed: int = 0) -> None:
        self.cell = cell
        self.adapt = adapt
        self.seed = seed

    def learner(self) -> tuple[nn.Module, Adaptation, Canvas]:
        """The network, how it adapts, and the images that it takes, as the cell has them; read once.

        Raises:
            StoreError, ValueError: as ``load``.
        """
        if "_learner" not in self.__dict__:
            self._learner = _read(Path(self.cell), self.adapt)
        return self._learner

    def fit(self, X: ArrayLike | Tensor, y: ArrayLike | Tensor) -> Self:
        """Adapt to the support images X with labels y.

        Raises:
            ValueError: images of another size or range, labels that do not fit, or a number of classes that the
                network does not serve.
        """
        rows, labels = _rows(self, X), column_or_1d(y, warn=True)
        assert_all_finite(labels, input_name="y")
        check_consistent_length(rows, labels)
        check_classification_targets(labels)
        self.classes_, codes = np.unique(labels, return_inverse=True)
        if len(self.classes_) < 2:
            raise ValueError(f"the support has one class, {self.classes_[0]!r}: give examples of two or more classes")
        self.n_features_in_ = rows.shape[1]
        self.support_x_, self.support_y_ = self._images(rows), torch.from_numpy(codes)
        self.__dict__.pop("_adapted", None)
        self._classifier()
        return self

    def predict_proba(self, X: ArrayLike | Tensor) -> NDArray[np.float64]:
        """Probabilities (n, classes) of the query images X."""
        check_is_fitted(self, "classes_")
        rows = _rows(self, X)
        if rows.shape[1] != self.n_features_in_:
            raise ValueError(
                f"X has {rows.shape[1]} features, but {type(self).__name__} is expecting {self.n_features_in_} "
                "features as input"
            )
        with torch.no_grad():
            logits = self._classifier()(self._images(rows)[None])[0]
        return logits.double().softmax(-1).numpy()

    def predict(self, X: ArrayLike | Tensor) -> NDArray[Any]:
        """The most probable class of each query image of X."""
        best = self.predict_proba(X).argmax(1)
        return cast("NDArray[Any]", self.classes_[best])

    def _classifier(self) -> Classifier:
        if "_adapted" not in self.__dict__:
            net, adaptation, _ = self.learner()
            rng = Rng(self.seed, ("adapt",), [0])
            support = self.support_x_[None], self.support_y_[None]
            self._adapted = adaptation.adapt(net, *support, len(self.classes_), rng)
        return self._adapted

    def _images(self, rows: NDArray[Any]) -> Tensor:
        """Float32 images (n, C, H, W) in [0, 1] of rows."""
        canvas = self.learner()[2]
        shape = (canvas.channels, canvas.size, canvas.size)
        if rows.shape[1] != np.prod(shape):
            raise ValueError(
                f"expected images of {' x '.join(map(str, shape))} (channels, height, width), or rows of "
                f"{np.prod(shape)} values; got {rows.shape[1]} values an image: resize them as the study's domains are"
            )
        if rows.dtype == np.uint8:
            return to_float(torch.from_numpy(np.ascontiguousarray(rows))).reshape(-1, *shape)
        low, high = rows.min(), rows.max()
        if low < 0 or high > 1:
            raise ValueError(f"expected uint8 images or floats in [0, 1]; got {rows.dtype} from {low:g} to {high:g}")
        return torch.from_numpy(rows.astype(np.float32)).reshape(-1, *shape)

    def __getstate__(self) -> dict[str, Any]:
        """All but what can be read or computed again."""
        state = cast("dict[str, Any]", super().__getstate__())
        return {k: v for k, v in state.items() if k not in ("_learner", "_adapted")}


def _rows(estimator: FewShotClassifier, x: ArrayLike | Tensor) -> NDArray[Any]:
    """X as numeric rows (n, values), finite and not empty, as scikit-learn checks them."""
    given = x.detach().cpu().numpy() if isinstance(x, Tensor) else x
    found = check_array(given, allow_nd=True, estimator=estimator, input_name="X")
    return np.asarray(found).reshape(len(found), -1)


def _read(folder: Path, adapt: Mapping[str, Any] | None) -> tuple[nn.Module, Adaptation, Canvas]:
    store = Store(folder.parent)
    if not store.has(folder.name):
        raise StoreError(f"{folder}: no cell is there; `robustmeta plan STUDY` lists the keys of a study")
    head = store.head(folder.name)
    tuned = head["protocol"].get("adaptation") if head["kind"] == "tune" else None
    if head["kind"] == "tune":
        folder = folder.parent / head["parents"][0]
        head = store.head(folder.name)
    if head["kind"] != "train":
        raise StoreError(f"{folder}: this cell holds measurements, not a network; give a train or tune cell")
    spec = head["spec"]
    method = _component("methods", Method, spec["method"], folder)
    backbone = _component("backbones", Backbone, spec["backbone"], folder)
    canvas = Canvas.model_validate(spec["images"])
    chosen = dict(adapt or tuned or method.adaptation().model_dump())
    adaptation = _component("adaptations", Adaptation, chosen, folder)
    return from_tensors(method, backbone, canvas, store, folder.name), adaptation, canvas


def _component(kind: str, base: type[C], spec: Mapping[str, Any], folder: Path) -> C:
    """A component by its registry name: a stored cell may not name a module or a file to import."""
    fields = {k: v for k, v in spec.items() if k not in ("version", "source")}
    known = [e.name for e in entries(kind)]
    if fields.get("name") not in known:
        raise StoreError(
            f"{folder}: its {kind[:-1]} {fields.get('name')!r} is not known here: import the plug-in first, or choose "
            f"one of {', '.join(known)}"
        )
    try:
        made = build(kind, base, fields)
    except ValidationError as error:
        raise ValueError(f"{kind[:-1]} {spec['name']}: {error.errors(include_url=False)[0]['msg']}") from None
    if spec.get("version", made.version) != made.version:
        raise StoreError(
            f"{folder}: made by version {spec['version']} of {made.name}, this is version {made.version}: train again"
        )
    return made
