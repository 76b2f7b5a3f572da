"""Names of the built-in metrics: name -> module:attr."""

TABLE: dict[str, str] = {
    "accuracy": "robustmeta.metrics.scores:accuracy",
    "brier": "robustmeta.metrics.scores:brier",
    "ece": "robustmeta.metrics.scores:ece",
    "nll": "robustmeta.metrics.scores:nll",
}
