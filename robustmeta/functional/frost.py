"""Pictures of ice on a window pane, drawn: feathered crystals that turn by 60°, lit from one side."""

import math
from functools import cache

import cv2
import numpy as np
from jaxtyping import UInt8
from numpy.typing import NDArray

from robustmeta.functional.warp import cosine_field
from robustmeta.rng import Rng

SIDE = 512
PANES = ((400, 0.50, 0.17), (560, 0.78, 0.10), (420, 0.62, 0.13), (280, 0.45, 0.16), (520, 0.70, 0.12))
"""Of each picture: how many crystals, mean and spread of the brightness."""
BRANCHES, BARBS = 22, 5
TURN = math.pi / 3
BOTH = np.array([-1.0, 1.0])
SUBPIXEL = 4
"""Bits after the point of a drawn coordinate."""
DARK, MIDDLE, LIGHT = (8, 20, 41), (97, 117, 138), (247, 251, 255)

Array = NDArray[np.floating]
Pixels = UInt8[np.ndarray, "H W 3"]


def _ahead(angle: Array, length: Array) -> Array:
    """Steps of a length at an angle, (..., 2)."""
    return np.stack([np.cos(angle), np.sin(angle)], -1) * length[..., None]


def feathers(count: int, rng: Rng) -> tuple[Array, Array, Array, Array]:
    """Crystals in the unit square as lines without a break, largest first: hulls, barbs, branches, stems (count, P, 2).

    A stem bends a little; branches leave it on both sides at about 60°, the longer the nearer to its foot; barbs leave
    a branch on its outer side, along the stem. A line goes out on every twig and back, so that it needs no gaps.
    """
    place, draw = rng.uniform(count, 2)[0].numpy(), rng.uniform(count, 5)[0].numpy().T
    length = np.sort(0.06 + 0.22 * draw[0] ** 3)[::-1]
    along = (np.arange(BRANCHES) + 0.5) / BRANCHES
    flow = cosine_field(rng.normal(4, 4), 64)[0].numpy()[tuple((place.T * 64).astype(int))]
    foot = 0.8 * flow + TURN * np.floor(6 * draw[1]) + 0.5 * (draw[2] - 0.5)
    heading = foot[:, None] + (draw[3] - 0.5)[:, None] * along
    stem = 1.3 * place[:, None] - 0.15 + np.cumsum(_ahead(heading, (length / BRANCHES)[:, None]), 1)

    jitter = rng.uniform(count, BRANCHES, 2, 2)[0].numpy()
    spread = (length * (0.15 + 0.3 * draw[4]))[:, None] * (1 - along) ** 0.7
    reach = spread[..., None] * (0.25 + 0.75 * jitter[..., 0])
    angle = heading[..., None] + BOTH * TURN * (0.8 + 0.3 * jitter[..., 1])
    root = stem[:, :, None]
    tip = root + _ahead(angle, reach)  # (count, branches, left or right, 2)

    part = np.arange(1, BARBS + 1) / (BARBS + 1)
    knot = root[..., None, :] + part[:, None] * (tip - root)[..., None, :]
    point = knot + _ahead((angle - BOTH * TURN)[..., None], 0.3 * reach[..., None] * (1 - part))
    barbs = np.stack([knot, point, knot], -2).reshape(count, BRANCHES, 2, -1, 2)
    barbs = np.concatenate([barbs, np.broadcast_to(root[..., None, :], (count, BRANCHES, 2, 1, 2))], -2)
    twigs = np.stack([stem, tip[:, :, 0], stem, tip[:, :, 1], stem], 2)
    hull = np.concatenate([stem[:, :1], tip[:, :, 0], stem[:, -1:], tip[:, ::-1, 1]], 1)
    return hull, barbs.reshape(count, -1, 2), twigs.reshape(count, -1, 2), stem


def crystals(count: int, rng: Rng) -> NDArray[np.float32]:
    """Ice in [0, 1], (SIDE, SIDE): crystals laid over each other, thin in their planes and thick on their ridges."""
    lines = [np.rint(line * (SIDE << SUBPIXEL)).astype(np.int32) for line in feathers(count, rng)]
    ice = np.zeros((SIDE, SIDE), np.uint8)
    for plane, hull, *ridges in zip(rng.integers(40, 110, count)[0].tolist(), *lines, strict=True):
        cv2.fillPoly(ice, [hull], plane, cv2.LINE_AA, SUBPIXEL)
        for line, thicker in zip(ridges, (40, 90, 145), strict=True):
            cv2.polylines(ice, [line], False, plane + thicker, 1, cv2.LINE_AA, SUBPIXEL)
    return cv2.GaussianBlur(ice.astype(np.float32) / 255, (0, 0), 0.8).astype(np.float32, copy=False)


def pane(count: int, mean: float, spread: float, rng: Rng) -> Pixels:
    """One picture, blue where it is dark and white where it is bright, on a background that varies slowly."""
    ice = crystals(count, rng)
    slope = cv2.GaussianBlur(ice, (0, 0), 1.0)
    slope = cv2.Sobel(slope, cv2.CV_32F, 1, 0) + cv2.Sobel(slope, cv2.CV_32F, 0, 1)
    haze = cosine_field(rng.normal(6, 6), SIDE)[0].numpy()
    grain = cv2.GaussianBlur(rng.normal(SIDE, SIDE)[0].numpy(), (0, 0), 0.8)
    light = 0.9 * ice + 0.25 * slope + 0.12 * haze / np.abs(haze).max() + 0.035 * grain
    light = np.clip(255 * (mean + spread * (light - light.mean()) / light.std()), 0, 255).astype(np.uint8)
    tones = zip(DARK, MIDDLE, LIGHT, strict=True)
    palette = np.stack([np.interp(np.arange(256), (0, 115, 255), tone) for tone in tones], -1)
    return palette.astype(np.uint8)[light]


@cache
def frost_like() -> tuple[Pixels, ...]:
    """Five pictures of frost, always the same, RGB; drawn once in a process, in less than a second."""
    return tuple(pane(*form, Rng(0, ("frost-like", i), [0])) for i, form in enumerate(PANES))
