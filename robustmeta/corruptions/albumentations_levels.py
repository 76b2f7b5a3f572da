"""Five levels, mild to strong, for transforms of albumentations; the strengths are ours.

A level names every argument that moves a pixel, so that a default of another release changes nothing. One number sets
the strength; where it can, the strengths give natural images of 64 x 64 pixels a PSNR of 26, 23, 20, 17 and 14 dB
(``tests/benchmarks/calibrate_albumentations.py`` finds and prints them, at other sizes too). A blur, a kernel or a
displacement is in pixels, and so weaker on a larger image.
"""

from collections.abc import Callable
from typing import Any

Level = dict[str, object]
Sweep = tuple[Callable[[Any], Level], tuple[object, ...]]

_LINEAR, _AREA = 1, 3  # the codes of OpenCV that the arguments take
_REFLECT = {"interpolation": _LINEAR, "border_mode": 4, "fill": 0}


def _ranges(strength: object, *arguments: str) -> Level:
    """Arguments that are ranges, each of no width."""
    return {argument: [strength, strength] for argument in arguments}


SWEEPS: dict[str, Sweep] = {
    # noise
    "AdditiveNoise": (
        lambda s: {
            **{"noise_type": "laplace", "spatial_mode": "per_pixel", "approximation": 1.0},
            "noise_params": {"mean_range": [0.0, 0.0], "scale_range": [s, s]},
        },
        (0.038, 0.053, 0.077, 0.113, 0.173),
    ),
    "GaussNoise": (
        lambda s: {**_ranges(s, "std_range"), "mean_range": [0, 0], "per_channel": True, "noise_scale_factor": 1},
        (0.053, 0.075, 0.107, 0.154, 0.227),
    ),
    "ISONoise": (lambda s: {**_ranges(s, "intensity"), "color_shift": [0.05, 0.05]}, (0.31, 0.39, 0.49, 0.63, 0.82)),
    "MultiplicativeNoise": (
        lambda s: {"multiplier": [1 - s, 1 + s], "per_channel": True, "elementwise": True},
        (0.166, 0.238, 0.342, 0.494, 0.72),
    ),
    "PixelDropout": (
        lambda s: {"dropout_prob": s, "per_channel": False, "drop_value": 0},
        (0.0083, 0.0166, 0.033, 0.065, 0.13),
    ),
    "SaltAndPepper": (
        lambda s: {**_ranges(s, "amount"), "salt_vs_pepper": [0.5, 0.5]},
        (0.0078, 0.0156, 0.031, 0.062, 0.123),
    ),
    "ShotNoise": (lambda s: _ranges(s, "scale_range"), (0.0088, 0.0167, 0.032, 0.061, 0.119)),
    # blur
    "Blur": (lambda s: _ranges(s, "blur_limit"), (3, 5, 7, 11, 17)),
    "Defocus": (lambda s: {**_ranges(s, "radius"), "alias_blur": [0.1, 0.1]}, (1, 2, 3, 5, 8)),
    "GaussianBlur": (lambda s: {**_ranges(s, "sigma_limit"), "blur_limit": 0}, (0.78, 1.17, 2.1, 4.9, 12.0)),
    "GlassBlur": (
        lambda s: {"sigma": s[0], "max_delta": s[1], "iterations": s[2], "mode": "fast"},
        ((0.7, 1, 1), (0.7, 1, 2), (0.7, 2, 2), (0.7, 4, 2), (1.5, 6, 2)),
    ),
    "MedianBlur": (lambda s: _ranges(s, "blur_limit"), (3, 5, 7, 11, 15)),
    "MotionBlur": (
        lambda s: {
            **_ranges(s, "blur_limit"),
            **{"allow_shifted": False, "angle_range": [0, 360], "direction_range": [0, 0]},
        },
        (3, 5, 9, 15, 25),
    ),
    "ZoomBlur": (lambda s: {**_ranges(s, "max_factor"), "step_factor": [0.01, 0.01]}, (1.06, 1.1, 1.16, 1.33, 1.88)),
    # weather
    "PlasmaShadow": (
        lambda s: {**_ranges(s, "shadow_intensity_range"), "plasma_size": 256, "roughness": 3.0},
        (0.21, 0.3, 0.42, 0.6, 0.85),
    ),
    "RandomFog": (lambda s: {"alpha_coef": s, "fog_coef_range": [0.7, 0.7]}, (0.0034, 0.03, 0.056, 0.093, 0.152)),
    "RandomRain": (
        lambda s: {
            **{"rain_type": s[0], "brightness_coefficient": s[1], "blur_value": 3, "slant_range": [-10, 10]},
            **{"drop_length": None, "drop_width": 1, "drop_color": [200, 200, 200]},
        },
        (("drizzle", 0.9), ("default", 0.8), ("heavy", 0.7), ("torrential", 0.6), ("torrential", 0.5)),
    ),
    "RandomShadow": (
        lambda s: {
            **_ranges(s, "shadow_intensity_range"),
            **{"shadow_roi": [0, 0.5, 1, 1], "num_shadows_limit": [2, 2], "shadow_dimension": 5},
        },
        (0.213, 0.308, 0.45, 0.66, 1.0),
    ),
    "RandomSnow": (
        lambda s: {"brightness_coeff": s, "snow_point_range": [0.3, 0.3], "method": "bleach"},
        (1.23, 1.32, 1.46, 1.65, 1.91),
    ),
    "Spatter": (
        lambda s: {
            **_ranges(s, "mean"),
            **{"std": [0.3, 0.3], "gauss_sigma": [2, 2], "cutout_threshold": [0.68, 0.68]},
            **{"intensity": [0.6, 0.6], "mode": "rain", "color": None},
        },
        (0.606, 0.626, 0.646, 0.665, 0.69),
    ),
    # digital
    "ChromaticAberration": (
        lambda s: {
            **_ranges(s, "primary_distortion_limit", "secondary_distortion_limit"),
            **{"mode": "green_purple", "interpolation": _LINEAR},
        },
        (0.098, 0.17, 0.34, 0.91, 2.5),
    ),
    "CoarseDropout": (
        lambda s: {
            **_ranges(s, "num_holes_range"),
            **{"hole_height_range": [0.1, 0.1], "hole_width_range": [0.1, 0.1], "fill": 0},
        },
        (1, 2, 4, 8, 16),
    ),
    "Downscale": (
        lambda s: {**_ranges(s, "scale_range"), "interpolation_pair": {"downscale": _AREA, "upscale": _LINEAR}},
        (0.6, 0.35, 0.22, 0.13, 0.07),
    ),
    "Emboss": (lambda s: {**_ranges(s, "alpha"), "strength": [1, 1]}, (0.093, 0.134, 0.194, 0.29, 0.465)),
    "ImageCompression": (
        lambda s: {**_ranges(s, "quality_range"), "compression_type": "jpeg"},
        (30, 12, 6, 3, 1),
    ),
    "Morphological": (lambda s: {**_ranges(s, "scale"), "operation": "dilation"}, (2, 3, 4, 5, 7)),
    "Posterize": (lambda s: _ranges(s, "num_bits"), (5, 4, 3, 2, 1)),
    "RingingOvershoot": (lambda s: {**_ranges(s, "cutoff"), "blur_limit": [15, 15]}, (1.78, 1.26, 0.64, 0.35, 0.2)),
    "Sharpen": (
        lambda s: {
            **_ranges(s, "alpha"),
            **{"lightness": [1, 1], "method": "kernel", "kernel_size": 5, "sigma": 1.0},
        },
        (0.097, 0.144, 0.222, 0.366, 0.684),
    ),
    # light and colour
    "HueSaturationValue": (
        lambda s: _ranges(s, "hue_shift_limit", "sat_shift_limit", "val_shift_limit"),
        (11, 15, 23, 33, 46),
    ),
    "PlasmaBrightnessContrast": (
        lambda s: {**_ranges(s, "brightness_range"), "contrast_range": [0, 0], "plasma_size": 256, "roughness": 3.0},
        (0.123, 0.174, 0.248, 0.355, 0.513),
    ),
    "RandomBrightnessContrast": (
        lambda s: {
            **_ranges(s, "brightness_limit"),
            **{"contrast_limit": [0, 0], "brightness_by_max": True, "ensure_safe_range": False},
        },
        (0.055, 0.075, 0.106, 0.15, 0.216),
    ),
    "RandomGamma": (lambda s: _ranges(s, "gamma_limit"), (118, 127, 141, 164, 205)),
    "RandomToneCurve": (lambda s: {"scale": s, "per_channel": False}, (0.1, 0.156, 0.253, 0.42, 1.0)),
    "RGBShift": (
        lambda s: {**_ranges(s, "r_shift_limit", "b_shift_limit"), "g_shift_limit": [-s, -s]},
        (14, 19, 27, 38, 55),
    ),
    # geometry
    "ElasticTransform": (
        lambda s: {
            **{"alpha": s, "sigma": 3, "approximate": False, "same_dxdy": False, "noise_distribution": "gaussian"},
            **_REFLECT,
        },
        (13.6, 20.8, 34.5, 64, 142),
    ),
    "OpticalDistortion": (
        lambda s: {**_ranges(s, "distort_limit"), "mode": "fisheye", **_REFLECT},
        (0.043, 0.069, 0.128, 0.27, 0.5),
    ),
    "Rotate": (
        lambda s: {**_ranges(s, "limit"), "rotate_method": "largest_box", "crop_border": False, **_REFLECT},
        (1.23, 1.78, 2.92, 5.4, 12.3),
    ),
    "ThinPlateSpline": (
        lambda s: {**_ranges(s, "scale_range"), "num_control_points": 4, **_REFLECT},
        (0.0145, 0.0216, 0.0355, 0.0663, 0.151),
    ),
}
"""Transform -> its level for a strength, and five strengths."""

LEVELS: dict[str, tuple[Level, ...]] = {
    name: tuple(level(strength) for strength in strengths) for name, (level, strengths) in SWEEPS.items()
}
"""Transform -> five complete mappings of arguments."""
