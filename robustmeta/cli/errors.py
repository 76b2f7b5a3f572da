"""What a person sees of an error: plain text on standard error and an exit code; a traceback only with ``--debug``."""

import json
import shlex
import sys
import traceback
from typing import Any

import typer
from typer.core import TyperGroup

from robustmeta.registry import ComponentError

SOME_FAILED, WRONG_USAGE, MISSING_DATA, INTERRUPTED = 1, 2, 3, 130
RESUMABLE = ("run", "corrupt")
JSON = "robustmeta.json"
"""The key of a context's ``meta`` that says that standard output is for one JSON object."""

# Typer carries a click of its own; this is the base of the errors that it shows itself.
_USAGE: type[Exception] = typer.BadParameter.__mro__[2]


class Group(TyperGroup):
    """The group of all commands, with one place where errors end."""

    def invoke(self, ctx: Any) -> Any:
        """Run a command; on an error say it and exit with its code."""
        try:
            return super().invoke(ctx)
        except (typer.Exit, typer.Abort, BrokenPipeError, _USAGE):
            raise
        except KeyboardInterrupt:
            again = f"; what was finished is kept, go on with: {shlex.join(['robustmeta', *sys.argv[1:]])}"
            _say(ctx, "interrupted" + (again if ctx.invoked_subcommand in RESUMABLE else ""), INTERRUPTED)
            raise typer.Exit(INTERRUPTED) from None
        except Exception as error:
            if ctx.params.get("debug"):
                traceback.print_exc()
            code, expected = exit_code(error)
            hint = "" if expected else f"unexpected {type(error).__name__} (robustmeta --debug shows where): "
            _say(ctx, f"{hint}{error}", code)
            raise typer.Exit(code) from None


def _say(ctx: Any, text: str, code: int) -> None:
    typer.echo(text, err=True)
    if ctx.meta.get(JSON):
        typer.echo(json.dumps({"error": text, "exit_code": code}))


def exit_code(error: Exception) -> tuple[int, bool]:
    """The exit code of an error, and whether it is one that input can cause."""
    codes: dict[type[Exception], int] = {ComponentError: WRONG_USAGE, OSError: WRONG_USAGE}
    if not isinstance(error, tuple(codes)):  # core brings torch, which a wrong name need not wait for
        from robustmeta.core import CellError, DataError, StudyError
        from robustmeta.tracking import TrackingError

        codes = {StudyError: WRONG_USAGE, DataError: MISSING_DATA, CellError: SOME_FAILED, TrackingError: SOME_FAILED}
    return next(((code, True) for kind, code in codes.items() if isinstance(error, kind)), (SOME_FAILED, False))
