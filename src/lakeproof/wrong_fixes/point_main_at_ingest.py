"""A wrong fix: point `main` by force at `ingest`, since the newest data are there.

What readers were promised is in the history of `main`, one merge after another, and `ingest` has none of these. So
the publisher, which finds its last merge gone, does not go on.
"""

from contextlib import closing

from lakeproof.arguments import Arguments
from lakeproof.lake.nessie import client_of
from lakeproof.lake.publish.history import INGEST, MAIN
from lakeproof.lake.publish.main_branch import roll_back
from lakeproof.stack.stack import Stack
from lakeproof.wrong_fixes.wrong_step import WrongStep


def typed(stack: Stack, arguments: Arguments) -> str:
    """By Nessie's REST API, from the hash of `main` to that of `ingest`."""
    url = f"{stack.url('nessie')}/api/v2/trees/{MAIN}@HASH?type=BRANCH"
    return f"""curl -X PUT '{url}' --json '{{"type": "DETACHED", "hash": …}}'"""


def run(stack: Stack, arguments: Arguments) -> str:
    """Assign it. Raises: NoSuchReference, NessieConflict, NessieUnreachable."""
    with closing(client_of(stack)) as nessie:
        moved = nessie.assign(nessie.reference(MAIN), nessie.reference(INGEST).hash)
    return f"{MAIN} now begins at {moved.hash[:16]}, the head of {INGEST}"


def undo(stack: Stack, arguments: Arguments) -> None:
    """Have `main` begin again at the last published state."""
    roll_back(stack)


WRONG_STEP = WrongStep(
    "point_main_at_ingest", "point main by force at ingest (hides promised hashes)", typed, run, undo=undo
)
