"""Records the values that were written into a column that the lake does not know, by row id.

Neither the shop nor its ledger knows such a column. Code that writes into it on purpose records each value here
before it writes, as shoppers do in the ledger, so that a check can ask later where the values are.
"""

import json
from collections.abc import Mapping
from pathlib import Path

from lakeproof.stack.stack import Stack
from lakeproof.written import read_if_there, write_file


def mark(stack: Stack, table: str, column: str, values: Mapping[int, str]) -> None:
    """Record these values (by row id), replacing those recorded before. table: DATABASE.TABLE."""
    write_file(_path(stack, table, column), json.dumps(dict(values)))


def marked(stack: Stack, table: str, column: str) -> dict[int, str] | None:
    """The recorded values by row id; None where nothing is recorded for that column."""
    text = read_if_there(_path(stack, table, column))
    return None if text is None else {int(row): str(value) for row, value in json.loads(text).items()}


def forget(stack: Stack, table: str, column: str) -> None:
    """Delete the record: the column is gone."""
    _path(stack, table, column).unlink(missing_ok=True)


def _path(stack: Stack, table: str, column: str) -> Path:
    return stack.data_dir("marked-values") / f"{table}.{column}.json"
