"""A message that the sink takes."""

from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Literal

from lakeproof_shop.serving.times import iso

Channel = Literal["email", "webhook"]

MAX_SUBJECT = 1_000
MAX_BODY = 65_536
MAX_RECIPIENTS = 100
MAX_TRACE_ID = 64


@dataclass(frozen=True, slots=True)
class Message:
    """`message_id`: a second message of the same channel and id is a repeat. `at`: when the message was first taken,
    ISO 8601 in UTC. `trace_id`: its X-Trace-Id, or "". `seq`: its number in the log, 0 before it is kept.
    `repeats`: how often the message came again.
    """

    channel: Channel
    message_id: str
    sender: str
    to: tuple[str, ...]
    subject: str
    body: str
    at: str
    trace_id: str = ""
    seq: int = 0
    repeats: int = 0

    def cut(self) -> "Message":
        """The same message as the sink keeps it: no part is too long, and every text can be written as UTF-8."""
        return replace(
            self,
            message_id=_writable(self.message_id),
            sender=_writable(self.sender),
            to=tuple(_writable(one) for one in self.to[:MAX_RECIPIENTS]),
            subject=_writable(self.subject[:MAX_SUBJECT]),
            body=_writable(self.body[:MAX_BODY]),
            trace_id=_writable(self.trace_id[:MAX_TRACE_ID]),
        )


def _writable(text: str) -> str:
    """The text with "?" for each half of a surrogate pair, which a mail may hold in UTF-7 and UTF-8 cannot hold."""
    return text.encode(errors="replace").decode()


def now() -> str:
    """The current time, as messages show it."""
    return iso(datetime.now(UTC))
