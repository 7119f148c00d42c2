"""The minute's audit of what was published since the last one: is every hash whole in itself, by Trino?

An order may be broken because the source is (a row deleted by hand): then the lake tells the truth, and `check` finds
it. What is broken in the lake and whole in the source is the lake's own fault.
"""

from datetime import UTC, datetime, timedelta

from lakeproof.deadline import Deadline
from lakeproof.lake.publish import history
from lakeproof.lake.publish.full_audit import Audited
from lakeproof.proof.tables.every_hash import EveryHash, Torn, judge
from lakeproof.proof.tables.order_claims import broken_of
from lakeproof.proof.tables.readers import mariadb_snapshot
from lakeproof.stack.stack import Stack

SECONDS = 30.0
# About five minutes of publishing: what waits longer than that is not judged any more.
MOST_WAITING = 150
# A publisher that was started anew does not know what its predecessor judged; it begins with this much of the past.
LOOK_BACK_SECONDS = 120.0
DATABASE_SECONDS = 30.0
SHOWN = 5


def audit_published(stack: Stack, after: str | None) -> Audited:
    """Judge the newest hash, and then every other one that was published after the hash `after`, oldest first.

    after: what the last audit gave as `through`; None for the first one.
    Raises: CouldNotLook, StatementFailed where Nessie, Trino or the database gave no answer.
    """
    deadline = Deadline(SECONDS)
    torn = judge(stack, [history.newest(stack)])
    following = EveryHash(stack, after or _start(stack))
    try:
        torn += following.look(deadline, MOST_WAITING)
    except history.NoSuchHash:
        # `main` was set back to before that hash.
        following = EveryHash(stack, _start(stack), not_looked=1)
        torn += following.look(deadline, MOST_WAITING)
    not_looked = following.not_looked + following.waiting
    # The newest hash was judged in any case.
    judged = max(1, following.judged)
    return Audited(_finding(stack, torn) if torn else None, judged, not_looked, following.after)


def _start(stack: Stack) -> str:
    """The newest hash from before the first audit's share of the past; the oldest known one where none is older."""
    commits = history.log(stack, MOST_WAITING)
    limit = datetime.now(UTC) - timedelta(seconds=LOOK_BACK_SECONDS)
    return next((commit.hash for commit in commits if commit.at < limit), commits[-1].hash)


def _finding(stack: Stack, torn: list[Torn]) -> str | None:
    """A sentence about the first torn hash and how many there are; None where the source is broken just so."""
    with mariadb_snapshot(stack, DATABASE_SECONDS) as database:
        also_in_source = {each.order_id for each in broken_of(database.broken())}
    own = {
        one.commit.hash: broken
        for one in torn
        if (broken := [each for each in one.broken if each.order_id not in also_in_source])
    }
    if not own:
        return None
    nessie_hash, broken = next(iter(own.items()))
    shown = "; ".join(f"order {each.order_id}: {each.detail}" for each in broken[:SHOWN])
    orders = len({each.order_id for each in broken})
    others = f" (and {len(own) - 1} more hashes)" if len(own) > 1 else ""
    return f"{orders} orders are broken at {nessie_hash[:16]}{others} and whole in the source: {shown}"
