"""A wrong fix: call every parcel that waits shipped, by SQL. The lag is gone, and the parcels go nowhere."""

from lakeproof.arguments import Arguments
from lakeproof.errors import TerminalError
from lakeproof.stack.engines.postgres_accounts import DATABASE
from lakeproof.stack.postgres_session import TROUBLES, connection
from lakeproof.stack.stack import Stack
from lakeproof.wrong_fixes.wrong_step import WrongStep

SCHEMA = "fulfillment"
SECONDS = 10.0
MARK = """
UPDATE fulfillments SET status = 'shipped', shipped_at = now(), has_work = false, hold_until = NULL
WHERE status IN ('requested', 'label_pending', 'label_ready')
"""
# A parcel that was really shipped has an event of type 'shipped'; one that only MARK changed has none. The buyer's
# hold is the one that the parcel's newest operation left behind. A hold that the service found on a label is none.
UNMARK = """
UPDATE fulfillments f SET status = 'requested', shipped_at = NULL, has_work = true, due_at = now(),
  lease_owner = NULL, lease_until = NULL, hold_until = (
    SELECT o.hold_until FROM fulfillment_operations o WHERE o.fulfillment_id = f.id ORDER BY o.version DESC LIMIT 1)
WHERE status = 'shipped' AND NOT EXISTS (
  SELECT FROM fulfillment_events e WHERE e.fulfillment_id = f.id AND e.type = 'shipped')
"""


def typed(stack: Stack, arguments: Arguments) -> str:
    """The statement in psql."""
    return f'psql {DATABASE} -c "{" ".join(MARK.split())}"'


def run(stack: Stack, arguments: Arguments) -> str:
    """Mark the waiting parcels as shipped."""
    return f"{_change(stack, MARK)} parcels are called shipped"


def undo(stack: Stack, arguments: Arguments) -> None:
    """Set the marked parcels back to 'requested', so that the worker begins anew, with the buyers' holds."""
    _change(stack, UNMARK)


def _change(stack: Stack, statement: str) -> int:
    try:
        with connection(
            stack, f"{SCHEMA}_service", f"postgres-{SCHEMA}-service", SECONDS, DATABASE, SCHEMA
        ) as session:
            return session.execute(statement.encode()).rowcount
    except TROUBLES as error:
        raise TerminalError(f"not marked: {error}", where="postgres", next_action="is PostgreSQL up?") from error


WRONG_STEP = WrongStep(
    "mark_parcels_shipped", "call every parcel that waits shipped, by SQL (loses parcels)", typed, run, undo=undo
)
