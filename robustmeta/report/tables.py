"""The records as files for other programs and for papers."""

from collections.abc import Mapping

from robustmeta.report import grid, layout
from robustmeta.report.findings import Findings, findings
from robustmeta.store.results import Results

SPECIAL = str.maketrans(
    {c: rf"\{c}" for c in "&%$#_{}"}
    | {"\\": r"\textbackslash{}", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}", "−": "$-$"}
)


def tables(results: Results) -> Mapping[str, str]:
    """``results.csv``, a row for every point, and ``results.tex``, the overview with booktabs: file name -> text.

    Under attacks ``flags.csv`` too, a row for every result and honesty flag; with certificates ``certificates.csv``.
    """
    csv = {"results.csv": results.points, "flags.csv": results.flags, "certificates.csv": results.certificates}
    written = {name: table.to_csv(index=False, lineterminator="\n") for name, table in csv.items() if len(table)}
    return {**written, "results.tex": _tex(findings(results))}


def _tex(found: Findings) -> str:
    parts = [layout.overview(found, kind, names) for kind, names in found.kinds()]
    return "% needs \\usepackage{booktabs}\n" + "\n".join(_tabular(table) for table in parts)


def _tabular(table: grid.Table) -> str:
    head = " & ".join([table.corner, *(c.label for c in table.columns)])
    lines = [
        f"% {table.caption}",
        *(f"% {note}" for note in table.notes),
        rf"\begin{{tabular}}{{l{'r' * len(table.columns)}}}",
        r"\toprule",
        rf"{head} \\",
    ]
    for group in table.groups:
        lines += [r"\midrule", rf"\multicolumn{{{len(table.columns) + 1}}}{{l}}{{{group.label.translate(SPECIAL)}}} \\"]
        lines += [" & ".join([row.label.translate(SPECIAL), *map(_cell, row.cells)]) + r" \\" for row in group.rows]
    return "\n".join([*lines, r"\bottomrule", r"\end{tabular}", ""])


def _cell(cell: grid.Cell) -> str:
    if cell.failed:
        return cell.mean
    text = cell.mean.translate(SPECIAL)
    return (rf"\textbf{{{text}}}" if cell.best else text) + f" {{\\small {cell.interval.translate(SPECIAL)}}}"
