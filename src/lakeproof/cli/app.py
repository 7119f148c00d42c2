"""The command `lakeproof`. Each module of this folder that has `add_to(app)` brings its commands."""

import importlib
import logging
import os
import pkgutil
import sys

import typer

from lakeproof import cli
from lakeproof.cli.examples import add_examples
from lakeproof.cli.output import fail
from lakeproof.errors import InvalidInput, LakeproofError, TerminalError


def build() -> typer.Typer:
    """The whole command line. Modules here import heavy libraries inside their commands, not at the top."""
    app = typer.Typer(
        name="lakeproof",
        no_args_is_help=True,
        pretty_exceptions_enable=False,
        add_completion=False,
        help="A realtime lakehouse that proves it recovers.\n\n"
        "Exit codes: 0 success, 1 failed, 2 wrong usage, 3 unknown (could not look).",
    )
    for module in sorted(pkgutil.iter_modules(cli.__path__), key=lambda entry: entry.name):
        loaded = importlib.import_module(f"lakeproof.cli.{module.name}")
        if hasattr(loaded, "add_to"):
            loaded.add_to(app)
    add_examples(app)
    return app


def main() -> None:
    """Entry point: errors of ours, and of the disk, become one line and their exit code."""
    level = os.environ.get("LOG_LEVEL", "WARNING").upper()
    form = "%(asctime)s %(levelname)s %(name)s %(message)s"
    known = logging.getLevelNamesMapping()
    try:
        if level not in known:
            raise InvalidInput(f"no level {level!r}", where="LOG_LEVEL", next_action=f"one of {', '.join(known)}")
        logging.basicConfig(level=level, format=form, stream=sys.stderr)
        if known[level] >= logging.WARNING:
            # Cassandra's driver tells of each refused connection with a traceback, beside the command's own message.
            logging.getLogger("cassandra").setLevel(logging.CRITICAL)
        build()()
    except LakeproofError as error:
        sys.exit(fail(error))
    except KeyboardInterrupt:
        sys.exit(130)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(141)
    except OSError as error:
        where = str(error.filename or "this machine")
        what = error.strerror or str(error)
        sys.exit(fail(TerminalError(what, where=where, next_action="free or mend that place, then try again")))
