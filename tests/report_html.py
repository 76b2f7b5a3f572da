"""Reads the tables and the links back out of a report, and holds its numbers against the records."""

import math
import re
from dataclasses import dataclass, field
from html.parser import HTMLParser

from robustmeta.report.page import html
from robustmeta.store.results import Results

VOID = {"meta", "link", "img", "br", "hr", "input", "use", "path", "rect"}


@dataclass
class Seen:
    """A cell as a reader sees it; what folds out of a box in it is not part of its text."""

    text: str = ""
    classes: str = ""
    boxed: bool = False


@dataclass
class SeenTable:
    caption: str = ""
    heads: list[str] = field(default_factory=list)
    rows: list[tuple[str, list[Seen]]] = field(default_factory=list)


class Reader(HTMLParser):
    """Tables, tags and references of a page."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tables: list[SeenTable] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.place = ""
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)
        if tag == "table":
            self.tables.append(SeenTable())
        elif tag in ("caption", "th", "td"):
            self.place = f"{tag}-{'head' if 'thead' in self.open else 'body'}"
            if self.place == "th-head":
                self.tables[-1].heads.append("")
            elif self.place == "th-body":
                self.tables[-1].rows.append(("", []))
            elif self.place == "td-body":
                self.tables[-1].rows[-1][1].append(Seen(classes=dict(attrs).get("class") or ""))

    def handle_endtag(self, tag: str) -> None:
        if tag in VOID:
            return
        assert self.open.pop() == tag, f"</{tag}> closes something else"
        if tag in ("caption", "th", "td"):
            self.place = ""

    def handle_data(self, data: str) -> None:
        if not self.place or "sup" in self.open:
            return
        if "td" in self.open and "details" in self.open[self.open.index("td") :]:
            self.tables[-1].rows[-1][1][-1].boxed = True
            return
        table = self.tables[-1]
        if self.place == "caption-body":
            table.caption += data
        elif self.place == "th-head":
            table.heads[-1] += data
        elif self.place == "th-body":
            label, cells = table.rows[-1]
            table.rows[-1] = (label + data, cells)
        else:
            table.rows[-1][1][-1].text += data


def numbers(text: str) -> list[float]:
    """All numbers of a text; a true minus counts."""
    return [float(n.replace("−", "-")) for n in re.findall(r"[−+]?\d+(?:\.\d+)?", text)]


def check_tables(results: Results) -> int:
    """Every cell of the tables by shift shows its point of the records and its gain; returns how many were held."""
    points = results.points.set_index(["target", "metric", "shift", "step", "learner"])
    held = 0
    for table in Reader(html(results)).tables:
        found = re.match(r"(\S+): (\w+)", table.caption)
        if not found or table.heads[0] != "shift":
            continue
        target, metric = found.groups()
        learners = [head.split()[0] for head in table.heads[1:]]
        for label, cells in table.rows:
            place = re.fullmatch(r"(\S+)(?: (severity|eps) ([\d.]+)(?:, in .+)?)?", label.strip())
            if not place or place[1] in ("mean", "corruptions", "attacks"):
                continue
            step = 0 if not place[2] else int(place[3]) if place[2] == "severity" else round(1000 * float(place[3]))
            rows = {n: points.loc[(target, metric, place[1], step, n)] for n in learners}
            for (learner, row), cell in zip(rows.items(), cells, strict=True):
                _check_cell(f"{table.caption} {label} {learner}", metric, row, cell)
                assert ("best" in cell.classes) == (learner in _best(rows, metric)), (
                    f"{table.caption} {label} {learner}"
                )
                held += 1
    return held


def _best(rows: dict, metric: str) -> set[str]:
    there = {n: r for n, r in rows.items() if not math.isnan(r["mean"])}
    if len(there) < 2:
        return set()
    sign = 1 if metric == "accuracy" else -1
    top = max(there.values(), key=lambda r: sign * r["mean"])
    return {n for n, r in there.items() if r["low"] <= top["high"] and top["low"] <= r["high"]}


def _check_cell(where: str, metric: str, row, cell: Seen) -> None:
    if math.isnan(row["mean"]):
        assert cell.text == "failed", where
        return
    factor, digits = (100, 1) if metric == "accuracy" else (1, 3)
    wanted = [row["mean"], row["low"], row["high"]]
    if metric == "accuracy" and not math.isnan(row["gain"]):
        wanted += [row["gain"], row["gain_low"], row["gain_high"]]
        sign = "▲" if row["gain_low"] > 0 else "▼" if row["gain_high"] < 0 else "="
        assert sign in cell.text, f"{where}: no {sign} in {cell.text!r}"
    assert numbers(cell.text) == [round(factor * w, digits) for w in wanted], f"{where}: {cell.text!r}"
