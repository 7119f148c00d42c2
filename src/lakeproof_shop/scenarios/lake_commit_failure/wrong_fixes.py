"""Steps that look like a repair of lake-commit-failure, and are none."""

import json
from contextlib import closing
from typing import Any

from pydantic import Field

from lakeproof.lake.nessie import client_of
from lakeproof.lake.publish.history import INGEST, MAIN
from lakeproof.lake.publish.main_branch import roll_back
from lakeproof.lake.sources.source import OLTP
from lakeproof.stack.stack import Stack
from lakeproof.wrong_fixes.wrong_step import WrongStep

AUTHOR = "somebody"


class DropTable(WrongStep):
    """Drop a table of main (hides it from readers, mends nothing).

    A wrong fix: drop the table on `main` that somebody set back, so that the next publish brings it anew.

    The publisher stops when others write on `main`, and does not bring the table back: readers now find no such
    table. Nessie removes the entry from its catalog; the files, and the table on `ingest`, stay.

    `table`: a table of the order database.
    """

    table: str = Field("orders", pattern=r"^\w+$")

    def typed(self, stack: Stack) -> str:
        """The call to Nessie's REST API: Trino's own catalog of `main` is read-only."""
        commit = f"{stack.url('nessie')}/api/v2/trees/{MAIN}@HASH/history/commit"
        return f"curl -X POST {commit} --json '{json.dumps(self._body())}'"

    def run(self, stack: Stack) -> str:
        """Drop the table; fine where `main` has no such table.

        Raises: NoSuchReference, NessieUnreachable, NessieConflict where somebody has written on `main` meanwhile.
        """
        named = f"{OLTP.name}.{self.table}"
        with closing(client_of(stack)) as nessie:
            main = nessie.reference(MAIN)
            if not nessie.contents(main, OLTP.name, [self.table]):
                return f"{MAIN} has no {named}"
            nessie.drop_table(main, OLTP.name, self.table, self._message(), AUTHOR)
        return f"{named} is dropped on {MAIN}"

    def undo(self, stack: Stack) -> None:
        """Set `main` back to the last published state, which has the table."""
        roll_back(stack)

    def _message(self) -> str:
        return f"drop {self.table}"

    def _body(self) -> dict[str, Any]:
        """One commit that deletes the table, in somebody's name."""
        return {
            "commitMeta": {"message": self._message(), "authors": [AUTHOR], "allProperties": {}},
            "operations": [{"type": "DELETE", "key": {"elements": [OLTP.name, self.table]}}],
        }


class PointMainAtIngest(WrongStep):
    """Point main by force at ingest (hides promised hashes).

    A wrong fix: point `main` by force at `ingest`, since the newest data are there.

    The hashes that readers were promised are in the history of `main`, one merge after another, and `ingest` has
    none of these merges. So the publisher finds its last merge gone, and does not go on.
    """

    def typed(self, stack: Stack) -> str:
        """The call to Nessie's REST API that moves `main` from its hash to that of `ingest`."""
        url = f"{stack.url('nessie')}/api/v2/trees/{MAIN}@HASH?type=BRANCH"
        return f"""curl -X PUT '{url}' --json '{{"type": "DETACHED", "hash": …}}'"""

    def run(self, stack: Stack) -> str:
        """Assign `main` to the head of `ingest`. Raises: NoSuchReference, NessieConflict, NessieUnreachable."""
        with closing(client_of(stack)) as nessie:
            moved = nessie.assign(nessie.reference(MAIN), nessie.reference(INGEST).hash)
        return f"{MAIN} now begins at {moved.hash[:16]}, the head of {INGEST}"

    def undo(self, stack: Stack) -> None:
        """Set `main` back to the last published state."""
        roll_back(stack)
