"""`lakeproof bench`: run one benchmark: figures, each with a ratio against a peer or a limit of the same run.

The command lies with the benchmarks in benchmarks/, at the root of a clone, and is not installed with the tool. It is
loaded by its name, because no module of the tool imports a benchmark.
"""

import importlib
import sys
from pathlib import Path

import typer

import lakeproof
from lakeproof.errors import InvalidInput


def add_to(app: typer.Typer) -> None:
    """Bring the command `bench`. Raises: InvalidInput where the tool does not run from a clone."""
    clone = Path(lakeproof.__file__).resolve().parents[2]
    if not (clone / "benchmarks" / "command.py").is_file():
        raise InvalidInput(
            "the benchmarks are not installed with Lakeproof; they are part of a clone of its repository",
            where=str(clone / "benchmarks"),
            next_action="clone the repository, run `make setup` in the clone, then `.venv/bin/lakeproof bench` there",
        )
    if str(clone) not in sys.path:
        sys.path.insert(0, str(clone))  # first, since an installed package may also be named `benchmarks`
    app.command("bench")(importlib.import_module("benchmarks.command").bench)
