"""Progress of a run on standard error: a bar with the time left on a terminal, plain lines elsewhere.

Work is measured in images sent through a network, which is known before anything runs.
"""

import time
from collections.abc import Callable
from typing import Self

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn


class Meter:
    """How much is done. A cell that ends counts whole, whatever it reported or failed to."""

    def __init__(self) -> None:
        self.total = self.done = self.open = 0

    def begin(self, passes: int) -> None:
        """A cell of that many passes begins."""
        self.open = passes

    def advance(self, passes: int) -> None:
        """Count passes of the open cell, not more than it has."""
        passes = min(passes, self.open)
        self.open -= passes
        self.done += passes

    def end(self) -> None:
        """The open cell is over."""
        self.advance(self.open)


class Lines:
    """A line at the start and one at the end of each cell, for logs."""

    def __init__(self, say: Callable[[str], None], clock: Callable[[], float] = time.monotonic) -> None:
        self.say, self.clock, self.meter, self.began = say, clock, Meter(), 0.0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        """Nothing to close."""

    def start(self, total_passes: int, cached: int, planned: int) -> None:
        """Say how much there is to do."""
        self.meter.total, self.began = total_passes, self.clock()
        self.say(_opening(total_passes, cached, planned))

    def begin(self, cell: str, passes: int) -> None:
        """Count on."""
        self.meter.begin(passes)

    def advance(self, passes: int) -> None:
        """Count on."""
        self.meter.advance(passes)

    def end(self, cell: str, error: str | None) -> None:
        """Say how the cell ended and how long the rest may take."""
        self.meter.end()
        done, total = self.meter.done, self.meter.total
        share = done / total if total else 1.0
        left = (self.clock() - self.began) * (1 - share) / share if share else 0.0
        failure = f" FAILED: {error}" if error else ""
        self.say(f"[{share:4.0%}, {left:.0f} s left] {cell}{failure}")


class Bar:
    """One bar for the whole run with the cell that is under way; failures stay above it."""

    def __init__(self, console: Console) -> None:
        self.meter = Meter()
        what = TextColumn("{task.description}", markup=False)
        self.bar = Progress(BarColumn(30), TaskProgressColumn(), TimeRemainingColumn(), what, console=console)
        self.task = self.bar.add_task("", total=None)

    def __enter__(self) -> Self:
        self.bar.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.bar.stop()

    def start(self, total_passes: int, cached: int, planned: int) -> None:
        """Say how much there is to do."""
        self.meter.total = total_passes
        self.bar.console.print(_opening(total_passes, cached, planned), highlight=False)
        self.bar.update(self.task, total=max(total_passes, 1), completed=0 if total_passes else 1)

    def begin(self, cell: str, passes: int) -> None:
        """Name the cell."""
        self.meter.begin(passes)
        self.bar.update(self.task, description=cell)

    def advance(self, passes: int) -> None:
        """Move the bar."""
        self.meter.advance(passes)
        self._show()

    def end(self, cell: str, error: str | None) -> None:
        """Move the bar; leave a line if the cell failed."""
        self.meter.end()
        self._show()
        if error:
            self.bar.console.print(f"FAILED {cell}: {error}", markup=False, highlight=False)

    def _show(self) -> None:
        if self.meter.total:
            self.bar.update(self.task, completed=self.meter.done)


def _opening(passes: int, cached: int, planned: int) -> str:
    return f"{planned} cells: {cached} are there, {planned - cached} to compute ({passes:,} image passes)"


def watch() -> Lines | Bar:
    """The progress that fits standard error."""
    console = Console(stderr=True)
    if console.is_terminal and not console.is_dumb_terminal:
        return Bar(console)
    return Lines(lambda text: console.print(text, markup=False, highlight=False, soft_wrap=True))
