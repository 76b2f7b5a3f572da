"""Names of the built-in corruptions: name -> module:attr. A prefix such as ``albumentations:*`` has a module."""

TABLE: dict[str, str] = {
    "albumentations:*": "robustmeta.corruptions.albumentations",
    "contrast": "robustmeta.corruptions.contrast:contrast",
    "defocus_blur": "robustmeta.corruptions.defocus_blur:defocus_blur",
    "gaussian_noise": "robustmeta.corruptions.gaussian_noise:gaussian_noise",
    "jpeg_compression": "robustmeta.corruptions.jpeg_compression:jpeg_compression",
}
