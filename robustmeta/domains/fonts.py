"""The characters of the fonts that matplotlib ships: which there are, which look alike, and their shapes.

Characters are letters (Unicode categories Lu, Ll, Lt, Lo) without a decomposition, of the scripts in ``SPLITS``. Those
whose bitmaps coincide or nearly so in any face are one class, in one split; this depends on no choice of a study.
"""

import hashlib
import math
import unicodedata
from collections.abc import Sequence
from functools import cache
from pathlib import Path

import matplotlib
import numpy as np
import torch
import torch.nn.functional as F
from matplotlib.ft2font import FT2Font
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont, __version__, features
from scipy.ndimage import distance_transform_edt, gaussian_filter

from robustmeta.core import DataError
from robustmeta.domains.cache import cached

FACES = {
    "sans": "DejaVuSans.ttf",
    "serif": "DejaVuSerif.ttf",
    "mono": "DejaVuSansMono.ttf",
    "bold": "DejaVuSans-Bold.ttf",
    "oblique": "DejaVuSans-Oblique.ttf",
    "stix": "STIXGeneral.ttf",
}
SPLITS = {
    "train": [
        "latin",
        "canadian-syllabics",
        "arabic",
        "tifinagh",
        "lisu",
        "lao",
        "nko",
        "old-italic",
        "hebrew",
        "ogham",
    ],
    "val": ["cyrillic"],
    "test": ["greek", "armenian", "georgian", "coptic"],
}
"""Scripts of a split. Every face has characters of every split; kin that share letters are kept apart by merging."""

ALIKE = 0.97
"""Cosine between two blurred bitmaps, cropped and scaled to one box, from which two characters are one."""

FIELD, BOX, EM = 96, 64, 192
"""Side of a distance field, of the box that a character fills in it, and the font size it is rendered at, in pixels."""

_VERSION = 1


def font_path(face: str) -> Path:
    """The font file of a face; raises DataError where matplotlib came without it."""
    path = Path(matplotlib.get_data_path(), "fonts", "ttf", FACES[face])
    if not path.is_file():
        raise DataError(f"no font {path}: matplotlib {matplotlib.__version__} came without it; reinstall matplotlib")
    return path


@cache
def fonts_digest() -> str:
    """A hash of all that decides what the characters are and look like: fonts, rasteriser, Unicode tables."""
    digest = hashlib.sha256()
    for face in FACES:
        digest.update(font_path(face).read_bytes())
    versions = (_VERSION, __version__, features.version("freetype2"), unicodedata.unidata_version)
    digest.update(repr(versions).encode())
    return digest.hexdigest()


@cache
def characters() -> dict[int, str]:
    """Code point -> script of all distinct characters, in the order of code points."""
    codes = cached("characters", fonts_digest(), lambda: np.array(_characters(), np.int32))
    return {int(c): script(int(c)) for c in codes}


@cache
def coverage(face: str) -> frozenset[int]:
    """The code points that a face draws with some ink."""
    codes = FT2Font(str(font_path(face))).get_charmap()
    return frozenset(c for c in codes if script(c) and _extent(face, c)[3] > _extent(face, c)[1])


def script(code: int) -> str:
    """The script of a letter, "" if it is none or of none of ours."""
    letter = chr(code)
    if unicodedata.category(letter) not in ("Lu", "Ll", "Lt", "Lo") or unicodedata.decomposition(letter):
        return ""
    name = unicodedata.name(letter, "")
    return next((s for s in _SCRIPTS if name.startswith(_SCRIPTS[s])), "")


_SCRIPTS = {s: s.upper().replace("-", " ") + " " for scripts in SPLITS.values() for s in scripts}


def shapes(face: str, codes: Sequence[int]) -> torch.Tensor:
    """Signed distance to the outline in pixels, positive inside: float32 (len(codes), FIELD, FIELD)."""
    fields = np.stack([_distance(_bitmap(face, c, FIELD, BOX, EM // 2)) for c in codes])
    # a threshold puts the outline on whole pixels; the mean over 3 x 3 takes the steps out again
    return F.avg_pool2d(torch.from_numpy(fields)[:, None], 3, 1, 1, count_include_pad=False)[:, 0]


def distinct(codes: Sequence[int], similarity: NDArray[np.float32]) -> list[int]:
    """Go through the codes in order and keep those unlike all kept so far; ``similarity`` is square, in that order."""
    kept: list[int] = []
    for i in range(len(codes)):
        if not kept or similarity[i, kept].max() < ALIKE:
            kept.append(i)
    return [codes[i] for i in kept]


def _characters() -> list[int]:
    rank = {s: i for i, split in enumerate(("test", "val", "train")) for s in SPLITS[split]}
    faces = {c: sum(c in coverage(f) for f in FACES) for c in frozenset[int]().union(*map(coverage, FACES))}
    # of characters that look alike, the one that most faces have stays, and one held out rather than one to train on
    codes = sorted(faces, key=lambda c: (-faces[c], rank[script(c)], c))
    return sorted(distinct(codes, _similarity(codes)))


def _similarity(codes: Sequence[int], side: int = 32) -> NDArray[np.float32]:
    """The largest cosine over faces of the blurred bitmaps of each two characters."""
    best = np.zeros((len(codes), len(codes)), np.float32)
    for face in FACES:
        rows = np.flatnonzero([c in coverage(face) for c in codes])
        bitmaps = np.stack([_bitmap(face, codes[int(i)], side, side - 4, 0) for i in rows])
        blurred = gaussian_filter(bitmaps.astype(np.float32), (0, 1.2, 1.2)).reshape(len(rows), -1)
        unit = blurred / np.linalg.norm(blurred, axis=1, keepdims=True)
        block = np.ix_(rows, rows)
        best[block] = np.maximum(best[block], unit @ unit.T)
    return best


@cache
def _font(face: str) -> ImageFont.FreeTypeFont:
    return ImageFont.truetype(str(font_path(face)), EM, layout_engine=ImageFont.Layout.BASIC)


def _extent(face: str, code: int) -> tuple[float, float, float, float]:
    return _font(face).getbbox(chr(code))  # left, top, right, bottom of the ink


def _bitmap(face: str, code: int, side: int, box: int, floor: int) -> NDArray[np.uint8]:
    """A character cropped, centred and scaled so that its longer side fills ``box`` of ``side`` pixels.

    A character shorter than ``floor`` pixels at the font size keeps its smallness beyond that.
    """
    left, top, right, bottom = _extent(face, code)
    image = Image.new("L", (math.ceil(right - left), math.ceil(bottom - top)))
    ImageDraw.Draw(image).text((-left, -top), chr(code), 255, _font(face))
    image = image.crop(image.getbbox())
    scale = box / max(*image.size, floor)
    width, height = (max(1, round(n * scale)) for n in image.size)
    out = Image.new("L", (side, side))
    out.paste(image.resize((width, height), Image.Resampling.BOX), ((side - width) // 2, (side - height) // 2))
    return np.array(out)


def _distance(bitmap: NDArray[np.uint8]) -> NDArray[np.float32]:
    inside = bitmap > 127
    field = (
        np.asarray(distance_transform_edt(inside))
        - np.asarray(distance_transform_edt(~inside))
        + np.where(inside, -0.5, 0.5)
    )
    return field.astype(np.float32)
