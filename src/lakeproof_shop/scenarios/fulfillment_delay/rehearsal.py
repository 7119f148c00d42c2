"""The rehearsal behind `make chaos-fulfillment-delay`: hold labels back, or let them go, and look at a ticket.

The hold is recorded like every fault, so `lakeproof fault remove held_labels` takes it out after a crash.
"""

from datetime import UTC, datetime
from typing import Any

import httpx

from lakeproof.faults import records
from lakeproof.stack.object_store import LABEL_BUCKET
from lakeproof.stack.stack import Stack
from lakeproof_shop.scenarios.fulfillment_delay import faults
from lakeproof_shop.services.fulfillment.label import CHAOS

SUPPORT_SECONDS = 15.0


def hold(stack: Stack, count: int, hold_minutes: float) -> dict[str, Any]:
    """Hold labels back; gives what the script prints. Raises: LakeproofError."""
    given = {"count": count, "hold_minutes": hold_minutes}
    record = records.inject(stack, faults.HeldLabels, given, by="chaos-fulfillment-delay")
    return {"action": "hold", "at": record.at, "holdMinutes": hold_minutes} | _seen(stack)


def revert(stack: Stack) -> dict[str, Any]:
    """Let the labels go; gives what the script prints. Raises: LakeproofError."""
    before = faults.held_labels(stack)
    records.remove(stack, faults.HeldLabels)
    freed = {"removedObjects": len(before.keys), "releasedBytes": before.bytes}
    return {"action": "revert", "at": datetime.now(UTC).isoformat()} | freed | _seen(stack)


def ticket(stack: Stack, ticket_id: int) -> dict[str, Any]:
    """How the ticket's timeline stands: its newest shipment entry. A service that is away is told, not raised.

    affectsTicket: always False. The rehearsal's labels belong to no parcel, so no timeline stands still for them.
    """
    url = f"{stack.url('support-service')}/support/cases/{ticket_id}"
    try:
        answer = httpx.get(url, params={"includeTimeline": "true"}, timeout=SUPPORT_SECONDS, trust_env=False)
        answer.raise_for_status()
        timeline = answer.json()["timeline"]
    except (httpx.HTTPError, ValueError, KeyError, TypeError) as error:
        return {"id": ticket_id, "reached": False, "problem": f"{type(error).__name__}: {error}"}
    shipments = [entry for entry in timeline["entries"] if entry["source"] == "fulfillment"]
    return {
        "id": ticket_id,
        "reached": True,
        "complete": timeline["complete"],
        "entries": len(timeline["entries"]),
        "newestShipment": shipments[-1] if shipments else None,
        "affectsTicket": False,
    }


def _seen(stack: Stack) -> dict[str, Any]:
    seen = faults.held_labels(stack)
    return {"bucket": LABEL_BUCKET, "prefix": CHAOS, "objects": len(seen.keys), "bytes": seen.bytes}
