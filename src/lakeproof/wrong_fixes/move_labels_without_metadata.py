"""A wrong fix: move the labels that somebody held to ready/, without what is written on them. The parcels stay.

The hold is gone from the store, and the carrier finds a label. But the service has copied the hold into its database:
it does not look at the parcel before that hold is over, and tells nobody that the parcel went.
"""

from lakeproof.arguments import Arguments
from lakeproof.shop.fulfillment.holds_by_hand import labels_held_by_hand, store_told
from lakeproof.shop.fulfillment.label import ready_key
from lakeproof.stack.object_store import LABEL_BUCKET, s3_client
from lakeproof.stack.stack import Stack
from lakeproof.wrong_fixes.delete_held_labels import undo
from lakeproof.wrong_fixes.wrong_step import WrongStep


def typed(stack: Stack, arguments: Arguments) -> str:
    """The move of one label by hand."""
    bucket = f"s3://{LABEL_BUCKET}"
    return (
        f"aws --endpoint-url {stack.url('minio')} s3 mv {bucket}/pending/ID {bucket}/ready/ID"
        " --metadata-directive REPLACE # for each that is held"
    )


def run(stack: Stack, arguments: Arguments) -> str:
    """Move the held labels; fine where none is held. Raises: TransientError, TerminalError."""
    client = s3_client(stack)
    with store_told():
        held = labels_held_by_hand(client)
        for label in held:
            client.copy_object(
                Bucket=LABEL_BUCKET,
                Key=ready_key(label.fulfillment_id or 0),
                CopySource={"Bucket": LABEL_BUCKET, "Key": label.key},
                MetadataDirective="REPLACE",
                Metadata={},
            )
            client.delete_object(Bucket=LABEL_BUCKET, Key=label.key)
    return f"{len(held)} held labels are under ready/, without their metadata"


WRONG_STEP = WrongStep(
    "move_labels_without_metadata",
    "move the labels that were held to ready/, without their metadata (sends nothing)",
    typed,
    run,
    undo=undo,
)
