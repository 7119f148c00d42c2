"""A wrong fix: point `main` by force at `ingest`, since the newest data are there.

The hashes that readers were promised are in the history of `main`, one merge after another, and `ingest` has none of
these merges. So the publisher finds its last merge gone, and does not go on.
"""

from contextlib import closing

from lakeproof.arguments import Arguments
from lakeproof.lake.nessie import client_of
from lakeproof.lake.publish.history import INGEST, MAIN
from lakeproof.lake.publish.main_branch import roll_back
from lakeproof.stack.stack import Stack
from lakeproof.wrong_fixes.wrong_step import WrongStep


def typed(stack: Stack, arguments: Arguments) -> str:
    """The call to Nessie's REST API that moves `main` from its hash to that of `ingest`."""
    url = f"{stack.url('nessie')}/api/v2/trees/{MAIN}@HASH?type=BRANCH"
    return f"""curl -X PUT '{url}' --json '{{"type": "DETACHED", "hash": …}}'"""


def run(stack: Stack, arguments: Arguments) -> str:
    """Assign `main` to the head of `ingest`. Raises: NoSuchReference, NessieConflict, NessieUnreachable."""
    with closing(client_of(stack)) as nessie:
        moved = nessie.assign(nessie.reference(MAIN), nessie.reference(INGEST).hash)
    return f"{MAIN} now begins at {moved.hash[:16]}, the head of {INGEST}"


def undo(stack: Stack, arguments: Arguments) -> None:
    """Set `main` back to the last published state."""
    roll_back(stack)


WRONG_STEP = WrongStep(
    "point_main_at_ingest", "point main by force at ingest (hides promised hashes)", typed, run, undo=undo
)
