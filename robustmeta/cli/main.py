"""The commands. Each imports what it needs when it runs, so that ``--help`` and ``list`` answer at once."""

import shlex
from contextlib import suppress
from pathlib import Path
from typing import Annotated

import typer

from robustmeta.cli import describe as describing
from robustmeta.cli import discover, output, show
from robustmeta.cli.errors import JSON, SOME_FAILED, Group

app = typer.Typer(
    name="robustmeta",
    cls=Group,
    help="How robust is a model that learns from a few examples, and does it beat plain fine-tuning?",
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    epilog="Exit codes: 0 done, 1 some cells failed or a flag warned that the study fails on, 2 wrong usage or study, "
    "3 missing data, 130 interrupted.",
)


def _remember(ctx: typer.Context, value: bool) -> bool:
    ctx.meta[JSON] = value
    return value


StudyFile = Annotated[str, typer.Argument(metavar="STUDY", help="A study, a YAML file.", show_default=False)]
Overrides = Annotated[
    list[str] | None,
    typer.Argument(metavar="KEY.PATH=VALUE...", help="Changes to the study, such as learners.maml.adapt.steps=10."),
]
Plugins = Annotated[list[str] | None, typer.Option("--plugin", metavar="FILE", help="Python files to load first.")]
Root = Annotated[Path, typer.Option("--root", help="Where results are kept.")]
Smoke = Annotated[
    bool,
    typer.Option("--smoke", help="A few steps and tasks on drawn glyphs instead of the study's data, to see it run."),
]
Json = Annotated[bool, typer.Option("--json", callback=_remember, help="Print one JSON object on standard output.")]
RUNS = Path("mlruns")


@app.callback()
def main(
    debug: Annotated[
        bool, typer.Option("--debug", envvar="ROBUSTMETA_DEBUG", help="Show tracebacks of errors.")
    ] = False,
) -> None:
    """Options that stand before the command."""


@app.command()
def run(
    study: StudyFile,
    overrides: Overrides = None,
    plugin: Plugins = None,
    root: Root = RUNS,
    smoke: Smoke = False,
    as_json: Json = False,
) -> None:
    """Compute what is missing of a study, track it in MLflow, print the results."""
    with output.quiet(as_json):
        from robustmeta import api
        from robustmeta.cli.progress import watch
        from robustmeta.report.terminal import short

        loaded = api.load_study(study, overrides or (), plugin or (), smoke=smoke)
        if not api.leads():  # one of several processes that torchrun has started: process 0 says what there is to say
            api.run(loaded, root)
            return
        with watch() as progress:
            finished = api.run(loaded, root, progress)
    outcome = finished.results.outcome
    where = [] if root == RUNS else ["--root", str(root)]
    if as_json:
        output.emit(show.finished(finished))
    else:
        output.rich(short(finished.results))
        typer.echo(show.cells(outcome))
        typer.echo(f"curves and report: {shlex.join(['robustmeta', 'ui', *where])}")
    if finished.warning:
        again = [
            "robustmeta",
            "sync",
            study,
            *(overrides or ()),
            *(f"--plugin={p}" for p in plugin or ()),
            *["--smoke"] * smoke,
            *where,
        ]
        typer.echo(f"MLflow is behind: {finished.warning}; later: {shlex.join(again)}", err=True)
    for cell, reason in outcome.failures.items():
        typer.echo(f"failed: {cell}: {reason}", err=True)
    for reason in finished.flagged:
        typer.echo(f"flag {reason}", err=True)
    if outcome.failures or finished.flagged:
        raise typer.Exit(SOME_FAILED)


@app.command()
def plan(
    study: StudyFile,
    overrides: Overrides = None,
    plugin: Plugins = None,
    root: Root = RUNS,
    smoke: Smoke = False,
    as_json: Json = False,
) -> None:
    """Show what a run would compute, what is there, and the images that each cell sends through a network."""
    with output.quiet(as_json):
        from robustmeta import api

        loaded = api.load_study(study, overrides or (), plugin or (), smoke=smoke)
        rows = api.plan(loaded, root).rows
    if as_json:
        output.emit(show.plan(loaded.name, rows))
    else:
        typer.echo(show.plan_text(rows))


@app.command()
def report(
    study: StudyFile,
    overrides: Overrides = None,
    plugin: Plugins = None,
    root: Root = RUNS,
    out: Annotated[Path | None, typer.Option("--out", help="The HTML file; next to the results if not given.")] = None,
    smoke: Smoke = False,
) -> None:
    """Write the report of a study as one HTML file; nothing is computed."""
    from robustmeta import api

    loaded = api.load_study(study, overrides or (), plugin or (), smoke=smoke)
    typer.echo(api.report(loaded, out or root / "reports" / f"{loaded.name}.html", root))


