"""Repairs of the scenario fulfillment-delay."""

from datetime import UTC, datetime

from lakeproof.deadline import Deadline
from lakeproof.errors import TerminalError
from lakeproof.mitigations.mitigation import Mitigation
from lakeproof.mitigations.named import Named, left_out, listed, named
from lakeproof.mitigations.named import hold as hold_to
from lakeproof.probes.object_store import WRITABLE
from lakeproof.processes.ours import our_processes
from lakeproof.stack.engines.store_folder import commands, folder_of, is_closed, open_again
from lakeproof.stack.object_store import LABEL_BUCKET, s3_client
from lakeproof.stack.stack import Stack
from lakeproof_shop.scenarios.fulfillment_delay.probes import pending_writes, ready_writes
from lakeproof_shop.services.fulfillment.holds_by_hand import (
    SERVICE,
    labels_held_by_hand,
    let_go,
    store_told,
    waiting_labels,
)
from lakeproof_shop.services.fulfillment.label import PENDING, READY, ready_key
from lakeproof_shop.services.fulfillment.label_store import is_whole

LOOK_SECONDS = 3.0


class OpenLabelFolder(Mitigation):
    """Have the object store take labels again."""

    def typed(self, stack: Stack) -> str:
        """The commands, for the machine that has the store's disk."""
        return "; ".join(commands(folder_of(stack, LABEL_BUCKET, prefix))[1] for prefix in (PENDING, READY))

    def run(self, stack: Stack) -> str:
        """Open both folders; safe where they are open. The worker then moves the waiting labels by itself.

        Raises: InvalidInput for somebody else's store; TerminalError where the store still refuses; CouldNotLook.
        """
        our_processes(stack, "open a folder of the object store")
        opened = []
        for prefix, writes in ((PENDING, pending_writes), (READY, ready_writes)):
            folder = folder_of(stack, LABEL_BUCKET, prefix)
            if is_closed(folder):
                opened.append(prefix)
            open_again(folder)
            answer = writes(stack, LOOK_SECONDS)
            if answer != WRITABLE:
                raise TerminalError(
                    f"the store still refuses an object there: {answer}",
                    where=str(folder),
                    next_action="look at its disk",
                )
        taking = f"under {' and '.join(opened)} it takes labels again" if opened else "the store takes labels already"
        return f"{taking}; the worker tries each within half a minute"


READY_SECONDS = 20.0

SHOWN = 5

# A proposal names this many parcels at most: it is handed on as one argument of a command, which may have 128 kB.
MOST = 5000


class ReleaseLabels(Named, Mitigation):
    """Let the labels go that were held in the store, and compare each under ready/.

    `only`: the labels of these parcels, by their ids (named.py).
    """

    def typed(self, stack: Stack) -> str:
        """By hand, for each label. A rehearsal's label belongs to no parcel, and is deleted."""
        key = f"{LABEL_BUCKET}/pending/ID"
        ids = "each that is held by hand" if self.only is None else listed(self.only.split(","))
        return (
            f"aws --endpoint-url {stack.url('minio')} s3 cp s3://{key} s3://{key} --metadata-directive REPLACE"
            " --metadata sha256=AS-BEFORE; curl -X POST -H 'Idempotency-Key: KEY' --json '{\"hold_until\": null}'"
            f" {stack.url(SERVICE)}/fulfillments/ID/hold; compare ready/ID with sha256"
            f" # ID: {ids or 'none'}; a rehearsal's: make chaos-fulfillment-delay ARGS=--revert"
        )

    def run(self, stack: Stack) -> str:
        """Let go the labels whose bytes are as they were written. A hold that a buyer wished for stays. Safe without
        any.

        What is held under pending/ and is no parcel's label is named and left: nobody knows whose it is. So is a
        parcel that the proposal did not name: somebody may hold it on purpose, and what is shipped does not come
        back.

        Raises: TransientError, TerminalError; the latter also where a label does not come under ready/ in time or
        has other bytes there, or where only other parcels are held than the proposal named.
        """
        client, now = s3_client(stack), datetime.now(UTC)
        with store_told():
            held = [label for label in waiting_labels(client) if label.is_held_by_hand(now)]
            rehearsed = [label for label in held if label.is_rehearsed]
            others = [label.key for label in held if label.fulfillment_id is None and not label.is_rehearsed]
            ids = [label.fulfillment_id for label in held if label.fulfillment_id is not None]
            may_go = set(named(self, ids, or_none=bool(rehearsed)))  # a rehearsal's labels go whoever was named
            parcels = [label for label in held if label.fulfillment_id in may_go]
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
            f" gone; {len(rehearsed)} of a rehearsal are deleted{left}{left_out(ids, may_go)}"
        )

    def hold(self, stack: Stack) -> dict[str, str]:
        """The parcels whose labels somebody holds now, at most MOST. Raises: TransientError, TerminalError."""

        def find() -> list[int]:
            with store_told():
                ids = [label.fulfillment_id for label in labels_held_by_hand(s3_client(stack))]
            return [each for each in ids if each is not None][:MOST]

        return hold_to(self, find() if self.only is None else ())
