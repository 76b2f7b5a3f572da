"""Augmented training images, each keyed; and which measured shifts an augmentation has shown to learners before."""

from collections.abc import Callable, Mapping

import numpy as np
import torch
from torch import Tensor

from robustmeta.config.augmenting import Augmentation, drawing, transforms
from robustmeta.config.training import Training
from robustmeta.rng import Rng
from robustmeta.shifts.shift import Shift

Augment = Callable[[Tensor, Rng], Tensor]


def augmenter(training: Training) -> Augment | None:
    """What makes uint8 images (*keys.shape, C, H, W) into augmented ones, or None where the study has no augmentation.

    The transforms of an image draw from torch's generator, seeded for it by its key; the generator is left as it was.
    """
    chain = [_made(one) for one in training.augment]
    if not chain:
        return None

    def augment(images: Tensor, rng: Rng) -> Tensor:
        seeds = (rng.bits(1).ravel() >> np.uint64(1)).tolist()
        made: list[Tensor] = []
        with drawing():
            for image, seed in zip(images.flatten(0, -4), seeds, strict=True):
                torch.default_generator.manual_seed(seed)
                for transform in chain:
                    image = transform(image)
                made.append(image)
        return torch.stack(made).view_as(images) if made else images  # Reptile's tasks have no query

    return augment


def _made(one: Augmentation) -> Callable[[Tensor], Tensor]:
    ((name, arguments),) = one.items()
    return transforms()[name](**arguments)


_LIGHT = {
    "brightness": ("brightness", "BrightnessPerturber", "RandomBrightnessContrast", "RandomGamma"),
    "contrast": ("contrast", "ContrastPerturber", "RandomBrightnessContrast", "RandomToneCurve"),
    "saturate": ("saturate", "HueSaturationValue"),
}
_BLURS = (
    *("gaussian_blur", "defocus_blur", "glass_blur", "motion_blur", "zoom_blur", "circular_motion_blur"),
    *("Blur", "Defocus", "GaussianBlur", "GlassBlur", "MedianBlur", "MotionBlur", "ZoomBlur"),
    *("AverageBlurPerturber", "GaussianBlurPerturber", "MedianBlurPerturber"),
)
_NOISES = (
    *("gaussian_noise", "shot_noise", "impulse_noise", "speckle_noise"),
    *("AdditiveNoise", "GaussNoise", "ISONoise", "MultiplicativeNoise", "SaltAndPepper", "ShotNoise"),
    *("GaussianNoisePerturber", "PepperNoisePerturber", "SaltAndPepperNoisePerturber", "SaltNoisePerturber"),
    "SpeckleNoisePerturber",
)
_MOVES = {
    "rotate": ("rotate", "Rotate"),
    "scale": ("scale",),
    "shear": ("shear",),
    "translate": ("translate",),
    "tilt": ("tilt",),
}
_LIGHTS = tuple(name for names in _LIGHT.values() for name in names)
_POLICY = (*_LIGHTS, "Posterize", "Sharpen", *(n for k in ("rotate", "shear", "translate") for n in _MOVES[k]))

OVERLAPS: Mapping[str, Mapping[str, tuple[str, ...]]] = {
    "AugMix": {"": _POLICY},
    "AutoAugment": {"": _POLICY},
    "ColorJitter": {
        "brightness": _LIGHT["brightness"],
        "contrast": _LIGHT["contrast"],
        "saturation": _LIGHT["saturate"],
        "hue": ("HueSaturationValue",),
    },
    "ElasticTransform": {"": ("elastic_transform", "ElasticTransform", "ThinPlateSpline")},
    "GaussianBlur": {"": _BLURS},
    "GaussianNoise": {"": _NOISES},
    "Grayscale": {"": _LIGHT["saturate"]},
    "JPEG": {"": ("jpeg_compression", "ImageCompression")},
    "RandAugment": {"": _POLICY},
    "RandomAdjustSharpness": {"": (*_BLURS, "Sharpen")},
    "RandomAffine": {
        "degrees": _MOVES["rotate"],
        "scale": _MOVES["scale"],
        "shear": _MOVES["shear"],
        "translate": _MOVES["translate"],
    },
    "RandomAutocontrast": {"": _LIGHT["contrast"]},
    "RandomCrop": {"padding": _MOVES["translate"]},
    "RandomEqualize": {"": _LIGHT["contrast"]},
    "RandomErasing": {"": ("cutout", "checkerboard_cutout", "occlusion", "CoarseDropout", "PixelDropout")},
    "RandomGrayscale": {"": _LIGHT["saturate"]},
    "RandomPerspective": {"": _MOVES["tilt"]},
    "RandomPhotometricDistort": {"": _LIGHTS},
    "RandomPosterize": {"": ("Posterize",)},
    "RandomResizedCrop": {"": _MOVES["scale"]},
    "RandomRotation": {"": _MOVES["rotate"]},
    "TrivialAugmentWide": {"": _POLICY},
}
"""Transform -> its argument that turns it on ("" = always on) -> corruptions and sequences that it resembles."""


def seen(training: Training, shift: Shift) -> tuple[str, ...]:
    """The augmentations of training that resemble what a shift does."""
    laws = {s.corruption.name for s in (*shift.support, *shift.query)}
    laws |= {shift.sequence.sequence.name} if shift.sequence else set()
    names = {law.rpartition(":")[2] for law in laws}
    return tuple(dict.fromkeys(n for one in training.augment for n, like in _resembling(one) if names & set(like)))


def _resembling(one: Augmentation) -> list[tuple[str, tuple[str, ...]]]:
    ((name, arguments),) = one.items()
    return [(name, like) for on, like in OVERLAPS.get(name, {}).items() if not on or arguments.get(on)]


def seen_note(training: Training, shift: Shift) -> tuple[str, ...]:
    """What a reader must know of a number under a shift that training has shown in part; nothing if it has not."""
    names = seen(training, shift)
    return (f"seen_shift: training images went through {', '.join(names)}",) if names else ()
