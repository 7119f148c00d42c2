"""The minute's audit of the newest published state: is it whole in itself, by Trino?

An order may be broken because the source is (a row deleted by hand): then the lake tells the truth, and `check` finds
it. What is broken in the lake and whole in the source is the lake's own fault.
"""

from lakeproof.deadline import Deadline
from lakeproof.lake.publish import history
from lakeproof.proof.tables.order_claims import BrokenOrder, broken_of
from lakeproof.proof.tables.readers import lake_reader, mariadb_snapshot
from lakeproof.stack.stack import Stack

SECONDS = 60.0
SHOWN = 5


def audit_published(stack: Stack) -> str | None:
    """A sentence where the newest published state shows a part of a transaction; None where it is whole.

    Raises: CouldNotLook, StatementFailed where Nessie, Trino or the database gave no answer.
    """
    deadline = Deadline(SECONDS)
    commit = history.newest(stack)
    with lake_reader(stack, "trino", commit, deadline.left, lambda text: None) as reader:
        broken = broken_of(reader.broken())
    if not broken:
        return None
    with mariadb_snapshot(stack, max(1.0, deadline.left)) as database:
        also_in_source = {each.order_id for each in broken_of(database.broken())}
    own = [each for each in broken if each.order_id not in also_in_source]
    return _sentence(own, commit.hash) if own else None


def _sentence(broken: list[BrokenOrder], nessie_hash: str) -> str:
    shown = "; ".join(f"order {each.order_id}: {each.detail}" for each in broken[:SHOWN])
    orders = len({each.order_id for each in broken})
    return f"{orders} orders are broken at {nessie_hash[:16]} and whole in the source: {shown}"
