"""Curves as inline SVG: text stays text, colours follow the page, the same numbers give the same bytes."""

import io
import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, MaxNLocator, NullLocator

INK, FAINT = "#010203", "#040506"
"""Stand-ins that the page replaces by its own colours, which differ between light and dark."""

SETTINGS: dict[Any, object] = {
    "svg.fonttype": "none",
    "font.size": 8.0,
    "axes.edgecolor": FAINT,
    "axes.labelcolor": INK,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.linewidth": 0.8,
    "grid.color": FAINT,
    "grid.linewidth": 0.4,
    "grid.alpha": 0.5,
    "xtick.major.size": 0,
    "ytick.major.size": 0,
    "xtick.color": FAINT,
    "ytick.color": FAINT,
    "xtick.labelcolor": INK,
    "ytick.labelcolor": INK,
    "path.simplify": False,
}
NO_METADATA = {"Date": None, "Creator": None, "Format": None, "Type": None}


@dataclass(frozen=True)
class Curve:
    """One line: values over x, and a band from ``low`` to ``high`` where these are given. NaN leaves a gap."""

    colour: str
    x: tuple[float, ...]
    y: tuple[float, ...]
    low: tuple[float, ...] = ()
    high: tuple[float, ...] = ()
    dashed: bool = False


@dataclass(frozen=True)
class Frame:
    """What surrounds the lines. ``ticks`` maps places on the x-axis to their text; empty lets them be chosen."""

    x_label: str
    y_label: str
    y_range: tuple[float, float] | None = None
    ticks: tuple[tuple[float, str], ...] = ()
    level: float = math.nan


def panel(curves: Sequence[Curve], frame: Frame, name: str, size: tuple[float, float] = (2.7, 2.0)) -> str:
    """An SVG element with one set of axes. ``name`` is unique in the page and goes into every id."""
    with rc_context({**SETTINGS, "svg.hashsalt": name}):
        figure = Figure(figsize=size, frameon=False)
        axes = figure.add_axes((0.17, 0.21, 0.8, 0.74), frameon=True)
        axes.patch.set_visible(False)
        if math.isfinite(frame.level):
            axes.axhline(frame.level, color=INK, linewidth=0.8, linestyle=(0, (1, 2)))
        for curve in curves:
            _draw(axes, curve)
        _surround(axes, frame)
        out = io.StringIO()
        figure.savefig(out, format="svg", metadata=NO_METADATA)
    return _inline(out.getvalue(), name)


def _draw(axes: Axes, curve: Curve) -> None:
    style = "--" if curve.dashed else "-"
    few = len(curve.x) <= 12
    marker = "o" if few else ""
    axes.plot(curve.x, curve.y, style, color=curve.colour, linewidth=1.4, marker=marker, markersize=2.6, clip_on=False)
    if curve.low:
        axes.fill_between(curve.x, curve.low, curve.high, color=curve.colour, alpha=0.15, linewidth=0)


def _surround(axes: Axes, frame: Frame) -> None:
    axes.set_xlabel(frame.x_label)
    axes.set_ylabel(frame.y_label)
    axes.grid(axis="y")
    axes.yaxis.set_major_locator(MaxNLocator(5))
    if frame.y_range:
        axes.set_ylim(*frame.y_range)
    if frame.ticks:
        axes.set_xlim(*_margin([x for x, _ in frame.ticks]))
        axes.xaxis.set_major_locator(FixedLocator([x for x, _ in frame.ticks]))
        axes.xaxis.set_minor_locator(NullLocator())
        axes.set_xticklabels([text for _, text in frame.ticks])
    else:
        axes.xaxis.set_major_locator(MaxNLocator(4))


def _margin(places: Sequence[float]) -> tuple[float, float]:
    """The ends of an axis that holds these places, with some room."""
    room = 0.05 * (max(places) - min(places)) or 0.5
    return min(places) - room, max(places) + room


def _inline(svg: str, name: str) -> str:
    """A document made an element: no header, no name spaces, no style of its own, ids that no other element has."""
    svg = svg[svg.index("<svg") :]
    svg = re.sub(r"<defs>\s*<style.*?</style>\s*</defs>|<!--.*?-->", "", svg, flags=re.S)
    svg = re.sub(r'(<svg)[^>]*?(viewBox="[^"]*")[^>]*>', r'\1 \2 aria-hidden="true" focusable="false">', svg, count=1)
    svg = re.sub(r'<g id="[^"]*"', "<g", svg)
    svg = re.sub(r'(\bid="|href="#|url\(#)', rf"\g<1>{name}-", svg)
    svg = re.sub(r' font-family: [^;"]*;| transform="rotate\(-0 [^"]*"|<g/>|stroke-linejoin: miter; ', "", svg)
    svg = re.sub(r"(\.\d\d)\d+", r"\1", svg)
    return re.sub(r"\s*\n\s*", "\n", svg.replace(INK, "currentColor").replace(FAINT, "var(--line)")).strip()
