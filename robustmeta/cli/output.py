"""Tables for people and one JSON object for programs, both on standard output."""

import json
import math
import shutil
import sys
from collections.abc import Generator, Iterable, Mapping, Sequence
from contextlib import contextmanager, redirect_stdout
from typing import TYPE_CHECKING, Any

import typer

if TYPE_CHECKING:
    from rich.console import RenderableType

WIDTH = 100


@contextmanager
def quiet(as_json: bool) -> Generator[None]:
    """While JSON is asked for, whatever prints goes to standard error."""
    if not as_json:
        yield
        return
    with redirect_stdout(sys.stderr):
        yield


def rich(parts: "Iterable[RenderableType]") -> None:
    """Print what rich draws: as wide as the terminal, elsewhere 100 columns without colour."""
    from rich.console import Console

    console = Console(width=None if sys.stdout.isatty() else WIDTH, highlight=False)
    for part in parts:
        console.print(part)


def emit(value: Mapping[str, Any]) -> None:
    """Print one JSON object; NaN and infinities become null."""
    typer.echo(json.dumps(finite(value), ensure_ascii=False, allow_nan=False, default=str))


def finite(value: Any) -> Any:
    """The same with None for every number that JSON does not know."""
    if isinstance(value, Mapping):
        return {str(k): finite(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [finite(v) for v in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def table(header: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    """Aligned columns, numbers to the right; on a terminal the last column is cut at its width."""
    cells = [list(header), *([_text(v) for v in row] for row in rows)]
    widths = [max(len(row[i]) for row in cells) for i in range(len(header))]
    right = [bool(rows) and all(isinstance(row[i], int | float) for row in rows) for i in range(len(header))]
    limit = shutil.get_terminal_size().columns if sys.stdout.isatty() else None
    lines: list[str] = []
    for row in cells:
        padded = [c.rjust(w) if r else c.ljust(w) for c, w, r in zip(row, widths, right, strict=True)]
        line = "  ".join(padded).rstrip()
        lines.append(line if limit is None or len(line) <= limit else line[: limit - 1] + "…")
    return "\n".join(lines)


def _text(value: object) -> str:
    return f"{value:,}" if isinstance(value, int) and not isinstance(value, bool) else str(value)
