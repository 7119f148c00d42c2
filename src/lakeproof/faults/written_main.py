"""Somebody writes on `main` by Nessie's REST API: one table is set back to what it was some publishes ago.

Readers of `main` then see that table older than the others, and Nessie refuses the publisher's next merge: both have
changed the table. The table must be one that changes with each publish, so shoppers have to buy meanwhile.
"""

from contextlib import closing, suppress

from pydantic import Field

from lakeproof.arguments import Arguments
from lakeproof.deadline import Deadline
from lakeproof.errors import TerminalError
from lakeproof.faults.fault import Fault, Sign
from lakeproof.lake.nessie import IcebergTable, NessieClient, NessieConflict, Reference, client_of
from lakeproof.lake.nessie_commit import OURS
from lakeproof.lake.publish.commit import is_ours
from lakeproof.lake.publish.history import MAIN
from lakeproof.lake.publish.main_branch import author_on_main, roll_back
from lakeproof.lake.sources.source import OLTP
from lakeproof.stack.stack import Stack

AUTHOR = "somebody"
SECONDS = 30.0
LOOKED_BACK = 60


class WrittenMain(Arguments):
    """`table`: one of the order database. `publishes`: the table is set back by at least so many publishes."""

    table: str = "orders"
    publishes: int = Field(3, ge=1, le=LOOKED_BACK // 2)


def inject(stack: Stack, arguments: WrittenMain) -> None:
    """Write once; safe where somebody else wrote last. Raises: TerminalError where it has not changed lately."""
    deadline = Deadline(SECONDS)
    with closing(client_of(stack)) as nessie:
        while author_on_main(nessie) == OURS:
            if deadline.expired:
                raise TerminalError("the publisher was faster each time", where=MAIN, next_action="try it again")
            main = nessie.reference(MAIN)
            with suppress(NessieConflict):  # the publisher has moved the table meanwhile
                older = _older(nessie, main, arguments)
                message = f"set {arguments.table} back"
                nessie.commit_tables(main, OLTP.name, {arguments.table: older}, message, {}, AUTHOR)


def _older(nessie: NessieClient, main: Reference, arguments: WrittenMain) -> IcebergTable:
    def at(commit: str) -> IcebergTable | None:
        found = nessie.contents(Reference("BRANCH", MAIN, commit), OLTP.name, [arguments.table])
        return found.get(arguments.table)

    now = at(main.hash)
    ours = [commit.hash for commit in nessie.history(MAIN, LOOKED_BACK, at_hash=main.hash) if is_ours(commit)]
    for commit in ours[arguments.publishes :]:
        older = at(commit)
        if now is not None and older is not None and older.metadata_location != now.metadata_location:
            return older
    raise TerminalError(
        "it has not changed lately", where=f"{OLTP.name}.{arguments.table}", next_action="lakeproof traffic"
    )


def remove(stack: Stack, arguments: WrittenMain) -> None:
    """Have `main` begin again at the last published state."""
    roll_back(stack)


def sign(stack: Stack, arguments: WrittenMain) -> Sign:
    """A commit among the newest on `main` is not the publisher's."""
    with closing(client_of(stack)) as nessie:
        author = author_on_main(nessie)
    return Sign(author != OURS, f"of the newest commits on {MAIN}: {author}")


FAULT = Fault("written_main", "write an older table on main, as somebody else", inject, remove, sign, WrittenMain)
