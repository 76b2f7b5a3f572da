"""Names of the built-in attacks: name -> module:attr."""

TABLE: dict[str, str] = {
    "fgsm": "robustmeta.attacks.fgsm:FGSM",
    "pgd": "robustmeta.attacks.pgd:PGD",
}
