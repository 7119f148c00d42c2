"""A wrong fix: delete the labels that somebody held in the store. No label is held any more, and no parcel is sent.

The worker writes a missing label again, but only when it takes up the parcel. It has copied each hold that it found
on a label into the database, and until that hold is over nobody takes up the parcel. (Where the buyer asked for a
hold of some seconds, the worker finds the other hold only after these. A parcel whose label is deleted before that is
sent. The alert fires only where holds were found.)
"""

from lakeproof.arguments import Arguments
from lakeproof.services.database.rows import read_rows
from lakeproof.shop.fulfillment.holds_by_hand import call_off, labels_held_by_hand, listed, store_told
from lakeproof.shop.fulfillment.label import PENDING, ready_key
from lakeproof.stack.object_store import LABEL_BUCKET, s3_client
from lakeproof.stack.stack import Stack
from lakeproof.wrong_fixes.wrong_step import WrongStep

SECONDS = 10.0
# Parcels that wait for a hold that no caller of the service asked for: one that the worker found on a label.
TAKEN_OVER = """
SELECT f.id FROM fulfillment.fulfillments f
WHERE f.status IN ('requested', 'label_pending') AND f.hold_until > now() AND NOT EXISTS (
  SELECT FROM fulfillment.fulfillment_operations o WHERE o.fulfillment_id = f.id AND o.hold_until = f.hold_until)
"""


def typed(stack: Stack, arguments: Arguments) -> str:
    """The deletion of one label by hand."""
    return f"aws --endpoint-url {stack.url('minio')} s3 rm s3://{LABEL_BUCKET}/pending/ID # for each that is held"


def run(stack: Stack, arguments: Arguments) -> str:
    """Delete the held labels; fine where none is held. Raises: TransientError, TerminalError."""
    client = s3_client(stack)
    with store_told():
        held = labels_held_by_hand(client)
        for label in held:
            client.delete_object(Bucket=LABEL_BUCKET, Key=label.key)
    return f"{len(held)} held labels are deleted"


def undo(stack: Stack, arguments: Arguments) -> None:
    """Call off the holds whose labels are gone from pending/: the worker then writes the labels again, and sends the
    parcels. The fault's own removal does not find these holds, because it looks for labels.

    Raises: CouldNotLook, TransientError, TerminalError.
    """
    parcels = [int(row[0]) for row in read_rows(stack, TAKEN_OVER, seconds=SECONDS)]
    client = s3_client(stack)
    with store_told():
        waiting = {key for key, _ in listed(client, PENDING)}
        without = [parcel for parcel in parcels if f"{PENDING}{parcel}" not in waiting]
        for parcel in without:
            # Deletes what move_labels_without_metadata left; otherwise there is nothing under ready/.
            client.delete_object(Bucket=LABEL_BUCKET, Key=ready_key(parcel))
    for parcel in without:
        call_off(stack, parcel)


WRONG_STEP = WrongStep(
    "delete_held_labels", "delete the labels that were held in the store (sends nothing)", typed, run, undo=undo
)
