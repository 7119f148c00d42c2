"""Wait until the capture has come through a large transaction, for no longer than a bound that is stated before.

Nothing is broken: the rows are on their way, in order. Whatever else one does makes the capture begin the transaction
anew. Where the bound passes, something else is wrong.
"""

from lakeproof.arguments import Arguments
from lakeproof.deadline import Deadline
from lakeproof.lake.capture.backlog import bytes_left
from lakeproof.lake.sources.source import OLTP
from lakeproof.mitigations.mitigation import Mitigation
from lakeproof.probes.kafka import LARGE_ROWS, transaction_rows
from lakeproof.stack.stack import Stack

# What a capture reads of the binlog in a second on two busy cores, at the least.
BYTES_PER_SECOND = 100_000
LEAST_SECONDS = 60.0
ASK_SECONDS = 5.0
# With less than this left to read, the capture counts as caught up: the shop writes as much in a few seconds.
NEAR_BYTES = 1_000_000


def bound_seconds(left_bytes: int) -> float:
    """The longest time that reading so many bytes may take."""
    return LEAST_SECONDS + left_bytes / BYTES_PER_SECOND


def typed(stack: Stack, arguments: Arguments) -> str:
    """The two places in the binlog that a person would compare, again and again."""
    offsets = f"{stack.url('connect')}/connectors/{OLTP.connector}/offsets"
    return (
        f"SHOW MASTER STATUS against curl {offsets}; wait, at most {LEAST_SECONDS:.0f} s and a second for each "
        f"{BYTES_PER_SECOND:,} bytes between them"
    )


def run(stack: Stack, arguments: Arguments) -> str:
    """Wait. Raises: CouldNotLook where the capture's place is not known at first, DeadlineExpired past the bound."""
    left = bytes_left(stack, OLTP.connector)
    bound = bound_seconds(left)
    deadline = Deadline(bound)
    seen = ""

    def through() -> bool | None:
        nonlocal seen
        rows, behind = transaction_rows(stack, ASK_SECONDS, OLTP), bytes_left(stack, OLTP.connector)
        seen = f"{rows} rows of one transaction so far, {behind:,} bytes of binlog before it"
        return True if isinstance(rows, int) and rows < LARGE_ROWS and behind < NEAR_BYTES else None

    deadline.wait_for(
        "the capture to come through the transaction", through, every=1.0, seen=lambda: seen, unseen_is_not_yet=True
    )
    return f"read {left:,} bytes of binlog in {deadline.elapsed:.0f} s, of at most {bound:.0f} s"


MITIGATION = Mitigation("await_capture", "wait until the capture has read a large transaction", typed, run)
