"""One colour a learner, the same in the report and in MLflow."""

from collections.abc import Iterable

COLOURS = (
    *("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9"),
    *("#882255", "#332288", "#999933", "#555555", "#44AA99", "#AA4499"),
)
"""Told apart with any common colour blindness: Okabe and Ito (2008) without yellow and black, which are lost on white
and among text, then Tol (2021), "muted", and a gray."""


def colours(labels: Iterable[str]) -> dict[str, str]:
    """A colour ``#RRGGBB`` for each label, by its place in the order given; after the twelfth they begin again.

    >>> colours(["maml", "protonet"])
    {'maml': '#0072B2', 'protonet': '#D55E00'}
    """
    return {label: COLOURS[i % len(COLOURS)] for i, label in enumerate(dict.fromkeys(labels))}
