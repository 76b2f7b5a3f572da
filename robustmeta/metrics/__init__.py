"""Names of the built-in metrics: name -> module:attr."""

TABLE: dict[str, str] = {
    "accuracy": "robustmeta.metrics.scores:accuracy",
    "brier": "robustmeta.metrics.scores:brier",
    "ece": "robustmeta.metrics.scores:ece",
    "flip_rate": "robustmeta.metrics.flips:flip_rate",
    "nll": "robustmeta.metrics.scores:nll",
}
