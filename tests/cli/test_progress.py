import io

from rich.console import Console

from robustmeta.cli.progress import Bar, Lines, Meter, watch


def test_a_cell_that_ends_counts_whole_and_never_more() -> None:
    meter = Meter()
    meter.total = 30
    meter.begin(10)
    meter.advance(4)
    meter.end()
    assert meter.done == 10
    meter.begin(20)
    meter.advance(50)
    assert meter.done == 30
    meter.end()
    assert meter.done == 30


def test_plain_lines_with_the_time_left() -> None:
    said: list[str] = []
    clock = iter([100.0, 110.0, 140.0])
    with Lines(said.append, lambda: next(clock)) as progress:
        progress.start(4000, 3, 5)
        progress.begin("train maml", 1000)
        progress.advance(600)
        progress.end("train maml", None)
        progress.begin("evaluate maml", 3000)
        progress.end("evaluate maml", "loss became NaN")
    assert said == [
        "5 cells: 3 are there, 2 to compute (4,000 image passes)",
        "[ 25%, 30 s left] train maml",
        "[100%, 0 s left] evaluate maml FAILED: loss became NaN",
    ]


def test_cells_without_passes_are_no_division_by_zero() -> None:
    said: list[str] = []
    with Lines(said.append) as progress:
        progress.start(0, 0, 1)
        progress.begin("a", 0)
        progress.end("a", None)
    assert said[-1] == "[100%, 0 s left] a"


def test_a_bar_on_a_terminal() -> None:
    out = io.StringIO()
    console = Console(file=out, force_terminal=True, width=100, color_system=None)
    with Bar(console) as progress:
        progress.start(200, 0, 2)
        progress.begin("train [red]a[/red]", 100)
        progress.advance(100)
        progress.end("train [red]a[/red]", "broken [b]")
        assert progress.bar.tasks[0].percentage == 50
        progress.begin("b", 100)
        progress.end("b", None)
        assert progress.bar.finished
    assert "FAILED train [red]a[/red]: broken [b]" in out.getvalue()


def test_plain_where_there_is_no_terminal(capsys: object) -> None:
    assert isinstance(watch(), Lines)
