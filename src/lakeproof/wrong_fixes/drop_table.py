"""A wrong fix: drop the table on `main` that somebody set back, so that the next publish brings it anew.

The publisher stops when others write on `main`, and does not bring the table back: readers now find no such table.
Nessie removes the entry from its catalog; the files, and the table on `ingest`, stay.
"""

import json
from contextlib import closing
from typing import Any

from pydantic import Field

from lakeproof.arguments import Arguments
from lakeproof.lake.nessie import client_of
from lakeproof.lake.publish.history import MAIN
from lakeproof.lake.publish.main_branch import roll_back
from lakeproof.lake.sources.source import OLTP
from lakeproof.stack.stack import Stack
from lakeproof.wrong_fixes.wrong_step import WrongStep

AUTHOR = "somebody"


class DropTable(Arguments):
    """`table`: a table of the order database."""

    table: str = Field("orders", pattern=r"^\w+$")


def typed(stack: Stack, arguments: DropTable) -> str:
    """The call to Nessie's REST API: Trino's own catalog of `main` is read-only."""
    commit = f"{stack.url('nessie')}/api/v2/trees/{MAIN}@HASH/history/commit"
    return f"curl -X POST {commit} --json '{json.dumps(_body(arguments))}'"


def run(stack: Stack, arguments: DropTable) -> str:
    """Drop the table; fine where `main` has no such table.

    Raises: NoSuchReference, NessieUnreachable, NessieConflict where somebody has written on `main` meanwhile.
    """
    named = f"{OLTP.name}.{arguments.table}"
    with closing(client_of(stack)) as nessie:
        main = nessie.reference(MAIN)
        if not nessie.contents(main, OLTP.name, [arguments.table]):
            return f"{MAIN} has no {named}"
        nessie.drop_table(main, OLTP.name, arguments.table, _message(arguments), AUTHOR)
    return f"{named} is dropped on {MAIN}"


def undo(stack: Stack, arguments: DropTable) -> None:
    """Set `main` back to the last published state, which has the table."""
    roll_back(stack)


def _message(arguments: DropTable) -> str:
    return f"drop {arguments.table}"


def _body(arguments: DropTable) -> dict[str, Any]:
    """One commit that deletes the table, in somebody's name."""
    return {
        "commitMeta": {"message": _message(arguments), "authors": [AUTHOR], "allProperties": {}},
        "operations": [{"type": "DELETE", "key": {"elements": [OLTP.name, arguments.table]}}],
    }


WRONG_STEP = WrongStep(
    "drop_table", "drop a table of main (hides it from readers, mends nothing)", typed, run, DropTable, undo
)