@app.command()
def sync(
    study: StudyFile, overrides: Overrides = None, plugin: Plugins = None, root: Root = RUNS, smoke: Smoke = False
) -> None:
    """Bring MLflow up to date with the stored results; nothing is computed, nothing is doubled."""
    from robustmeta import api

    tracked = api.sync(api.load_study(study, overrides or (), plugin or (), smoke=smoke), root)
    typer.echo(f"experiment {tracked.experiment_id} at {tracked.tracking_uri}")


@app.command()
def ui(
    root: Root = RUNS,
    port: Annotated[int, typer.Option(help="Port of the server.", min=1, max=65535)] = 5000,
    no_open: Annotated[bool, typer.Option("--no-open", help="Do not open a browser.")] = False,
) -> None:
    """Serve MLflow and open the robustness curves, until Ctrl-C."""
    from robustmeta.tracking.server import ui as serve

    with suppress(KeyboardInterrupt):
        serve(root, port, not no_open, typer.echo)


@app.command()
def schema() -> None:
    """Print the JSON schema of a study, for editors.

    Put ``# yaml-language-server: $schema=study.schema.json`` on the first line of a study after
    ``robustmeta schema > study.schema.json``.
    """
    from robustmeta.config.schema import study_schema

    output.emit(study_schema())


@app.command("list")
def list_(
    kind: Annotated[str | None, typer.Argument(help="domains, methods (or learners), corruptions, ...")] = None,
    as_json: Json = False,
) -> None:
    """List what a study can use."""
    with output.quiet(as_json):
        rows = discover.listing(kind)
    if as_json:
        output.emit({"components": rows})
    else:
        typer.echo(discover.text(rows))


@app.command()
def describe(
    name: Annotated[str, typer.Argument(help="A name, kind:name, module:attr or file.py:attr.", show_default=False)],
    as_json: Json = False,
) -> None:
    """Show one component: its fields, defaults, paper and origin."""
    with output.quiet(as_json):
        found = describing.describe(name)
    if as_json:
        output.emit(found)
    else:
        typer.echo(show.description(found))


@app.command()
def check(
    name: Annotated[
        str,
        typer.Argument(
            help="A corruption, tasking or sequence: file.py:attr, module:attr or a name.", show_default=False
        ),
    ],
    sheet: Annotated[Path | None, typer.Option(help="Draw it at its levels into this PNG file.")] = None,
    as_json: Json = False,
) -> None:
    """Test a corruption, and draw it at its levels; or test a tasking or a sequence."""
    with output.quiet(as_json):
        found = describing.check(name, sheet)
    if as_json:
        output.emit(found)
    else:
        typer.echo(show.checked(found))
    if not found["passed"]:
        raise typer.Exit(SOME_FAILED)


@app.command()
def corrupt(
    source: Annotated[Path, typer.Argument(metavar="IN_DIR", help="A folder of images.", show_default=False)],
    target: Annotated[Path, typer.Argument(metavar="OUT_DIR", help="Where they go.", show_default=False)],
    corruption: Annotated[str, typer.Option(help="A name, module:attr or file.py:attr.", show_default=False)],
    severity: Annotated[int, typer.Option(help="How strong.", min=1, max=5, show_default=False)],
    seed: Annotated[int, typer.Option(help="Of all draws.")] = 0,
    table: Annotated[str, typer.Option(help="Which severity table; auto goes by the short side of an image.")] = "auto",
    plugin: Plugins = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Make images that are there again.")] = False,
    as_json: Json = False,
) -> None:
    """Corrupt a folder of images into another; names are kept, and what is there is not made again.

    PNG, BMP, TIFF and WebP stay what they are, without loss; JPEG and GIF become PNG. Gray stays gray. The draw of an
    image follows from the seed and its path in IN_DIR.
    """
    with output.quiet(as_json):
        from robustmeta.cli import corrupt as folders
        from robustmeta.corruptions.recipe import recipe
        from robustmeta.registry import load_file

        for file in plugin or ():
            load_file(Path(file))
        chosen = recipe(corruption, severity, table)
        found = folders.corrupt(source, target, chosen, seed, overwrite=overwrite)
    if as_json:
        output.emit(found)
    else:
        typer.echo(folders.text(found))
    for name, reason in found["failures"].items():
        typer.echo(f"failed: {name}: {reason}", err=True)
    if found["failures"]:
        raise typer.Exit(SOME_FAILED)


@app.command()
def new(
    kind: Annotated[str, typer.Argument(help="corruption", show_default=False)],
    name: Annotated[str, typer.Argument(help="What it shall be called, such as dead_pixels.", show_default=False)],
    folder: Annotated[Path, typer.Option("--dir", help="Where the files go.")] = Path(),
    as_json: Json = False,
) -> None:
    """Write a first corruption of your own, NAME.py, and its test, test_NAME.py."""
    from robustmeta.cli import new as writing

    made = writing.create(kind, name, folder)
    if as_json:
        output.emit(made)
    else:
        typer.echo(writing.text(made))


@app.command()
def version() -> None:
    """Print the version."""
    from importlib.metadata import version

    typer.echo(f"robustmeta {version('robustmeta')}")
