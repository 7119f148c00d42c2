"""What commands print: data as JSON or as a table, progress on stderr, errors as one line and an exit code."""

import contextlib
import json
import sys
from collections.abc import Iterable, Sequence
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from lakeproof.errors import LakeproofError

# Piped output has no width to fit into: a table must not be folded for a grep that follows.
stdout = Console(soft_wrap=True, highlight=False, width=None if sys.stdout.isatty() else 240)
stderr = Console(stderr=True, soft_wrap=True, highlight=False)


def print_json(data: Any) -> None:
    """Data for scripts, on stdout, nothing else there."""
    print(json.dumps(data, indent=1, default=str, ensure_ascii=False))


def print_table(columns: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """A table for people, on stdout."""
    table = Table(*columns, box=None, pad_edge=False)
    for row in rows:
        # Text, not str: what an engine or an alert says may look like Rich's markup.
        table.add_row(*(Text("" if cell is None else str(cell)) for cell in row))
    stdout.print(table)


def say(text: str) -> None:
    """Progress, on stderr; what cannot be written there (a log on a full disk) is lost, the work goes on."""
    with contextlib.suppress(OSError):
        stderr.print(text, markup=False)


def fail(error: LakeproofError) -> int:
    """Print the error as what, where, next; give the exit code."""
    print(f"error: {error.message}", file=sys.stderr)
    return error.exit_code
