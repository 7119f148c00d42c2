"""Let the labels go that somebody held in the store: each gets under ready/, and is compared there byte for byte."""

from datetime import UTC, datetime

from lakeproof.arguments import Arguments
from lakeproof.deadline import Deadline
from lakeproof.errors import TerminalError
from lakeproof.mitigations.mitigation import Mitigation
from lakeproof.shop.fulfillment.holds_by_hand import SERVICE, let_go, store_told, waiting_labels
from lakeproof.shop.fulfillment.label import ready_key
from lakeproof.shop.fulfillment.label_store import is_whole
from lakeproof.stack.object_store import LABEL_BUCKET, s3_client
from lakeproof.stack.stack import Stack

READY_SECONDS = 20.0
SHOWN = 5


def typed(stack: Stack, arguments: Arguments) -> str:
    """By hand, for each label; a rehearsal's belongs to no parcel, and is deleted."""
    key = f"{LABEL_BUCKET}/pending/ID"
    return (
        f"aws --endpoint-url {stack.url('minio')} s3 cp s3://{key} s3://{key} --metadata-directive REPLACE"
        " --metadata sha256=AS-BEFORE; curl -X POST -H 'Idempotency-Key: KEY' --json '{\"hold_until\": null}'"
        f" {stack.url(SERVICE)}/fulfillments/ID/hold; compare ready/ID with sha256"
        " # a rehearsal's: make chaos-fulfillment-delay ARGS=--revert"
    )


def run(stack: Stack, arguments: Arguments) -> str:
    """Only labels whose bytes are as they were written. What a buyer wished for stays. Fine where none is held.

    What is held under pending/ and is no parcel's label is named and left: nobody knows whose it is.

    Raises: TransientError, TerminalError; also where a label is not under ready/ in time, or is another one.
    """
    client, now = s3_client(stack), datetime.now(UTC)
    with store_told():
        held = [label for label in waiting_labels(client) if label.is_held_by_hand(now)]
        rehearsed = [label for label in held if label.is_rehearsed]
        others = [label.key for label in held if label.fulfillment_id is None and not label.is_rehearsed]
        parcels = [label for label in held if label.fulfillment_id is not None]
        spoilt = [label.key for label in parcels if not is_whole(client, label.key, label.sha256)]
        moved = {
            ready_key(label.fulfillment_id): label.sha256
            for label in parcels
            if label.fulfillment_id is not None and label.key not in spoilt and let_go(stack, client, label)
        }
        for label in rehearsed:
            client.delete_object(Bucket=LABEL_BUCKET, Key=label.key)
        deadline, waiting = Deadline(READY_SECONDS), dict(moved)
        while True:
            waiting = {key: sha256 for key, sha256 in waiting.items() if not is_whole(client, key, sha256)}
            if not waiting or deadline.expired:
                break
            deadline.pause(0.5)
    if waiting or spoilt:
        raise TerminalError(
            f"{len(waiting)} labels did not get under ready/ within {READY_SECONDS:g} s, {len(spoilt)} are not as"
            f" they were written: {', '.join([*waiting, *spoilt][:SHOWN])}",
            where=LABEL_BUCKET,
            next_action=f"lakeproof logs {SERVICE}",
        )
    wished = len(parcels) - len(moved)
    left = f"; left alone, for no parcel has them: {len(others)} ({', '.join(others[:SHOWN])})" if others else ""
    return (
        f"{len(moved)} labels are under ready/, byte for byte; {wished} wait for what their buyers wished, or are"
        f" gone; {len(rehearsed)} of a rehearsal are deleted{left}"
    )


MITIGATION = Mitigation(
    "release_labels", "let the labels go that were held in the store, and compare each under ready/", typed, run
)
