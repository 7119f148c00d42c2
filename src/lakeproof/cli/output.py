"""What commands print: data as JSON or as a table, progress on stderr, errors as one line and an exit code."""

import contextlib
import json
import sys
import unicodedata
from collections.abc import Iterable, Sequence
from itertools import zip_longest
from typing import Any

from lakeproof.errors import LakeproofError


def print_json(data: Any) -> None:
    """Print data for scripts on stdout, where a command prints nothing else."""
    print(json.dumps(data, indent=1, default=str, ensure_ascii=False))


def print_table(columns: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """A table for people, on stdout. No line is folded or cut, so that a grep finds a row whole."""
    table = [columns, *(["" if cell is None else str(cell) for cell in row] for row in rows)]
    columns_of_cells = zip(*table, strict=True)
    widths = [max(_width(line) for cell in cells for line in cell.splitlines() or [""]) for cells in columns_of_cells]
    for row in table:
        for line in zip_longest(*(cell.splitlines() for cell in row), fillvalue=""):
            padded = (cell + " " * (width - _width(cell)) for cell, width in zip(line, widths, strict=True))
            print("  ".join(padded).rstrip())


def print_rows(as_json: bool, data: Any, columns: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Print the data as JSON, or as a table of `rows`."""
    if as_json:
        print_json(data)
    else:
        print_table(columns, rows)


def _width(text: str) -> int:
    """How many columns of a terminal the text takes."""
    wide = sum(unicodedata.east_asian_width(letter) in "WF" for letter in text)
    return len(text) + wide - sum(unicodedata.combining(letter) > 0 for letter in text)


def say(text: str) -> None:
    """Print progress on stderr. Where that fails (a log on a full disk), the text is lost and the work goes on."""
    with contextlib.suppress(OSError):
        print(text, file=sys.stderr, flush=True)


def fail(error: LakeproofError) -> int:
    """Print the error as what, where, next; give the exit code."""
    print(f"error: {error.message}", file=sys.stderr)
    return error.exit_code
