"""Names of the built-in attacks on supports: name -> module:attr."""

TABLE: dict[str, str] = {
    "evasion_swap": "robustmeta.support_attacks.evasion_swap:EvasionSwap",
    "label_flip": "robustmeta.support_attacks.label_flip:LabelFlip",
    "poisoning": "robustmeta.support_attacks.poisoning:Poisoning",
    "support_noise": "robustmeta.support_attacks.support_noise:SupportNoise",
}
