"""Names of the built-in certificates: name -> module:attr."""

TABLE: dict[str, str] = {
    "smoothing": "robustmeta.certificates.smoothing:Smoothing",
}
