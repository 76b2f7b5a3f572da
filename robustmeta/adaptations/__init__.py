"""Names of the built-in adaptations: name -> module:attr."""

TABLE: dict[str, str] = {
    "cosine_head": "robustmeta.adaptations.cosine_head:CosineHead",
    "full_finetune": "robustmeta.adaptations.full_finetune:FullFinetune",
    "gradient": "robustmeta.adaptations.gradient:Gradient",
    "in_context": "robustmeta.adaptations.in_context:InContext",
    "linear_probe": "robustmeta.adaptations.linear_probe:LinearProbe",
    "linear_sgd": "robustmeta.adaptations.linear_sgd:LinearSgd",
    "lp_ft": "robustmeta.adaptations.lp_ft:LpFt",
    "matching": "robustmeta.adaptations.matching:Matching",
    "prototypes": "robustmeta.adaptations.prototypes:Prototypes",
    "ridge": "robustmeta.adaptations.ridge:Ridge",
    "simpleshot": "robustmeta.adaptations.simpleshot:SimpleShot",
    "svm": "robustmeta.adaptations.svm:Svm",
    "transductive_finetune": "robustmeta.adaptations.transductive_finetune:TransductiveFinetune",
}
