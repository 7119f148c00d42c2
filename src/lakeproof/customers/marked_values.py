"""What was written into a column that the lake does not know, by the row's id: kept as the ledger keeps the calls.

Neither the shop nor its ledger knows such a column. Whoever writes into it on purpose says here what and where,
before it is written, so that somebody else can ask what became of it.
"""

import json
from collections.abc import Mapping
from pathlib import Path

from lakeproof.stack.stack import Stack
from lakeproof.written import read_if_there, write_file


def mark(stack: Stack, table: str, column: str, values: Mapping[int, str]) -> None:
    """Keep them in the place of what was known. table: with its database."""
    write_file(_path(stack, table, column), json.dumps(dict(values)))


def marked(stack: Stack, table: str, column: str) -> dict[int, str] | None:
    """Value by row; None where nobody wrote into that column."""
    text = read_if_there(_path(stack, table, column))
    return None if text is None else {int(row): str(value) for row, value in json.loads(text).items()}


def forget(stack: Stack, table: str, column: str) -> None:
    """The column is gone."""
    _path(stack, table, column).unlink(missing_ok=True)


def _path(stack: Stack, table: str, column: str) -> Path:
    return stack.data_dir("marked-values") / f"{table}.{column}.json"
