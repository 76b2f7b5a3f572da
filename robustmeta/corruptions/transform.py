"""A corruption as a torchvision transform, for data sets and their loaders."""

from typing import Any

import PIL.Image
from torch import Tensor
from torchvision import tv_tensors
from torchvision.transforms import v2

from robustmeta.corruptions.apply import content_ids, follow
from robustmeta.corruptions.recipe import Chain, recipe


def _plain(value: object) -> bool:
    return isinstance(value, Tensor) and not isinstance(value, tv_tensors.TVTensor)


class Corrupt(v2.Transform):
    """Corrupt the images of a sample: torchvision's Image, plain tensors (C, H, W) or Pillow images; no boxes or masks.

    A transform sees an image and not its number. So the draw is keyed by the seed and a hash of the image's pixels in 8
    bits: different images have different draws, and an image has the same one in any worker, order, epoch and process,
    as a uint8 tensor, a float tensor or a Pillow image. Vary the seed for other draws.

    The arguments, and what is done to float and uint8 images, are as in ``robustmeta.corrupt``. It stands before
    Normalize, because it expects uint8 or [0, 1].

    >>> v2.Compose([v2.ToImage(), Corrupt("contrast", severity=3)])
    Compose(
          ToImage()
          Corrupt(contrast 3, table=auto, seed=0)
    )
    """

    _transformed_types = (_plain, tv_tensors.Image, PIL.Image.Image)

    def __init__(
        self,
        corruption: Chain,
        severity: int | None = None,
        *,
        seed: int = 0,
        table: str = "auto",
        level: object = None,
    ) -> None:
        super().__init__()
        self.recipe, self.seed = recipe(corruption, severity, table, level), seed

    def check_inputs(self, flat_inputs: list[Any]) -> None:
        """Refuse a sample without an image, which would pass unchanged."""
        if not any(isinstance(i, tv_tensors.Image | PIL.Image.Image) or _plain(i) for i in flat_inputs):
            kinds = ", ".join(sorted({type(i).__name__ for i in flat_inputs}))
            raise TypeError(f"Corrupt found no image (tensor, tv_tensors.Image or Pillow image) among: {kinds}")

    def transform(self, inpt: Any, params: dict[str, Any]) -> Any:
        """The corrupted image."""
        return follow(self.recipe, inpt, self.seed, content_ids(inpt))

    def extra_repr(self) -> str:
        """What it does, in one line."""
        parts = (f"{p.corruption.name} {p.severity or p.level}" for p in self.recipe.parts)
        return f"{', '.join(parts)}, table={self.recipe.table}, seed={self.seed}"
