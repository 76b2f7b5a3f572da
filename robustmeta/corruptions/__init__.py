"""Names of the built-in corruptions: name -> module:attr. A prefix such as ``albumentations:*`` has a module."""

_OURS = (
    "blue_noise_sample",
    "brightness",
    "brownish_noise",
    "caustic_refraction",
    "checkerboard_cutout",
    "circular_motion_blur",
    "cocentric_sine_waves",
    "contrast",
    "cutout",
    "defocus_blur",
    "elastic_transform",
    "fog",
    "frost",
    "gaussian_blur",
    "gaussian_noise",
    "glass_blur",
    "impulse_noise",
    "inverse_sparkles",
    "jpeg_compression",
    "lines",
    "motion_blur",
    "occlusion",
    "perlin_noise",
    "pinch_and_twirl",
    "pixelate",
    "plasma_noise",
    "resolution_loss",
    "ripple",
    "saturate",
    "shot_noise",
    "single_frequency_greyscale",
    "snow",
    "sparkles",
    "spatter",
    "speckle_noise",
    "transverse_chromatic_abberation",
    "zoom_blur",
)

TABLE: dict[str, str] = {
    "albumentations:*": "robustmeta.corruptions.albumentations",
    "nrtk:*": "robustmeta.corruptions.nrtk",
    **{name: f"robustmeta.corruptions.{name}:{name}" for name in _OURS},
}

SETS: dict[str, tuple[str, ...]] = {
    "imagenet-c": (
        *("gaussian_noise", "shot_noise", "impulse_noise", "defocus_blur", "glass_blur", "motion_blur", "zoom_blur"),
        *("snow", "frost", "fog", "brightness", "contrast", "elastic_transform", "pixelate", "jpeg_compression"),
    ),
    "imagenet-c-validation": ("speckle_noise", "gaussian_blur", "spatter", "saturate"),
    "imagenet-c-bar": (
        *("blue_noise_sample", "brownish_noise", "caustic_refraction", "checkerboard_cutout", "cocentric_sine_waves"),
        *("inverse_sparkles", "perlin_noise", "plasma_noise", "single_frequency_greyscale", "sparkles"),
    ),
    "cifar-10-c-bar": (
        *("blue_noise_sample", "brownish_noise", "checkerboard_cutout", "circular_motion_blur", "inverse_sparkles"),
        *("lines", "pinch_and_twirl", "ripple", "sparkles", "transverse_chromatic_abberation"),
    ),
}
"""Named sets, for ``corruptions:`` in a study: the benchmark of Hendrycks and Dietterich (2019), its four for tuning
(never in its mean), and the two held-out families of Mintun et al. (2021)."""
