"""Names of the built-in attacks: name -> module:attr."""

TABLE: dict[str, str] = {
    "apgd": "robustmeta.attacks.apgd:APGD",
    "apgd_t": "robustmeta.attacks.apgd_t:APGDT",
    "autoattack": "robustmeta.attacks.autoattack:AutoAttack",
    "carlini_wagner": "robustmeta.attacks.carlini_wagner:CarliniWagner",
    "deepfool": "robustmeta.attacks.deepfool:DeepFool",
    "fab": "robustmeta.attacks.fab:FAB",
    "fgsm": "robustmeta.attacks.fgsm:FGSM",
    "noise": "robustmeta.attacks.noise:Noise",
    "patch": "robustmeta.attacks.patch:Patch",
    "pgd": "robustmeta.attacks.pgd:PGD",
    "spatial": "robustmeta.attacks.spatial:Spatial",
    "square": "robustmeta.attacks.square:Square",
}
