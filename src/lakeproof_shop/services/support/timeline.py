"""A case's timeline: what happened, from the services and the case itself, in the order of time.

A source that is missing is named with the reason, so an incomplete timeline never looks complete.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any, Literal

import orjson

from lakeproof_shop.services.support.models import Case


class SourceState(StrEnum):
    """What became of one source."""

    OK = "ok"
    MISSING = "missing"
    OFF = "off"


@dataclass(frozen=True, slots=True)
class Source:
    """`why` is empty where it is ok."""

    state: SourceState
    why: str = ""


@dataclass(frozen=True, slots=True)
class Entry:
    """One thing that happened. `ref`: the id of the order, payment, fulfillment, message, … that it happened to."""

    at: str
    source: Literal["order", "payment", "fulfillment", "support"]
    type: str
    ref: int
    detail: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Remote:
    """What the services told of one order. `collected_at`: when they began to be asked; earlier changes are in it."""

    entries: tuple[Entry, ...]
    sources: Mapping[str, Source]
    collected_at: str

    @property
    def is_whole(self) -> bool:
        """True where every source that is switched on has answered. Only a whole one may be kept."""
        return all(source.state is not SourceState.MISSING for source in self.sources.values())

    def age_seconds(self, now: float) -> float:
        """Seconds from `collected_at` to `now`, which counts from 1970. Raises: ValueError for a malformed time."""
        return now - datetime.fromisoformat(self.collected_at).timestamp()

    def to_bytes(self) -> bytes:
        """The form in which the cache keeps it."""
        return orjson.dumps(self)

    @classmethod
    def from_bytes(cls, data: bytes) -> "Remote":
        """The inverse of `to_bytes`. Raises: ValueError, KeyError, TypeError for anything else."""
        read = orjson.loads(data)
        return cls(
            tuple(Entry(e["at"], e["source"], e["type"], e["ref"], e["detail"]) for e in read["entries"]),
            {name: Source(SourceState(one["state"]), one["why"]) for name, one in read["sources"].items()},
            read["collected_at"],
        )


def timeline_of(case: Case, remote: Remote | None, came_from: str) -> dict[str, Any]:
    """The timeline as callers see it. `remote` None: the case has no order. `came_from`: remote, cache or none."""
    entries = [*own_entries(case), *(remote.entries if remote else ())]
    entries.sort(key=lambda entry: (entry.at, entry.source, entry.ref))
    sources = remote.sources if remote else {}
    return {
        "order_id": case.order_id,
        "complete": all(source.state is SourceState.OK for source in sources.values()),
        "sources": sources,
        "came_from": came_from,
        "collected_at": remote.collected_at if remote else None,
        "entries": entries,
    }


def own_entries(case: Case) -> list[Entry]:
    """The entries of what happened to the case itself."""
    shown = ("opened", "closed")
    return [
        *(
            Entry(event.at, "support", f"case.{event.type}", case.id, {})
            for event in case.events
            if event.type in shown
        ),
        *(
            Entry(message.at, "support", "case.message", message.id, {"author": message.author})
            for message in case.messages
        ),
        *(
            Entry(one.created_at, "support", "case.attachment", one.id, {"name": one.name, "size": one.size})
            for one in case.attachments
        ),
    ]


def order_entries(body: Mapping[str, Any]) -> list[Entry]:
    """The entries of an order, as the order service shows it: its beginning and its newest change."""
    detail = {"total": body["total"], "item_count": body["item_count"]}
    entries = [Entry(body["created_at"], "order", "order.created", body["id"], detail)]
    if body["version"] > 1:
        kind = body["status"] if body["status"] != "created" else "changed"
        newest = {"version": body["version"], **detail}
        entries.append(Entry(body["updated_at"], "order", f"order.{kind}", body["id"], newest))
    return entries


def payment_entries(body: Mapping[str, Any]) -> list[Entry]:
    """The entries of an order's payments, as the payment service shows them: their beginnings and newest changes."""
    entries = []
    for payment in body["payments"]:
        detail = {"amount": payment["amount"], "captured": payment["captured"], "refunded": payment["refunded"]}
        first = "declined" if payment["status"] == "declined" else "authorized"
        entries.append(Entry(payment["created_at"], "payment", f"payment.{first}", payment["id"], detail))
        if payment["version"] > 1:
            newest = f"payment.{payment['status']}"
            entries.append(Entry(payment["updated_at"], "payment", newest, payment["id"], detail))
    return entries


def fulfillment_entries(body: Mapping[str, Any]) -> list[Entry]:
    """The entries of an order's fulfillments, as the fulfillment service shows them: all their changes."""
    return [
        Entry(
            event["at"],
            "fulfillment",
            f"fulfillment.{event['type']}",
            parcel["id"],
            {"tracking": parcel["tracking"], "hold_until": parcel["hold_until"]},
        )
        for parcel in body["fulfillments"]
        for event in parcel["events"]
    ]
