"""Steps that look like a repair of fulfillment-delay, and are none."""

from lakeproof.errors import TerminalError
from lakeproof.stack.database_rows import read_rows
from lakeproof.stack.engines.postgres_accounts import DATABASE
from lakeproof.stack.object_store import LABEL_BUCKET, s3_client
from lakeproof.stack.postgres_session import TROUBLES, connection
from lakeproof.stack.stack import Stack
from lakeproof.wrong_fixes.wrong_step import WrongStep
from lakeproof_shop.services.fulfillment.holds_by_hand import call_off, labels_held_by_hand, listed, store_told
from lakeproof_shop.services.fulfillment.label import PENDING, ready_key

SECONDS = 10.0

# Parcels that wait for a hold that no caller of the service asked for: one that the worker found on a label.
TAKEN_OVER = """
SELECT f.id FROM fulfillment.fulfillments f
WHERE f.status IN ('requested', 'label_pending') AND f.hold_until > now() AND NOT EXISTS (
  SELECT FROM fulfillment.fulfillment_operations o WHERE o.fulfillment_id = f.id AND o.hold_until = f.hold_until)
"""


class DeleteHeldLabels(WrongStep):
    """Delete the labels that were held in the store (sends nothing).

    A wrong fix: delete the labels that somebody held in the store. No label is held any more, and no parcel is sent.

    The worker writes a missing label again, but only when it takes up the parcel. It has copied each hold that it
    found on a label into the database, and until that hold is over nobody takes up the parcel. (Where the buyer
    asked for a hold of some seconds, the worker finds the other hold only after these. A parcel whose label is
    deleted before that is sent. The alert fires only where holds were found.)
    """

    def typed(self, stack: Stack) -> str:
        """The deletion of one label by hand."""
        return f"aws --endpoint-url {stack.url('minio')} s3 rm s3://{LABEL_BUCKET}/pending/ID # for each that is held"

    def run(self, stack: Stack) -> str:
        """Delete the held labels; fine where none is held. Raises: TransientError, TerminalError."""
        client = s3_client(stack)
        with store_told():
            held = labels_held_by_hand(client)
            for label in held:
                client.delete_object(Bucket=LABEL_BUCKET, Key=label.key)
        return f"{len(held)} held labels are deleted"

    def undo(self, stack: Stack) -> None:
        """Call off the holds whose labels are gone from pending/: the worker then writes the labels again, and sends
        the parcels. The fault's own removal does not find these holds, because it looks for labels.

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


SCHEMA = "fulfillment"

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


class MarkParcelsShipped(WrongStep):
    """Call every parcel that waits shipped, by SQL (loses parcels)."""

    def typed(self, stack: Stack) -> str:
        """The statement in psql."""
        return f'psql {DATABASE} -c "{" ".join(MARK.split())}"'

    def run(self, stack: Stack) -> str:
        """Mark the waiting parcels as shipped."""
        return f"{_change(stack, MARK)} parcels are called shipped"

    def undo(self, stack: Stack) -> None:
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


class MoveLabelsWithoutMetadata(WrongStep):
    """Move the labels that were held to ready/, without their metadata (sends nothing).

    A wrong fix: move the labels that somebody held to ready/, without what is written on them. The parcels stay.

    The hold is gone from the store, and the carrier finds a label. But the service has copied the hold into its
    database: it does not look at the parcel before that hold is over, and tells nobody that the parcel went.
    """

    def typed(self, stack: Stack) -> str:
        """The move of one label by hand."""
        bucket = f"s3://{LABEL_BUCKET}"
        return (
            f"aws --endpoint-url {stack.url('minio')} s3 mv {bucket}/pending/ID {bucket}/ready/ID"
            " --metadata-directive REPLACE # for each that is held"
        )

    def run(self, stack: Stack) -> str:
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

    def undo(self, stack: Stack) -> None:
        """As for labels that were deleted."""
        DeleteHeldLabels().undo(stack)
