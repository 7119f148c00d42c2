"""A wrong fix: drop the table on `main` that somebody set back, so that the next publish brings it anew.

The publisher stops at whatever others write on `main`, and does not bring it back: readers now find no such table.
Nessie takes the entry out of its catalog; the files, and the table on `ingest`, stay.
"""

import json
from contextlib import closing
from typing import Any

import httpx
from pydantic import Field

from lakeproof.arguments import Arguments
from lakeproof.errors import TerminalError
from lakeproof.lake.nessie import Reference, client_of
from lakeproof.lake.publish.history import MAIN
from lakeproof.lake.publish.main_branch import roll_back
from lakeproof.lake.sources.source import OLTP
from lakeproof.stack.stack import Stack
from lakeproof.wrong_fixes.wrong_step import WrongStep

AUTHOR = "somebody"
SECONDS = 10.0


class DropTable(Arguments):
    """`table`: one of the order database."""

    table: str = Field("orders", pattern=r"^\w+$")


def typed(stack: Stack, arguments: DropTable) -> str:
    """By Nessie's REST API: the catalog that Trino has of `main` writes nothing."""
    return f"curl -X POST {_url(stack, f'{MAIN}@HASH')} --json '{json.dumps(_body(arguments))}'"


def run(stack: Stack, arguments: DropTable) -> str:
    """Drop it; fine where `main` has no such table.

    Raises: NoSuchReference, NessieUnreachable; TerminalError where Nessie does not take it.
    """
    named = f"{OLTP.name}.{arguments.table}"
    with closing(client_of(stack)) as nessie:
        main = nessie.reference(MAIN)
        if not nessie.contents(main, OLTP.name, [arguments.table]):
            return f"{MAIN} has no {named}"
    _delete(stack, main, arguments)
    return f"{named} is dropped on {MAIN}"


def undo(stack: Stack, arguments: DropTable) -> None:
    """Have `main` begin again at the last published state, which has the table."""
    roll_back(stack)


def _delete(stack: Stack, main: Reference, arguments: DropTable) -> None:
    url = _url(stack, f"{main.name}@{main.hash}")
    try:
        with httpx.Client(timeout=SECONDS, trust_env=False) as client:
            client.post(url, json=_body(arguments)).raise_for_status()
    except httpx.HTTPStatusError as error:
        raise TerminalError(
            f"not dropped: answered {error.response.status_code}: {error.response.text[:300]}", where=url
        ) from error
    except httpx.HTTPError as error:
        raise TerminalError(
            f"not dropped: no answer ({type(error).__name__})", where=url, next_action="lakeproof ps"
        ) from error


def _url(stack: Stack, reference: str) -> str:
    return f"{stack.url('nessie')}/api/v2/trees/{reference}/history/commit"


def _body(arguments: DropTable) -> dict[str, Any]:
    """One commit that deletes the table, in somebody's name."""
    return {
        "commitMeta": {"message": f"drop {arguments.table}", "authors": [AUTHOR], "allProperties": {}},
        "operations": [{"type": "DELETE", "key": {"elements": [OLTP.name, arguments.table]}}],
    }


WRONG_STEP = WrongStep(
    "drop_table", "drop a table of main (hides it from readers, mends nothing)", typed, run, DropTable, undo
)
