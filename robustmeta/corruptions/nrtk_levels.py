"""Five levels, mild to strong, for perturbers of NRTK; the strengths are ours, set as those of albumentations are."""

from robustmeta.corruptions.albumentations_levels import Level, Sweep

SWEEPS: dict[str, Sweep] = {
    "AverageBlurPerturber": (lambda s: {"ksize": s}, (3, 5, 7, 11, 17)),
    "BrightnessPerturber": (lambda s: {"factor": s}, (0.91, 0.875, 0.82, 0.75, 0.64)),
    "ContrastPerturber": (lambda s: {"factor": s}, (0.79, 0.71, 0.59, 0.42, 0.18)),
    "GaussianBlurPerturber": (lambda s: {"ksize": s}, (3, 5, 9, 17, 27)),
    "GaussianNoisePerturber": (lambda s: {"mean": 0.0, "var": s, "clip": True}, (0.0027, 0.0054, 0.011, 0.023, 0.051)),
    "HazePerturber": (lambda s: {"factor": s}, (0.24, 0.35, 0.54, 0.9, 1.8)),
    "MedianBlurPerturber": (lambda s: {"ksize": s}, (3, 5, 7, 11, 15)),
    "PepperNoisePerturber": (lambda s: {"amount": s, "clip": True}, (0.0079, 0.0161, 0.032, 0.065, 0.129)),
    "RadialDistortionPerturber": (
        lambda s: {"k": [s, 0, 0], "color_fill": [0, 0, 0]},
        (0.03, 0.06, 0.1, 0.15, 0.22),
    ),
    "SaltAndPepperNoisePerturber": (
        lambda s: {"amount": s, "salt_vs_pepper": 0.5, "clip": True},
        (0.0078, 0.0156, 0.031, 0.062, 0.123),
    ),
    "SaltNoisePerturber": (lambda s: {"amount": s, "clip": True}, (0.0074, 0.0149, 0.03, 0.059, 0.117)),
    "SpeckleNoisePerturber": (lambda s: {"mean": 0.0, "var": s, "clip": True}, (0.0094, 0.0193, 0.04, 0.084, 0.184)),
}
"""Perturber -> its level for a strength, and five strengths."""

LEVELS: dict[str, tuple[Level, ...]] = {
    name: tuple(level(strength) for strength in strengths) for name, (level, strengths) in SWEEPS.items()
}
"""Perturber -> five complete mappings of arguments, its seed aside."""
