"""Names of the built-in adaptations: name -> module:attr."""

TABLE: dict[str, str] = {
    "finetune": "robustmeta.adaptations.finetune:FineTune",
    "gradient": "robustmeta.adaptations.gradient:Gradient",
    "in_context": "robustmeta.adaptations.in_context:InContext",
    "linear_probe": "robustmeta.adaptations.linear_probe:LinearProbe",
    "prototypes": "robustmeta.adaptations.prototypes:Prototypes",
}
