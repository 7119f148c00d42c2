"""A notification as everybody in Lakeproof sees it, and what a customer does not want.

Times are ISO 8601 in UTC with microseconds ("2026-11-24T14:43:53.042722Z").
"""

import uuid
from dataclasses import dataclass
from enum import StrEnum

ANY = "*"
SENDER = "shop@lakeproof.example"  # of every mail


class Channel(StrEnum):
    """How a customer is reached."""

    EMAIL = "email"
    WEBHOOK = "webhook"


class Topic(StrEnum):
    """What a notification is about; customers opt out by it."""

    ORDER = "order"
    PAYMENT = "payment"
    FULFILLMENT = "fulfillment"
    SUPPORT = "support"
    MARKETING = "marketing"
    TEST = "test"  # probes and rehearsals


class Status(StrEnum):
    """Where a notification stands."""

    PENDING = "pending"
    SENT = "sent"
    FAILED = "failed"  # the last try failed; it may be tried again
    DROPPED = "dropped"  # it will not be sent; `reason` says why


class DropReason(StrEnum):
    """Why a notification, or an event that called for one, was dropped."""

    RATE_LIMITED = "rate_limited"
    OPTED_OUT = "opted_out"
    INVALID_PAYLOAD = "invalid_payload"
    UNSUPPORTED_TOPIC = "unsupported_topic"
    ORDER_GONE = "order_gone"  # its customer deleted it before the event was read
    WITHDRAWN = "withdrawn"  # its batch was called off before it was sent


@dataclass(frozen=True, slots=True)
class Notification:
    """One notification at one version. `due_at`: when it is sent, or tried again, without a caller. `reason`: why it
    failed or was dropped. Times: ISO 8601, UTC, microseconds.
    """

    id: uuid.UUID
    customer_id: int
    channel: Channel
    to: str
    subject: str
    body: str
    topic: str
    batch_id: uuid.UUID | None
    status: Status
    reason: str | None
    attempts: int
    version: int
    due_at: str | None
    created_at: str
    updated_at: str
    sent_at: str | None


@dataclass(frozen=True, slots=True)
class OptOut:
    """What a customer does not want: a topic by a channel; "*" stands for all."""

    topic: str
    channel: str

    def __str__(self) -> str:
        """The text "TOPIC/CHANNEL", as the database keeps it."""
        return f"{self.topic}/{self.channel}"

    @classmethod
    def from_text(cls, text: str) -> "OptOut":
        """The inverse of `str`."""
        topic, _, channel = text.partition("/")
        return cls(topic, channel)


@dataclass(frozen=True, slots=True)
class Preferences:
    """One customer's preferences; version 0 and no time where none were ever set."""

    customer_id: int
    opted_out: tuple[OptOut, ...]
    version: int
    updated_at: str | None
