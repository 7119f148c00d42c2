"""A wrong fix: delete the labels that somebody held in the store. No label is held any more, and no parcel is sent.

The worker writes a label that is gone anew, but only when it takes the parcel. A hold that it found on a label is in
the database since then, and until that is over nobody takes the parcel. (A parcel whose hold was not found yet, while
its buyer's own wish of some seconds lasts, is sent after that. The alert fires only where holds were found.)
"""

from lakeproof.arguments import Arguments
from lakeproof.services.database.rows import read_rows
from lakeproof.shop.fulfillment.holds_by_hand import call_off, labels_held_by_hand, listed, store_told
from lakeproof.shop.fulfillment.label import PENDING, ready_key
from lakeproof.stack.object_store import LABEL_BUCKET, s3_client
from lakeproof.stack.stack import Stack
from lakeproof.wrong_fixes.wrong_step import WrongStep

SECONDS = 10.0
# Parcels that wait for a hold which no caller of the service asked for.
TAKEN_OVER = """
SELECT f.id FROM fulfillment.fulfillments f
WHERE f.status IN ('requested', 'label_pending') AND f.hold_until > now() AND NOT EXISTS (
  SELECT FROM fulfillment.fulfillment_operations o WHERE o.fulfillment_id = f.id AND o.hold_until = f.hold_until)
"""


def typed(stack: Stack, arguments: Arguments) -> str:
    """By hand, for each label."""
    return f"aws --endpoint-url {stack.url('minio')} s3 rm s3://{LABEL_BUCKET}/pending/ID # for each that is held"


def run(stack: Stack, arguments: Arguments) -> str:
    """Delete them; fine where none is held. Raises: TransientError, TerminalError."""
    client = s3_client(stack)
    with store_told():
        held = labels_held_by_hand(client)
        for label in held:
            client.delete_object(Bucket=LABEL_BUCKET, Key=label.key)
    return f"{len(held)} held labels are deleted"


def undo(stack: Stack, arguments: Arguments) -> None:
    """Call the holds off whose labels are gone from pending/: the worker then writes the labels anew, and sends the
    parcels. The fault's own removal finds its holds by the labels, and so not these.

    Raises: CouldNotLook, TransientError, TerminalError.
    """
    parcels = [int(row[0]) for row in read_rows(stack, TAKEN_OVER, seconds=SECONDS)]
    client = s3_client(stack)
    with store_told():
        waiting = {key for key, _ in listed(client, PENDING)}
        without = [parcel for parcel in parcels if f"{PENDING}{parcel}" not in waiting]
        for parcel in without:
            # Nothing is there, but for what move_labels_without_metadata left.
            client.delete_object(Bucket=LABEL_BUCKET, Key=ready_key(parcel))
    for parcel in without:
        call_off(stack, parcel)


WRONG_STEP = WrongStep(
    "delete_held_labels", "delete the labels that were held in the store (sends nothing)", typed, run, undo=undo
)
