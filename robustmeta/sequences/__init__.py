"""Names of the built-in perturbation sequences: name -> module:attr."""

TABLE: dict[str, str] = {
    "brightness": "robustmeta.sequences.brightness:brightness",
    "gaussian_blur": "robustmeta.sequences.gaussian_blur:gaussian_blur",
    "gaussian_noise": "robustmeta.sequences.gaussian_noise:gaussian_noise",
    "motion_blur": "robustmeta.sequences.motion_blur:motion_blur",
    "rotate": "robustmeta.sequences.rotate:rotate",
    "scale": "robustmeta.sequences.scale:scale",
    "shear": "robustmeta.sequences.shear:shear",
    "shot_noise": "robustmeta.sequences.shot_noise:shot_noise",
    "snow": "robustmeta.sequences.snow:snow",
    "spatter": "robustmeta.sequences.spatter:spatter",
    "speckle_noise": "robustmeta.sequences.speckle_noise:speckle_noise",
    "tilt": "robustmeta.sequences.tilt:tilt",
    "translate": "robustmeta.sequences.translate:translate",
    "zoom_blur": "robustmeta.sequences.zoom_blur:zoom_blur",
}

SETS: dict[str, tuple[str, ...]] = {
    "imagenet-p": (
        *("gaussian_noise", "shot_noise", "motion_blur", "zoom_blur", "snow"),
        *("brightness", "translate", "rotate", "tilt", "scale"),
    ),
    "imagenet-p-validation": ("speckle_noise", "gaussian_blur", "spatter", "shear"),
}
"""Named sets, for ``sequences:`` in a study: those of Hendrycks and Dietterich (2019), and their four for tuning."""
