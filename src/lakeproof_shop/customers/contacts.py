"""What customers told the shop beside their orders: complaints, attachments, and which messages they do not want.

A second ledger beside that of the orders (ledger.py), written by the same writer and with the same events. There is
one file per run, `<run>.jsonl`, in the folder `contacts` beside the ledgers.

    {"at_us", "run", "key", "kind", "event", "customer_id", "order_id", "text", "ref", "reason"}

key: the call's Idempotency-Key. text: a complaint's message, an attachment's sha256, or the opt-outs in one order
("order/email,support/email"). ref: the case's id, or the version of the preferences; 0 where it is not known.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any

import orjson

from lakeproof.ledger.calls import Calls, Ended, Event, ledgers_in, lines_of

FOLDER = "contacts"


class Kind(StrEnum):
    """What the customer told the shop."""

    COMPLAINT = "complaint"
    ATTACHMENT = "attachment"
    PREFERENCES = "preferences"


@dataclass(frozen=True, slots=True)
class Contact:
    """One line; the module's docstring says what the fields mean."""

    at_us: int
    run: str
    key: str
    kind: Kind
    event: Event
    customer_id: int
    order_id: int | None
    text: str
    ref: int = 0
    reason: str = ""

    def to_bytes(self) -> bytes:
        """One line of JSON with its newline."""
        return orjson.dumps(self, option=orjson.OPT_APPEND_NEWLINE)

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> "Contact":
        """Raises: KeyError, TypeError, ValueError where `data` is no such line."""
        return cls(
            at_us=int(data["at_us"]),
            run=data["run"],
            key=data["key"],
            kind=Kind(data["kind"]),
            event=Event(data["event"]),
            customer_id=int(data["customer_id"]),
            order_id=data["order_id"],
            text=data["text"],
            ref=int(data["ref"]),
            reason=data["reason"],
        )


@dataclass(frozen=True, slots=True)
class Contacts:
    """What customers told the shop, by the key of the call.

    acknowledged: as the shop acknowledged it; a settled contact without a ref was never done.
    refused: contacts that the shop turned down, so that nothing of them may be kept.
    open: contacts whose outcome is unknown. unclear: how many of these were given up or are long overdue.
    later_than_now: as `Calls` counts such lines.
    """

    acknowledged: Mapping[str, Contact]
    open: Mapping[str, Contact]
    unclear: int = 0
    later_than_now: int = 0
    refused: Mapping[str, Contact] = field(default_factory=dict)


def read_contacts(ledger_dir: Path) -> Contacts:
    """The contacts of all runs. Raises: InvalidInput naming file:line for rubbish."""
    acknowledged: dict[str, Contact] = {}
    tried: dict[str, Contact] = {}
    refused: dict[str, Contact] = {}
    unclear = later_than_now = 0
    for path in ledgers_in(ledger_dir / FOLDER):
        run = read_run(path)
        acknowledged |= run.acknowledged
        tried |= run.open
        refused |= run.refused
        unclear += run.unclear
        later_than_now += run.later_than_now
    # A refused call may have been sent again under its key; then the later call counts.
    refused = {key: one for key, one in refused.items() if key not in acknowledged and key not in tried}
    return Contacts(acknowledged, tried, unclear, later_than_now, refused)


def read_run(path: Path) -> Contacts:
    """The contacts of one run. Raises: as `read_contacts`."""
    calls = Calls[Contact]()
    ended: dict[Ended, dict[str, Contact]] = {how: {} for how in Ended}
    for contact in lines_of(path, Contact.from_json):
        if (how := calls.take(contact)) is not None:
            ended[how][contact.key] = contact
    tried = {key: call.newest for key, call in calls.open.items()}
    return Contacts(ended[Ended.ACKNOWLEDGED], tried, calls.unclear, calls.later_than_now, ended[Ended.REFUSED])
