"""A message that the sink has accepted, and how it lies in a line of the log."""

from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from typing import Any, Literal

import orjson

from lakeproof.services.times import iso

Channel = Literal["email", "webhook"]

MAX_SUBJECT = 1_000
MAX_BODY = 65_536
MAX_RECIPIENTS = 100
MAX_TRACE_ID = 64


@dataclass(frozen=True, slots=True)
class Message:
    """`message_id`: what a repeat is recognised by. `at`: when it was first taken, ISO 8601 in UTC. `seq` is 0 until
    the log has given it one. `repeats`: how often it came again. `trace_id`: its X-Trace-Id, or ""."""

    channel: Channel
    message_id: str
    sender: str
    to: tuple[str, ...]
    subject: str
    body: str
    at: str
    seq: int = 0
    repeats: int = 0
    trace_id: str = ""

    @property
    def key(self) -> str:
        """One text per message: the channels do not know each other's ids."""
        return f"{self.channel}:{self.message_id}"

    def cut(self) -> "Message":
        """The same within the sink's bounds."""
        return replace(
            self,
            to=self.to[:MAX_RECIPIENTS],
            subject=self.subject[:MAX_SUBJECT],
            body=self.body[:MAX_BODY],
            trace_id=self.trace_id[:MAX_TRACE_ID],
        )

    def to_line(self) -> bytes:
        """One line of the log."""
        return orjson.dumps(asdict(self)) + b"\n"

    @classmethod
    def from_line(cls, line: dict[str, Any]) -> "Message":
        """The inverse of `to_line`. Raises: KeyError, TypeError for another shape."""
        return cls(**{**line, "to": tuple(line["to"])})


def now() -> str:
    """The time as it stands in messages."""
    return iso(datetime.now(UTC))
