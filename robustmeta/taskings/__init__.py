"""Names of the built-in taskings, noise of a task's support that is not in its pixels: name -> module:attr."""

TABLE: dict[str, str] = {
    "class_imbalance": "robustmeta.taskings.class_imbalance:class_imbalance",
    "fewer_shots": "robustmeta.taskings.fewer_shots:fewer_shots",
    "label_noise": "robustmeta.taskings.label_noise:label_noise",
    "label_noise_paired": "robustmeta.taskings.label_noise_paired:label_noise_paired",
    "missing_class": "robustmeta.taskings.missing_class:missing_class",
}
