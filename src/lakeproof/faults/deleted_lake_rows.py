"""Somebody deletes rows from the lake's own table by Paimon's SQL, as a clean-up job with the wrong address would.

The database has the rows, and capture has delivered them once and for all: nothing that runs brings them back.
"""

from pydantic import Field

from lakeproof.arguments import Arguments
from lakeproof.deadline import Deadline
from lakeproof.errors import InvalidInput
from lakeproof.faults.fault import Fault, Sign
from lakeproof.lake.capture import gap, rewriting
from lakeproof.lake.capture.commands import send
from lakeproof.lake.job.submission import ensure_submitted
from lakeproof.lake.publish.main_branch import roll_back
from lakeproof.lake.query.paimon import paimon
from lakeproof.lake.sources import mariadb
from lakeproof.lake.sources.source import OLTP
from lakeproof.probes.publisher import NOTHING_FOUND, audit_finding
from lakeproof.stack.stack import Stack

SECONDS = 30.0
STATEMENT_SECONDS = 120.0


class DeletedLakeRows(Arguments):
    """`table`: one of the order database whose key is `id`. `rows`: how many are deleted, the oldest first."""

    table: str = Field("order_items", pattern=r"^\w+$")
    rows: int = Field(20, ge=1, le=1000)


def inject(stack: Stack, arguments: DeletedLakeRows) -> None:
    """Delete the rows. A second call finds none of them, and deletes no others.

    Raises: InvalidInput where the table has no row; as rewriting.write_to_lake.
    """
    ids = _oldest(stack, arguments)
    if not ids:
        raise InvalidInput("it has no row", where=f"{OLTP.name}.{arguments.table}", next_action="lakeproof traffic")
    rewriting.write_to_lake(stack, OLTP, f"DELETE FROM {_in_lake(arguments)} WHERE id IN ({_listed(ids)})")


def remove(stack: Stack, arguments: DeletedLakeRows) -> None:
    """Bring back the rows that the lake lacks. The job, `main` and the connector go on, whatever stopped them.

    An earlier call may have brought the rows and have ended before `main` showed them: then an audit still tells.
    """
    ensure_submitted(stack, OLTP)
    roll_back(stack)
    if sign(stack, arguments).holds or audit_finding(stack, SECONDS, OLTP) != NOTHING_FOUND:
        gap.bridge(stack, OLTP.connector)
    else:
        send(stack, "PUT", f"/connectors/{OLTP.connector}/resume", absent_is_fine=True)


def sign(stack: Stack, arguments: DeletedLakeRows) -> Sign:
    """The table's newest snapshot lacks some of the oldest rows, published or not."""
    ids = _oldest(stack, arguments)
    there = _still_there(stack, arguments, ids) if ids else 0
    return Sign(there < len(ids), f"the lake's {arguments.table} has {there} of its {len(ids)} oldest rows")


def _still_there(stack: Stack, arguments: DeletedLakeRows, ids: list[int]) -> int:
    with paimon(stack) as flink:
        counted = f"SELECT COUNT(*) FROM {_in_lake(arguments)} WHERE id IN ({_listed(ids)})"
        ((there,),) = flink.run(counted, Deadline(STATEMENT_SECONDS)).rows
    return int(there)


def _oldest(stack: Stack, arguments: DeletedLakeRows) -> list[int]:
    with mariadb.as_root(stack, SECONDS) as cursor:
        cursor.execute(f"SELECT id FROM {OLTP.name}.{arguments.table} ORDER BY id LIMIT {arguments.rows}")
        return [int(id_) for (id_,) in cursor.fetchall()]


def _in_lake(arguments: DeletedLakeRows) -> str:
    return f"store.{OLTP.name}.{arguments.table}"


def _listed(ids: list[int]) -> str:
    return ", ".join(str(id_) for id_ in ids)


FAULT = Fault(
    "deleted_lake_rows",
    "delete rows of the lake's own table, as somebody else",
    inject,
    remove,
    sign,
    DeletedLakeRows,
    through_capture=True,
)
