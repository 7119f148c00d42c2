"""Take away the mark that the lake lacks what a capture missed: for a person who has brought that by hand.

Where no bridge can compare (MySQL, a key that is no whole number, DDL since), by hand means a new snapshot or stack.
"""

from lakeproof.lake.capture import missed
from lakeproof.lake.of_database import OfDatabase
from lakeproof.mitigations.mitigation import Mitigation
from lakeproof.stack.stack import Stack


def typed(stack: Stack, arguments: OfDatabase) -> str:
    """In words: there is no other command for it."""
    return f"bring what the lake lacks of {arguments.source.server} by hand, look with lakeproof check, then this"


def run(stack: Stack, arguments: OfDatabase) -> str:
    """Take the mark away; safe where there is none."""
    missed.is_brought(stack, arguments.source)
    return (
        f"nothing is known to be missing of {arguments.database} any more; lakeproof check tells whether that is so"
    )


MITIGATION = Mitigation(
    "forget_missed",
    "take away the mark of what a capture missed, once a person has brought it",
    typed,
    run,
    OfDatabase,
)
