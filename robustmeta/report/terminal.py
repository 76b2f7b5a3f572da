"""The short form of a report, for a terminal: what the study shows, then a table."""

from collections.abc import Sequence

from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from robustmeta.report import grid, layout
from robustmeta.report.findings import findings
from robustmeta.report.flags import warning
from robustmeta.report.headline import verdicts
from robustmeta.store.results import Results

COLOURS = {grid.BETTER: "green", grid.WORSE: "red", grid.SAME: "dim"}


def short(results: Results) -> Sequence[RenderableType]:
    """The truth about the baseline in a sentence a condition, and accuracies in per cent; fits 100 columns."""
    found = findings(results)
    out: list[RenderableType] = [Text(v.lead) for v in verdicts(found)]
    out += [Text(f"{text}; the report says where", "yellow") for text in warning(found.points)]
    for kind, names in found.kinds():
        table = layout.overview(found, kind, names)
        out += [_table(table), *(Text(f"note {i}: {note}", "dim") for i, note in enumerate(table.notes, 1))]
    return out


def _table(table: grid.Table) -> Table:
    out = Table(title=table.caption, title_justify="left", box=None, padding=(0, 2, 0, 0))
    out.add_column(table.corner, overflow="fold", max_width=20)
    for column in table.columns:
        out.add_column(Text(column.label + _marks(column.marks)), overflow="fold", max_width=26)
    out.add_column("gain, clean")
    for group in table.groups:
        out.add_row(Text(group.label, "bold"))
        for row in group.rows:
            out.add_row(Text(f"  {row.label}"), *map(_score, row.cells), _gain(row.cells[0]))
    return out


def _marks(marks: Sequence[int]) -> str:
    return f" ({', '.join(map(str, marks))})" if marks else ""


def _score(cell: grid.Cell) -> Text:
    text = Text(cell.mean + _marks(cell.marks), "red" if cell.failed else "bold" if cell.best else "")
    return text.append(f" {cell.where}", "dim") if cell.where else text


def _gain(cell: grid.Cell) -> Text:
    return Text(f"{cell.gain} {cell.gain_interval}", COLOURS[cell.verdict]) if cell.gain else Text()
